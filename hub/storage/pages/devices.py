"""Devices as their page lists them."""

from __future__ import annotations

from typing import NamedTuple

from hub.storage.devicerows import CertificateRow
from hub.storage.rows import Row, Rows


class DevicePageRow(NamedTuple):
    """A device; ``key_withdrawn``: paired, but without a password or a certificate in force;
    ``conditions`` is JSON: since when each holds."""

    device_id: str
    name: str
    kind: str
    auth: str
    status: str
    number: int
    presence: str
    model: str
    firmware: str
    paired_at_ms: int
    last_seen_at_ms: int | None
    revoked_at_ms: int | None
    revoke_reason: str | None
    receipts: int
    certificate_expires_at_ms: int | None
    signed_in: str | None
    key_withdrawn: bool
    conditions: str


_DEVICE = """
SELECT d.device_id, d.name, d.kind, d.auth, d.status, d.number, d.presence, d.model, d.firmware,
       d.paired_at_ms, d.last_seen_at_ms, d.revoked_at_ms, d.revoke_reason, d.receipt_count,
       (SELECT max(c.expires_at_ms) FROM certificates c
        WHERE c.device_id = d.device_id AND c.revoked_at_ms IS NULL),
       (SELECT s.name FROM sign_ins i
        JOIN datasets g ON g.dataset = 'staff'
        JOIN staff s ON s.generation = g.generation AND s.staff_id = i.staff_id AND s.active = 1
        WHERE i.device_id = d.device_id AND i.expires_budget_ms > :budget_ms),
       d.status = 'paired' AND d.auth <> 'hub' AND d.password_hash IS NULL AND NOT EXISTS
        (SELECT 1 FROM certificates c
         WHERE c.device_id = d.device_id AND c.revoked_at_ms IS NULL),
       d.conditions
FROM devices d
""".replace(":budget_ms", "?1")


def listed(
    rows: Rows,
    budget_ms: int,
    *,
    text: str,
    state: str,
    after: tuple[int, int],
    limit: int,
) -> list[DevicePageRow]:
    """Devices by number, revoked ones last, behind ``after`` (revoked, number).  ``text`` is a part
    of the name or the beginning of the id."""
    found = rows.all(
        f"{_DEVICE} WHERE (?2 = '' OR instr(lower(d.name), lower(?2)) > 0"
        " OR substr(d.device_id, 1, length(?2)) = lower(?2))"
        " AND (?3 = 'all' OR d.status = ?3) AND (d.status <> 'paired', d.number) > (?4, ?5)"
        " ORDER BY d.status <> 'paired', d.number LIMIT ?6",
        budget_ms,
        text,
        state,
        *after,
        limit,
    )
    return [_row(row) for row in found]


def one(rows: Rows, budget_ms: int, device_id: str) -> DevicePageRow | None:
    """One device."""
    row = rows.one(f"{_DEVICE} WHERE d.device_id = ?2", budget_ms, device_id)
    return _row(row) if row else None


def certificates(rows: Rows, device_id: str, limit: int) -> list[CertificateRow]:
    """A device's certificates, the newest first."""
    found = rows.all(
        "SELECT serial, device_id, issued_at_ms, expires_at_ms, revoked_at_ms, revoke_reason"
        " FROM certificates WHERE device_id = ? ORDER BY issued_at_ms DESC, serial LIMIT ?",
        device_id,
        limit,
    )
    return [CertificateRow(*row) for row in found]


def _row(row: Row) -> DevicePageRow:
    return DevicePageRow(*row)._replace(key_withdrawn=bool(row[16]))
