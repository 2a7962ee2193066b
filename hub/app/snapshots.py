"""Copies that are made every day, also of a hub that runs: named by their time, a few are kept.

A copy appears under its name only when it is whole; what a cut left behind is removed by the next.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hub.app.backup import (
    BackupInfo,
    BackupRefused,
    complete,
    digests,
    make_backup,
    verify_backup,
)
from hub.app.founding import StateInUse
from hub.clock import Clock
from hub.health.probes.backup import ORDER, in_order, note, note_order
from hub.storage import hubrow
from hub.storage.copies import check_copy, copy_beside
from hub.storage.readers import LoopReader

log = logging.getLogger(__name__)

PARTIAL = ".partial"
TRIES = 3


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A whole copy and where it is."""

    path: Path
    info: BackupInfo


def take_snapshot(state: Path, directory: Path, keep: int, clock: Clock) -> Snapshot:
    """Copy the state into a new directory below ``directory``, check the copy, and remove all but
    the last ``keep`` (at least 1) whole ones, in the order they were made, whatever the clock says.

    Errors: :class:`~hub.app.backup.BackupRefused`, also while another copy is being made there,
    :class:`~hub.storage.errors.DatabaseRefused`, ``OSError``: no copy was made then, and the older
    ones are kept.  Old ones that can't be removed are logged: the copy is good.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(directory):
        return _take(state, directory, keep, clock)


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """One at a time: each removes what it takes for another's leavings."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupRefused(
                f"another copy is being made in {directory}: wait for it, then try again"
            ) from None
        yield
    finally:
        os.close(handle)


def _take(state: Path, directory: Path, keep: int, clock: Clock) -> Snapshot:
    for left in directory.glob(f"*{PARTIAL}"):
        shutil.rmtree(left, ignore_errors=True)
    name = _name(clock.wall_ms())
    target, partial = directory / name, directory / f"{name}{PARTIAL}"
    try:
        try:
            info = make_backup(state, partial, clock)
        except StateInUse:
            info = _copy_running(state, partial, clock)
        check_snapshot(partial)
        note_order(directory, name)
        for made in (partial, directory / ORDER):
            _give_away(directory, made, state)
        os.sync()
        partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)  # keys lie in it
        raise
    os.sync()
    note(state, info.made_at_ms, str(target))
    _keep_last(directory, keep)
    return Snapshot(target, info)


def _keep_last(directory: Path, keep: int) -> None:
    """Remove the oldest; the new copy is made, whatever becomes of them."""
    try:
        for old in list_snapshots(directory)[:-keep]:
            shutil.rmtree(old)
    except OSError as error:
        log.warning("the copy is made, but older ones could not be removed: %s", error)


def list_snapshots(directory: Path) -> list[Path]:
    """The copies in ``directory`` in the order they were made, the newest last."""
    return in_order(directory) if directory.is_dir() else []


def check_snapshot(source: Path) -> BackupInfo:
    """Its files against the manifest, and its database from the first page to the last.

    Errors: :class:`~hub.app.backup.BackupRefused`,
    :class:`~hub.storage.errors.DatabaseRefused`.
    """
    info = verify_backup(source)
    check_copy(source / "hub.db")
    return info


def _copy_running(state: Path, target: Path, clock: Clock) -> BackupInfo:
    """The database as it is at one instant, read beside the hub, and the keys that belong to it."""
    database = state / "hub.db"
    for _ in range(TRIES):
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(mode=0o700)
        before = digests(state / "tls")
        copy_beside(database, target / "hub.db")
        with LoopReader(target / "hub.db") as rows:
            hub = hubrow.get(rows)
        try:
            info = complete(state, target, hub, clock)
        except OSError:  # a certificate was being replaced
            if digests(state / "tls") == before:
                raise
            continue
        if before == digests(state / "tls") == digests(target / "tls"):
            return info
    raise BackupRefused(f"the certificates in {state} changed during each of {TRIES} tries: again")


def _give_away(directory: Path, made: Path, state: Path) -> None:
    """What root copies for a hub of another user belongs to that one, which deletes it one day."""
    owner = state.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    for path in (directory, made, *made.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _name(at_ms: int) -> str:
    instant = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{instant:%Y%m%dT%H%M%S}.{at_ms % 1000:03d}Z"
