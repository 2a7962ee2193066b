"""Devices, their certificates, and open pairings."""

from __future__ import annotations

from dataclasses import dataclass

from hub.storage.rows import Rows, Tx

OPEN_MAX = 1000


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A device.  ``password_hash`` is the broker's salted form; ``meta`` is JSON: the pairing's
    key hash until the device has told what it is; ``conditions`` is JSON: since when each holds."""

    device_id: str
    name: str
    kind: str
    auth: str
    password_hash: str | None
    status: str
    number: int
    presence: str
    presence_session: str
    model: str
    firmware: str
    meta: str
    paired_at_ms: int
    last_seen_at_ms: int | None
    revoked_at_ms: int | None
    conditions: str = "{}"


_DEVICE = (
    "SELECT device_id, name, kind, auth, password_hash, status, number, presence,"
    " presence_session, model, firmware, meta, paired_at_ms, last_seen_at_ms, revoked_at_ms,"
    " conditions"
    " FROM devices"
)


def get(rows: Rows, device_id: str) -> DeviceRow | None:
    """One device, revoked or not."""
    row = rows.one(f"{_DEVICE} WHERE device_id = ?", device_id)
    return DeviceRow(*row) if row else None


def paired(rows: Rows, limit: int = 10_000) -> list[DeviceRow]:
    """Devices that may connect, by number: what the broker has to know.  What hangs on the hub's
    own box connects nowhere."""
    found = rows.all(
        f"{_DEVICE} WHERE status = 'paired' AND auth <> 'hub' ORDER BY number LIMIT ?", limit
    )
    return [DeviceRow(*row) for row in found]


def any_ever(rows: Rows) -> bool:
    """Whether a device was ever paired here, revoked ones included."""
    return rows.one("SELECT 1 FROM devices WHERE auth <> 'hub' LIMIT 1") is not None


@dataclass(frozen=True, slots=True)
class ListedRow:
    """A device with what the status page shows beside it; ``signed_in`` is a name."""

    device: DeviceRow
    certificate_expires_at_ms: int | None
    signed_in: str | None


_LISTED = """
SELECT d.device_id, d.name, d.kind, d.auth, NULL, d.status, d.number, d.presence,
       d.presence_session, d.model, d.firmware, '{}', d.paired_at_ms, d.last_seen_at_ms,
       d.revoked_at_ms, d.conditions,
       (SELECT max(c.expires_at_ms) FROM certificates c
        WHERE c.device_id = d.device_id AND c.revoked_at_ms IS NULL),
       (SELECT s.name FROM sign_ins i
        JOIN datasets g ON g.dataset = 'staff'
        JOIN staff s ON s.generation = g.generation AND s.staff_id = i.staff_id AND s.active = 1
        WHERE i.device_id = d.device_id AND i.expires_budget_ms > ?)
