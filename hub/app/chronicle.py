"""Writes down what was: each minute a sample, every change of the link, and outages.

It looks now and then and when the link changes, on the loop, at numbers that are counted anyway; a
minute costs one small transaction behind everything else.  While the disk is full it writes
nothing: minutes are left out and counted, an outage is written down as soon as there is room.

An outage begins when the cloud hasn't been reached for a minute, and dates from the last moment it
was; it ends when the cloud has been reached for half a minute, and dates from the first moment of
that.  A hub that was off for three minutes or more was cut off, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cloud_link.link import CloudLink
from hub.health.checks.link import broken_at
from hub.health.facts import Measured
from hub.observe.tally import Tally
from hub.service.caller import HUB
from hub.service.gate import Gate
from hub.service.handlers.history import (
    BeginOutage,
    Change,
    EndOutage,
    NoteCaughtUp,
    NoteLink,
    NoteMinute,
)
from hub.storage import historyrows, hubrow
from hub.storage.errors import StorageError
from hub.storage.historyrows import OutageRow

log = logging.getLogger(__name__)

LOOK_S: Final = 5.0
MINUTE_S: Final = 60.0
OUTAGE_AFTER_S: Final = 60.0
OVER_AFTER_S: Final = 30.0
HOLE_MS: Final = 180_000
HUB_OFF: Final = "hub-off"
CHANGES_MAX: Final = 20
"""Changes that are noted of one minute; of a link that flaps more often, where it ends."""


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Watched:
    """What is looked at; every call costs next to nothing.  ``place``: where the way to the cloud
    ends, as last found, or nothing.  ``requests`` and ``commits`` count since the start.
    ``configured``: without a cloud nobody is cut off."""

    configured: bool
    reached: Callable[[], bool]
    place: Callable[[], str]
    requests: Callable[[], int]
    commits: Callable[[], tuple[int, ...]]
    drilling: Callable[[], bool] = _never


class Chronicle:
    """``look`` at every change of the link; ``dropped``: minutes that aren't written."""

    def __init__(self, gate: Gate, watched: Watched, *, seen_at_ms: int = 0) -> None:
        """``seen_at_ms``: when the hub was last known to run, before this start; 0: unknown."""
        self._gate = gate
        self._watched = watched
        self._seen_at_ms = seen_at_ms
        self.dropped = 0
        self._failing = False
        self._woken = asyncio.Event()
        self._ending = False
        self._task: asyncio.Task[None] | None = None
        now_s = gate.clock.monotonic_s()
        self._up = False
        self._looked_s = self._minute_s = now_s
        self._turned_s = now_s
        self._up_s = 0.0
        self._requests = watched.requests()
        self._commits = watched.commits()
        self._pending: list[Change] = []
        self._noted = 0
        self._down_from_ms: int | None = None
        self._hole_from_ms: int | None = None
        self._votes: Counter[str] = Counter()
        self._drill = False
        self._outage: OutageRow | None = None
        self._began_s: float | None = None
        self._caught_up_at_ms: int | None = None
        self._behind: OutageRow | None = None

    # Life ----------------------------------------------------------------------------------------

    def open(self) -> None:
        """Go on where the last run ended: a few look-ups of the newest rows."""
        rows, now_ms = self._gate.rows, self._gate.clock.wall_ms()
        last = historyrows.last_change(rows)
        seen = [self._seen_at_ms, historyrows.last_seen_ms(rows) or 0, last.at_ms if last else 0]
        seen_ms = max((one for one in seen if one <= now_ms), default=0)
        newest = historyrows.newest_outage(rows)
        if newest is not None and newest.ended_at_ms is None:
            self._outage = newest
            lasted_ms = max(seen_ms, newest.began_at_ms) - newest.began_at_ms
            self._votes[newest.place] += 1 + lasted_ms // 60_000
        elif newest is not None and newest.caught_up_at_ms is None:
            self._behind = newest
        if seen_ms == 0 or hubrow.clock_suspect(rows):
            return  # the first start, or nobody knows how long it was
        self._pending.append(Change(seen_ms, False, HUB_OFF))
        self._down_from_ms = seen_ms
        if now_ms - seen_ms >= HOLE_MS:
            self._hole_from_ms = seen_ms
            self._votes[HUB_OFF] += (now_ms - seen_ms) // 60_000

    def start(self) -> None:
        """Begin."""
        self.open()
        self._task = asyncio.create_task(self._run(), name="chronicle")

    async def stop(self) -> None:
        """End with the minute that was begun, so that the next start knows how long it was.

        What is being written is awaited: given up in the middle, it would be written once more.
        """
        self._ending = True
        self._woken.set()
        if self._task is not None:
            await self._task
        self.look()
        await self._step(last=self._looked_s - self._minute_s >= 1)

    async def _run(self) -> None:
        while not self._ending:
            try:
                await self.step()
            except Exception:
                log.exception("the history failed; it is tried again in %g s", LOOK_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._woken.wait()
            self._woken.clear()

    # Looking -------------------------------------------------------------------------------------

    def look(self) -> None:
        """See whether the cloud is reached; call it on every change, too."""
        clock = self._gate.clock
        now_s, up = clock.monotonic_s(), self._watched.reached()
        if self._up:
            self._up_s += now_s - self._looked_s
        self._looked_s = now_s
        if up == self._up:
            return
        self._up, self._turned_s = up, now_s
        self._down_from_ms = self._caught_up_at_ms = None
        self._noted += 1
        change = Change(clock.wall_ms(), up)
        if len(self._pending) >= CHANGES_MAX:
            self._pending.pop()
        self._pending.append(change)
        if self._noted <= CHANGES_MAX:
            self._woken.set()  # else the next look tells where it ended

    async def step(self) -> None:
        """Look, and write down what is due."""
        self.look()
        await self._step()

    async def _step(self, *, last: bool = False) -> None:
        due = self._looked_s - self._minute_s >= MINUTE_S or last
        if due:
            self._vote()
        if self._gate.storage_full:
            self._leave_out(due, "the disk is full")
            return
        try:
            await self._tell_changes()
            await self._keep_outage()
            await self._keep_up()
            if due:
                await self._note_minute()
        except StorageError as error:
            self._leave_out(due, str(error))
        else:
            self._failing = False

    def _leave_out(self, due: bool, why: str) -> None:
        """Nothing else is left out for want of room: what isn't a minute is tried again."""
        if due:
            self.dropped += 1
            self._requests, self._commits = self._watched.requests(), self._watched.commits()
            self._next_minute()
        if not self._failing:
            self._failing = True
            log.warning("minutes are missing in the history: %s", why)

    def _vote(self) -> None:
        """Where the way ends is looked at again and again; the place that is found most often is
        the outage's."""
        if not self._up and (place := self._watched.place()):
            self._votes[place] += 1

    @property
    def _place(self) -> str:
        found = [(votes, place) for place, votes in self._votes.items() if place != "unknown"]
        return max(found, key=lambda one: one[0])[1] if found else ""

    # Writing -------------------------------------------------------------------------------------

    async def _tell_changes(self) -> None:
        """In one transaction; without a cloud only that the hub was off."""
        waiting, self._pending = self._pending, []
        told = tuple(one for one in waiting if self._watched.configured or one.place == HUB_OFF)
        if not told:
            return
        try:
            await self._gate.internal(HUB, NoteLink(told))
        except StorageError:
            self._pending = [*waiting, *self._pending][-CHANGES_MAX:]
            raise

    async def _keep_outage(self) -> None:
        if not self._watched.configured:
            if self._outage is not None:
                await self._end(self._outage)
            return
        self._drill = self._drill or self._watched.drilling()
        for_s = self._looked_s - self._turned_s
        if self._outage is None:
            away = not self._up and for_s >= OUTAGE_AFTER_S
            if away or self._hole_from_ms is not None:
                await self._begin()
        elif self._up and for_s >= OVER_AFTER_S:
            await self._end(self._outage)
        self._hole_from_ms = None
        if self._up and self._outage is None:
            self._votes.clear()
            self._drill = False

    async def _begin(self) -> None:
        now_ms = self._gate.clock.wall_ms()
        from_ms = self._down_from_ms if self._hole_from_ms is None else self._hole_from_ms
        began_ms = now_ms - self._ms_since(self._turned_s) if from_ms is None else from_ms
        if not self._votes:
            self._vote()
        began_s = self._turned_s if from_ms is None else None
        self._outage = await self._gate.internal(
            HUB, BeginOutage(began_ms, self._place, self._drill)
        )
        self._began_s = began_s
        self._behind = None

    async def _end(self, outage: OutageRow) -> None:
        ended_ms = self._gate.clock.wall_ms() - self._ms_since(self._turned_s)
        began_s = self._began_s
        lasted_ms = None if began_s is None else int((self._turned_s - began_s) * 1000)
        row: OutageRow | None = await self._gate.internal(
            HUB,
            EndOutage(ended_ms, lasted_ms, self._place, self._drill, self._caught_up_at_ms),
        )
        if row is not None and row.caught_up_at_ms is None:
            self._behind = row
        self._outage = self._began_s = None
        log.info("the cloud is reached again after %d min", _minutes(row or outage))

    async def _keep_up(self) -> None:
        """Whether the cloud has everything from the last outage."""
        if not self._up or (self._outage is None and self._behind is None):
            return
        rows, now_ms = self._gate.rows, self._gate.clock.wall_ms()
        waiting = historyrows.oldest_waiting_event(rows)
        if self._outage is not None:
            change = historyrows.last_change(rows)
            ended = change.marks if change is not None and change.up else None
        else:
            ended = self._behind.ended if self._behind is not None else None
        if ended is None or (waiting is not None and waiting <= ended.event):
            return
        if self._outage is not None:
            self._caught_up_at_ms = self._caught_up_at_ms or now_ms
        elif self._behind is not None:
            await self._gate.internal(HUB, NoteCaughtUp(self._behind.number, now_ms))
            self._behind = None

    async def _note_minute(self) -> None:
        requests, commits = self._watched.requests(), self._watched.commits()
        span_s = self._looked_s - self._minute_s
        await self._gate.internal(
            HUB,
            NoteMinute(
                self._gate.clock.wall_ms(),
                int(span_s * 1000),
                int(self._up_s * 1000),
                max(0, requests - self._requests),
                tuple(
                    max(0, now - before) for now, before in zip(commits, self._commits, strict=True)
                ),
                self._place,
                self._drill,
            ),
        )
        self._requests, self._commits = requests, commits
        self._next_minute()

    def _next_minute(self) -> None:
        self._minute_s, self._up_s, self._noted = self._looked_s, 0.0, 0

    def _ms_since(self, since_s: float) -> int:
        return int((self._looked_s - since_s) * 1000)


def watched_parts(
    cloud: CloudLink,
    measured: Callable[[], Measured],
    tally: Tally,
    url: str | None,
    drilling: Callable[[], bool] = _never,
) -> Watched:
    """A running hub's parts as the chronicle looks at them."""

    def place() -> str:
        if cloud.status().state in ("refused", "superseded"):
            return "oms"
        return broken_at(measured().way) or ""

    return Watched(
        configured=url is not None,
        reached=lambda: cloud.up,
        place=place,
        requests=lambda: sum(tally.requests.values()),
        commits=lambda: tuple(tally.commits.counts),
        drilling=drilling,
    )


def _minutes(row: OutageRow) -> int:
    return max(0, (row.ended_at_ms or row.began_at_ms) - row.began_at_ms) // 60_000
