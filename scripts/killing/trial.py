"""One whole trial: open the shop, strike until time or kills are up, heal, compare."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import mean
from time import perf_counter
from typing import Any

from devices.kit import DeviceMeta, HubClient
from hub.clock import SystemRandomness
from scripts.killing.books import Books
from scripts.killing.control import FAULTS, unseen_faults
from scripts.killing.floor import Floor
from scripts.killing.killer import WAIT_S, Killer, StandsStill
from scripts.killing.plan import Kind, Strike, founding_s, strikes
from scripts.killing.till import SHELF, SKUS, BusyTill, ShortPauses
from scripts.killing.verdict import judge, told_all
from scripts.replay_shop.opening import pair_tills, wait_catalogue
from scripts.rig import ChildDied, Ports, ShopRig, Trouble

STORE = "367"
_ROUND_KILLS = 100
_FOUNDING = 3
_POLITE_AFTER = 3
_HEALING_S = 5.0
_POLL_S = 0.05
_CLOUD: dict[str, object] = {
    "linger_ms": 20,
    "retry_max_s": 1,
    "connect_timeout_s": 2,
    "request_timeout_s": 5,
    "poll_wait_s": 5,
    "digest_every_s": 10,
    "dataset_every_s": 5,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was asked for: ``kills`` of each of ``targets``, or as many as fit into ``seconds``."""

    targets: tuple[Kind, ...]
    seed: str
    tills: int = 6
    seconds: float | None = None
    kills: int | None = None


@dataclass(slots=True)
class Score:
    """How far a trial is, to be looked at from outside at any time."""

    books: Books = field(default_factory=Books)
    seen: Counter[str] = field(default_factory=Counter)
    kills: Counter[Kind] = field(default_factory=Counter)
    note: str = "opening the shop"
    controls_missed: list[str] = field(default_factory=list)
    controls: int = 0
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def sound(self) -> bool:
        """No violation, and the verdict could see every fault put in on purpose."""
        return not self.books.violations and not self.controls_missed and self.controls > 0


async def run(wanted: Wanted, base: Path, score: Score) -> None:
    """Everything below ``base``.  What goes wrong with the shop becomes a finding in ``score``."""
    rig = ShopRig(
        base,
        STORE,
        Ports.choose(SystemRandomness()),
        settings={"cloud": _CLOUD},
        oms_arguments=("--seed-demo", "--skus", str(SKUS)),
    )
    trial = _Trial(wanted, rig, score)
    try:
        async with rig:
            await trial.play()
    except* (StandsStill, ChildDied, Trouble, TimeoutError) as many:
        for one in many.exceptions:
            score.books.find(f"{type(one).__name__}: {one}")