FROM devices d ORDER BY d.status <> 'paired', d.number LIMIT ?
"""


def listed(rows: Rows, budget_ms: int, limit: int = OPEN_MAX) -> list[ListedRow]:
    """All devices by number, revoked ones last; secrets are left out."""
    return [
        ListedRow(DeviceRow(*row[:16]), row[16], row[17])
        for row in rows.all(_LISTED, budget_ms, limit)
    ]


def next_number(tx: Tx) -> int:
    """The next short number of a device; rows are never deleted, so none comes twice.

    Nor does that of a device that a restored database knows nothing of, for each restore begins
    another hundred: a new device must not get the name in a forgotten one's certificate.
    """
    row = tx.one(
        "SELECT max(coalesce(max(number), 0), 100 * (SELECT max(count(*), 1) - 1 FROM sources"
        " WHERE fork <> '')) + 1 FROM devices WHERE number < 1000000"  # peripherals come after
    )
    assert row is not None
    return int(row[0])


def add(
    tx: Tx,
    *,
    device_id: str,
    name: str,
    kind: str,
    auth: str,
    password_hash: str | None,
    number: int,
    model: str,
    firmware: str,
    meta: str,
) -> None:
    """Write a new device."""
    tx.run(
        "INSERT INTO devices (device_id, name, kind, auth, password_hash, number, model, firmware,"
        " meta, paired_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        device_id,
        name,
        kind,
        auth,
        password_hash,
        number,
        model,
        firmware,
        meta,
        tx.now_ms,
    )


def rekey(
    tx: Tx,
    device_id: str,
    *,
    auth: str,
    password_hash: str | None,
    model: str,
    firmware: str,
    meta: str,
) -> None:
    """Give a device another way to prove who it is."""
    tx.run(
        "UPDATE devices SET auth = ?, password_hash = ?, model = ?, firmware = ?, meta = ?,"
        " paired_at_ms = ? WHERE device_id = ?",
        auth,
        password_hash,
        model,
        firmware,
        meta,
        tx.now_ms,
        device_id,
    )


def withdraw_key(tx: Tx, device_id: str) -> None:
    """Leave a device no password and no pairing to repeat: without a certificate, too, it has to
    pair again."""
    tx.run(
        "UPDATE devices SET auth = 'mtls', password_hash = NULL, meta = '{}' WHERE device_id = ?",
        device_id,
    )


def rename(tx: Tx, device_id: str, name: str) -> None:
    """Change a device's display name."""
    tx.run("UPDATE devices SET name = ? WHERE device_id = ?", name, device_id)


def revoke(tx: Tx, device_id: str, reason: str) -> None:
    """Shut a device out and forget its password."""
    tx.run(
        "UPDATE devices SET status = 'revoked', password_hash = NULL, presence = 'disconnected',"
        " revoked_at_ms = ?, revoke_reason = ? WHERE device_id = ?",
        tx.now_ms,
        reason,
        device_id,
    )


def set_presence(tx: Tx, device_id: str, presence: str, session: str, conditions: str) -> None:
    """Write how a device's connection stands and what it says is the matter (JSON: since when each
    holds), and that it was heard of now."""
    tx.run(
        "UPDATE devices SET presence = ?, presence_session = ?, conditions = ?,"
        " last_seen_at_ms = ? WHERE device_id = ?",
        presence,
        session,
        conditions,
        tx.now_ms,
        device_id,
    )


def silent_since(rows: Rows, before_ms: int, limit: int = OPEN_MAX) -> list[DeviceRow]:
    """Devices that count as connected but were last heard of before an instant."""
    found = rows.all(
        f"{_DEVICE} WHERE status = 'paired' AND auth <> 'hub' AND presence IN ('init', 'ready')"
        " AND coalesce(last_seen_at_ms, 0) < ? ORDER BY number LIMIT ?",
        before_ms,
        limit,
    )
    return [DeviceRow(*row) for row in found]


def set_meta(tx: Tx, device_id: str, *, model: str, firmware: str, meta: str) -> None:
    """Write what a device told about itself."""
    tx.run(
        "UPDATE devices SET model = ?, firmware = ?, meta = ? WHERE device_id = ?",
        model,
        firmware,
        meta,
        device_id,
    )


# Certificates ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CertificateRow:
    """A certificate by its serial number (lower-case hexadecimal)."""

    serial: str
    device_id: str
    issued_at_ms: int
    expires_at_ms: int
    revoked_at_ms: int | None
    revoke_reason: str | None


_CERTIFICATE = (
    "SELECT serial, device_id, issued_at_ms, expires_at_ms, revoked_at_ms, revoke_reason"
    " FROM certificates"
)


def certificate(rows: Rows, serial: str) -> CertificateRow | None:
    """One certificate."""
    row = rows.one(f"{_CERTIFICATE} WHERE serial = ?", serial)
    return CertificateRow(*row) if row else None


