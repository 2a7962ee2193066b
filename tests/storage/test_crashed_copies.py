"""Killed while starting, while a copy is made, and while one is put back."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hub.app.backup import BackupRefused, make_backup, restore_backup, verify_backup
from hub.app.founding import RestoreUnfinished, open_state
from hub.clock import SystemClock, SystemRandomness
from hub.crashpoints import COPY_CRASH_POINTS, HUB_CRASH_POINTS
from hub.storage.hubrow import HubRow
from tests.storage.crash_copies import settings_of

ROOT = Path(__file__).resolve().parents[2]
CLOCK, RANDOMNESS = SystemClock(), SystemRandomness()
RESTORE = [name for name in COPY_CRASH_POINTS if name.startswith("restore.")]
FOUNDING = [name for name in HUB_CRASH_POINTS if name.startswith("founding.")]


def killed(what: str, place: str, state: Path, copy: Path) -> None:
    module = "tests.storage.crash_copies"
    command = [sys.executable, "-m", module, what, place, str(state), str(copy)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


def start(state: Path) -> HubRow:
    opened = open_state(settings_of(state), CLOCK, RANDOMNESS)
    opened.conn.close()
    return opened.hub


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory with a key beside its database."""
    made = tmp_path / "state"
    (made / "tls").mkdir(parents=True)
    (made / "tls" / "ca.key").write_text("secret")
    return made


@pytest.mark.parametrize("place", FOUNDING)
def test_a_hub_killed_while_it_starts_is_still_itself_afterwards(state: Path, place: str) -> None:
    killed("start", place, state, state)
    first = start(state)
    assert (first.fence, first.store) == ("", "367")
    if place != "founding.salted":  # passed at the very first start only
        killed("start", place, state, state)
    again = start(state)
    assert (again.hub_id, again.machine_hash, again.fence) == (
        first.hub_id,
        first.machine_hash,
        "",
    )


def test_a_backup_that_was_cut_short_is_none(state: Path, tmp_path: Path) -> None:
    start(state)
    killed("backup", "backup.copied", state, tmp_path / "copy")
    with pytest.raises(BackupRefused, match="is not a backup"):
        verify_backup(tmp_path / "copy")
    with pytest.raises(BackupRefused, match="give a new directory"):
        make_backup(state, tmp_path / "copy", CLOCK)
    make_backup(state, tmp_path / "another", CLOCK)
    verify_backup(tmp_path / "another")


@pytest.mark.parametrize("place", RESTORE)
def test_a_restore_that_was_cut_short_leaves_the_former_state_or_the_whole_copy(
    state: Path, tmp_path: Path, place: str
) -> None:
    former = start(state)
    copy = tmp_path / "copy"
    make_backup(state, copy, CLOCK)
    killed("restore", place, state, copy)
    if (state / "hub.db").exists():
        found = start(state)
        in_place = place == "restore.in-place"
        assert (found.hub_id, found.fence) == (former.hub_id, "restored" if in_place else "")
        assert (state / "tls" / "ca.key").exists()
    else:
        assert place == "restore.set-aside"
        state.mkdir(exist_ok=True)  # as systemd does
        with pytest.raises(RestoreUnfinished, match="store-hub restore"):
            start(state)
        assert not (state / "hub.db").exists(), "no other hub was founded in its place"

    restore_backup(copy, state, CLOCK, RANDOMNESS)

    assert (start(state).hub_id, start(state).fence) == (former.hub_id, "restored")
    assert not list(tmp_path.glob("*.being-restored-*")), "keys lie about"


def test_an_empty_directory_is_a_new_hubs_even_beside_an_older_state(
    state: Path, tmp_path: Path
) -> None:
    start(state)
    copy = tmp_path / "copy"
    make_backup(state, copy, CLOCK)
    restore_backup(copy, state, CLOCK, RANDOMNESS)
    shutil.rmtree(state)
    state.mkdir()
    assert start(state).fence == ""
