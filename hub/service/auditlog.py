"""The audit log's chain: every entry's hash covers the entry and the hash before it."""

from __future__ import annotations

from dataclasses import dataclass

from hub.domain import hashchain
from hub.domain.errors import Json
from hub.storage import audit
from hub.storage.audit import AuditRow
from hub.storage.rows import Rows, Tx

LABEL = "audit"


def _payload(
    seq: int, at_ms: int, caller: str, staff_id: str | None, action: str, subject: str, data: str
) -> list[Json]:
    return [seq, at_ms, caller, staff_id, action, subject, data]


def append(
    tx: Tx, *, caller: str, staff_id: str | None, action: str, subject: str, data: str
) -> None:
    """Write the next entry of the chain."""
    last, before = audit.head(tx)
    entry = (last + 1, tx.now_ms, caller, staff_id, action, subject, data)
    digest = hashchain.chain_hash(LABEL, before, _payload(*entry))
    audit.append(tx, AuditRow(*entry, hash=digest))


@dataclass(frozen=True, slots=True)
class AuditVerdict:
    """Result of verifying the chain: its length and head, and the first broken entry (None:
    whole)."""

    entries: int
    head_hash: str
    broken_seq: int | None = None


def verify(rows: Rows, head: tuple[int, bytes] | None = None) -> AuditVerdict:
    """Recompute the whole chain; ``head`` is one kept elsewhere, to notice a rewritten chain."""
    entries = (
        hashchain.ChainRow(
            row.seq,
            _payload(
                row.seq, row.at_ms, row.caller, row.staff_id, row.action, row.subject, row.data
            ),
            row.hash,
        )
        for row in audit.walk(rows)
    )
    broken = hashchain.verify(LABEL, entries, head=head)
    length, digest = audit.head(rows)
    return AuditVerdict(length, digest.hex(), broken)
