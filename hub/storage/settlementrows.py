"""What the processor paid out, and what terminals say that they still keep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from hub.storage.refundrows import IS_SHORT, OTHERWISE
from hub.storage.rows import Rows, Tx

DIFFERENCES_MAX: Final = 500
NOTED: Final = (
    "action IN ('payment.two_refs', 'payment.refund_refused', 'payment.refund_given_twice')"
)
"""What the audit log notes of payments for people to see to.  As in the index: SQLite uses it only
for the very same words."""


class SettlementLineRow(NamedTuple):
    """A line as it was taken in."""

    n: int
    kind: str
    payment_id: str
    psp_ref: str
    amount_minor: int
    currency: str
    at_ms: int
    verdict: str


class SettlementFileRow(NamedTuple):
    """A part of a report; ``lines`` of it were taken in."""

    id: int
    processor: str
    name: str
    lines: int
    imported_at_ms: int
    by: str


class WrongLineRow(NamedTuple):
    """A line that doesn't fit, and the file it stands in."""

    name: str
    n: int
    kind: str
    payment_id: str
    psp_ref: str
    amount_minor: int
    currency: str
    at_ms: int
    verdict: str
    imported_at_ms: int


class TerminalReportRow(NamedTuple):
    """What a terminal said, and what the hub's book has of it: stored payments in its custody."""

    terminal_id: str
    stored_count: int | None
    stored_minor: int | None
    at_ms: int
    booked_count: int
    booked_minor: int


class GapRow(NamedTuple):
    """A terminal whose numbers of offline payments have holes: ``given`` numbers, ``kept`` rows."""

    terminal_id: str
    given: int
    kept: int


class UnsettledRow(NamedTuple):
    """Captured money that no report has paid out."""

    payment_id: str
    sale_id: str
    terminal_id: str
    psp_ref: str
    amount_minor: int
    currency: str
    changed_at_ms: int


# Reading -----------------------------------------------------------------------------------------


def file_of(rows: Rows, digest: bytes) -> SettlementFileRow | None:
    """The file with this content."""
    row = rows.one(
        "SELECT id, processor, name, lines, imported_at_ms, by FROM settlement_files"
        " WHERE digest = ?",
        digest,
    )
    return SettlementFileRow(*row) if row else None


def files(rows: Rows, limit: int = 50) -> list[SettlementFileRow]:
    """What was imported, newest first."""
    found = rows.all(
        "SELECT id, processor, name, lines, imported_at_ms, by FROM settlement_files"
        " ORDER BY id DESC LIMIT ?",
        limit,
    )
    return [SettlementFileRow(*row) for row in found]


def verdicts(rows: Rows, file: int) -> dict[str, int]:
    """How the lines of a file were judged."""
    sql = "SELECT verdict, count(*) FROM settlement_lines WHERE file = ? GROUP BY verdict"
    return {verdict: int(count) for verdict, count in rows.all(sql, file)}


def paid_out(rows: Rows, payment_id: str) -> bool:
    """Whether a line has paid this payment out already."""
    row = rows.one(
        "SELECT 1 FROM settlement_lines WHERE payment_id = ? AND payment_id <> ''"
        " AND kind = 'payment' AND verdict IN ('matched', 'given-up') LIMIT 1",
        payment_id,
    )
    return row is not None


def wrong_lines(rows: Rows, since_ms: int) -> list[WrongLineRow]:
    """Lines that don't fit, of files that were imported since then; oldest first."""
    found = rows.all(
        "SELECT f.name, l.n, l.kind, l.payment_id, l.psp_ref, l.amount_minor, l.currency, l.at_ms,"
        " l.verdict, f.imported_at_ms FROM settlement_lines l JOIN settlement_files f"
        " ON f.id = l.file WHERE l.verdict <> 'matched' AND l.verdict <> 'stand-alone'"
        " AND f.imported_at_ms >= ? ORDER BY l.file, l.n LIMIT ?",
        since_ms,
        DIFFERENCES_MAX,
    )
    return [WrongLineRow(*row) for row in found]


def unsettled(rows: Rows, before_ms: int) -> list[UnsettledRow]:
    """Card payments that were captured before then and that nothing has paid out, oldest first."""
    found = rows.all(
        "SELECT payment_id, sale_id, terminal_id, psp_ref, amount_minor, currency, changed_at_ms"
        " FROM payments WHERE state = 'captured' AND kind = 'card' AND changed_at_ms < ?"
        " ORDER BY id LIMIT ?",
        before_ms,
        DIFFERENCES_MAX,
    )
    return [UnsettledRow(*row) for row in found]


def gaps(rows: Rows) -> list[GapRow]:
    """Terminals with holes in their numbers."""
    found = rows.all(
        "SELECT s.terminal_id, s.offline_seq, (SELECT count(*) FROM payments p"
        " WHERE p.terminal_id = s.terminal_id AND p.offline_seq IS NOT NULL) + s.forgotten AS kept"
        " FROM terminal_sequences s WHERE kept <> s.offline_seq ORDER BY s.terminal_id LIMIT 200"
    )
    return [GapRow(*row) for row in found]


def terminals(rows: Rows) -> list[TerminalReportRow]:
    """What each terminal last said that it keeps, beside what the book has."""
    found = rows.all(
        "SELECT r.terminal_id, r.stored_count, r.stored_minor, r.at_ms, count(p.id),"
        " coalesce(sum(p.amount_minor), 0) FROM terminal_reports r LEFT JOIN payments p"
        " ON p.terminal_id = r.terminal_id AND p.custody = 'terminal' AND p.offline_seq IS NOT NULL"
        " AND p.state IN ('stored', 'void_pending', 'lost') AND p.stored_at_ms <= r.at_ms"
        " GROUP BY r.terminal_id ORDER BY r.terminal_id LIMIT 200"
    )
    return [TerminalReportRow(*row) for row in found]


