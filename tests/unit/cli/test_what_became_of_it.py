"""What copying, restoring and exporting say when they fail halfway: the truth."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from hub.app import backup, snapshots
from hub.app.founding import open_state
from hub.app.snapshots import list_snapshots
from hub.clock import SystemClock, SystemRandomness
from hub.security import files
from tests.storage.crash_copies import settings_of

Run = Callable[..., Result]
FULL = OSError(28, "No space left on device")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A founded hub's, with keys."""
    state = tmp_path / "state"
    (state / "tls").mkdir(parents=True)
    for name in ("box.key", "ca-1.key"):
        (state / "tls" / name).write_bytes(bytes(32))
    open_state(settings_of(state), SystemClock(), SystemRandomness()).conn.close()
    return state


@pytest.fixture(autouse=True)
def _words(tmp_path: Path) -> None:
    (tmp_path / "words").write_text("correct horse battery staple\n")


def raising(error: BaseException) -> Callable[..., None]:
    def fails(*_: object, **__: object) -> None:
        raise error

    return fails


def left_behind(tmp_path: Path) -> list[Path]:
    return [*tmp_path.glob("*.being-restored-*"), *tmp_path.glob("*.partial")]


@pytest.mark.parametrize("why", [FULL, KeyboardInterrupt()])
def test_a_restore_that_fails_before_the_copy_is_in_place_changed_nothing(
    run: Run, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: BaseException
) -> None:
    copy = tmp_path / "copy"
    assert run("backup", "make", str(copy)).exit_code == 0
    plain = os.rename

    def rename(source: Path, target: Path) -> None:
        if ".being-restored-" in str(source):
            raise why
        plain(source, target)

    monkeypatch.setattr(os, "rename", rename)
    inode = state.stat().st_ino
    result = run("restore", "--yes", str(copy))
    assert result.exit_code == 1, result.output
    assert "nothing was restored" in result.output
    assert state.stat().st_ino == inode
    assert not left_behind(tmp_path)


def test_a_restore_that_is_interrupted_after_it_says_that_it_is_done(
    run: Run, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy"
    assert run("backup", "make", str(copy)).exit_code == 0
    monkeypatch.setattr(backup, "being_restored", raising(KeyboardInterrupt()))
    result = run("restore", "--yes", str(copy))
    assert result.exit_code == 1
    assert "is restored, but" in result.output
    assert "nothing was restored" not in result.output


def test_a_copy_that_fails_leaves_nothing_and_says_so(
    run: Run, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "copytree", raising(FULL))
    for words in (("make", f"{tmp_path}/copy"), ("now", "--directory", f"{tmp_path}/copies")):
        result = run("backup", *words)
        assert result.exit_code == 1
        assert "no copy was made" in result.output
    assert not (tmp_path / "copy").exists()
    assert not left_behind(tmp_path / "copies")


def test_an_interruption_after_the_copy_was_made_says_that_it_is_there(
    run: Run, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "note", raising(KeyboardInterrupt()))
    result = run("backup", "now", "--directory", f"{tmp_path}/copies")
    (made,) = list_snapshots(tmp_path / "copies")
    assert result.exit_code == 1
    assert f"{made} was made and checked" in result.output


def test_an_interruption_before_it_says_that_there_is_none(
    run: Run, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "check_snapshot", raising(KeyboardInterrupt()))
    result = run("backup", "now", "--directory", f"{tmp_path}/copies")
    assert "no copy was made: interrupted" in result.output
    assert not list_snapshots(tmp_path / "copies")
    assert not left_behind(tmp_path / "copies")


def export(run: Run, tmp_path: Path) -> Result:
    words = ("--passphrase-file", f"{tmp_path}/words")
    return run("escrow", "export", "--out", f"{tmp_path}/escrow", *words)


def test_keys_that_are_sealed_are_so_though_the_hub_cannot_be_told(
    run: Run, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hub.app import replica_keys

    monkeypatch.setattr(replica_keys, "note_export", raising(FULL))
    result = export(run, tmp_path)
    assert result.exit_code == 0, result.output
    assert "are sealed in" in result.output
    assert "could not be told" in result.output
    assert run("escrow", "show", f"{tmp_path}/escrow", "--passphrase-file", f"{tmp_path}/words")


def test_keys_that_could_not_be_written_are_not_called_exported(
    run: Run, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "replace", raising(FULL))
    result = export(run, tmp_path)
    assert result.exit_code == 1
    assert "nothing was exported" in result.output
    monkeypatch.undo()
    monkeypatch.setattr(files, "sync_directory", raising(FULL))
    result = export(run, tmp_path)
    assert result.exit_code == 1
    assert "is there, but may not be on disk" in result.output
