"""Print jobs as their page lists them, with the names of whom they are for."""

from __future__ import annotations

from typing import NamedTuple

from hub.storage.printrows import DRAWER_KICK
from hub.storage.rows import Rows


class JobHead(NamedTuple):
    """A job without its document; names are empty where nobody has them."""

    id: int
    job_id: str
    device_id: str
    kind: str
    state: str
    subject: str
    title: str
    printer_id: str
    attempt: int
    copy: int
    of_job: str | None
    reason: str
    confirmed: int
    answer: str
    made_at_ms: int
    began_at_ms: int | None
    ended_at_ms: int | None
    device_name: str
    printer_name: str
    is_sale: int


_HEAD = """
SELECT j.id, j.job_id, j.device_id, j.kind, j.state, j.subject, j.title,
       CASE j.printer_id WHEN '' THEN j.wanted ELSE j.printer_id END, j.attempt, j.copy, j.of_job,
       j.reason, j.confirmed, j.answer, j.made_at_ms, j.began_at_ms, j.ended_at_ms,
       coalesce((SELECT d.name FROM devices d WHERE d.device_id = j.device_id), ''),
       coalesce((SELECT d.name FROM devices d WHERE d.device_id =
                 CASE j.printer_id WHEN '' THEN j.wanted ELSE j.printer_id END), ''),
       EXISTS (SELECT 1 FROM sales s WHERE s.sale_id = j.subject)
FROM print_jobs j
"""
_OPEN = "j.state IN ('queued', 'printing', 'ambiguous')"


def ambiguous(rows: Rows, limit: int) -> list[JobHead]:
    """Those that a person is asked about, in the order they were to be printed in."""
    return _heads(rows, "j.state = 'ambiguous'", limit)


def under_way(rows: Rows, limit: int) -> list[JobHead]:
    """Documents that wait or are being printed, in the order they are printed in."""
    return _heads(rows, f"j.state <> 'ambiguous' AND j.kind <> '{DRAWER_KICK}'", limit)


def _heads(rows: Rows, which: str, limit: int) -> list[JobHead]:
    found = rows.all(f"{_HEAD} WHERE {_OPEN} AND {which} ORDER BY j.priority, j.id LIMIT ?", limit)
    return [JobHead(*row) for row in found]


def open_counts(rows: Rows) -> dict[str, int]:
    """How many documents are in each state without an end."""
    found = rows.all(
        f"SELECT j.state, count(*) FROM print_jobs j WHERE {_OPEN} AND j.kind <> ?"
        " GROUP BY j.state",
        DRAWER_KICK,
    )
    return dict(found)


def ended_counts(rows: Rows, since_ms: int) -> dict[str, int]:
    """How many documents ended in each state since then."""
    found = rows.all(
        "SELECT state, count(*) FROM print_jobs WHERE ended_at_ms >= ? AND kind <> ?"
        " GROUP BY state",
        since_ms,
        DRAWER_KICK,
    )
    return dict(found)


def last_ended(rows: Rows) -> int:
    """The number of the job that ended last; 0: none."""
    row = rows.one(
        "SELECT id FROM print_jobs WHERE ended_at_ms IS NOT NULL ORDER BY ended_at_ms DESC LIMIT 1"
    )
    return int(row[0]) if row else 0


def ended(rows: Rows, which: str, before: tuple[int, int], limit: int) -> list[JobHead]:
    """Jobs that ended, the last first, below ``before`` (ended_at_ms, id): documents in the state
    ``which`` or in ``all``; ``drawers``: openings of drawers instead."""
    sign = "=" if which == "drawers" else "<>"
    found = rows.all(
        f"{_HEAD} WHERE j.ended_at_ms <= ?1 AND (j.ended_at_ms, j.id) < (?1, ?2)"
        f" AND j.kind {sign} '{DRAWER_KICK}' AND (?3 IN ('all', 'drawers') OR j.state = ?3)"
        " ORDER BY j.ended_at_ms DESC, j.id DESC LIMIT ?4",
        *before,
        which,
        limit,
    )
    return [JobHead(*row) for row in found]


def one(rows: Rows, job_id: str) -> JobHead | None:
    """A job's head."""
    row = rows.one(f"{_HEAD} WHERE j.job_id = ?", job_id)
    return JobHead(*row) if row else None
