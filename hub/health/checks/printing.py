"""Whether what is to be printed gets onto paper, and what only a person can know."""

from __future__ import annotations

from typing import Final

from hub.contract.local import JobNamed, PrintingStatus
from hub.health.check import Check, Finding, fine
from hub.health.facts import MINUTE_MS, Facts
from hub.health.words import many

WAITS_MS: Final = 2 * MINUTE_MS
"""Whoever waits for a receipt has left by then."""
_KINDS: Final = {
    "sale": "receipt",
    "return": "receipt of a return",
    "gift": "gift receipt",
    "void": "slip of a void",
    "drawer-kick": "opening of the drawer",
}
"""What people call a document whose kind is no word of theirs."""


def look(facts: Facts) -> Finding:
    """A warning when somebody has to say what became of a document, or when documents wait; a
    notice when some failed within the last hour."""
    jobs = facts.status.printing
    detail = {
        "waiting": str(jobs.waiting),
        "printing": str(jobs.printing),
        "ambiguous": str(jobs.ambiguous),
        "failed": str(jobs.failed),
    }
    if jobs.ambiguous:
        return _doubted(jobs, detail)
    if jobs.oldest_at_ms is not None and facts.now_ms - jobs.oldest_at_ms >= WAITS_MS:
        return Finding(
            "warning",
            f"{many(jobs.waiting, 'document')} {_verb(jobs.waiting, 'waits', 'wait')} for a"
            f" printer{_first(jobs.waiting_job, jobs.waiting)}.",
            "Selling goes on; customers get no receipt.",
            "See under Peripherals why the printer isn't ready: `store-hub peripherals list`.",
            since_ms=jobs.oldest_at_ms,
            detail=detail,
        )
    if jobs.failed:
        return Finding(
            "notice",
            f"{many(jobs.failed, 'document')} could not be printed within the last hour"
            f"{_first(jobs.failed_job, jobs.failed, 'the last')}.",
            "Selling goes on; these customers got no receipt.",
            "Look under Printing why, then print them again as copies.",
            detail=detail,
        )
    return fine("Whatever was to be printed is printed.", **detail)


def _doubted(jobs: PrintingStatus, detail: dict[str, str]) -> Finding:
    one = jobs.ambiguous == 1
    return Finding(
        "warning",
        f"Nobody knows whether {many(jobs.ambiguous, 'document')}"
        f" {_verb(jobs.ambiguous, 'was', 'were')} printed"
        f"{_first(jobs.doubted_job, jobs.ambiguous)}.",
        "Selling goes on. Nothing of it is printed again by itself, so that no receipt comes"
        " twice.",
        f"Look at the paper, then say under Printing for {'it' if one else 'each'}: it printed,"
        " print again (as a copy), or forget it.",
        since_ms=jobs.doubted_at_ms,
        detail=detail,
    )


def _first(job: JobNamed | None, count: int, which: str = "the first") -> str:
    """Which one it is, and where to look."""
    if job is None:
        return ""
    named = f"{_KINDS.get(job.kind, job.kind.replace('-', ' '))} {job.title}".rstrip()
    at = f" at {job.printer_id}" if job.printer_id and job.printer_id != job.title else ""
    return f": {named}{at}" if count == 1 else f", {which}: {named}{at}"


def _verb(count: int, one: str, several: str) -> str:
    return one if count == 1 else several


CHECK = Check(
    "printing",
    "Printing",
    "Whether what is to be printed gets onto paper, and whether somebody has to say what became of"
    " a document.",
    4,
    look,
)
