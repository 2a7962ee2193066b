"""The daily copies: of a hub that runs, checked, named by their time, and a few of them kept."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from hub.app import snapshots
from hub.app.backup import BackupRefused, restore_backup
from hub.app.founding import StateLock, open_state
from hub.app.snapshots import check_snapshot, list_snapshots, take_snapshot
from hub.clock import SystemRandomness
from hub.health.probes import backup
from hub.storage.copies import copy_beside
from hub.storage.errors import DatabaseRefused
from hub.storage.hubrow import HubRow
from tests.fakes import FakeClock
from tests.storage.crash_copies import settings_of

RANDOMNESS = SystemRandomness()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def state(tmp_path: Path, clock: FakeClock) -> Path:
    """A founded hub's, with keys."""
    state = tmp_path / "state"
    tls = state / "tls"
    tls.mkdir(parents=True)
    (tls / "ca.key").write_text("key")
    start(state, clock)
    return state


def start(state: Path, clock: FakeClock) -> HubRow:
    opened = open_state(settings_of(state), clock, RANDOMNESS)
    opened.conn.close()
    return opened.hub


def test_a_running_hub_is_copied_while_it_writes(
    state: Path, tmp_path: Path, clock: FakeClock
) -> None:
    lock = StateLock(state)
    opened = open_state(settings_of(state), clock, RANDOMNESS)
    try:
        opened.conn.execute("BEGIN IMMEDIATE")
        opened.conn.execute("UPDATE hub SET budget_ms = budget_ms + 77")
        before = opened.hub.budget_ms
        made = take_snapshot(state, tmp_path / "copies", 3, clock)
        opened.conn.execute("COMMIT")
        after = take_snapshot(state, tmp_path / "copies", 3, _later(clock))
    finally:
        opened.conn.close()
        lock.release()
    assert (budget(made.path), budget(after.path)) == (before, before + 77)
    assert (made.path / "tls" / "ca.key").read_text() == "key"
    restore_backup(after.path, state, clock, RANDOMNESS)
    assert start(state, clock).fence == "restored"


def test_nobody_is_signed_in_to_the_page_of_a_copy(
    state: Path, tmp_path: Path, clock: FakeClock
) -> None:
    def sessions() -> int:
        with contextlib.closing(sqlite3.connect(state / "hub.db")) as conn:
            found: int = conn.execute("SELECT count(*) FROM web_sessions").fetchone()[0]
            return found

    with contextlib.closing(sqlite3.connect(state / "hub.db")) as conn, conn:
        conn.execute(
            "INSERT INTO web_sessions (token_hash, role, opened_at_ms, expires_budget_ms)"
            " VALUES (x'00', 'technician', 0, 28800000)"
        )
    start(state, clock)
    assert sessions() == 1
    made = take_snapshot(state, tmp_path / "copies", 3, clock)
    restore_backup(made.path, state, clock, RANDOMNESS)
    assert sessions() == 0
    shutil.copy2(made.path / "hub.db", state / "hub.db")  # by hand
    for left in state.glob("hub.db-*"):
        left.unlink()
    with contextlib.closing(sqlite3.connect(state / "hub.db")) as conn, conn:
        conn.execute("UPDATE hub SET machine_hash = 'another'")
    assert start(state, clock).fence == "restored"
    assert sessions() == 0


def test_only_the_newest_are_kept_and_what_a_cut_left_is_removed(
    state: Path, tmp_path: Path, clock: FakeClock
) -> None:
    copies = tmp_path / "copies"
    (copies / "20200101T000000.000Z.partial").mkdir(parents=True)
    (copies / "mine").mkdir()
    made = [take_snapshot(state, copies, 2, _later(clock)).path for _ in range(4)]
    assert list_snapshots(copies) == made[2:]
    assert sorted(path.name for path in copies.iterdir()) == [
        *(path.name for path in made[2:]),
        "mine",
        "order",
    ]