class _Trial:
    def __init__(self, wanted: Wanted, rig: ShopRig, score: Score) -> None:
        self._wanted = wanted
        self._rig = rig
        self._score = score
        self._floor = Floor()
        rng = Random(f"{wanted.seed}/aim")
        self._killer = Killer(rig, self._floor, score.books, score.seen, rng)
        self._killer.kills = score.kills
        self._opened_s = self._began_s = perf_counter()
        self._judged_at = 0
        self._others = 0

    async def play(self) -> None:
        """Open, sell and kill, close."""
        await self._found()
        stores = await pair_tills(self._rig, self._wanted.tills, None)
        await wait_catalogue(self._rig)
        async with self._tills(stores) as tills:
            self._killer.tills = tills
            await asyncio.gather(*(till.open(SHELF * (not n)) for n, till in enumerate(tills)))
            selling = [asyncio.create_task(till.work()) for till in tills]
            self._floor.open()
            try:
                await self._kill_on()
                await self._round()
                self._floor.close()
                await asyncio.gather(*selling)
            finally:
                await self._killer.stop()
                for task in selling:
                    task.cancel()
                await asyncio.wait(selling)
            self._note_figures(tills)

    async def _found(self) -> None:
        """The first start of all, killed some times before it is let through."""
        await self._rig.start_oms()
        self._rig.write_config()
        if "hub" in self._wanted.targets:
            for alive_s in founding_s(self._wanted.seed, _FOUNDING):
                await self._rig.hub.start()
                await asyncio.sleep(alive_s)
                await self._rig.hub.kill()
                self._score.kills["hub"] += 1
                self._score.seen["hub-founding"] += 1
        await self._rig.start_hub()

    @asynccontextmanager
    async def _tills(self, stores: Sequence[Any]) -> AsyncIterator[list[BusyTill]]:
        async with AsyncExitStack() as stack:
            tills = []
            for number, store in enumerate(stores):
                meta = DeviceMeta(kind="till", model="busy till", firmware="1")
                client = HubClient(store, meta, randomness=ShortPauses())
                hub = await stack.enter_async_context(client)
                rng = Random(f"{self._wanted.seed}/till {number}")
                score = self._score
                tills.append(BusyTill(number, hub, self._floor, score.books, score.seen, rng))
            yield tills

    # -- killing -------------------------------------------------------------------------------

    async def _kill_on(self) -> None:
        """Strike after strike."""
        score = self._score
        self._began_s = perf_counter()
        score.note = "killing"
        for strike in strikes(self._wanted.seed, self._wanted.targets):
            mine = self._still_wanted(strike)
            if self._is_over():
                return
            if mine is None:
                continue
            await self._killer.strike(mine)
            await self._start_afresh(mine)
            if score.kills.total() - self._judged_at >= _ROUND_KILLS:
                await self._round()
                self._floor.open()
                score.note = "killing"

    def _still_wanted(self, strike: Strike) -> Strike | None:
        most = self._wanted.kills
        if most is None:
            return strike
        kills = self._score.kills
        return strike.only([kind for kind in self._wanted.targets if kills[kind] < most])

    def _is_over(self) -> bool:
        wanted = self._wanted
        if self._score.books.violations:
            return True
        if wanted.kills is not None:
            return all(self._score.kills[kind] >= wanted.kills for kind in wanted.targets)
        assert wanted.seconds is not None
        return perf_counter() - self._opened_s >= wanted.seconds - _HEALING_S

    async def _start_afresh(self, strike: Strike) -> None:
        """The hub waits longer after each death of its broker, and spends its budget of retries on
        a cloud that keeps dying: where hubs don't die anyway, one is restarted politely."""
        if "hub" in strike.kinds:
            self._others = 0
        elif "broker" in strike.kinds or "hub" not in self._wanted.targets:
            self._others += 1
        if self._others >= _POLITE_AFTER:
            self._others = 0
            await self._killer.polite_restart()

    # -- judging -------------------------------------------------------------------------------

    async def _round(self) -> None:
        """Let everything come back and be told; then compare all there is."""
        score, rig = self._score, self._rig
        score.note = "healing"
        await self._killer.settle()
        try:
            await self._floor.pause(WAIT_S)
        except TimeoutError:
            under_way = [one.what for one in self._floor.asking.values()]
            raise StandsStill(f"unanswered after {WAIT_S:.0f} s: {under_way}") from None
        await self._until(self._facts_are_told, "the tills' facts were not taken in")
        await self._until(lambda: told_all(rig.hub_database), "the cloud was not told everything")
        score.note = "comparing"
        for difference in await asyncio.to_thread(self._judge):
            score.books.find(difference)
        for till in self._killer.tills:
            if till.hub.offered_again:
                score.books.find(f"till {till.number} was asked again, and nothing was restored")
        score.seen["full-comparison"] += 1
        if not score.controls and not score.books.violations:
            missed = await asyncio.to_thread(self._control)
            score.controls, score.controls_missed = len(FAULTS), missed
        self._judged_at = score.kills.total()

    def _judge(self) -> list[str]:
        try:
            return judge(self._rig.hub_database, self._rig.oms_database, self._score.books)
        except sqlite3.Error as error:
            return [f"a database can't be read: {error}"]

    def _control(self) -> list[str]:
        return unseen_faults(self._rig.hub_database, self._rig.oms_database, self._score.books)

    def _facts_are_told(self) -> bool:
        return not any(till.hub.journal.facts(1) for till in self._killer.tills)

    async def _until(self, true: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(WAIT_S):
                while not true():
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise StandsStill(f"{what} within {WAIT_S:.0f} s") from None

    def _note_figures(self, tills: Sequence[BusyTill]) -> None:
        score, killer = self._score, self._killer
        seconds = perf_counter() - self._began_s
        flights = killer.in_flight or [0]
        score.figures = {
            "kills_per_s": round(score.kills.total() / seconds, 3),
            "seconds": round(seconds, 1),
            "answered_sales": len(score.books.sales),
            "voids": sum(sale.void == "done" for sale in score.books.sales.values()),
            "returns": len(score.books.returns),
            "facts": score.books.facts,
            "repeats": sum(till.hub.repeats for till in tills),
            "in_flight_mean": round(mean(flights), 2),
            "in_flight_max": max(flights),
            "hub_start_s_median": round(killer.start_s(), 2),
            "lost_answered_sales": 0 if score.sound else None,
            "controls": f"{score.controls - len(score.controls_missed)}/{score.controls}",
        }
