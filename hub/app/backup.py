"""Backup and restore in their simplest correct form: a copy of the hub's state.

A copy holds the database, the keys and certificates, and nothing that can be made again. Putting
it back fences the hub: it sells over the counter, but promises nothing, until the cloud has given
it a new epoch and told it what it had already been told; devices offer again what they were
answered and the cloud doesn't have.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from hashlib import file_digest
from pathlib import Path

from hub.app.founding import BEING_RESTORED, StateLock, being_restored
from hub.clock import Clock, Randomness
from hub.crashpoints import crashpoint
from hub.security.files import SECRET_MODE, write_atomic
from hub.storage import hubrow, printrows, websessions
from hub.storage.database import open_database, refusing
from hub.storage.hubrow import HubRow
from hub.storage.rows import Tx
from hub.storage.sqlite import Connection

MANIFEST = "backup.json"
FORMAT = 1


class BackupRefused(Exception):
    """The copy can't be made, or isn't whole; nothing was changed."""


@dataclass(frozen=True, slots=True)
class BackupInfo:
    """What a copy holds; ``files`` maps names to SHA-256."""

    format: int
    store: str
    hub_id: str
    incarnation: str
    made_at_ms: int
    files: dict[str, str]


def make_backup(state: Path, target: Path, clock: Clock) -> BackupInfo:
    """Copy the stopped hub's state to the new directory ``target``.

    Errors: :class:`BackupRefused`, :class:`~hub.app.founding.StateInUse`,
    :class:`~hub.storage.errors.DatabaseRefused`.
    """
    database = state / "hub.db"
    if not database.exists():
        raise BackupRefused(f"there is no hub's database in {state}: check paths.state")
    if target.exists() and any(target.iterdir()):
        raise BackupRefused(f"{target} is not empty: give a new directory")
    lock = StateLock(state)
    whole = False
    try:
        conn = open_database(database)
        try:
            hub = hubrow.get(Tx(conn, clock.wall_ms(), 0))
            target.mkdir(parents=True, exist_ok=True, mode=0o700)
            with refusing(target / "hub.db"):
                conn.execute("VACUUM INTO ?", (str(target / "hub.db"),))
        finally:
            conn.close()
        info = complete(state, target, hub, clock)
        whole = True
        return info
    finally:
        lock.release()
        if not whole:
            shutil.rmtree(target, ignore_errors=True)  # keys lie in it


def complete(state: Path, target: Path, hub: HubRow, clock: Clock) -> BackupInfo:
    """Put keys, certificates and the manifest beside a copied database."""
    crashpoint("backup.copied")
    (target / "hub.db").chmod(SECRET_MODE)
    if (state / "tls").is_dir():
        shutil.copytree(state / "tls", target / "tls")
    info = BackupInfo(FORMAT, hub.store, hub.hub_id, hub.label, clock.wall_ms(), digests(target))
    write_atomic(target / MANIFEST, json.dumps(asdict(info), indent=1).encode(), SECRET_MODE)
    return info


def verify_backup(source: Path) -> BackupInfo:
    """Check a copy against its manifest and its database's integrity.

    Errors: :class:`BackupRefused`.
    """
    try:
        info = BackupInfo(**json.loads((source / MANIFEST).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise BackupRefused(f"{source} is not a backup of a hub ({error})") from None
    if info.format != FORMAT:
        raise BackupRefused(f"{source} is a backup of format {info.format}, not {FORMAT}")
    found = digests(source)
    wrong = sorted(n for n in info.files.keys() | found.keys() if info.files.get(n) != found.get(n))
    if wrong:
        raise BackupRefused(f"{source} is damaged: {', '.join(wrong[:5])}; take another backup")
    return info


def restore_backup(
    source: Path, state: Path, clock: Clock, randomness: Randomness
) -> tuple[BackupInfo, Path | None]:
    """Put a copy in the place of ``state``; the state that was there is kept beside it.

    The value: what was restored, and where the former state went (None if there was none).
    Whatever is raised: the former state is in its place then, unless the copy already is.
    """
    info = verify_backup(source)
    state = state.resolve()  # systemd's private state directories are links
    fresh = state.with_name(f"{state.name}{BEING_RESTORED}{clock.wall_ms()}")
    aside = state.with_name(f"{state.name}.before-restore-{clock.wall_ms()}")
    fresh.mkdir(parents=True, mode=0o700)
    try:
        for name in info.files:
            (fresh / name).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            shutil.copy2(source / name, fresh / name)
        crashpoint("restore.copied")
        _fence(fresh / "hub.db", clock, randomness)
        crashpoint("restore.fenced")
        os.sync()  # whole on disk before it takes the former state's place
        if state.exists():
            _set_aside(state, aside)
        crashpoint("restore.set-aside")
        fresh.rename(state)
    except BaseException:
        if aside.exists() and not state.exists():
            aside.rename(state)
        shutil.rmtree(fresh, ignore_errors=True)  # keys lie in it
        raise
    crashpoint("restore.in-place")
    os.sync()
    for left in being_restored(state):
        shutil.rmtree(left, ignore_errors=True)  # of earlier ones that were cut short
    return info, aside if aside.exists() else None


def _set_aside(state: Path, aside: Path) -> None:
    lock = StateLock(state)
    try:
        if any(path.name != "hub.lock" for path in state.iterdir()):
            state.rename(aside)
        else:
            shutil.rmtree(state)
    finally:
        lock.release()


def _fence(database: Path, clock: Clock, randomness: Randomness) -> None:
    conn = open_database(database)
    try:
        with refusing(database):
            _write_fence(conn, clock, randomness)
    finally:
        conn.close()


def _write_fence(conn: Connection, clock: Clock, randomness: Randomness) -> None:
    conn.execute("BEGIN IMMEDIATE")
    tx = Tx(conn, clock.wall_ms(), 0)
    hub = hubrow.load(tx)
    if hub is None:
        raise BackupRefused("the copy's database holds no hub: take another backup")
    fork = randomness.token_bytes(4).hex()
    source = hubrow.new_source(tx, hub.store, hub.hub_id, hub.incarnation, fork)
    hubrow.set_fork(tx, source, "restored", "")
    websessions.end_all(tx)
    printrows.doubt_copied(tx)
    conn.execute("COMMIT")


def digests(directory: Path) -> dict[str, str]:
    """SHA-256 of every file, by its name below ``directory``."""
    return {
        str(path.relative_to(directory)): _digest(path)
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }


def _digest(path: Path) -> str:
    with path.open("rb") as file:  # a piece at a time: a database may be larger than the memory
        return file_digest(file, "sha256").hexdigest()
