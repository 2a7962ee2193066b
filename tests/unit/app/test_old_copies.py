"""What frees space goes on when somebody else removes the same things."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hub.app import mending
from hub.app.mending import old_copies, remove_old

NOW_MS = 1_780_000_000_000
OLD_S = NOW_MS / 1000 - 31 * 86_400


def old_file(path: Path) -> Path:
    path.write_bytes(b"x" * 100)
    os.utime(path, (OLD_S, OLD_S))
    return path


@pytest.fixture
def state(tmp_path: Path) -> Path:
    made = tmp_path / "store-hub"
    made.mkdir()
    return made


def test_a_copy_that_is_gone_when_it_is_looked_at_is_left_out(state: Path) -> None:
    """A name without anything behind it is what a look at a removed file finds."""
    here = old_file(state / "hub.db.before-schema-2")
    (state / "hub.db.before-schema-1").symlink_to(state / "gone")
    assert old_copies(state, NOW_MS) == [here]
    assert remove_old(state, NOW_MS) == (1, 100, 0)


def test_a_copy_that_is_gone_when_it_is_to_be_removed_is_nobodys_failure(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = old_file(state / "hub.db.before-schema-2")
    gone = [state / "hub.db.before-schema-1", here]
    monkeypatch.setattr(mending, "old_copies", lambda *_: gone)
    assert remove_old(state, NOW_MS) == (1, 100, 0)
