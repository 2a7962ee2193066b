"""Print jobs: what waits, what is being printed, what became of it; copies, drawers opened."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from hub.storage.rows import Rows, Tx

DOCUMENT_MAX_BYTES: Final = 262_144
"""What a job's facts may take at most (characters of JSON)."""
EXPIRE_MAX: Final = 200
PURGE_MAX: Final = 500
DRAWER_KICK: Final = "drawer-kick"
"""The kind of a job that prints nothing: it opens the till's drawer."""
PRIORITY_KICK: Final = 0
"""Of all drawer kicks, and of nothing else."""

_OPEN = "state IN ('queued', 'printing', 'ambiguous')"


class NewJob(NamedTuple):
    """A job to queue.  ``document`` is JSON; ``wanted`` the printer asked for, if any; ``copy`` 0
    is the original."""

    job_id: str
    device_id: str
    kind: str
    document: str
    expires_budget_ms: int
    subject: str = ""
    title: str = ""
    priority: int = 5
    wanted: str = ""
    copy: int = 0
    of_job: str | None = None


class PrintJobRow(NamedTuple):
    """A job without its document; instants are UTC milliseconds, budgets the hub's own."""

    id: int
    job_id: str
    device_id: str
    kind: str
    state: str
    subject: str
    title: str
    priority: int
    wanted: str
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
    expires_budget_ms: int
    due_budget_ms: int


_JOB = (
    "SELECT id, job_id, device_id, kind, state, subject, title, priority, wanted, printer_id,"
    " attempt, copy, of_job, reason, confirmed, answer, made_at_ms, began_at_ms, ended_at_ms,"
    " expires_budget_ms, due_budget_ms FROM print_jobs"
)


# Reading -----------------------------------------------------------------------------------------


def get(rows: Rows, job_id: str) -> PrintJobRow | None:
    """A job by its id."""
    row = rows.one(f"{_JOB} WHERE job_id = ?", job_id)
    return PrintJobRow(*row) if row else None


def document(rows: Rows, job_id: str) -> str | None:
    """A job's facts (JSON)."""
    row = rows.one("SELECT document FROM print_jobs WHERE job_id = ?", job_id)
    return row[0] if row else None


def waiting(rows: Rows, limit: int = 1000) -> list[PrintJobRow]:
    """Queued jobs in the order they are printed in."""
    sql = f"{_JOB} WHERE {_OPEN} AND state = 'queued' ORDER BY priority, id LIMIT ?"
    return [PrintJobRow(*row) for row in rows.all(sql, limit)]


def waiting_kicks(rows: Rows, limit: int = 1000) -> list[PrintJobRow]:
    """Drawers that are to be opened and were not begun."""
    sql = f"{_JOB} WHERE {_OPEN} AND state = 'queued' AND kind = ? ORDER BY id LIMIT ?"
    return [PrintJobRow(*row) for row in rows.all(sql, DRAWER_KICK, limit)]


def being_printed(rows: Rows, printer_id: str | None = None) -> list[PrintJobRow]:
    """Jobs that were begun and have no end yet, of one printer or of all."""
    if printer_id is not None:
        row = rows.one(f"{_JOB} WHERE state = 'printing' AND printer_id = ?", printer_id)
        return [PrintJobRow(*row)] if row else []
    return [PrintJobRow(*row) for row in rows.all(f"{_JOB} WHERE {_OPEN} AND state = 'printing'")]


def ambiguous(rows: Rows, limit: int = 200) -> list[PrintJobRow]:
    """Jobs that wait for a person's word, oldest first."""
    sql = f"{_JOB} WHERE {_OPEN} AND state = 'ambiguous' ORDER BY id LIMIT ?"
    return [PrintJobRow(*row) for row in rows.all(sql, limit)]


def open_ones(rows: Rows, limit: int = 200) -> list[PrintJobRow]:
    """Jobs without an end, oldest first."""
    sql = f"{_JOB} WHERE {_OPEN} ORDER BY id LIMIT ?"
    return [PrintJobRow(*row) for row in rows.all(sql, limit)]


def latest(rows: Rows, *, before: int | None, limit: int) -> list[PrintJobRow]:
    """Jobs with a number below ``before``, newest first."""
    sql = f"{_JOB} WHERE id < ? ORDER BY id DESC LIMIT ?"
    return [PrintJobRow(*row) for row in rows.all(sql, before or (1 << 62), limit)]


def newest(rows: Rows) -> int:
    """The number of the last job that was queued; 0: none is known."""
    row = rows.one("SELECT max(id) FROM print_jobs")
    return int(row[0] or 0) if row else 0


def count_open(rows: Rows, *, kicks: bool = False) -> int:
    """How many jobs have no end yet; drawers that are to be opened are counted apart.  Every sale
    asks, so an index tells them apart: by their priority."""
    sign = "=" if kicks else ">"
    row = rows.one(
        f"SELECT count(*) FROM print_jobs WHERE {_OPEN} AND priority {sign} ?", PRIORITY_KICK
    )
    return int(row[0]) if row else 0


def waiting_for(rows: Rows, printer_id: str, limit: int = EXPIRE_MAX) -> list[PrintJobRow]:
    """Queued jobs that are for a certain printer only."""
    sql = f"{_JOB} WHERE {_OPEN} AND state = 'queued' AND wanted = ? ORDER BY id LIMIT ?"
    return [PrintJobRow(*row) for row in rows.all(sql, printer_id, limit)]


def count_waiting(rows: Rows, kind: str) -> int:
    """How many jobs of a kind wait for their turn."""
    row = rows.one(
        f"SELECT count(*) FROM print_jobs WHERE {_OPEN} AND state = 'queued' AND kind = ?", kind
    )
    return int(row[0]) if row else 0


