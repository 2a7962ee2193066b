"""What the processor paid out, and how that compares with the hub's book."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from hub.contract.base import AmountMinor, Command, Incoming, InstantMs, MoneyMinor, Outgoing, Query

LINES_PER_PART: int = 500
PARTS_MAX: int = 1000


class SettlementLine(Incoming):
    """One line; amounts are positive whatever their direction.  ``psp_ref`` is the processor's name
    of the payment, ``payment_id`` the shop's (of a refund: the refund's or the payment's)."""

    kind: Literal["payment", "refund", "reversal", "fee", "chargeback"]
    payment_id: Annotated[str, Field(max_length=64, pattern=r"^[a-z0-9_-]*$")] = ""
    psp_ref: Annotated[str, Field(max_length=100, pattern=r"^[!-~]*$")] = ""
    amount_minor: AmountMinor
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    at_ms: InstantMs


class ImportSettlement(Command):
    """Take in one part of a settlement report (up to 500 lines); the same part changes nothing.

    A line that pays a payment out proves that it was charged: what was in doubt is then known, and
    what the shop had given up goes back to the customer by itself.
    """

    service: ClassVar[str] = "settlement"
    operation: ClassVar[str] = "import"
    processor: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
    name: Annotated[str, Field(min_length=1, max_length=100)]
    part: Annotated[int, Field(ge=1, le=PARTS_MAX, strict=True)] = 1
    lines: tuple[SettlementLine, ...] = Field(min_length=1, max_length=LINES_PER_PART)


class SettlementImported(Outgoing):
    """``verdicts``: how many lines were judged how; ``again``: this part was there already."""

    lines: int
    verdicts: dict[str, int]
    again: bool = False


class Reconcile(Query):
    """Compare the hub's book, the terminals and the processor's reports.

    ``unsettled_after_days``: captured money that no report has paid out for so long is a
    difference; ``days``: of how many days back the wrong lines are told.
    """

    service: ClassVar[str] = "settlement"
    operation: ClassVar[str] = "reconcile"
    days: Annotated[int, Field(ge=1, le=400, strict=True)] = 7
    unsettled_after_days: Annotated[int, Field(ge=1, le=60, strict=True)] = 3


class Difference(Outgoing):
    """One difference.  ``kind`` is for machines, ``what`` and ``next_step`` for people; ``owner``:
    who looks into it."""

    kind: str
    owner: str
    what: str
    next_step: str
    payment_id: str = ""
    terminal_id: str = ""
    amount_minor: MoneyMinor = 0
    at_ms: InstantMs | None = None


class StateSum(Outgoing):
    """How many payments are in a state, and their sum."""

    state: str
    count: int
    amount_minor: MoneyMinor


class Reconciliation(Outgoing):
    """The report.  ``states``: every card payment of the book by its state; ``owed_minor``: what
    the processor still owes (captured and not paid out); ``differences``: at most 500 of each kind;
    none: the three agree."""

    currency: str
    at_ms: InstantMs
    states: tuple[StateSum, ...]
    owed_minor: MoneyMinor
    files: int
    last_import_at_ms: InstantMs | None = None
    differences: tuple[Difference, ...]
