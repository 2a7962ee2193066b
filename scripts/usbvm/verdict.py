"""Every job of the hub's database against the paper, and against when the cable was out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scripts.printing.papers import Job, Paper, read_paper

_HEADS = re.compile(r"Receipt\s+\S+")


@dataclass(frozen=True, slots=True)
class Evidence:
    """``sold``: sale → receipt number, as the till was told.  ``cut_off``: the jobs of which some
    had gone to the printer when it was unplugged or the hub was killed."""

    sold: Mapping[str, str]
    jobs: Sequence[Job]
    tapes: Sequence[str]
    cut_off: frozenset[str]
    garbage_bytes: int = 0


def judge(evidence: Evidence) -> list[str]:
    """Every difference, as text."""
    found = _sales(evidence) + _doubts(evidence)
    papers = [read_paper("", "cut", text) for text in evidence.tapes]
    found += _papers(evidence, papers)
    found += [
        f"two receipts are on one paper: {' and '.join(_HEADS.findall(text))}"
        for text in evidence.tapes
        if len(_HEADS.findall(text)) > 1
    ]
    if evidence.garbage_bytes:
        found.append(f"the printer got {evidence.garbage_bytes} bytes that are no command")
    return found


def _sales(evidence: Evidence) -> list[str]:
    originals = Counter(job.subject for job in evidence.jobs if job.copy == 0)
    found = [
        f"sale {sale} ({number}) has {originals[sale]} receipts in the queue, not 1"
        for sale, number in evidence.sold.items()
        if originals[sale] != 1
    ]
    return found + [
        f"job {job.number} ({job.receipt_no}) ended as {job.state}: {job.reason}"
        for job in evidence.jobs
        if job.state not in ("printed", "ambiguous", "cancelled")
    ]


def _doubts(evidence: Evidence) -> list[str]:
    found = []
    for job in evidence.jobs:
        cut_off = job.job_id in evidence.cut_off
        if job.doubted and not cut_off:
            found.append(
                f"job {job.number} ({job.receipt_no}) is in doubt and wasn't cut off: {job.reason}"
            )
        elif cut_off and not job.doubted:
            found.append(
                f"job {job.number} ({job.receipt_no}) was cut off and nobody was asked; it is"
                f" {job.state}"
            )
    said = {job.job_id for job in evidence.jobs if job.answer == "again"}
    copies = Counter(job.of_job for job in evidence.jobs if job.copy)
    return found + [
        f"{copies[one]} copies of job {one}, and a person asked for {int(one in said)}"
        for one in said | copies.keys()
        if copies[one] != (one in said)
    ]


def _papers(evidence: Evidence, papers: Sequence[Paper]) -> list[str]:
    there = Counter((paper.number, paper.copy) for paper in papers if paper.number)
    whole = Counter((paper.number, paper.copy) for paper in papers if paper.whole)
    found = []
    expected = set()
    nameless = sum(not paper.number for paper in papers)
    for job in evidence.jobs:
        key = (job.receipt_no, job.copy > 0)
        what = f"{'copy' if job.copy else 'receipt'} {job.receipt_no}"
        expected.add(key)
        if there[key] > 1:
            found.append(f"{what} is on paper {there[key]} times ({whole[key]} whole)")
        elif job.doubted:
            nameless -= not there[key]
        elif job.state == "printed" and whole[key] != 1:
            found.append(f"{what} is said to be printed and isn't on paper whole")
    found += [
        f"{number} is on paper and no job knows of it" for number, _ in there.keys() - expected
    ]
    if nameless > 0:
        found.append(f"{nameless} torn papers that no job in doubt can have left")
    return found
