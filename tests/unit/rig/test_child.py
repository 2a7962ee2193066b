"""Children of the rig: ready, killed, never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from hub.mqtt import deathwatch
from scripts.rig import Child, ChildDied

PATIENCE_S = 60.0
READY = (
    "import json, signal; print(json.dumps({'ready': 1}), flush=True); print('more', flush=True)"
)
WAITING = f"{READY}; signal.pause()"


def child(tmp_path: Path, code: str, heard: list[str] | None = None) -> Child:
    return Child(
        "the child",
        [sys.executable, "-c", code],
        log=tmp_path / "child.log",
        on_line=None if heard is None else heard.append,
    )


async def test_a_child_is_ready_when_it_says_so_and_may_be_killed_and_started_again(
    tmp_path: Path,
) -> None:
    heard: list[str] = []
    it = child(tmp_path, WAITING, heard)
    for start in (1, 2):
        await it.start()
        assert await it.ready(PATIENCE_S) == {"ready": 1}
        assert (it.alive, it.starts) == (True, start)
        await it.kill()
        assert (it.alive, it.exit_code) == (False, -signal.SIGKILL)
    assert [line.strip() for line in heard].count("more") in (0, 1, 2)


async def test_a_child_that_ends_too_early_is_quoted(tmp_path: Path) -> None:
    it = child(tmp_path, "import sys; sys.exit('no cheese today')")
    await it.start()
    with pytest.raises(ChildDied, match=r"status 1.*\n.*no cheese today"):
        await it.ready(PATIENCE_S)
    assert await it.ended() == 1


async def test_stopping_is_polite_first(tmp_path: Path) -> None:
    it = child(tmp_path, WAITING)
    await it.start()
    await it.ready(PATIENCE_S)
    assert await it.stop()
    assert it.exit_code == -signal.SIGTERM
    assert await it.stop(), "it is stopped already"


async def test_a_child_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    it = child(tmp_path, f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {WAITING}")
    await it.start()
    await it.ready(PATIENCE_S)
    assert not await it.stop(timeout_s=0.2)
    assert it.exit_code == -signal.SIGKILL


async def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    parent = (
        "import os, subprocess, sys, signal\n"
        f"watch = [sys.executable, '-I', '-S', {deathwatch.__file__!r}, str(os.getpid())]\n"
        "it = subprocess.Popen([*watch, '/bin/sleep', '1000'])\n"
        "print('{\"child\": %d}' % it.pid, flush=True)\n"
        "signal.pause()"
    )
    it = child(tmp_path, parent)
    await it.start()
    orphan = (await it.ready(PATIENCE_S))["child"]
    command = Path(f"/proc/{orphan}/cmdline")
    async with asyncio.timeout(PATIENCE_S):
        while b"sleep" not in command.read_bytes().split(b"\0")[0]:
            await asyncio.sleep(0.01)
        await it.kill()
        while command.exists() and b"sleep" in command.read_bytes():
            await asyncio.sleep(0.01)


async def test_settings_of_our_own_environment_do_not_reach_the_shop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORE_HUB__WEB__PORT", "1")
    monkeypatch.setenv("RIG_TEST", "stays")
    names = "[name for name in os.environ if name.startswith(('STORE_HUB', 'RIG'))]"
    it = child(tmp_path, f"import json, os; print(json.dumps({{'names': {names}}}), flush=True)")
    await it.start()
    assert (await it.ready(PATIENCE_S))["names"] == ["RIG_TEST"]
    await it.ended()
    assert os.environ["STORE_HUB__WEB__PORT"] == "1"
