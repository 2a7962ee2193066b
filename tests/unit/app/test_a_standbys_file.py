"""A new box from a database file: what was committed is in it, wherever SQLite keeps it."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from hub.app.backup import BackupRefused
from hub.app.founding import open_state
from hub.app.replica_restore import FromFile, replace_box
from hub.clock import SystemRandomness
from hub.security.escrow import Escrow
from hub.storage.hubrow import HubRow
from tests.fakes import FakeClock
from tests.storage.crash_copies import settings_of

RANDOMNESS = SystemRandomness()


def killed(tmp_path: Path, clock: FakeClock) -> tuple[Path, HubRow]:
    """The files of a hub that was killed: its last commit is in the log beside the database."""
    state = tmp_path / "old" / "state"
    state.mkdir(parents=True)
    opened = open_state(settings_of(state), clock, RANDOMNESS)
    try:
        opened.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        opened.conn.execute("UPDATE hub SET budget_ms = 77")
        disk = tmp_path / "disk"
        disk.mkdir()
        for name in ("hub.db", "hub.db-wal"):
            shutil.copyfile(state / name, disk / name)
    finally:
        opened.conn.close()
    return disk / "hub.db", opened.hub


def test_what_a_killed_hub_wrote_last_is_restored_from_its_file(tmp_path: Path) -> None:
    clock = FakeClock()
    database, hub = killed(tmp_path, clock)
    before = {path.name: path.read_bytes() for path in database.parent.iterdir()}
    settings = settings_of(tmp_path / "new" / "state")
    settings.paths.state.parent.mkdir()
    escrow = Escrow(hub.store, hub.hub_id, clock.wall_ms(), {"box.key": bytes(32)})
    told: list[str] = []
    replace_box(settings, FromFile(database), escrow, clock, RANDOMNESS, told.append)
    conn = sqlite3.connect(settings.paths.state / "hub.db")
    try:
        assert conn.execute("SELECT budget_ms, fence FROM hub").fetchone() == (77, "restored")
    finally:
        conn.close()
    assert {path.name: path.read_bytes() for path in database.parent.iterdir()} == before


def test_a_file_that_is_still_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()
    database, hub = killed(tmp_path, clock)
    settings = settings_of(tmp_path / "new" / "state")
    settings.paths.state.parent.mkdir()
    escrow = Escrow(hub.store, hub.hub_id, clock.wall_ms(), {"box.key": bytes(32)})
    copyfile = shutil.copyfile

    def while_it_follows(source: Path, target: Path) -> None:
        copyfile(source, target)
        with database.open("ab") as stream:
            stream.write(bytes(4096))

    monkeypatch.setattr(shutil, "copyfile", while_it_follows)
    with pytest.raises(BackupRefused, match="is being written"):
        replace_box(settings, FromFile(database), escrow, clock, RANDOMNESS, lambda _: None)
    assert not (settings.paths.state / "hub.db").exists()
