"""What becomes of print jobs: begun, ended, expired, doubted, and what people say about them.

A job is ``printing`` on disk before its first byte is sent, so whatever was under way when a hub
died is known at its next start.  Nobody can know how much of it is on paper: such a job is
``ambiguous`` and only a person's word has it printed again, as a copy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from hub.contract.base import Command
from hub.service.gate import Handler, Reader
from hub.service.internal import InternalCommand
from hub.service.notices import PrintJobChanged, PrintQueued
from hub.service.unit import Unit
from hub.storage import printrows
from hub.storage.printrows import DRAWER_KICK, PrintJobRow

DAY_MS: Final = 86_400_000
ENDED_KEPT_MS: Final = 7 * DAY_MS
UNANSWERED_KEPT_MS: Final = 7 * DAY_MS
REASON_MAX: Final = 200
PAUSE_MAX_MS: Final = 300_000
TOO_LATE: Final = "it wasn't printed in time: it can be printed again as a copy"
KICK_TOO_LATE: Final = "the drawer wasn't opened in time: open it again if it is still needed"
DIED: Final = "the hub stopped while it was being printed"
REMOVED: Final = "{} was removed from the settings: print it again on another printer"
NO_END: Final = "how its printing ended could not be written down"
NO_ANSWER: Final = "nobody said within a week whether it was printed"

How = Literal["printed", "not-begun", "unknown", "refused"]


@dataclass(frozen=True, slots=True)
class BeginPrint(InternalCommand):
    """A printer is about to be sent this job.  The value: :class:`Begun`, or None when it isn't
    queued any more, isn't due, or its time is over (it has expired then)."""

    job_id: str
    printer_id: str


@dataclass(frozen=True, slots=True)
class Begun:
    """What to print; :class:`EndPrint` names the attempt."""

    job_id: str
    attempt: int
    device_id: str
    kind: str
    document: str


@dataclass(frozen=True, slots=True)
class EndPrint(InternalCommand):
    """How sending a job ended.  ``not-begun``: it waits again, for ``pause_ms`` at least.  The
    value is False when that attempt isn't under way (any more): nothing has changed then."""

    job_id: str
    attempt: int
    how: How
    reason: str = ""
    confirmed: bool = False
    pause_ms: int = 0


@dataclass(frozen=True, slots=True)
class FailPrint(InternalCommand):
    """A queued job can't be printed at all (nothing was sent).  A repeat changes nothing."""

    job_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class RecoverPrinting(InternalCommand):
    """The hub has started: what was being printed when it died is in doubt, and drawers that waited
    then stay closed.  ``newest``: the number of the last job of the time before; None: of any.  The
    value: how many jobs are in doubt."""

    newest: int | None = None


@dataclass(frozen=True, slots=True)
class ExpirePrinting(InternalCommand):
    """End queued jobs whose time is over, at most 200.  The value: how many."""


# The spooler's ------------------------------------------------------------------------------------


def begin_print(unit: Unit, command: BeginPrint) -> Begun | None:
    """See :class:`BeginPrint`.

    Whoever begins a job at a printer has no other under way there: what is ``printing`` there was
    never ended, so it is in doubt.
    """
    for stale in printrows.being_printed(unit.tx, command.printer_id):
        _doubt(unit, stale, NO_END)
    row = printrows.get(unit.tx, command.job_id)
    if row is None or row.state != "queued":
        return None
    if row.expires_budget_ms <= unit.tx.budget_ms:
        _expire(unit, row)
        return None
    if row.due_budget_ms > unit.tx.budget_ms:
        return None
    attempt = printrows.begin(unit.tx, row.job_id, command.printer_id)
    document = printrows.document(unit.tx, row.job_id)
    assert document is not None
    return Begun(row.job_id, attempt, row.device_id, row.kind, document)


def end_print(unit: Unit, command: EndPrint) -> bool:
    """See :class:`EndPrint`."""
    row = printrows.get(unit.tx, command.job_id)
    if row is None or row.state != "printing" or row.attempt != command.attempt:
        return False
    reason = command.reason[:REASON_MAX]
    match command.how:
        case "printed":
            printrows.end(unit.tx, row.job_id, "printed", "", confirmed=command.confirmed)
            changed(unit, row, "printed", "")
        case "refused":
            _end(unit, row, "failed", reason)
        case "unknown":
            _doubt(unit, row, reason)
        case "not-begun":
            pause_ms = min(max(0, command.pause_ms), PAUSE_MAX_MS)
            printrows.put_back(unit.tx, row.job_id, reason, unit.tx.budget_ms + pause_ms)
            unit.tell(PrintQueued(row.job_id))
    return True


