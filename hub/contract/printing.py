"""What is printed, what became of it, and what people say about it; opening the cash drawer."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from hub.contract.base import (
    AmountMinor,
    Command,
    DeviceId,
    Incoming,
    LineNo,
    Outgoing,
    Query,
    Reason,
    UniqueId,
)

PRINTER_ID_PATTERN = r"^[a-z0-9][a-z0-9-]{0,39}$"
LABELS_MAX = 50
LABEL_COPIES_MAX = 20
LABELS_AT_ONCE_MAX = 100

PrintState = Literal["queued", "printing", "printed", "failed", "ambiguous", "expired", "cancelled"]
"""``ambiguous``: nobody knows whether it is on paper, and a person is asked."""


class PrintJobView(Outgoing):
    """A print job.

    ``kind`` of the document, or ``drawer-kick``.  ``device_id``: the till it belongs to;
    ``subject``: the sale or return; ``title``: what people call it, e.g. the receipt's number.
    ``copy_no``: 0 is the original.  ``of_job``: what it is printed again for.  ``reason``: why it
    waits or ended so, in words.  ``confirmed``: the printer itself said that it is printed.
    ``answer``: what a person said of an ambiguous one.
    """

    number: int
    job_id: str
    device_id: str
    kind: str
    state: str
    subject: str = ""
    title: str = ""
    printer_id: str = ""
    attempt: int = 0
    copy_no: int = 0
    of_job: str | None = None
    reason: str = ""
    confirmed: bool = False
    answer: str = ""
    made_at_ms: int
    began_at_ms: int | None = None
    ended_at_ms: int | None = None


class PrintJobDetails(PrintJobView):
    """A print job with the facts that it states."""

    document: dict[str, Any] = Field(default_factory=dict)


class PrintJobs(Outgoing):
    """A page of jobs.  ``waiting``, ``printing`` and ``ambiguous``: how many there are of these in
    all; ``next_before`` continues a list of all."""

    jobs: tuple[PrintJobView, ...]
    waiting: int = 0
    printing: int = 0
    ambiguous: int = 0
    next_before: int | None = None


class ListPrintJobs(Query):
    """Jobs: those without an end (oldest first), those that a person is asked about (oldest
    first), or the latest of all."""

    service: ClassVar[str] = "print"
    operation: ClassVar[str] = "list"
    state: Literal["open", "ambiguous", "all"] = "open"
    limit: int = Field(default=50, ge=1, le=200)
    before: int | None = Field(default=None, ge=1)


class GetPrintJob(Query):
    """One job with its facts.

    Only the till that it belongs to, the one whose sale or return it is about, and whoever is
    signed in with ``hub.view`` or ``hub.manage`` may read it.
    """

    service: ClassVar[str] = "print"
    operation: ClassVar[str] = "get"
    job_id: UniqueId


class SettlePrintJob(Command):
    """Say what became of an ambiguous job: it is on paper (``printed``), print it ``again`` (as a
    copy), or ``forget`` it.

    Whoever may sell at the job's till says so there; at another one it takes ``hub.manage``.
    """

    service: ClassVar[str] = "print"
    operation: ClassVar[str] = "settle"
    job_id: UniqueId
    answer: Literal["printed", "again", "forget"]


class PrintSettled(Outgoing):
    """``again``: the job that prints it again."""

    job: PrintJobView
    again: PrintJobView | None = None


class Reprint(Command):
    """Print a sale's receipt, a return's, or a job's document again, marked as a copy and counted.

    Of a voided sale its void is printed.  At the till that made it this takes ``sale.sell``, at
    another one ``hub.manage``.  It is printed where the till prints, or by ``printer_id``.
    """

    service: ClassVar[str] = "print"
    operation: ClassVar[str] = "reprint"
    sale_id: UniqueId | None = None
    return_id: UniqueId | None = None
    job_id: UniqueId | None = None
    printer_id: str | None = Field(default=None, pattern=PRINTER_ID_PATTERN)

    @model_validator(mode="after")
    def _names_one_thing(self) -> Self:
        if sum(one is not None for one in (self.sale_id, self.return_id, self.job_id)) != 1:
            raise ValueError("give one of sale_id, return_id and job_id")
        return self


class PrintGiftReceipt(Command):
    """Print a sale's goods without prices, for whoever they are given to; all lines or some."""

    service: ClassVar[str] = "print"
    operation: ClassVar[str] = "gift-receipt"
    sale_id: UniqueId
    line_nos: tuple[LineNo, ...] = Field(default=(), max_length=500)
    printer_id: str | None = Field(default=None, pattern=PRINTER_ID_PATTERN)


class LabelWanted(Incoming):
    """A product by a barcode or its SKU, and how many labels of it."""

    code: str = Field(min_length=1, max_length=512)
    copies: int = Field(default=1, ge=1, le=LABEL_COPIES_MAX)


class PrintLabels(Command):
    """Print labels for the shelf, with the prices in force: all that are asked for, or none.

    It takes one of ``stock.receive``, ``stock.count``, ``stock.adjust`` and ``hub.manage``.  They
    come out of a label printer, else of the receipt printer; each is a job of its own, and receipts
    go before them.
    """

    service: ClassVar[str] = "print"
    operation: ClassVar[str] = "label"
    labels: tuple[LabelWanted, ...] = Field(
        min_length=1,
        max_length=LABELS_MAX,
        description=f"At most {LABELS_AT_ONCE_MAX} labels with all copies.",
    )
    printer_id: str | None = Field(default=None, pattern=PRINTER_ID_PATTERN)

    @model_validator(mode="after")
    def _not_too_many(self) -> Self:
        if sum(one.copies for one in self.labels) > LABELS_AT_ONCE_MAX:
            raise ValueError(
                f"ask for at most {LABELS_AT_ONCE_MAX} labels at once, copies included"
            )
        return self


class LabelQueued(Outgoing):
    """What a label says, and the jobs that print it, one for each copy."""

    sku: str
    name: str
    price_minor: AmountMinor
    job_ids: tuple[UniqueId, ...]


class LabelsQueued(Outgoing):
    """In the order asked for."""

    labels: tuple[LabelQueued, ...]


class CancelPrintJob(Command):
    """Don't print a job that still waits."""

    service: ClassVar[str] = "print"
    operation: ClassVar[str] = "cancel"
    job_id: UniqueId


class PrintTestPage(Command):
    """Print a page that shows what a printer can do."""

    service: ClassVar[str] = "print"
    operation: ClassVar[str] = "test"
    printer_id: str = Field(pattern=PRINTER_ID_PATTERN)


class OpenDrawer(Command):
    """Open the till's cash drawer without a sale (``drawer.no_sale``): it is counted and written
    down.  A drawer that can't be opened within seconds stays closed."""

    service: ClassVar[str] = "drawer"
    operation: ClassVar[str] = "open"
    reason: Reason
    approval_id: UniqueId | None = None
    device_id: DeviceId | None = Field(
        default=None,
        description="The till whose drawer is meant: given on the technician's page, where nobody"
        " asks at a till; a till opens its own only.",
    )


class DrawerOpening(Outgoing):
    """The job that opens it, and how often this till's drawer was opened so on this day."""

    job_id: str
    no_sales_today: int
    business_day: str
