"""What the status page asks of the database, in one short read."""

from __future__ import annotations

from dataclasses import dataclass

from hub.storage import devicerows, drillrows, hubrow, outbox, salerows
from hub.storage.devicerows import ListedRow
from hub.storage.drillrows import DrillRow
from hub.storage.hubrow import HubRow
from hub.storage.rows import Rows
from hub.storage.salerows import DayRow

RECENT_SALES_MAX = 2000
AUDIT_LOOKED_AT_MAX = 1000


@dataclass(frozen=True, slots=True)
class JobName:
    """What people call a print job; ``printer_id`` is empty before it is at one."""

    kind: str
    title: str
    printer_id: str


@dataclass(frozen=True, slots=True)
class PrintingRow:
    """Print jobs: how many there are of which, and the oldest (UTC ms) of two kinds."""

    waiting: int = 0
    printing: int = 0
    ambiguous: int = 0
    failed: int = 0
    oldest_at_ms: int | None = None
    doubted_at_ms: int | None = None
    waiting_job: JobName | None = None
    doubted_job: JobName | None = None
    failed_job: JobName | None = None


@dataclass(frozen=True, slots=True)
class StatusRows:
    """One moment of the database; ``recent_sales`` are those since the instant asked for."""

    hub: HubRow
    seq: int
    safe_seq: int
    depth: dict[str, int]
    oldest_at_ms: int | None
    parked: int
    day: DayRow
    recent_sales: int
    devices: tuple[ListedRow, ...]
    datasets: dict[str, str]
    drift: int
    superseded_at_ms: int | None
    drill: DrillRow | None = None
    printing: PrintingRow = PrintingRow()


def read(
    rows: Rows,
    *,
    business_day: str,
    recent_since_ms: int,
    budget_ms: int,
    failed_since_ms: int = 0,
) -> StatusRows:
    """Read it all; every query is by key or bounded."""
    hub = hubrow.get(rows)
    return StatusRows(
        hub=hub,
        seq=outbox.last_id(rows),
        safe_seq=outbox.safe_id(rows),
        depth=outbox.depth(rows),
        oldest_at_ms=outbox.oldest_waiting_ms(rows),
        parked=outbox.count_parked(rows),
        day=salerows.day(rows, business_day),
        recent_sales=_sales_since(rows, recent_since_ms),
        devices=tuple(devicerows.listed(rows, budget_ms)),
        datasets={
            row[0]: row[1]
            for row in rows.all(
                "SELECT dataset, label FROM datasets WHERE generation > 0 ORDER BY dataset LIMIT 50"
            )
        },
        drift=_count(rows, "SELECT count(*) FROM drift"),
        superseded_at_ms=_superseded_at_ms(rows) if hub.fence == "superseded" else None,
        drill=drillrows.last(rows),
        printing=_printing(rows, failed_since_ms),
    )


def _printing(rows: Rows, failed_since_ms: int) -> PrintingRow:
    states = {
        state: (count, oldest_at_ms)
        for state, count, oldest_at_ms in rows.all(
            "SELECT state, count(*), min(made_at_ms) FROM print_jobs"
            " WHERE state IN ('queued', 'printing', 'ambiguous') GROUP BY state LIMIT 3"
        )
    }
    waiting, doubted = states.get("queued", (0, None)), states.get("ambiguous", (0, None))
    failed = _count(
        rows,
        "SELECT count(*) FROM print_jobs WHERE ended_at_ms IS NOT NULL AND ended_at_ms >= ?"
        " AND state = 'failed'",
        failed_since_ms,
    )
    return PrintingRow(
        waiting[0],
        states.get("printing", (0, None))[0],
        doubted[0],
        failed,
        waiting[1],
        doubted[1],
        _oldest_job(rows, "queued") if waiting[0] else None,
        _oldest_job(rows, "ambiguous") if doubted[0] else None,
        _failed_job(rows, failed_since_ms) if failed else None,
    )


_JOB = "SELECT kind, title, coalesce(nullif(printer_id, ''), wanted) FROM print_jobs"


def _oldest_job(rows: Rows, state: str) -> JobName | None:
    found = rows.one(
        f"{_JOB} WHERE state IN ('queued', 'printing', 'ambiguous') AND state = ?"
        " ORDER BY id LIMIT 1",
        state,
    )
    return JobName(*found) if found else None


def _failed_job(rows: Rows, since_ms: int) -> JobName | None:
    found = rows.one(
        f"{_JOB} WHERE ended_at_ms IS NOT NULL AND ended_at_ms >= ? AND state = 'failed'"
        " ORDER BY ended_at_ms DESC LIMIT 1",
        since_ms,
    )
    return JobName(*found) if found else None


def _superseded_at_ms(rows: Rows) -> int | None:
    """When the fence was put up, as the audit log says; it is nearly the last that is written."""
    row = rows.one(
        "SELECT max(at_ms) FROM (SELECT at_ms, action FROM audit ORDER BY seq DESC LIMIT ?)"
        " WHERE action = 'cloud.superseded'",
        AUDIT_LOOKED_AT_MAX,
    )
    return row[0] if row else None


def _sales_since(rows: Rows, since_ms: int) -> int:
    return _count(
        rows,
        "SELECT count(*) FROM (SELECT at_ms FROM sales ORDER BY id DESC LIMIT ?) WHERE at_ms >= ?",
        RECENT_SALES_MAX,
        since_ms,
    )


def _count(rows: Rows, sql: str, *params: int) -> int:
    row = rows.one(sql, *params)
    return int(row[0]) if row else 0
