"""Settings of what is printed."""

from __future__ import annotations

from pydantic import Field

from hub.config.base import Section


class Printing(Section):
    """Receipts, and how long is waited for a printer."""

    receipts: bool = Field(default=False, description="Queue a receipt job for every sale.")
    fallback_after_s: int = Field(
        default=20,
        ge=1,
        le=3600,
        description="A job whose printer doesn't answer for so long goes to that printer's"
        " `fallback`, if it has one.",
    )
    stopped_max_s: int = Field(
        default=600,
        ge=10,
        le=3600,
        description="So long a job that has begun waits for paper or a closed cover; then a person"
        " has to say whether it printed.",
    )
