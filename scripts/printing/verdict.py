"""Every job against the paper: printed exactly once, or a person was asked and at most once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hub.service.handlers.printing import DIED
from scripts.printing.papers import Job, Paper


@dataclass(slots=True)
class Evidence:
    """What there is to judge.  ``sold``: sale → receipt number, as the tills were told.
    ``deaths``: for each kill the jobs that the dead hub's database had in hand."""

    printers: int
    sold: Mapping[str, str]
    jobs: Sequence[Job] = ()
    papers: Sequence[Paper] = ()
    deaths: Sequence[frozenset[str]] = ()
    findings: list[str] = field(default_factory=list)


def judge(evidence: Evidence) -> list[str]:
    """Every difference, as text."""
    found: list[str] = []
    found += _jobs_and_sales(evidence)
    found += _doubts(evidence)
    found += _answers(evidence.jobs)
    found += _paper(evidence)
    return found


def _jobs_and_sales(evidence: Evidence) -> list[str]:
    """Each sale that was answered has one original; no other original is there."""
    originals = Counter(job.subject for job in evidence.jobs if job.copy == 0)
    found = [
        f"sale {sale_id} ({number}) has {originals[sale_id]} receipts in the queue, not 1"
        for sale_id, number in evidence.sold.items()
        if originals[sale_id] != 1
    ]
    for job in evidence.jobs:
        if job.subject not in evidence.sold:
            found.append(f"job {job.number}: nobody was told of its sale {job.subject}")
        elif job.receipt_no != evidence.sold[job.subject]:
            told = evidence.sold[job.subject]
            found.append(f"job {job.number}: it is for {job.receipt_no}, the till was told {told}")
        if job.state not in ("printed", "ambiguous", "cancelled"):
            found.append(f"job {job.number} ({job.receipt_no}) ended as {job.state}: {job.reason}")
    return found


def _doubts(evidence: Evidence) -> list[str]:
    """In doubt is what was in hand at a kill: all of that, and nothing else."""
    found = []
    in_hand = frozenset[str]().union(*evidence.deaths)
    for at, jobs in enumerate(evidence.deaths, start=1):
        if len(jobs) > evidence.printers:
            found.append(
                f"kill {at}: {len(jobs)} jobs were in hand at {evidence.printers} printers"
            )
    for job in evidence.jobs:
        if job.doubted and job.job_id not in in_hand:
            found.append(
                f"job {job.number} ({job.receipt_no}) is in doubt and was in hand at no kill:"
                f" {job.reason}"
            )
        elif not job.doubted and job.job_id in in_hand:
            found.append(
                f"job {job.number} ({job.receipt_no}) was in hand at a kill and nobody was asked;"
                f" it is {job.state}"
            )
        if job.state == "ambiguous" and job.reason != DIED:
            found.append(f"job {job.number} is in doubt for another reason: {job.reason}")
    return found


def _answers(jobs: Sequence[Job]) -> list[str]:
    """Each "again" made one copy, and no copy was made without it."""
    copies = Counter(job.of_job for job in jobs if job.copy)
    said = {job.job_id: job for job in jobs if job.answer == "again"}
    found = [
        f"job {job.number}: a person said once to print it again, and there are"
        f" {copies[job_id]} copies"
        for job_id, job in said.items()
        if copies[job_id] != 1
    ]
    return found + [
        f"job {job.number} is a copy that nobody asked for"
        for job in jobs
        if job.copy and job.of_job not in said
    ]


def _paper(evidence: Evidence) -> list[str]:
    """What is on paper: originals and copies apart, whole ones and torn ones."""
    jobs: dict[tuple[str, bool], list[Job]] = defaultdict(list)
    for job in evidence.jobs:
        jobs[job.receipt_no, job.copy > 0].append(job)
    papers: dict[tuple[str, bool], list[Paper]] = defaultdict(list)
    nameless: Counter[str] = Counter()
    for paper in evidence.papers:
        if paper.number:
            papers[paper.number, paper.copy].append(paper)
        else:
            nameless[paper.printer] += 1
    found = []
    for key in sorted(jobs.keys() | papers.keys()):
        found += _one_receipt(key, jobs[key], papers[key])
    return found + _torn(evidence, jobs, papers, nameless)


def _one_receipt(key: tuple[str, bool], jobs: Sequence[Job], papers: Sequence[Paper]) -> list[str]:
    what = f"{'copy' if key[1] else 'receipt'} {key[0]}"
    if not jobs:
        return [f"{what} is on paper {len(papers)} times and no job knows of it"]
    whole = sum(paper.whole for paper in papers)
    sure = [job for job in jobs if not job.doubted]
    if len(papers) > len(jobs):
        return [f"{what}: {len(jobs)} jobs, and it is on paper {len(papers)} times ({whole} whole)"]
    found = []
    if whole < len(sure):
        found.append(f"{what}: {len(sure)} are said to be printed, {whole} are on paper")
    at = Counter(paper.printer for paper in papers if paper.whole)
    for printer, count in Counter(job.printer for job in sure).items():
        if at[printer] < count and whole >= len(sure):
            found.append(f"{what} is said to be printed by {printer}, and isn't there")
    return found


def _torn(
    evidence: Evidence,
    jobs: Mapping[tuple[str, bool], Sequence[Job]],
    papers: Mapping[tuple[str, bool], Sequence[Paper]],
    nameless: Mapping[str, int],
) -> list[str]:
    """Every piece without a number is the beginning of a job in doubt of which nothing else is
    there, at the same printer."""
    missing: Counter[str] = Counter()
    for key, some in jobs.items():
        doubted = [job for job in some if job.doubted]
        there = len(papers.get(key, ())) - (len(some) - len(doubted))
        missing.update(job.printer for job in doubted[max(0, there) :])
    return [
        f"{count} torn papers came out of {printer}, and only {missing[printer]} jobs in doubt can"
        " have left them"
        for printer, count in nameless.items()
        if count > missing[printer]
    ]
