"""What tells this box from a copy of its disk's database: a witness kept outside of it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from hub.clock import Randomness

MACHINE_ID = Path("/etc/machine-id")
WITNESS = "machine-witness"


def machine_hash(state: Path, randomness: Randomness, machine_id: Path = MACHINE_ID) -> str:
    """Sha256 (hexadecimal) over the machine's id and a salt in ``state``, made at the first call.

    It changes when the database comes to another machine, or is put into another state directory:
    then the hub has to ask the cloud for a new incarnation before it is trusted.
    """
    salt = _salt(state / WITNESS, randomness)
    try:
        own = machine_id.read_bytes().strip()
    except OSError:
        own = b""  # some containers have none; the salt alone still tells directories apart
    return hashlib.sha256(b"store-hub machine\0" + own + b"\0" + salt).hexdigest()


def _salt(path: Path, randomness: Randomness) -> bytes:
    try:
        salt = path.read_bytes()
    except FileNotFoundError:
        salt = b""
    if len(salt) == 32:
        return salt
    salt = randomness.token_bytes(32)
    fresh = path.with_name(path.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(salt)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    return salt