def revoked_certificates(rows: Rows, now_ms: int) -> list[CertificateRow]:
    """What the revocation list has to name: revoked, and not ended for more than a day."""
    found = rows.all(
        f"{_CERTIFICATE} WHERE revoked_at_ms IS NOT NULL AND expires_at_ms > ?"
        " ORDER BY revoked_at_ms, serial",
        now_ms - 86_400_000,
    )
    return [CertificateRow(*row) for row in found]


def add_certificate(tx: Tx, serial: str, device_id: str, expires_at_ms: int) -> None:
    """Note that a certificate was issued; a repeat changes nothing."""
    tx.run(
        "INSERT INTO certificates (serial, device_id, issued_at_ms, expires_at_ms)"
        " VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        serial,
        device_id,
        tx.now_ms,
        expires_at_ms,
    )


def revoke_certificates(tx: Tx, device_id: str, reason: str, *, keep: tuple[str, ...] = ()) -> int:
    """Revoke a device's certificates but those in ``keep`` (at most two); how many."""
    first, second = (*keep, "", "")[:2]
    return tx.run(
        "UPDATE certificates SET revoked_at_ms = ?, revoke_reason = ?"
        " WHERE device_id = ? AND revoked_at_ms IS NULL AND serial NOT IN (?, ?)",
        tx.now_ms,
        reason,
        device_id,
        first,
        second,
    )


# Pairings ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PairingRow:
    """A pairing code: salted hash, what it makes, and its bounds."""

    pairing_id: str
    code_salt: bytes
    code_hash: bytes
    kind: str
    name: str
    rekey_device_id: str | None
    tries_left: int
    expires_budget_ms: int
    opened_by: str
    opened_at_ms: int
    used_by: str | None = None
    used_at_ms: int | None = None


def pairings(rows: Rows, budget_ms: int, limit: int = 200) -> list[PairingRow]:
    """Pairings whose time is not over, used or not, oldest first."""
    found = rows.all(
        "SELECT pairing_id, code_salt, code_hash, kind, name, rekey_device_id, tries_left,"
        " expires_budget_ms, opened_by, opened_at_ms, used_by, used_at_ms FROM pairings"
        " WHERE expires_budget_ms > ? ORDER BY opened_at_ms, pairing_id LIMIT ?",
        budget_ms,
        limit,
    )
    return [PairingRow(*row) for row in found]


def add_pairing(tx: Tx, row: PairingRow) -> None:
    """Write a pairing that was opened."""
    tx.run(
        "INSERT INTO pairings (pairing_id, code_salt, code_hash, kind, name, rekey_device_id,"
        " tries_left, expires_budget_ms, opened_by, opened_at_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        row.pairing_id,
        row.code_salt,
        row.code_hash,
        row.kind,
        row.name,
        row.rekey_device_id,
        row.tries_left,
        row.expires_budget_ms,
        row.opened_by,
        row.opened_at_ms,
    )


def set_password(tx: Tx, device_id: str, password_hash: str) -> None:
    """Another password for a device that was never told the old one."""
    tx.run("UPDATE devices SET password_hash = ? WHERE device_id = ?", password_hash, device_id)


def use_pairing(tx: Tx, pairing_id: str, device_id: str) -> None:
    """Spend a pairing."""
    tx.run(
        "UPDATE pairings SET used_by = ?, used_at_ms = ? WHERE pairing_id = ?",
        device_id,
        tx.now_ms,
        pairing_id,
    )


def count_wrong_try(tx: Tx) -> None:
    """A wrong code came: every open pairing has a try less."""
    tx.run(
        "UPDATE pairings SET tries_left = tries_left - 1 WHERE used_by IS NULL AND tries_left > 0"
    )


def purge_pairings(tx: Tx, limit: int = 200) -> int:
    """Forget pairings whose time is over (the audit log keeps what they did)."""
    return tx.run(
        "DELETE FROM pairings WHERE pairing_id IN"
        " (SELECT pairing_id FROM pairings WHERE expires_budget_ms <= ? LIMIT ?)",
        tx.budget_ms,
        limit,
    )
