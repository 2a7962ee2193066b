"""Killing another gateway's storage: what it accepted and never gave back is counted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.killing import thingsboard

KEPT_IN_MEMORY = """\
class {name}:
    def __init__(self, config, logger, stop):
        self.events = []
    def put(self, event):
        self.events.append(event)
        return True
    def get_event_pack(self):
        return self.events[:10]
    def event_pack_processing_done(self):
        del self.events[:10]
"""
KEPT_IN_A_FILE = """\
import os
class {name}:
    def __init__(self, config, logger, stop):
        self.path = config["data_folder_path"] + "events"
        open(self.path, "a").close()
        self.at = 0
    def put(self, event):
        with open(self.path, "a") as out:
            out.write(event + "\\n")
        return True
    def get_event_pack(self):
        return open(self.path).read().splitlines()[self.at:]
    def event_pack_processing_done(self):
        self.at = len(open(self.path).read().splitlines())
"""


@pytest.fixture
def another_gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of that name whose storages are plain: two forget, one keeps."""
    site = tmp_path / "site"
    for kind, (module, name) in {
        "memory": ("memory_event_storage", "MemoryEventStorage"),
        "file": ("file_event_storage", "FileEventStorage"),
        "sqlite": ("sqlite_event_storage", "SQLiteEventStorage"),
    }.items():
        folder = site / "thingsboard_gateway" / "storage" / kind
        folder.mkdir(parents=True)
        source = KEPT_IN_A_FILE if kind == "file" else KEPT_IN_MEMORY
        (folder / f"{module}.py").write_text(source.replace("{name}", name))
    about = site / "thingsboard_gateway-9.9.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: x\nVersion: 9.9\n")
    environment = tmp_path / "environment"
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "python").symlink_to(sys.executable)
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setattr(thingsboard, "ENVIRONMENT", environment)


@pytest.mark.usefixtures("another_gateway")
def test_what_a_storage_accepted_and_lost_is_counted() -> None:
    shown: list[str] = []
    found = thingsboard.kill_storages(2, "s", shown.append)
    assert found["version"] == "9.9"
    by = {(one["storage"], one["platform"]): one for one in found["storages"]}
    assert len(by) == 6
    forgot, kept = by["memory", "away"], by["file", "away"]
    assert forgot["kills"] == kept["kills"] == 2
    assert forgot["lost"] == forgot["accepted"] > 0
    assert forgot["kills_with_loss"] == 2
    assert (kept["lost"], kept["kills_with_loss"]) == (0, 0)
    assert kept["accepted"] > 0
    assert kept["twice"] > 0, "it was read from the beginning in each life"
    assert shown


def test_a_gateway_that_cannot_be_had_is_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "no matching distribution")

    monkeypatch.setattr(thingsboard, "ENVIRONMENT", tmp_path / "nowhere")
    monkeypatch.setattr(thingsboard, "_run", refuse)
    found: dict[str, Any] = thingsboard.kill_storages(1, "s", lambda note: None)
    assert found == {"note": "not compared: no matching distribution"}


@pytest.mark.usefixtures("another_gateway")
def test_a_storage_that_does_not_start_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thingsboard, "KINDS", ("nothing",))
    found = thingsboard.kill_storages(1, "s", lambda note: None)
    assert "ended with status 1" in found["note"]
