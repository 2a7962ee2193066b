"""What the hub writes down of itself: minutes, changes of the link, outages.

All of it waits behind everything else, touches a bounded number of rows, tells the cloud nothing
and is harmless when repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from hub.contract.base import Command
from hub.service.gate import Handler, Reader
from hub.service.internal import InternalCommand
from hub.service.unit import Unit
from hub.storage import historyrows, hubrow, outbox
from hub.storage.historyrows import Sample

STEPPED_MS = 5000
"""An outage whose two instants differ from its length by more than this saw the clock set."""


@dataclass(frozen=True, slots=True)
class HistoryCommand(InternalCommand):
    """Base: none of them is in a hurry."""

    background: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class NoteMinute(HistoryCommand):
    """A stretch of time up to ``at_ms``.  ``place`` and ``drill`` are about the outage that lasts,
    if one does; ``commits`` as in :class:`hub.storage.historyrows.Sample`."""

    at_ms: int
    span_ms: int
    up_ms: int
    requests: int
    commits: tuple[int, ...]
    place: str = ""
    drill: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """The link came up or went down; ``place`` as in the table."""

    at_ms: int
    up: bool
    place: str = ""


@dataclass(frozen=True, slots=True)
class NoteLink(HistoryCommand):
    """The link changed, the oldest change first."""

    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class BeginOutage(HistoryCommand):
    """The cloud hasn't been reached since ``began_at_ms``.  The value: the outage that lasts."""

    began_at_ms: int
    place: str
    drill: bool


@dataclass(frozen=True, slots=True)
class EndOutage(HistoryCommand):
    """The cloud is reached again since ``ended_at_ms``.  ``lasted_ms`` by a clock that nobody sets,
    where the whole of it was seen; ``caught_up_at_ms`` where all is told already."""

    ended_at_ms: int
    lasted_ms: int | None
    place: str
    drill: bool
    caught_up_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class NoteCaughtUp(HistoryCommand):
    """The cloud has everything from the outage ``number``."""

    number: int
    at_ms: int


def note_minute(unit: Unit, command: NoteMinute) -> None:
    """Write the sample with what waits now, and forget a bounded amount of what is too old; nothing
    is too old by a clock in doubt."""
    tx = unit.tx
    depth = sum(outbox.depth(tx).values())
    oldest_ms = outbox.oldest_waiting_ms(tx) if depth else None
    historyrows.add_sample(
        tx,
        Sample(
            command.at_ms,
            command.span_ms,
            min(command.up_ms, command.span_ms),
            depth,
            None if oldest_ms is None else max(0, unit.now_ms - oldest_ms) // 1000,
            outbox.count_parked(tx),
            command.requests,
            command.commits,
        ),
    )
    row = historyrows.open_outage(tx)
    if row is not None:
        historyrows.update_outage(tx, row.number, command.place or row.place, command.drill, depth)
        if command.place:
            historyrows.place_change(tx, command.place)
    if not hubrow.clock_suspect(tx):
        historyrows.purge(tx, unit.now_ms)


def note_link(unit: Unit, command: NoteLink) -> None:
    """Write the changes with what stands now."""
    marks = historyrows.now_marks(unit.tx)
    for change in command.changes:
        historyrows.add_change(unit.tx, change.at_ms, change.up, change.place, marks)


def begin_outage(unit: Unit, command: BeginOutage) -> historyrows.OutageRow:
    """What came since the link went down belongs to it.  One at a time: where one lasts, that."""
    tx = unit.tx
    row = historyrows.open_outage(tx)
    if row is None:
        change = historyrows.last_change(tx)
        down = change is not None and not change.up
        marks = change.marks if change is not None and down else historyrows.now_marks(tx)
        place = command.place or "unknown"
        historyrows.begin_outage(
            tx, unit.ids.uuid7(), command.began_at_ms, place, command.drill, marks
        )
        row = historyrows.open_outage(tx)
        assert row is not None
        depth = sum(outbox.depth(tx).values())
        historyrows.update_outage(tx, row.number, place, command.drill, depth)
    return row


def end_outage(unit: Unit, command: EndOutage) -> historyrows.OutageRow | None:
    """It ends where the link came up, and never before it began: where the clock was set meanwhile,
    its begin is told by the clock as it is now."""
    tx = unit.tx
    row = historyrows.open_outage(tx)
    if row is None:
        return None
    change = historyrows.last_change(tx)
    up = change is not None and change.up
    marks = change.marks if change is not None and up else historyrows.now_marks(tx)
    began_ms, ended_ms, lasted_ms = row.began_at_ms, command.ended_at_ms, command.lasted_ms
    if lasted_ms is not None and abs(ended_ms - began_ms - lasted_ms) > STEPPED_MS:
        began_ms = ended_ms - lasted_ms
    depth = marks.event - row.began.event if row.highest_depth == 0 else 0
    historyrows.update_outage(
        tx, row.number, command.place or row.place, command.drill, max(0, depth)
    )
    historyrows.end_outage(tx, row, min(began_ms, ended_ms), ended_ms, marks)
    if command.caught_up_at_ms is not None:
        historyrows.caught_up(tx, row.number, max(ended_ms, command.caught_up_at_ms))
    return historyrows.newest_outage(tx)


def note_caught_up(unit: Unit, command: NoteCaughtUp) -> None:
    """See :class:`NoteCaughtUp`; the first instant stays."""
    historyrows.caught_up(unit.tx, command.number, command.at_ms)


WRITES: dict[type[Command], Handler] = {}
READS: dict[type[Command], Reader] = {}
SLOW_READS: dict[type[Command], Reader] = {}
INTERNAL: dict[type[Any], Callable[[Unit, Any], Any]] = {
    NoteMinute: note_minute,
    NoteLink: note_link,
    BeginOutage: begin_outage,
    EndOutage: end_outage,
    NoteCaughtUp: note_caught_up,
}
