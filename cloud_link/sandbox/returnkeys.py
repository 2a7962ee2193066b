"""What receipts are signed under: told by each hub, given to all shops as policies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hub.contract.oms_datasets import RETURN_KEYS_POLICY

from .auth import SCRATCH_PREFIX
from .datasets import change_rows, load_rows

if TYPE_CHECKING:
    from sqlite3 import Connection

KEYS_MAX = 16
"""So many of one shop are kept, the newest first."""


def share_key(db: Connection, store: str, public_key: str) -> None:
    """Give a shop's key to every shop, itself included: its next box has another one.

    What is told for a trial stays there.
    """
    name = RETURN_KEYS_POLICY + store
    stores = [store] if store.startswith(SCRATCH_PREFIX) else _stores(db)
    for one in stores:
        known = _keys(db, one, name)
        if public_key not in known:
            row = {"key": name, "value": [public_key, *known][:KEYS_MAX]}
            change_rows(db, one, "policies", [row], [])


def give_known_keys(db: Connection, store: str) -> None:
    """Give a shop that is new here what the others have."""
    rows = db.execute(
        "SELECT row FROM dataset_rows WHERE dataset='policies' AND substr(key, 1, ?)=?"
        " AND substr(store, 1, ?)<>? GROUP BY key",
        (len(RETURN_KEYS_POLICY), RETURN_KEYS_POLICY, len(SCRATCH_PREFIX), SCRATCH_PREFIX),
    ).fetchall()
    load_rows(db, store, "policies", (json.loads(row) for (row,) in rows))


def _stores(db: Connection) -> list[str]:
    found = db.execute("SELECT store FROM stores UNION SELECT DISTINCT store FROM dataset_rows")
    return [one for (one,) in found if not one.startswith(SCRATCH_PREFIX)]


def _keys(db: Connection, store: str, name: str) -> list[str]:
    row = db.execute(
        "SELECT row FROM dataset_rows WHERE store=? AND dataset='policies' AND key=?",
        (store, name),
    ).fetchone()
    value = json.loads(row[0]).get("value") if row else None
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
