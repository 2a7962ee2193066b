"""What was asked under which key, and what was answered: the memory that makes repeats harmless."""

from __future__ import annotations

from typing import NamedTuple

from hub.storage.rows import Rows, Tx

KEEP_DAYS = 30
PURGE_MAX = 1000


class KnownRequest(NamedTuple):
    """``events``: how many the request emitted; the answer's ``seq`` is the last of them."""

    hash: bytes
    reply: str
    events: int


def find(rows: Rows, caller: str, idk: str) -> KnownRequest | None:
    """The request this key was used for, or None."""
    row = rows.one(
        "SELECT hash, reply, events FROM requests WHERE caller = ? AND idk = ?", caller, idk
    )
    return KnownRequest(*row) if row else None


def store(tx: Tx, caller: str, idk: str, body_hash: bytes, reply: str, events: int = 0) -> None:
    """Remember the answer of a request."""
    tx.run(
        "INSERT INTO requests (caller, idk, hash, reply, events, at_ms) VALUES (?, ?, ?, ?, ?, ?)",
        caller,
        idk,
        body_hash,
        reply,
        events,
        tx.now_ms,
    )


def purge(tx: Tx, before_ms: int) -> int:
    """Forget up to 1,000 answers older than ``before_ms``; how many were forgotten."""
    return tx.run(
        "DELETE FROM requests WHERE (caller, idk) IN"
        " (SELECT caller, idk FROM requests WHERE at_ms < ? ORDER BY at_ms LIMIT ?)",
        before_ms,
        PURGE_MAX,
    )


def fact_taken(tx: Tx, device_id: str, journal_id: str) -> int:
    """Up to which ``evt_seq`` the facts of a device's journal are taken in; 0 for a new journal."""
    row = tx.one(
        "SELECT evt_seq FROM journals WHERE device_id = ? AND journal_id = ?", device_id, journal_id
    )
    return int(row[0]) if row else 0


def set_fact_taken(tx: Tx, device_id: str, journal_id: str, evt_seq: int) -> None:
    """Advance a journal's watermark."""
    tx.run(
        "INSERT INTO journals (device_id, journal_id, evt_seq, at_ms) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET evt_seq = excluded.evt_seq, at_ms = excluded.at_ms",
        device_id,
        journal_id,
        evt_seq,
        tx.now_ms,
    )


def purge_journals(tx: Tx, before_ms: int) -> int:
    """Forget up to 1,000 journals that were silent since ``before_ms``; how many.

    A fact of such a journal that came again would make the event it made before.
    """
    return tx.run(
        "DELETE FROM journals WHERE (device_id, journal_id) IN"
        " (SELECT device_id, journal_id FROM journals WHERE at_ms < ? LIMIT ?)",
        before_ms,
        PURGE_MAX,
    )
