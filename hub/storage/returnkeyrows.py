"""Public keys that this shop's return codes were ever signed under, as its hub told the cloud."""

from __future__ import annotations

from typing import Final

from hub.storage.rows import Rows, Tx

LISTED_MAX: Final = 16


def add(tx: Tx, public_key: str) -> bool:
    """Note that a key is being told to the cloud; False if it was already."""
    return tx.run("INSERT OR IGNORE INTO return_keys VALUES (?, ?)", public_key, tx.now_ms) > 0


def is_known(rows: Rows, public_key: str) -> bool:
    """Whether it was told."""
    return rows.one("SELECT 1 FROM return_keys WHERE public_key = ?", public_key) is not None


def listed(rows: Rows) -> list[str]:
    """The newest ones first."""
    found = rows.all(
        "SELECT public_key FROM return_keys ORDER BY told_at_ms DESC, public_key LIMIT ?",
        LISTED_MAX,
    )
    return [row[0] for row in found]