class RefusedRefundRow(NamedTuple):
    """Money that was to go back and can't."""

    refund_id: str
    payment_id: str
    amount_minor: int
    reason: str
    changed_at_ms: int
    state: str


def refused_refunds(rows: Rows, since_ms: int) -> list[RefusedRefundRow]:
    """Refunds that were refused since then, oldest first; none of what hasn't brought its money, or
    is given back already.  ``state``: of the payment."""
    found = rows.all(
        "SELECT r.refund_id, p.payment_id, r.amount_minor, r.reason, r.changed_at_ms, p.state"
        " FROM payment_refunds r JOIN payments p ON p.id = r.payment"
        " WHERE r.state = 'refused' AND r.changed_at_ms >= ?"
        f" AND r.reason NOT LIKE '{OTHERWISE}%'"
        " AND (p.state IN ('authorised', 'captured', 'settled', 'recovered')"
        f" OR {IS_SHORT}) ORDER BY r.id LIMIT ?",
        since_ms,
        DIFFERENCES_MAX,
    )
    return [RefusedRefundRow(*row) for row in found]


class UntoldRefundRow(NamedTuple):
    """Money that a till was to give back, of which it hasn't told.  ``device_id``: empty where only
    the cloud told of the return, which doesn't say where the goods came back."""

    refund_id: str
    payment_id: str
    device_id: str
    amount_minor: int
    changed_at_ms: int


def untold_refunds(rows: Rows, before_ms: int) -> list[UntoldRefundRow]:
    """Refunds that were left to a till before then, of what has brought its money, oldest first."""
    found = rows.all(
        "SELECT r.refund_id, p.payment_id, CASE WHEN length(b.hash) = 0 THEN ''"
        " ELSE coalesce(b.device_id, p.device_id) END, r.amount_minor, r.changed_at_ms"
        " FROM payment_refunds r JOIN payments p ON p.id = r.payment"
        " LEFT JOIN returns b ON b.return_id = r.subject"
        " WHERE r.state = 'wanted' AND r.state NOT IN ('done', 'refused') AND r.giver = 'till'"
        " AND r.changed_at_ms < ? AND p.state IN ('authorised', 'captured', 'settled')"
        " ORDER BY r.id LIMIT ?",
        before_ms,
        DIFFERENCES_MAX,
    )
    return [UntoldRefundRow(*row) for row in found]


class TwiceGivenRow(NamedTuple):
    """Money that a till gave back although a person had given it in another way."""

    refund_id: str
    payment_id: str
    amount_minor: int
    by: str
    at_ms: int


def given_twice(rows: Rows, since_ms: int) -> list[TwiceGivenRow]:
    """What was given back twice since then, as the audit log says, oldest first.  ``by``: who gave
    it last."""
    found = rows.all(
        "SELECT data ->> 'refund_id', subject, data ->> 'amount_minor', data ->> 'by', at_ms"
        f" FROM audit WHERE {NOTED} AND at_ms >= ? AND action = 'payment.refund_given_twice'"
        " ORDER BY at_ms LIMIT ?",
        since_ms,
        DIFFERENCES_MAX,
    )
    return [TwiceGivenRow(*row) for row in found]


def refund_of(rows: Rows, refund_id: str, psp_ref: str) -> int | None:
    """What a refund gave back, by its own name or the processor's; None: there is none that the
    shop counts as given (of a refused one somebody has given the money in another way, or will)."""
    row = rows.one(
        "SELECT amount_minor FROM payment_refunds WHERE refund_id = ? AND refund_id <> ''"
        " AND state <> 'refused'"
        " UNION ALL SELECT amount_minor FROM payment_refunds WHERE psp_ref = ? AND psp_ref <> ''"
        " AND state <> 'refused'",
        refund_id,
        psp_ref,
    )
    return int(row[0]) if row else None


def payment_named(rows: Rows, psp_ref: str) -> str | None:
    """The payment that the processor calls so."""
    row = rows.one("SELECT payment_id FROM payments WHERE psp_ref = ? AND psp_ref <> ''", psp_ref)
    return row[0] if row else None


# Writing -----------------------------------------------------------------------------------------


def add_file(
    tx: Tx, digest: bytes, processor: str, name: str, lines: Sequence[SettlementLineRow], by: str
) -> int:
    """Keep a file's lines with their verdicts; its number."""
    file = tx.insert(
        "INSERT INTO settlement_files (digest, processor, name, lines, imported_at_ms, by)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        digest,
        processor,
        name,
        len(lines),
        tx.now_ms,
        by,
    )
    tx.many(
        "INSERT INTO settlement_lines (file, n, kind, payment_id, psp_ref, amount_minor, currency,"
        " at_ms, verdict) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(file, *line) for line in lines],
    )
    return file


def note_terminal(tx: Tx, terminal_id: str, count: int | None, minor: int | None) -> None:
    """Keep what a terminal says now."""
    tx.run(
        "INSERT INTO terminal_reports (terminal_id, stored_count, stored_minor, at_ms)"
        " VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET stored_count = excluded.stored_count,"
        " stored_minor = excluded.stored_minor, at_ms = excluded.at_ms",
        terminal_id,
        count,
        minor,
        tx.now_ms,
    )
