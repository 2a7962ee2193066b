"""Negative controls: the verdict has to see faults in the evidence, and a hub that makes them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from scripts.printing import papers
from scripts.printing.papers import Job, Paper
from scripts.printing.shop import PrintShop
from scripts.printing.verdict import Evidence, judge

WAIT_S = 120.0
_TRIES = 3
_POLL_S = 0.1

Fault = Callable[[Evidence], Evidence]


def _sure(evidence: Evidence) -> Job:
    """A receipt that is said to be printed."""
    return next(job for job in evidence.jobs if not job.doubted and not job.copy)


def _paper_of(evidence: Evidence, job: Job) -> Paper:
    return next(one for one in evidence.papers if one.number == job.receipt_no and not one.copy)


def _without(evidence: Evidence, paper: Paper) -> list[Paper]:
    left = list(evidence.papers)
    left.remove(paper)
    return left


def _twice(evidence: Evidence) -> Evidence:
    paper = _paper_of(evidence, _sure(evidence))
    return replace(evidence, papers=[*evidence.papers, paper])


def _never(evidence: Evidence) -> Evidence:
    paper = _paper_of(evidence, _sure(evidence))
    return replace(evidence, papers=_without(evidence, paper))


def _torn(evidence: Evidence) -> Evidence:
    paper = _paper_of(evidence, _sure(evidence))
    torn = replace(paper, whole=False)
    return replace(evidence, papers=[*_without(evidence, paper), torn])


def _nameless(evidence: Evidence) -> Evidence:
    scrap = Paper(_sure(evidence).printer, "", copy=False, whole=False)
    return replace(evidence, papers=[*evidence.papers, *[scrap] * (len(evidence.deaths) + 1)])


def _stranger(evidence: Evidence) -> Evidence:
    paper = replace(_paper_of(evidence, _sure(evidence)), number="999-999999")
    return replace(evidence, papers=[*evidence.papers, paper])


def _unmarked(evidence: Evidence) -> Evidence:
    """A copy that doesn't say so: it looks like a second original."""
    paper = replace(_paper_of(evidence, _sure(evidence)), copy=False)
    return replace(evidence, papers=[*evidence.papers, paper])


def _elsewhere(evidence: Evidence) -> Evidence:
    paper = _paper_of(evidence, _sure(evidence))
    other = replace(paper, printer="printer-99")
    return replace(evidence, papers=[*_without(evidence, paper), other])


def _jobs(evidence: Evidence, old: Job, *new: Job) -> Evidence:
    return replace(evidence, jobs=[*(job for job in evidence.jobs if job is not old), *new])


def _doubt(evidence: Evidence) -> Evidence:
    job = _sure(evidence)
    return _jobs(evidence, job, replace(job, state="ambiguous"))


def _silence(evidence: Evidence) -> Evidence:
    deaths = (*evidence.deaths, frozenset({_sure(evidence).job_id}))
    return replace(evidence, deaths=deaths)


def _lost(evidence: Evidence) -> Evidence:
    return _jobs(evidence, _sure(evidence))


def _unasked(evidence: Evidence) -> Evidence:
    job = _sure(evidence)
    copy = replace(job, job_id="copy", copy=1, of_job=job.job_id)
    paper = replace(_paper_of(evidence, job), copy=True)
    found = replace(evidence, papers=[*evidence.papers, paper])
    return _jobs(found, job, job, copy)


PLANTED: dict[str, Fault] = {
    "a receipt is on paper twice": _twice,
    "a receipt that is said to be printed isn't there": _never,
    "a receipt that is said to be printed is torn": _torn,
    "more torn papers than jobs in doubt": _nameless,
    "a receipt that no job knows": _stranger,
    "a copy without its mark": _unmarked,
    "a receipt came out of another printer": _elsewhere,
    "a person was asked without need": _doubt,
    "a person was not asked": _silence,
    "a sale without a job": _lost,
    "a copy that nobody asked for": _unasked,
}
"""What is done to the evidence."""


def unseen_faults(evidence: Evidence) -> list[str]:
    """Those of ``PLANTED`` that the verdict did not see: none, if it is worth anything."""
    return [what for what, plant in PLANTED.items() if not judge(plant(evidence))]


async def careless_prints_twice(shop: PrintShop, before: Evidence) -> bool:
    """Whether a hub that prints again what it had in hand, killed while it had a receipt on paper
    and hadn't heard so, is found to have printed it twice.

    It goes on with the shop's own database; what was judged before is not judged again.
    Raises ChildDied, TimeoutError.
    """
    shop.swap_hub()
    deaths = list(before.deaths)
    for _ in range(_TRIES):
        await shop.rig.start_hub(WAIT_S)
        await _killed_with_a_receipt_on_paper(shop)
        deaths.append(papers.under_way(shop.rig.hub_database))
        await shop.rig.start_hub(WAIT_S)
        async with asyncio.timeout(WAIT_S):
            while shop.busy or papers.waiting(shop.rig.hub_database):
                await asyncio.sleep(_POLL_S)
        await shop.rig.stop_hub()
        after = Evidence(
            printers=before.printers,
            sold=dict(shop.sold.numbers),
            jobs=papers.read_jobs(shop.rig.hub_database),
            papers=await papers.read_papers(shop.emulator, list(shop.lines)),
            deaths=tuple(deaths),
        )
        if any("on paper 2 times (2 whole)" in finding for finding in judge(after)):
            return True
    return False


async def _killed_with_a_receipt_on_paper(shop: PrintShop) -> None:
    """The tills sell until it is so."""
    died = asyncio.Event()

    def fire() -> None:
        os.kill(shop.rig.hub.pid, signal.SIGKILL)
        died.set()

    line = next(iter(shop.lines.values()))
    line.set_trap(2.0, fire)
    shop.doors.set()
    with suppress(TimeoutError):
        async with asyncio.timeout(WAIT_S):
            await died.wait()
    line.trap = None
    shop.doors.clear()
    if not died.is_set():
        fire()
    await shop.rig.hub.ended()
