"""What all pages share."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hub.contract.base import Incoming

PAGE_MAX = 200
PAGE_DEFAULT = 50

Cursor = Annotated[
    str,
    Field(
        min_length=1,
        max_length=100,
        pattern=r"^[A-Za-z0-9._:+/-]+$",
        description="`next_cursor` of the page before.",
    ),
]
SearchText = Annotated[str, Field(max_length=100, description="What somebody typed.")]
BusinessDay = Annotated[
    str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", description="A business day, YYYY-MM-DD.")
]


class PageQuery(Incoming):
    """Which page of a list."""

    limit: int = Field(default=PAGE_DEFAULT, ge=1, le=PAGE_MAX)
    cursor: Cursor | None = None
