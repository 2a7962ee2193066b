"""One whole trial: sell in peace, sell while the hub is killed, then count what is on paper."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter
from typing import Any

from devices.kit import Refused
from scripts.printing import papers
from scripts.printing.control import PLANTED, careless_prints_twice, unseen_faults
from scripts.printing.plan import AIMS, Strike, strikes
from scripts.printing.shop import PrintShop, printing_shop
from scripts.printing.verdict import Evidence, judge
from scripts.rig import ChildDied, Trouble

WAIT_S = 120.0
"""Whatever takes longer is a finding."""
_CALM = 0.1
_CALM_MIN = 4
_CALM_MAX = 100
_SPACING_MAX = 8
_QUEUE_MAX = 12
_TRAP_S = 60.0
_HEALING_S = 35.0
"""For what comes after the last kill: printing the rest, the count, the careless hub."""
_POLL_S = 0.1
_MAX_FINDINGS = 50
_CARELESS_FROM = 50
"""Jobs.  A shorter trial judges planted evidence only."""
_ANSWERS = ("again", "again", "again", "printed", "forget", "")
"""What people say; nothing: they never look."""


class StandsStill(Exception):
    """Something doesn't come; the text says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How many ``jobs``, or as many as fit into ``seconds``."""

    seed: str
    printers: int = 3
    jobs: int | None = None
    seconds: float | None = None


@dataclass(slots=True)
class Score:
    """How far a trial is, to be looked at from outside at any time."""

    note: str = "opening the shop"
    jobs: int = 0
    kills: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    violations: int = 0
    controls_missed: list[str] = field(default_factory=list)
    controls: int = 0
    figures: dict[str, Any] = field(default_factory=dict)

    def find(self, what: str) -> None:
        """Write a finding down; the first 50 are kept in full."""
        self.violations += 1
        if len(self.findings) < _MAX_FINDINGS:
            self.findings.append(what)

    @property
    def sound(self) -> bool:
        """No violation, and the verdict could see every fault put in on purpose."""
        return not self.violations and not self.controls_missed and self.controls > 0


async def run(wanted: Wanted, base: Path, score: Score) -> None:
    """Everything below ``base``.  What goes wrong with the shop becomes a finding in ``score``."""
    began_s = perf_counter()
    try:
        async with printing_shop(base, wanted.printers, wanted.seed) as shop:
            await Trial(wanted, shop, score, began_s).play()
    except* (StandsStill, ChildDied, Trouble, TimeoutError, sqlite3.Error) as many:
        for one in many.exceptions:
            score.find(f"{type(one).__name__}: {one}")