def fail_print(unit: Unit, command: FailPrint) -> bool:
    """See :class:`FailPrint`."""
    row = printrows.get(unit.tx, command.job_id)
    if row is None or row.state != "queued":
        return False
    _end(unit, row, "failed", command.reason[:REASON_MAX])
    return True


def fail_wanted(unit: Unit, printer_id: str) -> None:
    """A printer was removed: what waits for it alone has failed, at most 200 jobs; the rest expires
    in its time."""
    for row in printrows.waiting_for(unit.tx, printer_id):
        _end(unit, row, "failed", REMOVED.format(printer_id))


def recover_printing(unit: Unit, command: RecoverPrinting) -> int:
    """See :class:`RecoverPrinting`.

    The clock that jobs expire by stood while the hub was down, so it doesn't know how late a drawer
    is that waited.
    """
    found = printrows.being_printed(unit.tx)
    for row in found:
        _doubt(unit, row, DIED)
    for row in printrows.waiting_kicks(unit.tx):
        if command.newest is None or row.id <= command.newest:
            _expire(unit, row)
    return len(found)


def expire_printing(unit: Unit, _command: ExpirePrinting) -> int:
    """See :class:`ExpirePrinting`."""
    found = printrows.overdue(unit.tx)
    for row in found:
        _expire(unit, row)
    return len(found)


# Housekeeping ------------------------------------------------------------------------------------


def purge(unit: Unit) -> int:
    """Forget what ended a week ago, and end what nobody has said a word about for as long; a
    bounded amount.  To be called while the wall clock is trusted.

    The week of an answer counts by the hub's own time: what was done while the clock was wrong, or
    is found in an old copy, is asked about as long as anything else.
    """
    old = printrows.unanswered(unit.tx, unit.tx.budget_ms - UNANSWERED_KEPT_MS)
    for row in old:
        _end(unit, row, "expired", NO_ANSWER)
    return len(old) + printrows.purge(unit.tx, unit.now_ms - ENDED_KEPT_MS)


# Ends --------------------------------------------------------------------------------------------


def changed(unit: Unit, row: PrintJobRow, state: str, reason: str) -> None:
    """Have it told that a job is in another state."""
    unit.tell(PrintJobChanged(row.job_id, row.device_id, row.kind, state, reason))


def _end(unit: Unit, row: PrintJobRow, state: str, reason: str) -> None:
    printrows.end(unit.tx, row.job_id, state, reason)
    changed(unit, row, state, reason)


def _doubt(unit: Unit, row: PrintJobRow, reason: str) -> None:
    """Nobody knows whether it is on paper.  Whether a drawer opened anybody sees, and it must not
    open by itself later: that is over."""
    if row.kind == DRAWER_KICK:
        _end(unit, row, "expired", reason or KICK_TOO_LATE)
        return
    printrows.doubt(unit.tx, row.job_id, reason)
    about = {
        "kind": row.kind,
        "device_id": row.device_id,
        "subject": row.subject,
        "printer_id": row.printer_id,
        "copy": row.copy,
        "reason": reason,
    }
    unit.note("print.ambiguous", row.job_id, about)
    changed(unit, row, "ambiguous", reason)


def _expire(unit: Unit, row: PrintJobRow) -> None:
    why = KICK_TOO_LATE if row.kind == DRAWER_KICK else TOO_LATE
    _end(unit, row, "expired", f"{why} ({row.reason})" if row.reason else why)


WRITES: dict[type[Command], Handler] = {}
READS: dict[type[Command], Reader] = {}
SLOW_READS: dict[type[Command], Reader] = {}
INTERNAL: dict[type[Any], Callable[[Unit, Any], Any]] = {
    BeginPrint: begin_print,
    EndPrint: end_print,
    FailPrint: fail_print,
    RecoverPrinting: recover_printing,
    ExpirePrinting: expire_printing,
}
