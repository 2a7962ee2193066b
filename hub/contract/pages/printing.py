"""What hangs on the box, what is printed and what became of it, and a sale's receipt to show.

- ``GET /api/1/peripherals``               → :class:`PeripheralsPage`
- ``GET /api/1/printing``                  → :class:`PrintingPage`
- ``GET /api/1/printing/ended``            → :class:`EndedPage`
- ``GET /api/1/printing/{job_id}``         → :class:`JobWhole`
- ``GET /api/1/printing/{job_id}/picture``  → PNG
- ``GET /api/1/sales/{sale_id}/receipt``   → HTML
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hub.contract.base import Incoming, Outgoing, UniqueId
from hub.contract.pages.base import PageQuery
from hub.contract.peripherals import PeripheralView
from hub.contract.printing import PrintJobView

OPEN_MAX = 100
"""Of jobs that wait, and of those that a person is asked about."""


class PeripheralsQuery(Incoming):
    """What hangs on the box, and how it is."""


class PeripheralsPage(Outgoing):
    """All peripherals, those of the settings first; ``kept``: whether the hub drives them now."""

    kept: bool
    peripherals: tuple[PeripheralView, ...] = ()


class JobOnPage(PrintJobView):
    """A job; names instead of ids where they are known.  ``sale_id``: the sale that it tells of."""

    device_name: str = ""
    printer_name: str = ""
    sale_id: str | None = None


class PrintingQuery(Incoming):
    """What waits, what is being printed, and what nobody knows."""


class PrintCounts(Outgoing):
    """How many documents; those that ended, in the last 24 hours."""

    queued: int = 0
    printing: int = 0
    ambiguous: int = 0
    printed: int = 0
    failed: int = 0


class PrintingPage(Outgoing):
    """Jobs without an end, in the order they are printed in; at most 100 of each."""

    counts: PrintCounts
    ambiguous: tuple[JobOnPage, ...]
    open: tuple[JobOnPage, ...]
    last_ended: int = Field(description="Number of the job that ended last; 0: none.")


class EndedQuery(PageQuery):
    """Which of the jobs that ended: documents in any or one of the states, or openings of
    drawers."""

    which: Literal["all", "printed", "failed", "expired", "cancelled", "drawers"] = "all"


class EndedPage(Outgoing):
    """Jobs that ended, the last ones first; they are kept for a week."""

    jobs: tuple[JobOnPage, ...]
    next_cursor: str | None = None


class JobQuery(Incoming):
    """Which job."""

    job_id: UniqueId


class JobWhole(Outgoing):
    """A job, and its document in letters of one width as it looks on paper (empty: it can't be
    shown); ``rtl``: it reads from right to left."""

    job: JobOnPage
    text: str = ""
    rtl: bool = False


class PictureQuery(Incoming):
    """A job's document as it looks on paper of 80 mm."""

    job_id: UniqueId


class ReceiptQuery(Incoming):
    """The receipt of a sale, or the slip of its void, as a page to show and to print, marked as a
    copy."""

    sale_id: UniqueId
