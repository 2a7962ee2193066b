"""A new box from a replica and the escrowed keys.

What was fetched becomes an ordinary copy first, and is then put back as every copy is
(:func:`hub.app.backup.restore_backup`): one way to be fenced.
"""

from __future__ import annotations

import asyncio
import glob
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hub.app.backup import BackupInfo, BackupRefused, complete, restore_backup
from hub.app.founding import StateLock
from hub.app.replica import Contents, Reader, newest_of
from hub.app.replica_child import CONFIG_FILE, PID_FILE
from hub.app.replica_keys import note_export
from hub.clock import Clock, Randomness
from hub.config import Settings
from hub.config.replica import Replica
from hub.health.words import ago, size
from hub.mqtt.leftover import replace_leftover
from hub.security.escrow import Escrow
from hub.security.files import SECRET_MODE
from hub.storage import hubrow
from hub.storage.copies import check_copy, copy_beside
from hub.storage.readers import LoopReader

FETCHED: Final = ".from-replica-"
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class FromReplica:
    """The newest state of a replica; ``series`` None: of the newest box, if it was the last."""

    replica: Replica
    series: int | None = None


@dataclass(frozen=True, slots=True)
class FromFile:
    """A database file that nobody writes, such as a warm standby's."""

    path: Path


def replace_box(
    settings: Settings,
    source: FromReplica | FromFile,
    escrow: Escrow,
    clock: Clock,
    randomness: Randomness,
    tell: Tell,
) -> tuple[BackupInfo, Path | None]:
    """Make this box's state of ``source`` and the keys; as :func:`restore_backup`.

    ``tell`` hears of each step.  Errors: :class:`~hub.app.replica.ReplicaRefused`,
    :class:`BackupRefused`, :class:`~hub.app.founding.StateInUse`,
    :class:`~hub.storage.errors.StorageError`, ``OSError``.
    """
    if escrow.store != settings.store.id:
        raise BackupRefused(
            f"the keys are of store {escrow.store}, the settings say {settings.store.id}: use this"
            " store's escrow file, or correct store.id"
        )
    state = settings.paths.state.resolve()  # systemd's private state directories are links
    StateLock(state).release()  # a hub that runs is found before anything is fetched
    directory = settings.paths.run / "replica"
    asyncio.run(replace_leftover(directory / PID_FILE, directory / CONFIG_FILE, "replicator"))
    for left in state.parent.glob(f"{glob.escape(state.name)}{FETCHED}*"):
        shutil.rmtree(left, ignore_errors=True)  # of one that was cut short; keys lie in it
    stage = state.with_name(f"{state.name}{FETCHED}{clock.wall_ms()}")
    stage.mkdir(mode=0o700)
    try:
        copy = stage / "copy"
        copy.mkdir(mode=0o700)
        match source:
            case FromReplica():
                asyncio.run(_fetch(source, stage / "reading", copy / "hub.db", clock, tell))
            case FromFile(path):
                _take(path, stage / "reading", copy / "hub.db")
        _complete(settings, stage, copy, escrow, clock, tell)
        info, aside = restore_backup(copy, settings.paths.state, clock, randomness)
        tell("the hub's state is in its place, and fenced")
        _note(settings.paths.state, escrow, tell)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return info, aside


def _note(state: Path, escrow: Escrow, tell: Tell) -> None:
    """The box is restored whether or not its page learns that its keys are put by."""
    try:
        note_export(state, escrow)
    except OSError as error:
        tell(f"that the keys are put by could not be noted, and the page will ask for it: {error}")


def _take(database: Path, directory: Path, target: Path) -> None:
    """Copy a file with the log beside it, where a hub that was killed has its last commits."""
    directory.mkdir(mode=0o700)
    taken = directory / "hub.db"
    log = database.with_name(f"{database.name}-wal")
    before = _written(database), _written(log)
    shutil.copyfile(database, taken)
    if log.exists():
        shutil.copyfile(log, taken.with_name("hub.db-wal"))
    if before != (_written(database), _written(log)):  # pages of two moments may pass every check
        raise BackupRefused(
            f"{database} is being written: end who does (systemctl stop store-hub-standby), then"
            " try again"
        )
    copy_beside(taken, target)


def _written(path: Path) -> tuple[int, int] | None:
    if not path.exists():
        return None
    found = path.stat()
    return found.st_size, found.st_mtime_ns


async def _fetch(
    source: FromReplica, directory: Path, target: Path, clock: Clock, tell: Tell
) -> None:
    reader = Reader(source.replica, directory)
    if source.series is None:
        found = await reader.look_at_all()
    else:
        found = [one for one in [await reader.look(source.series)] if one is not None]
    for one in found:
        tell(f"series {one.series}: {_described(one, clock.wall_ms())}")
    newest = newest_of(found, source.replica)
    await reader.fetch(newest.series, target)
    tell("the database is fetched")


def _described(found: Contents, now_ms: int) -> str:
    instant = datetime.fromtimestamp(found.written_at_ms // 1000, UTC)
    return (
        f"last written to at {instant:%Y-%m-%d %H:%M:%S} UTC, {ago(now_ms - found.written_at_ms)}"
        f" ago; {found.files} files, {size(found.size_bytes)}"
    )


def _complete(
    settings: Settings, stage: Path, copy: Path, escrow: Escrow, clock: Clock, tell: Tell
) -> None:
    """Check the database and put the keys beside it."""
    (copy / "hub.db").chmod(SECRET_MODE)
    check_copy(copy / "hub.db")
    with LoopReader(copy / "hub.db") as rows:
        hub = hubrow.get(rows)
    for beside in copy.glob("hub.db-*"):
        beside.unlink()
    if (hub.store, hub.hub_id) != (escrow.store, escrow.hub_id):
        raise BackupRefused(
            f"the database is of store {hub.store} (hub {hub.hub_id}), the keys are of store"
            f" {escrow.store} (hub {escrow.hub_id}): use those that belong together (a new box's"
            " hub that was started before has begun a series: --series N takes an older one)"
        )
    tell(f"the database is whole: store {hub.store}, incarnation {hub.label}")
    keys = stage / "keys"
    for name, content in escrow.files.items():
        path = keys / "tls" / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, SECRET_MODE)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
    complete(keys, copy, hub, clock)
    tell(f"the keys are put beside it: {len(escrow.files)} files")
