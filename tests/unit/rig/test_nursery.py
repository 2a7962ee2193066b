"""Programs that are born of a process which has loaded the hub already."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import tempfile
from pathlib import Path

import pytest

from scripts.rig import Child, ChildDied
from tests.guards import _children
from tests.support.nursery import BornChild, Nursery, born, nursery_pid

PATIENCE_S = 60.0
TELLING = """
import json, os, sys
print(json.dumps({
    "arguments": sys.argv, "name": __name__, "folder": os.getcwd(), "said": os.environ.get("SAID"),
    "home": os.environ.get("HOME"), "session": os.getsid(0) == os.getpid(),
    "loaded": "hub.app.service" in sys.modules,
    "open": sorted(map(int, os.listdir("/proc/self/fd"))),
}), flush=True)
print("a complaint", file=sys.stderr)
sys.exit(7)
"""
WAITING = "import signal; print('{}', flush=True); signal.pause()"


async def test_what_is_born_has_its_own_arguments_environment_folder_and_outputs(
    tmp_path: Path,
) -> None:
    with tempfile.TemporaryFile() as errors:
        it = await born(
            ("-c", TELLING, "one", "two"),
            stderr=errors.fileno(),
            environment={"SAID": "yes"},
            folder=tmp_path,
        )
        told = json.loads(await it.stdout.read())
        assert await it.wait() == it.returncode == 7
        errors.seek(0)
        assert errors.read() == b"a complaint\n"
    opened = told.pop("open")
    assert opened[:3] == [0, 1, 2]
    assert len(opened) == 4, "of the nursery's own nothing is left open but the look itself"
    assert told == {
        "arguments": ["-c", "one", "two"],
        "name": "__main__",
        "folder": str(tmp_path),
        "said": "yes",
        "home": None,
        "session": True,
        "loaded": True,
    }


async def test_one_is_ready_killed_and_started_again_as_other_children_are(tmp_path: Path) -> None:
    it = BornChild.instead_of(
        Child("the child", [sys.executable, "-c", WAITING], log=tmp_path / "log")
    )
    for _ in range(2):
        await it.start()
        await it.ready(PATIENCE_S)
        assert it.alive
        assert it.pid in _children(), "the guard against what is left behind sees it"
        assert nursery_pid() not in _children()
        await it.kill()
        assert (it.alive, it.exit_code) == (False, -signal.SIGKILL)
    await it.start()
    await it.ready(PATIENCE_S)
    assert await it.stop()
    assert it.exit_code == -signal.SIGTERM


async def test_one_that_ends_too_early_is_quoted(tmp_path: Path) -> None:
    arguments = [sys.executable, "-m", "tests.support.never_was"]
    it = BornChild.instead_of(Child("the child", arguments, log=tmp_path / "log"))
    await it.start()
    with pytest.raises(ChildDied, match=r"status 1.*(\n.*)*never_was"):
        await it.ready(PATIENCE_S)


async def test_all_die_with_their_nursery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = Nursery()
    monkeypatch.setattr("tests.support.nursery._nursery", own)
    with (tmp_path / "log").open("ab") as log:
        it = await born(("-c", WAITING), stderr=log.fileno())
    assert await it.stdout.readline() == b"{}\n"
    await asyncio.to_thread(own.end)
    async with asyncio.timeout(PATIENCE_S):
        assert await it.wait() == -signal.SIGKILL
        while Path(f"/proc/{it.pid}").exists():
            await asyncio.sleep(0.01)
