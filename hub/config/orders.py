"""Settings of online orders."""

from __future__ import annotations

from pydantic import Field

from hub.config.base import Section


class Orders(Section):
    """Online orders that the cloud gives to this shop."""

    keep_days: int = Field(
        default=400,
        ge=30,
        le=3660,
        description="So long an order that has ended, and that the cloud knows to have ended, stays"
        " to be looked up here. That it was, and how it ended, is never forgotten.",
    )
