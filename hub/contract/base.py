"""Field types and the base classes of all messages."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

CONTRACT_VERSION = 1
MAX_MESSAGE_BYTES = 262_144
MAX_LINES = 500
MONEY_LIMIT_MINOR = 9_000_000_000_000_000
QTY_LIMIT = 1_000_000_000

Sku = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._/+-]+$")]
Gtin = Annotated[str, Field(pattern=r"^[0-9]{8,14}$")]
DeviceId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{2,39}$")]
StoreId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]
StaffId = Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[A-Za-z0-9._-]+$")]
UniqueId = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
        description="A UUID in lower case, version 7 recommended; unique in the shop for ever.",
    ),
]
IdempotencyKey = Annotated[str, Field(pattern=r"^[!-~]{8,64}$")]
FreeText = Annotated[str, Field(max_length=500)]
Reason = Annotated[str, Field(min_length=1, max_length=200)]
MoneyMinor = Annotated[int, Field(ge=-MONEY_LIMIT_MINOR, le=MONEY_LIMIT_MINOR, strict=True)]
AmountMinor = Annotated[int, Field(ge=0, le=MONEY_LIMIT_MINOR, strict=True)]
Qty = Annotated[int, Field(ge=1, le=QTY_LIMIT, strict=True)]
SignedQty = Annotated[int, Field(ge=-QTY_LIMIT, le=QTY_LIMIT, strict=True)]
LevelQty = Annotated[int, Field(strict=True)]
Version = Annotated[int, Field(ge=0, strict=True)]
LineNo = Annotated[int, Field(ge=1, le=MAX_LINES, strict=True)]
InstantMs = Annotated[int, Field(ge=0, strict=True, description="UTC milliseconds since 1970")]


# A model's validator is built when it is first used: a process needs few of them, and would begin
# with building them all.  pydantic does it under a lock, whichever thread comes first.
class Incoming(BaseModel):
    """Something a stranger asks of us: unknown fields are refused, so that a typo can't be lost."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Outgoing(BaseModel):
    """Something we tell: readers ignore fields they don't know."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class Nothing(Outgoing):
    """An answer without content."""


class Command(Incoming):
    """A request to the hub.  ``service`` and ``operation`` are its address on every door."""

    service: ClassVar[str]
    operation: ClassVar[str]

    def told_apart_by(self) -> tuple[str, ...]:
        """Secrets that make this another request than one whose JSON looks the same: they count
        where a repeat is told from another request, by a keyed hash and never as they are."""
        return ()


class Query(Command):
    """A command that changes nothing: it is answered from a reader and needs no key."""


class Live(Query):
    """Done at once by what hangs on the hub, outside of its books: it needs no key, its answer is
    not remembered, and a repeat does it again."""
