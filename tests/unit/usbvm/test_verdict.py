"""The verdict on the printer of the virtual machine has to see each fault in the evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from scripts.printing.papers import LAST_LINE, Job
from scripts.usbvm.verdict import Evidence, judge


def job(number: int, state: str = "printed", **also: object) -> Job:
    whole = Job(
        number, f"job-{number}", "till-01", state, f"sale-{number}", f"1-{number}",
        "printer-usb", 0, "", "", "",
    )  # fmt: skip
    return replace(whole, **also)  # type: ignore[arg-type]


def paper(number: int, *, copy: bool = False, whole: bool = True) -> str:
    mark, end = ("COPY\n" if copy else ""), (LAST_LINE if whole else "")
    return f"{mark}Receipt 1-{number} today\n{end}\n"


SOUND = Evidence(
    sold={f"sale-{n}": f"1-{n}" for n in (1, 2, 3, 4)},
    jobs=(
        job(1),
        job(2, "ambiguous"),
        job(3, "printed", answer="again"),
        job(4, "cancelled", answer="forget"),
        job(5, copy=1, of_job="job-3", subject="sale-3", receipt_no="1-3"),
    ),
    tapes=(paper(1), paper(2, whole=False), "a torn piece\n", paper(3), paper(3, copy=True)),
    cut_off=frozenset({"job-2", "job-3", "job-4"}),
)


def with_job(evidence: Evidence, number: int, **also: object) -> Evidence:
    jobs = [
        replace(one, **also) if one.number == number else one  # type: ignore[arg-type]
        for one in evidence.jobs
    ]
    return replace(evidence, jobs=jobs)


def with_tapes(evidence: Evidence, *tapes: str) -> Evidence:
    return replace(evidence, tapes=[*evidence.tapes, *tapes])


FAULTS: dict[str, Callable[[Evidence], Evidence]] = {
    "printed twice": lambda one: with_tapes(one, paper(1)),
    "a job in doubt printed twice": lambda one: with_tapes(one, paper(2)),
    "said to be printed and isn't": lambda one: replace(one, tapes=one.tapes[1:]),
    "said to be printed and is torn": lambda one: replace(
        one, tapes=[paper(1, whole=False), *one.tapes[1:]]
    ),
    "no job": lambda one: replace(one, jobs=one.jobs[1:]),
    "still waits": lambda one: with_job(one, 1, state="queued"),
    "asked without need": lambda one: with_job(one, 1, state="ambiguous"),
    "not asked": lambda one: replace(one, cut_off=one.cut_off | {"job-1"}),
    "a copy nobody asked for": lambda one: with_job(one, 3, answer="printed"),
    "no copy": lambda one: replace(one, jobs=one.jobs[:4], tapes=one.tapes[:4]),
    "a stranger": lambda one: with_tapes(one, paper(99)),
    "a copy without its mark": lambda one: with_tapes(
        replace(one, tapes=one.tapes[:4]), paper(3)
    ),
    "too many torn papers": lambda one: with_tapes(one, "another\n"),
    "two on one paper": lambda one: replace(one, tapes=[paper(2) + paper(1), *one.tapes[2:]]),
    "garbage": lambda one: replace(one, garbage_bytes=1),
}  # fmt: skip


def test_sound_evidence_has_no_findings() -> None:
    assert judge(SOUND) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_seen(fault: str) -> None:
    assert judge(FAULTS[fault](SOUND))
