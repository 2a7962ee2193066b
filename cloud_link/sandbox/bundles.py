"""Support bundles as hubs post them: pieces in order, whole ones kept."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

from hub.contract.oms import OmsCode
from hub.contract.oms_remote import MAX_BUNDLE_BYTES, SupportPiece

from .problems import refuse

if TYPE_CHECKING:
    from sqlite3 import Connection

KEPT = 20
SCHEMA = """
CREATE TABLE IF NOT EXISTS support_bundles (
    store       TEXT NOT NULL,
    command_id  TEXT NOT NULL,
    file_name   TEXT NOT NULL,
    sha256      TEXT NOT NULL,
    total_bytes INTEGER NOT NULL,
    pieces      INTEGER NOT NULL,
    content     BLOB NOT NULL,
    next_index  INTEGER NOT NULL,
    complete    INTEGER NOT NULL DEFAULT 0,
    at_ms       INTEGER NOT NULL,
    PRIMARY KEY (store, command_id)
) STRICT
"""


def take_piece(db: Connection, store: str, piece: SupportPiece, now_ms: int) -> tuple[bool, int]:
    """``(complete, next index)``.  Errors: ``not-found`` when nobody asked for it, ``conflict``
    for a piece that isn't the next one.  What is damaged or too long is forgotten."""
    if piece.index >= piece.pieces:
        raise refuse(OmsCode.CONFLICT, "index is below pieces: begin at 0.")
    asked = db.execute(
        "SELECT 1 FROM commands WHERE store=? AND id=? AND type='support.requested'",
        (store, piece.command_id),
    ).fetchone()
    if asked is None:
        raise refuse(OmsCode.NOT_FOUND, "There is no such support.requested command.")
    found = db.execute(
        "SELECT sha256, next_index, complete, content FROM support_bundles"
        " WHERE store=? AND command_id=?",
        (store, piece.command_id),
    ).fetchone()
    if found is not None and found[2]:
        return True, piece.pieces
    if found is None or found[0] != piece.sha256:
        if piece.index:
            raise refuse(OmsCode.CONFLICT, "Another bundle was begun for this command: begin at 0.")
        _begin(db, store, piece, now_ms)
        found = (piece.sha256, 0, 0, b"")
    _, awaited, _, so_far = found
    if piece.index < awaited:
        return False, awaited
    if piece.index > awaited:
        raise refuse(OmsCode.CONFLICT, f"Piece {awaited} is the next one: begin at 0.")
    whole = so_far + base64.b64decode(piece.content)
    complete = awaited + 1 == piece.pieces
    if len(whole) > MAX_BUNDLE_BYTES or (
        complete and hashlib.sha256(whole).hexdigest() != piece.sha256
    ):
        db.execute(
            "DELETE FROM support_bundles WHERE store=? AND command_id=?", (store, piece.command_id)
        )
        return False, 0
    db.execute(
        "UPDATE support_bundles SET content=?, next_index=?, complete=?"
        " WHERE store=? AND command_id=?",
        (whole, awaited + 1, int(complete), store, piece.command_id),
    )
    return complete, awaited + 1


def _begin(db: Connection, store: str, piece: SupportPiece, now_ms: int) -> None:
    db.execute(
        "INSERT OR REPLACE INTO support_bundles VALUES (?, ?, ?, ?, ?, ?, x'', 0, 0, ?)",
        (
            store,
            piece.command_id,
            piece.file_name,
            piece.sha256,
            piece.total_bytes,
            piece.pieces,
            now_ms,
        ),
    )
    db.execute(
        "DELETE FROM support_bundles WHERE store=? AND command_id NOT IN (SELECT command_id"
        " FROM support_bundles WHERE store=? ORDER BY at_ms DESC LIMIT ?)",
        (store, store, KEPT),
    )


def listed(db: Connection, store: str) -> list[dict[str, Any]]:
    """All of them, newest first, without their content."""
    names = ("command_id", "file_name", "sha256", "total_bytes", "complete", "at_ms")
    rows = db.execute(
        f"SELECT {', '.join(names)} FROM support_bundles WHERE store=? ORDER BY at_ms DESC",  # noqa: S608
        (store,),
    ).fetchall()
    return [dict(zip(names, row, strict=True)) for row in rows]


def content_of(db: Connection, store: str, command_id: str) -> tuple[str, bytes]:
    """``(file name, content)`` of a whole one.  Errors: ``not-found``."""
    row = db.execute(
        "SELECT file_name, content FROM support_bundles WHERE store=? AND command_id=?"
        " AND complete=1",
        (store, command_id),
    ).fetchone()
    if row is None:
        raise refuse(OmsCode.NOT_FOUND, "There is no whole bundle for this command.")
    return row[0], row[1]
