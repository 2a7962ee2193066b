"""Strikes, and starts again what systemd would: the hub and the cloud; the broker is the hub's."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter

from hub.clock import SystemClock
from scripts.killing.aim import at_commit
from scripts.killing.books import Books, SoldSale
from scripts.killing.floor import Floor
from scripts.killing.plan import Kind, Strike
from scripts.killing.till import BusyTill
from scripts.rig import ChildDied, ShopRig

WAIT_S = 60.0
"""Whatever takes longer to come back is a finding."""
_POLL_S = 0.005
_ASKING_S = 0.01
_HELD_S = 30.0
_LISTENS_S = 3.0
_LEFTOVER = "a broker of an earlier run"
_TRIES = 3
_NEWEST = 4
_OLDER = 2
_RECENT = 40


Starter = Callable[[float], Awaitable[None]]


class StandsStill(Exception):
    """The shop does not come back; the text says what was waited for."""


class Killer:
    """``kills`` by kind, ``seen`` what happened, ``starts_s`` how long a hub's starts took."""

    def __init__(
        self, rig: ShopRig, floor: Floor, books: Books, seen: Counter[str], rng: Random
    ) -> None:
        self.kills: Counter[Kind] = Counter()
        self.starts_s: list[float] = []
        self.in_flight: list[int] = []
        self.tills: list[BusyTill] = []
        self._rig = rig
        self._floor = floor
        self._books = books
        self._seen = seen
        self._rng = rng
        self._clock = SystemClock()
        self._busy: dict[Kind, asyncio.Task[None]] = {}
        self._fresh = 0

    async def strike(self, strike: Strike) -> None:
        """One strike; what it killed comes back in the background.

        Raises StandsStill, and whatever a recovery before it ended with.
        """
        await self._settled(*strike.kinds)
        if "broker" in strike.kinds:
            await self._settled("hub")
        await self._answers(strike.after)
        await asyncio.sleep(strike.pause_s)
        frozen = self._freeze() if strike.freeze else None
        await self._aimed(strike)
        for kind in strike.kinds:
            self._busy[kind] = asyncio.create_task(self._back(kind, strike, frozen))
        if len(strike.kinds) > 1:
            self._seen["two-at-once"] += 1

    async def settle(self) -> None:
        """Until everything is back."""
        await self._settled("hub", "broker", "oms")

    async def stop(self) -> None:
        """Forget what is coming back."""
        for task in self._busy.values():
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task

    async def polite_restart(self) -> None:
        """As ``systemctl restart``: the broker's back-off begins anew with it."""
        await self._settled("hub", "broker")
        if not await self._rig.stop_hub():
            self._books.find("the hub did not stop within 15 s when asked to")
        self._seen["polite-restart"] += 1
        await self._start_hub()

    # -- the moment ----------------------------------------------------------------------------

    async def _answers(self, count: int) -> None:
        """The shop gives so many answers first."""
        wanted = self._floor.answered + count
        try:
            await self._floor.until(lambda: self._floor.answered >= wanted, WAIT_S)
        except TimeoutError:
            raise StandsStill(
                f"no {count} answers within {WAIT_S:.0f} s; under way: "
                f"{[one.what for one in self._floor.asking.values()]}"
            ) from None

    async def _aimed(self, strike: Strike) -> None:
        """Kill at the moment that it aims at."""
        first = strike.kinds[0]
        if strike.aim != "any":
            with suppress(TimeoutError):
                await self._floor.until(lambda: bool(self._floor.asking), 1.0)
            if first == "oms":
                await self._cloud_listens()
        match strike.aim:
            case "asking":
                await asyncio.sleep(self._rng.uniform(0, _ASKING_S))
            case "commit" | "committed" as moment:
                database = self._rig.hub_database if first == "hub" else self._rig.oms_database
                if await at_commit(database, moment, lambda: self._fire(strike)):
                    self._seen[f"{first}-in-{moment}"] += 1
                    return
            case "any":
                pass
        self._fire(strike)

    async def _cloud_listens(self) -> None:
        """The hub has found the cloud again: something is written there."""
        wal = self._rig.oms_database.with_name(self._rig.oms_database.name + "-wal")
        with suppress(TimeoutError, OSError):
            before = wal.stat().st_mtime_ns
            async with asyncio.timeout(_LISTENS_S):
                while wal.stat().st_mtime_ns == before:
                    await asyncio.sleep(_POLL_S)

    def _fire(self, strike: Strike) -> None:
        """All of them, now."""
        for kind in strike.kinds:
            self._kill(kind)
        self.in_flight.append(len(self._floor.asking))
        self._seen["requests-in-flight"] += len(self._floor.asking)
        if "hub" in strike.kinds:
            self._floor.hub_killed(self._clock.wall_ms())

    def _kill(self, kind: Kind) -> None:
        if kind == "broker":
            pid = self._rig.kill_broker()
            if pid is None:
                return
            self._fresh = pid
        else:
            child = self._rig.hub if kind == "hub" else self._rig.oms
            if not child.alive:
                self._books.find(
                    f"{child.name} ended by itself with status {child.exit_code}:\n{child.tail()}"
                )
                return
            os.kill(child.pid, signal.SIGKILL)
        self.kills[kind] += 1

    def _freeze(self) -> int | None:
        """Hold the broker: it can't end with its hub."""
        pid = self._rig.broker_pid()
        if pid is not None:
            os.kill(pid, signal.SIGSTOP)
        return pid

    # -- coming back ---------------------------------------------------------------------------

    async def _back(self, kind: Kind, strike: Strike, frozen: int | None) -> None:
        again_s = strike.again_s if kind == strike.kinds[0] else None
        match kind:
            case "hub":
                await self._hub_back(strike.dead_s, again_s, frozen)
                await self._recheck()
            case "oms":
                await self._rig.oms.ended()
                await asyncio.sleep(strike.dead_s)
                await self._start_oms(again_s)
            case "broker" if "hub" not in strike.kinds:
                await self._broker_back(again=again_s is not None)
                await self._recheck()
            case "broker":
                pass  # the next hub starts it

    async def _hub_back(self, dead_s: float, again_s: float | None, frozen: int | None) -> None:
        await self._rig.hub.ended()
        await asyncio.sleep(dead_s)
        if again_s is not None:
            await self._rig.hub.start()
            await asyncio.sleep(again_s)
            during = not self._rig.hub.announced
            await self._rig.hub.kill()
            self.kills["hub"] += 1
            self._floor.hub_killed(self._clock.wall_ms())
            self._seen["hub-during-start"] += during
        async with asyncio.TaskGroup() as both:
            if frozen is not None:
                both.create_task(self._thaw(frozen))
            both.create_task(self._start_hub())

    async def _start_hub(self) -> None:
        began = perf_counter()
        await self._start("the hub", self._rig.start_hub)
        self.starts_s.append(perf_counter() - began)

    async def _start_oms(self, again_s: float | None) -> None:
        if again_s is not None:
            await self._rig.oms.start()
            await asyncio.sleep(again_s)
            self._seen["oms-during-start"] += not self._rig.oms.announced
            await self._rig.oms.kill()
            self.kills["oms"] += 1
        await self._start("the OMS", self._rig.start_oms)

    async def _start(self, what: str, start: Starter) -> None:
        """A start that fails is a finding; systemd would try again."""
        for _ in range(_TRIES):
            try:
                await start(WAIT_S)
            except (ChildDied, TimeoutError) as error:
                self._books.find(f"{what} did not start again: {error}")
                await (self._rig.hub if what == "the hub" else self._rig.oms).kill()
            else:
                self._seen["restart"] += 1
                return
        raise StandsStill(f"{what} can't be started any more")

    async def _broker_back(self, *, again: bool) -> None:
        await self._new_broker()
        if again:
            self._kill("broker")
            self._seen["broker-during-start"] += 1
            await self._new_broker()

    async def _new_broker(self) -> None:
        """Until the hub has started another."""
        try:
            async with asyncio.timeout(WAIT_S):
                while self._rig.broker_pid() in (None, self._fresh):
                    if not self._rig.hub.alive:
                        return
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise StandsStill(f"the hub started no broker within {WAIT_S:.0f} s") from None

    async def _thaw(self, pid: int) -> None:
        """Let the broker go on once the new hub has met it."""
        log = self._rig.hub.log
        offset = log.stat().st_size
        try:
            async with asyncio.timeout(_HELD_S):
                while _LEFTOVER not in _since(log, offset):
                    await asyncio.sleep(_POLL_S)
            self._seen["leftover-broker"] += 1
        except TimeoutError:
            pass  # it met none: nothing to count
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    async def _recheck(self) -> None:
        """The latest answered sales, and some older ones, are still answered in the same way."""
        order = self._books.order
        older = self._rng.sample(order[-_RECENT * 50 :], min(_OLDER, len(order)))
        chosen = {*order[-_NEWEST:], *older}
        sales: list[SoldSale] = [self._books.sales[sale_id] for sale_id in sorted(chosen)]
        try:
            async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as asking:
                for sale in sales:
                    repeat = self._rng.random() < 0.5
                    asking.create_task(self.tills[sale.till].look(sale, repeat=repeat))
        except TimeoutError:
            raise StandsStill(f"answered sales could not be asked for in {WAIT_S:.0f} s") from None

    async def _settled(self, *kinds: Kind) -> None:
        for kind in kinds:
            if kind in self._busy:
                await self._busy[kind]

    def start_s(self) -> float:
        """The median of the hub's starts."""
        return median(self.starts_s) if self.starts_s else 0.0


def _since(log: Path, offset: int) -> str:
    with log.open("rb") as stream:
        stream.seek(offset)
        return stream.read().decode(errors="replace")