def test_a_copy_that_is_not_whole_takes_no_older_ones_place(
    state: Path, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = tmp_path / "copies"
    first = take_snapshot(state, copies, 1, clock).path

    def damaged(path: Path) -> None:
        raise BackupRefused(f"{path} is damaged")

    monkeypatch.setattr(snapshots, "check_copy", damaged)
    with pytest.raises(BackupRefused):
        take_snapshot(state, copies, 1, _later(clock))
    assert list_snapshots(copies) == [first]
    assert not list(copies.glob("*.partial"))


def test_a_damaged_page_is_found_even_if_the_manifest_agrees(
    state: Path, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = take_snapshot(state, tmp_path / "copies", 1, clock)
    with contextlib.closing(sqlite3.connect(made.path / "hub.db")) as db, db:
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute("PRAGMA writable_schema = ON")
        db.execute("DELETE FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL")
    with pytest.raises(BackupRefused, match="damaged"):
        check_snapshot(made.path)
    monkeypatch.setattr(snapshots, "verify_backup", lambda source: made.info)
    with pytest.raises(DatabaseRefused):
        check_snapshot(made.path)


def test_keys_that_change_meanwhile_make_it_try_again(
    state: Path, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, changes = copy_beside, iter(range(2))

    def copy_and_change(database: Path, target: Path) -> None:
        real(database, target)
        for number in changes:
            (state / "tls" / "ca.key").write_text(f"another key {number}")
            break

    monkeypatch.setattr(snapshots, "copy_beside", copy_and_change)
    lock = StateLock(state)
    try:
        made = take_snapshot(state, tmp_path / "copies", 1, clock)
    finally:
        lock.release()
    assert (made.path / "tls" / "ca.key").read_text() == "another key 1"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files for somebody else")
def test_a_copy_that_root_makes_belongs_to_the_hub(
    state: Path, tmp_path: Path, clock: FakeClock
) -> None:
    os.chown(state, 12345, 12345)
    made = take_snapshot(state, tmp_path / "copies", 1, clock).path
    owners = {path.stat().st_uid for path in (made.parent, *made.parent.rglob("*"))}
    assert owners == {12345}


def budget(copy: Path) -> int:
    with contextlib.closing(sqlite3.connect(f"file:{copy / 'hub.db'}?mode=ro", uri=True)) as db:
        return int(db.execute("SELECT budget_ms FROM hub").fetchone()[0])


def _later(clock: FakeClock) -> FakeClock:
    clock.advance(1)
    return clock


def test_a_copy_made_while_the_clock_is_far_back_is_kept(
    state: Path, tmp_path: Path, clock: FakeClock
) -> None:
    copies = tmp_path / "copies"
    older = [take_snapshot(state, copies, 2, _later(clock)).path for _ in range(2)]
    clock.jump_wall(-86_400)
    made = take_snapshot(state, copies, 2, clock).path
    assert check_snapshot(made).store
    assert list_snapshots(copies) == [older[1], made]


def test_copies_named_in_the_future_give_way_to_those_made_later(
    state: Path, tmp_path: Path, clock: FakeClock
) -> None:
    copies = tmp_path / "copies"
    clock.jump_wall(400 * 86_400)
    wrong = take_snapshot(state, copies, 2, _later(clock)).path
    clock.jump_wall(-400 * 86_400)
    made = [take_snapshot(state, copies, 2, _later(clock)).path for _ in range(2)]
    assert list_snapshots(copies) == made
    assert not wrong.exists()
    state.rename(tmp_path / "store-hub")
    copies.rename(tmp_path / "store-hub-backups")
    assert backup.copies(tmp_path / "store-hub")[-1].name == made[-1].name


def test_copies_of_which_no_order_is_known_come_first_by_their_names(
    state: Path, tmp_path: Path, clock: FakeClock
) -> None:
    copies = tmp_path / "copies"
    older = [take_snapshot(state, copies, 9, _later(clock)).path for _ in range(2)]
    future = copies / "20990101T000000.000Z"
    older[0].rename(future)
    (copies / "order").unlink()
    made = take_snapshot(state, copies, 9, _later(clock)).path
    assert list_snapshots(copies) == [older[1], future, made]


def test_an_old_copy_that_cannot_be_removed_does_not_make_the_new_one_fail(
    state: Path, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = tmp_path / "copies"
    older = take_snapshot(state, copies, 1, _later(clock)).path
    real = shutil.rmtree

    def stuck(path: Path, ignore_errors: bool = False) -> None:
        if path == older:
            raise PermissionError(13, "Permission denied", str(path))
        real(path, ignore_errors=ignore_errors)

    monkeypatch.setattr(shutil, "rmtree", stuck)
    made = take_snapshot(state, copies, 1, _later(clock))
    assert check_snapshot(made.path) == made.info
    assert list_snapshots(copies) == [older, made.path]


def test_two_at_once_do_not_take_each_others_files(
    state: Path, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = tmp_path / "copies"
    plain = os.sync
    told: list[bool] = []

    def sync() -> None:
        """The other one begins when the first has been checked."""
        if not told:
            told.append(True)
            with pytest.raises(BackupRefused, match="another copy is being made"):
                take_snapshot(state, copies, 3, _later(clock))
        plain()

    monkeypatch.setattr(os, "sync", sync)
    made = take_snapshot(state, copies, 3, clock)
    assert check_snapshot(made.path) == made.info
    assert take_snapshot(state, copies, 3, _later(clock)).path in list_snapshots(copies)
