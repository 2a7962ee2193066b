"""What an outage's report and the charts ask for: rows between two marks, found by their keys."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from hub.storage.audit import AuditRow
from hub.storage.historyrows import Marks
from hub.storage.rows import Rows

OLDER_SALES_MAX = 2000
EVENTS_MAX = 50_000
ENTRIES_MAX = 100
ENTRIES_READ_MAX = 200_000
BELOW_ZERO_MAX = 200
MOVEMENTS_MAX = 50
PARKED_MAX = 2000


class SoldRow(NamedTuple):
    """Sales between two marks; ``total_minor`` without what was voided since."""

    sales: int
    total_minor: int


def sold(rows: Rows, began: Marks, ended: Marks) -> SoldRow:
    """What was sold."""
    row = rows.one(
        "SELECT count(*), coalesce(sum(CASE state WHEN 'voided' THEN 0 ELSE total_minor END), 0)"
        " FROM sales WHERE id > ? AND id <= ?",
        began.sale,
        ended.sale,
    )
    return SoldRow(*row) if row else SoldRow(0, 0)


def voids(rows: Rows, began: Marks, ended: Marks, from_ms: int, to_ms: int) -> int:
    """Sales that were voided in that time: of those made in it, and of the 2,000 before."""
    row = rows.one(
        "SELECT count(*) FROM sales WHERE id > ? AND id <= ? AND voided_at_ms >= ?"
        " AND voided_at_ms <= ?",
        began.sale - OLDER_SALES_MAX,
        ended.sale,
        from_ms,
        to_ms,
    )
    return int(row[0]) if row else 0


def returns(rows: Rows, began: Marks, ended: Marks) -> int:
    """How often goods came back."""
    row = rows.one(
        "SELECT count(*) FROM returns WHERE id > ? AND id <= ?", began.returned, ended.returned
    )
    return int(row[0]) if row else 0


def still_waiting(rows: Rows, began: Marks, ended: Marks) -> int:
    """How many events between the marks the cloud hasn't acked."""
    lanes = rows.all("SELECT source, stream, acked_seq FROM streams WHERE acked_seq < head_seq")
    return sum(
        row[0]
        for lane in lanes
        if (
            row := rows.one(
                "SELECT count(*) FROM outbox WHERE source = ? AND stream = ? AND seq > ?"
                " AND id > ? AND id <= ?",
                *lane,
                began.event,
                ended.event,
            )
        )
    )


def parked_events(rows: Rows) -> list[int]:
    """Work sequences of what waits aside; at most 2,000."""
    found = rows.all(
        "SELECT outbox_id FROM parked WHERE resent_at_ms IS NULL ORDER BY outbox_id LIMIT ?",
        PARKED_MAX,
    )
    return [row[0] for row in found]


def events_of(rows: Rows, type_: str, began: Marks, ended: Marks) -> list[tuple[str, str]]:
    """(aggregate, data) of the events of one type between the marks; of the newest 50,000."""
    return [
        (row[0], row[1])
        for row in rows.all(
            "SELECT aggregate, data FROM outbox WHERE id > ? AND id <= ? AND type = ? ORDER BY id",
            max(began.event, ended.event - EVENTS_MAX),
            ended.event,
            type_,
        )
    ]


def device_names(rows: Rows) -> dict[str, str]:
    """All devices' names."""
    return dict(rows.all("SELECT device_id, name FROM devices"))


def entries(rows: Rows, began: Marks, ended: Marks, actions: Collection[str]) -> list[AuditRow]:
    """Entries of the audit log between the marks that are about ``actions``, the newest first; at
    most 100, of the newest 200,000 of all."""
    found = rows.all(
        "SELECT seq, at_ms, caller, staff_id, action, subject, data, hash FROM audit"
        f" WHERE seq > ? AND seq <= ? AND action IN ({', '.join('?' * len(actions))})"
        " ORDER BY seq DESC LIMIT ?",
        max(began.entry, ended.entry - ENTRIES_READ_MAX),
        ended.entry,
        *actions,
        ENTRIES_MAX,
    )
    return [AuditRow(*row) for row in found]


class BelowZero(NamedTuple):
    """A product whose level is below zero, and its last movements."""

    sku: str
    movements: tuple[int, ...]


def below_zero(rows: Rows, after: Marks) -> list[BelowZero]:
    """Products that moved after the mark and are below zero now; at most 200, with at most 50
    movements of each."""
    found = rows.all(
        "SELECT k.sku, s.last_seq FROM stock s JOIN skus k ON k.id = s.sku_id"
        " WHERE s.sellable < 0 AND s.last_seq > ? ORDER BY s.last_seq DESC LIMIT ?",
        after.movement,
        BELOW_ZERO_MAX,
    )
    return [BelowZero(sku, tuple(_chain(rows, last, after.movement))) for sku, last in found]


def _chain(rows: Rows, last: int, down_to: int) -> list[int]:
    seqs: list[int] = []
    while last > down_to and len(seqs) < MOVEMENTS_MAX:
        seqs.append(last)
        row = rows.one("SELECT prev_seq FROM movements WHERE seq = ?", last)
        last = row[0] if row else 0
    return seqs


def sales_by_quarter(rows: Rows, from_day: str, from_ms: int) -> list[tuple[int, int, int]]:
    """(quarter of an hour counted from 1970 on, sales, total) since an instant, without what was
    voided; business days before ``from_day`` aren't looked at."""
    return [
        (row[0], row[1], row[2])
        for row in rows.all(
            "SELECT at_ms / 900000, count(*), sum(total_minor) FROM sales"
            " WHERE business_day >= ? AND at_ms >= ? AND state = 'completed' GROUP BY 1",
            from_day,
            from_ms,
        )
    ]
