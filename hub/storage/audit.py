"""The audit log: a hash chain of who did what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hub.storage.rows import Rows, Tx

GENESIS = bytes(32)


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One entry. ``data`` is canonical JSON; ``hash`` covers the row and the hash before it."""

    seq: int
    at_ms: int
    caller: str
    staff_id: str | None
    action: str
    subject: str
    data: str
    hash: bytes


def head(rows: Rows) -> tuple[int, bytes]:
    """Number and hash of the newest entry; (0, zeros) in an empty log."""
    row = rows.one("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")
    return (row[0], row[1]) if row else (0, GENESIS)


def append(tx: Tx, row: AuditRow) -> None:
    """Write the next entry."""
    tx.run(
        "INSERT INTO audit (seq, at_ms, caller, staff_id, action, subject, data, hash)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        row.seq,
        row.at_ms,
        row.caller,
        row.staff_id,
        row.action,
        row.subject,
        row.data,
        row.hash,
    )


def walk(rows: Rows, *, after: int = 0, page: int = 500) -> Iterator[AuditRow]:
    """All entries behind ``after`` in order, read in pages."""
    last = after
    while True:
        found = rows.all(
            "SELECT seq, at_ms, caller, staff_id, action, subject, data, hash FROM audit"
            " WHERE seq > ? ORDER BY seq LIMIT ?",
            last,
            page,
        )
        if not found:
            return
        for row in found:
            yield AuditRow(*row)
        last = found[-1][0]


def mark_head_sent(tx: Tx, business_day: str) -> bool:
    """Note that the head of this day is being told to the cloud; False if it was already."""
    return (
        tx.run(
            "UPDATE hub SET audit_head_day = ? WHERE audit_head_day <> ?",
            business_day,
            business_day,
        )
        > 0
    )