def counts(rows: Rows) -> dict[str, int]:
    """How many jobs are in each open state."""
    return dict(rows.all(f"SELECT state, count(*) FROM print_jobs WHERE {_OPEN} GROUP BY state"))


# Writing -----------------------------------------------------------------------------------------


def add(tx: Tx, job: NewJob) -> None:
    """Queue a job."""
    tx.run(
        "INSERT INTO print_jobs (job_id, device_id, kind, document, expires_budget_ms, subject,"
        " title, priority, wanted, copy, of_job, made_at_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        *job,
        tx.now_ms,
    )


def begin(tx: Tx, job_id: str, printer_id: str) -> int:
    """A queued job is being printed from now on; which attempt this is."""
    row = tx.one(
        "UPDATE print_jobs SET state = 'printing', printer_id = ?, attempt = attempt + 1,"
        " reason = '', began_at_ms = ? WHERE job_id = ? AND state = 'queued' RETURNING attempt",
        printer_id,
        tx.now_ms,
        job_id,
    )
    assert row is not None, f"{job_id} isn't queued"
    return int(row[0])


def put_back(tx: Tx, job_id: str, reason: str, due_budget_ms: int) -> None:
    """Nothing of it was sent: it waits again."""
    tx.run(
        "UPDATE print_jobs SET state = 'queued', reason = ?, due_budget_ms = ? WHERE job_id = ?",
        reason,
        due_budget_ms,
        job_id,
    )


def doubt(tx: Tx, job_id: str, reason: str) -> None:
    """Nobody knows whether it is on paper: a person is asked, from now (``due_budget_ms``) on."""
    tx.run(
        "UPDATE print_jobs SET state = 'ambiguous', reason = ?, due_budget_ms = ? WHERE job_id = ?",
        reason,
        tx.budget_ms,
        job_id,
    )


def end(
    tx: Tx, job_id: str, state: str, reason: str, *, confirmed: bool = False, answer: str = ""
) -> None:
    """It has ended."""
    tx.run(
        "UPDATE print_jobs SET state = ?, reason = ?, confirmed = ?, answer = ?, ended_at_ms = ?"
        " WHERE job_id = ?",
        state,
        reason,
        int(confirmed),
        answer,
        tx.now_ms,
        job_id,
    )


def overdue(tx: Tx) -> list[PrintJobRow]:
    """Up to 200 queued jobs whose time is over."""
    sql = f"{_JOB} WHERE {_OPEN} AND state = 'queued' AND expires_budget_ms <= ? LIMIT ?"
    return [PrintJobRow(*row) for row in tx.all(sql, tx.budget_ms, EXPIRE_MAX)]


def unanswered(tx: Tx, before_budget_ms: int) -> list[PrintJobRow]:
    """Up to 200 jobs, in doubt since before then, about which nobody has said anything."""
    sql = f"{_JOB} WHERE {_OPEN} AND state = 'ambiguous' AND due_budget_ms < ? LIMIT ?"
    return [PrintJobRow(*row) for row in tx.all(sql, before_budget_ms, EXPIRE_MAX)]


def purge(tx: Tx, before_ms: int) -> int:
    """Forget up to 500 jobs that ended before then; how many."""
    return tx.run(
        "DELETE FROM print_jobs WHERE id IN (SELECT id FROM print_jobs"
        " WHERE ended_at_ms IS NOT NULL AND ended_at_ms < ? ORDER BY ended_at_ms LIMIT ?)",
        before_ms,
        PURGE_MAX,
    )


def doubt_copied(tx: Tx) -> None:
    """This database is a copy: what waits in it may have been printed since, by another box.  What
    nobody had answered is asked anew, however old the copy is; call it when the hub's own time is
    right."""
    why = "the hub was put back from a copy: it may have been printed before"
    tx.run(
        "UPDATE print_jobs SET state = 'expired', reason = ?, ended_at_ms = ?"
        f" WHERE {_OPEN} AND kind = ?",
        why,
        tx.now_ms,
        DRAWER_KICK,
    )
    tx.run(
        f"UPDATE print_jobs SET state = 'ambiguous', reason = ? WHERE {_OPEN}"
        " AND state <> 'ambiguous'",
        why,
    )
    tx.run(
        "UPDATE print_jobs SET due_budget_ms = coalesce((SELECT budget_ms FROM hub), 0)"
        f" WHERE {_OPEN}"
    )


# Counting ----------------------------------------------------------------------------------------


def next_copy(tx: Tx, kind: str, subject: str) -> int:
    """Count one more copy of a document; which one it is."""
    row = tx.one(
        "INSERT INTO print_copies (kind, subject, copies) VALUES (?, ?, 1)"
        " ON CONFLICT DO UPDATE SET copies = copies + 1 RETURNING copies",
        kind,
        subject,
    )
    assert row is not None
    return int(row[0])


def count_no_sale(tx: Tx, business_day: str, device_id: str) -> int:
    """Count a drawer that was opened without a sale; how often on this day at this till."""
    row = tx.one(
        "INSERT INTO drawer_opens (business_day, device_id, no_sales) VALUES (?, ?, 1)"
        " ON CONFLICT DO UPDATE SET no_sales = no_sales + 1 RETURNING no_sales",
        business_day,
        device_id,
    )
    assert row is not None
    return int(row[0])


def no_sales(rows: Rows, business_day: str) -> list[tuple[Any, ...]]:
    """Drawers opened without a sale on a day: ``(device_id, how often)``."""
    return rows.all(
        "SELECT device_id, no_sales FROM drawer_opens WHERE business_day = ? ORDER BY device_id",
        business_day,
    )
