"""What came out of the printers, and what the hub's database says of it."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path

from scripts.replay_shop.compare_sources import open_database
from scripts.rig.emulated import Emulator

LAST_LINE = "Goodbye until next time"
"""The shop's footer: below it stand only the codes."""
_NUMBER = re.compile(r"Receipt\s+(\S+)\s+\S")
"""Something comes after it, so it isn't torn itself."""
_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Paper:
    """A piece of paper.  ``number``: of the receipt, empty where it was torn before that.
    ``whole``: cut by its own job after its last line."""

    printer: str
    number: str
    copy: bool
    whole: bool


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stands in the database."""

    number: int
    job_id: str
    device_id: str
    state: str
    subject: str
    receipt_no: str
    printer: str
    copy: int
    of_job: str
    answer: str
    reason: str

    @property
    def doubted(self) -> bool:
        """Whether a person was ever asked about it."""
        return self.state == "ambiguous" or self.answer != ""

    @property
    def open(self) -> bool:
        """Whether it still has to be printed."""
        return self.state in ("queued", "printing")


def read_paper(printer: str, boundary: str, text: str) -> Paper:
    """From an emulated printer's paper as text."""
    found = _NUMBER.search(text)
    number = found[1] if found else ""
    whole = boundary == "cut" and bool(number) and LAST_LINE in text
    return Paper(printer, number, "COPY" in text, whole)


async def read_papers(emulator: Emulator, printers: list[str]) -> list[Paper]:
    """All papers of all printers, oldest first by printer."""
    turn = asyncio.Semaphore(_AT_ONCE)

    async def one(printer: str, receipt: str, boundary: str) -> Paper:
        async with turn:
            return read_paper(printer, boundary, await emulator.text(printer, receipt))

    found: list[Paper] = []
    for printer in printers:
        receipts = await emulator.receipts(printer)
        found += await asyncio.gather(*(one(printer, r.id, r.boundary) for r in receipts))
    return found


def read_jobs(database: Path) -> list[Job]:
    """All jobs, oldest first.  Raises sqlite3.Error."""
    sql = (
        "SELECT id, job_id, device_id, state, subject, title, printer_id, copy,"
        " coalesce(of_job, ''), answer, reason FROM print_jobs ORDER BY id"
    )
    with open_database(database) as hub:
        return [Job(*row) for row in hub.execute(sql)]


def under_way(database: Path) -> frozenset[str]:
    """The jobs that a hub which is dead had begun and not ended."""
    with open_database(database) as hub:
        rows = hub.execute("SELECT job_id FROM print_jobs WHERE state = 'printing'")
        return frozenset(job_id for (job_id,) in rows)


def waiting(database: Path) -> int:
    """How many jobs have to be printed yet."""
    with open_database(database) as hub:
        sql = "SELECT count(*) FROM print_jobs WHERE state IN ('queued', 'printing')"
        return int(hub.execute(sql).fetchone()[0])


def all_jobs(database: Path) -> int:
    """How many jobs there are."""
    with open_database(database) as hub:
        return int(hub.execute("SELECT count(*) FROM print_jobs").fetchone()[0])