class Trial:
    """See :func:`run`."""

    def __init__(self, wanted: Wanted, shop: PrintShop, score: Score, began_s: float) -> None:
        self._wanted = wanted
        self._shop = shop
        self._score = score
        self._rng = Random(f"{wanted.seed}/trial")
        self._began_s = began_s
        self._opened_s = perf_counter()
        self._deaths: list[frozenset[str]] = []
        self._asked: set[str] = set()
        self._talks: set[asyncio.Task[None]] = set()
        self._starts_s: list[float] = []
        self._closed = True

    async def play(self) -> None:
        """In peace, under fire, and the count."""
        usher = asyncio.create_task(self._usher())
        try:
            await self._calm()
            await self._fire()
            await self._heal()
        finally:
            usher.cancel()
            for task in self._talks:
                task.cancel()
            await asyncio.gather(usher, *self._talks, return_exceptions=True)
        await self._shop.rig.stop_hub()
        evidence = await self._evidence()
        for finding in await asyncio.to_thread(judge, evidence):
            self._score.find(finding)
        self._note_figures(evidence)
        if not self._score.violations:
            await self._control(evidence)

    # -- selling -------------------------------------------------------------------------------

    @property
    def _database(self) -> Path:
        return self._shop.rig.hub_database

    async def _usher(self) -> None:
        """Let the tills sell as long as the printers keep up."""
        while True:
            await asyncio.sleep(_POLL_S)
            with suppress(sqlite3.Error):
                self._score.jobs = papers.all_jobs(self._database)
                if papers.waiting(self._database) >= _QUEUE_MAX:
                    self._shop.doors.clear()
                elif not self._closed:
                    self._shop.doors.set()

    def _open(self) -> None:
        self._closed = False
        self._shop.doors.set()

    async def _drain(self) -> None:
        """Nobody begins a sale, and all that is queued comes out."""
        self._closed = True
        self._shop.doors.clear()
        await self._until(
            lambda: not self._shop.busy and papers.waiting(self._database) == 0,
            "the queue doesn't run empty",
        )

    async def _calm(self) -> None:
        """While nobody kills, nobody is asked."""
        self._score.note = "selling in peace"
        jobs = self._wanted.jobs or 1000
        calm = min(_CALM_MAX, max(_CALM_MIN, round(jobs * _CALM)))
        if self._wanted.seconds is not None:
            calm = _CALM_MIN * self._wanted.printers
        self._open()
        await self._sold(calm)
        await self._drain()
        doubted = [job for job in papers.read_jobs(self._database) if job.doubted]
        for job in doubted:
            self._score.find(f"job {job.number} is in doubt before any kill: {job.reason}")
        self._score.seen["jobs-in-peace"] = papers.all_jobs(self._database)

    async def _sold(self, more: int) -> None:
        sold = self._shop.sold
        try:
            await sold.until(len(sold.numbers) + more, WAIT_S)
        except TimeoutError:
            raise StandsStill(f"no {more} sales within {WAIT_S:.0f} s") from None

    # -- killing -------------------------------------------------------------------------------

    async def _fire(self) -> None:
        """Strike after strike."""
        self._score.note = "killing"
        jobs = self._wanted.jobs or 1000
        spacing = max(1, min(_SPACING_MAX, jobs // 10))
        self._open()
        for strike in strikes(self._wanted.seed, spacing):
            await self._sold(strike.after)
            if self._is_over():
                return
            await self._strike(strike)
            await self._again(strike)
            self._ask_people()

    def _is_over(self) -> bool:
        wanted, score = self._wanted, self._score
        if score.violations:
            return True
        score.jobs = papers.all_jobs(self._database)
        if wanted.jobs is not None:
            return score.jobs >= wanted.jobs and score.kills >= min(len(AIMS), wanted.jobs // 4)
        assert wanted.seconds is not None
        counting_s = _HEALING_S + score.jobs * 0.03
        late = perf_counter() - self._began_s >= wanted.seconds - counting_s
        return late and score.kills >= len(AIMS)

    async def _strike(self, strike: Strike) -> None:
        """Kill at the moment that it aims at."""
        died = asyncio.Event()

        def fire() -> None:
            self._kill()
            died.set()

        if strike.aim in ("begun", "middle", "on-paper"):
            line = self._rng.choice(list(self._shop.lines.values()))
            trap = line.set_trap(strike.part, fire)
            with suppress(TimeoutError):
                async with asyncio.timeout(_TRAP_S):
                    await died.wait()
            line.trap = None
            if trap.sprung:
                self._score.seen[strike.aim] += 1
        else:
            await asyncio.sleep(strike.pause_s)
            self._score.seen[strike.aim] += 1
        if not died.is_set():
            fire()
        await self._shop.rig.hub.ended()
        self._count_in_hand()

    def _kill(self) -> None:
        """Now."""
        hub = self._shop.rig.hub
        if not hub.alive:
            self._score.find(f"the hub ended by itself ({hub.exit_code}):\n{hub.tail()}")
            return
        os.kill(hub.pid, signal.SIGKILL)
        self._score.kills += 1
        self._score.seen["kill"] += 1

    def _count_in_hand(self) -> None:
        in_hand = papers.under_way(self._database)
        self._deaths.append(in_hand)
        self._score.seen["job-in-hand"] += len(in_hand)

    async def _again(self, strike: Strike) -> None:
        """As systemd would."""
        await asyncio.sleep(strike.dead_s)
        hub = self._shop.rig.hub
        if strike.again_s is not None:
            await hub.start()
            await asyncio.sleep(strike.again_s)
            self._score.seen["during-start"] += not hub.announced
            self._kill()
            await hub.ended()
            self._count_in_hand()
        began_s = perf_counter()
        await self._shop.rig.start_hub(WAIT_S)
        self._starts_s.append(perf_counter() - began_s)
        self._score.seen["restart"] += 1

    # -- people --------------------------------------------------------------------------------

    def _ask_people(self) -> None:
        """Of each job that is new in doubt, at its till."""
        for job in papers.read_jobs(self._database):
            if job.state != "ambiguous" or job.job_id in self._asked:
                continue
            self._asked.add(job.job_id)
            if answer := self._rng.choice(_ANSWERS):
                task = asyncio.create_task(self._say(job, answer))
                self._talks.add(task)
                task.add_done_callback(self._talks.discard)

    async def _say(self, job: papers.Job, answer: str) -> None:
        try:
            await self._shop.tills[job.device_id].say(job.job_id, answer)
        except Refused as error:
            self._score.find(f"{answer!r} of job {job.number} is refused: {error.problem.detail}")
        else:
            self._score.seen[f"said-{answer}"] += 1

    # -- the count -----------------------------------------------------------------------------

    async def _heal(self) -> None:
        """All that was said is done, and all that was sold is printed."""
        self._score.note = "printing the rest"
        for _ in range(2):  # a job that was in hand at the last kill may be asked about
            await self._until(self._is_recovered, "the hub doesn't look at what it had in hand")
            self._ask_people()
            await self._until(lambda: not self._talks, "people get no answer")
            await self._drain()

    def _is_recovered(self) -> bool:
        jobs = {job.job_id: job for job in papers.read_jobs(self._database)}
        dead = frozenset[str]().union(*self._deaths)
        return not any(jobs[job_id].state == "printing" for job_id in dead)

    async def _until(self, true: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(WAIT_S):
                while not true():
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise StandsStill(f"{what} within {WAIT_S:.0f} s") from None

    async def _evidence(self) -> Evidence:
        self._score.note = "counting"
        shop = self._shop
        for what in shop.sold.refused:
            self._score.find(f"a sale was refused: {what}")
        for number in shop.sold.without_paper:
            self._score.find(f"sale {number} was answered, and its receipt was not queued")
        return Evidence(
            printers=len(shop.lines),
            sold=dict(shop.sold.numbers),
            jobs=papers.read_jobs(self._database),
            papers=await papers.read_papers(shop.emulator, list(shop.lines)),
            deaths=tuple(self._deaths),
        )

    async def _control(self, evidence: Evidence) -> None:
        """Faults in the evidence, and a hub that makes them."""
        score = self._score
        score.note = "planting faults"
        score.controls_missed = unseen_faults(evidence)
        score.controls = len(PLANTED)
        if (self._wanted.jobs or _CARELESS_FROM) < _CARELESS_FROM:
            return
        score.note = "a careless hub"
        score.controls += 1
        if not await careless_prints_twice(self._shop, evidence):
            score.controls_missed.append("a hub prints again what it had in hand when it died")

    def _note_figures(self, evidence: Evidence) -> None:
        score, jobs = self._score, evidence.jobs
        score.jobs = len(jobs)
        doubted = sum(job.doubted for job in jobs)
        whole = sum(paper.whole for paper in evidence.papers)
        seconds = perf_counter() - self._opened_s
        score.seen["ambiguous"] = doubted
        score.seen["torn-paper"] = len(evidence.papers) - whole
        score.seen["copy"] = sum(job.copy > 0 for job in jobs)
        score.figures = {
            "jobs": len(jobs),
            "receipts": len(jobs) - score.seen["copy"],
            "copies": score.seen["copy"],
            "printed_once": sum(job.state == "printed" and not job.doubted for job in jobs),
            "ambiguous": doubted,
            "whole_papers": whole,
            "torn_papers": score.seen["torn-paper"],
            "kills": score.kills,
            "kills_with_a_job_in_hand": sum(map(bool, self._deaths)),
            "printers": len(self._shop.lines),
            "hub_start_s_median": round(median(self._starts_s or [0.0]), 2),
            "jobs_per_s": round(len(jobs) / seconds, 2),
            "seconds": round(seconds, 1),
        }
