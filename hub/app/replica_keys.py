"""The keys that belong to a replica: what is put in escrow, and whether that is still all."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Final

from hub.clock import Clock, Randomness
from hub.security.escrow import Escrow, Passphrase, Recipient, seal_escrow
from hub.security.files import SECRET_MODE, write_atomic
from hub.security.vault import FILE as VAULT
from hub.storage import hubrow
from hub.storage.readers import LoopReader

MEMORY: Final = "escrow.json"
"""In the state directory: which keys were put in escrow last."""
KEYS_BYTES_MAX: Final = 1 << 20


class NoKeys(Exception):
    """There is nothing to put in escrow."""


def export_keys(
    state: Path, to: Passphrase | Recipient, clock: Clock, randomness: Randomness
) -> tuple[Escrow, bytes]:
    """The hub's keys and certificates, sealed; the hub may run meanwhile.

    Errors: :class:`NoKeys`, :class:`~hub.storage.errors.DatabaseRefused`,
    :class:`~hub.security.escrow.WeakPassphrase`, ``OSError``.
    """
    database, tls = state / "hub.db", state / "tls"
    if not database.exists() or not (tls / "box.key").exists():
        raise NoKeys(f"there is no hub in {state}: check paths.state, or start the hub once")
    with LoopReader(database) as rows:
        hub = hubrow.get(rows)
    files = {
        str(path.relative_to(tls)): path.read_bytes()
        for path in sorted(tls.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }
    if sum(map(len, files.values())) > KEYS_BYTES_MAX:
        raise NoKeys(f"{tls} holds more than {KEYS_BYTES_MAX} bytes: those aren't keys alone")
    escrow = Escrow(hub.store, hub.hub_id, clock.wall_ms(), files)
    return escrow, seal_escrow(escrow, to, randomness)


def note_export(state: Path, escrow: Escrow) -> None:
    """Remember which keys are put by, so that the hub can tell when there are others."""
    memory = state / MEMORY
    said = {"made_at_ms": escrow.made_at_ms, "keys": _digest(escrow.files)}
    write_atomic(memory, json.dumps(said).encode(), SECRET_MODE)
    owner = state.stat()
    if os.geteuid() == 0:  # the hub reads it as its own user
        os.chown(memory, owner.st_uid, owner.st_gid, follow_symlinks=False)


def keys_changed(state: Path) -> bool:
    """Whether the keys that can't be made again are others than those in escrow, or none are."""
    tls = state / "tls"
    try:
        said = json.loads((state / MEMORY).read_text())
        keys = {path.name: path.read_bytes() for path in tls.glob("*.key*")}
        return bool(said["keys"] != _digest(keys))
    except (OSError, ValueError, KeyError, TypeError):
        return True


def _digest(files: dict[str, bytes] | object) -> str:
    assert isinstance(files, dict)
    lasting = {name: one for name, one in files.items() if _lasting(name)}
    return sha256(b"".join(sha256(lasting[name]).digest() for name in sorted(lasting))).hexdigest()


def _lasting(name: str) -> bool:
    """The authority's keys, the box's and the payments'; the server's own is made anew when it is
    missing."""
    return name in ("box.key", VAULT) or (name.startswith("ca-") and name.endswith(".key"))
