"""What the host does for the virtual machine: its monitor, the checkout's archive, saying no."""

from __future__ import annotations

import asyncio
import json
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from scripts.usbvm import __main__ as program
from scripts.usbvm import qemu
from scripts.usbvm.machine import NotPrepared

Answers = list[dict[str, Any]]


@asynccontextmanager
async def monitor(path: Path, answers: Answers) -> AsyncIterator[list[dict[str, Any]]]:
    """Greets, and gives one answer after each command; what it was told."""
    told: list[dict[str, Any]] = []
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'{"QMP": {"version": {}}}\n')
        while line := await reader.readline():
            told.append(json.loads(line))
            writer.write(b'{"event": "RTC_CHANGE"}\n')
            writer.write(json.dumps(answers.pop(0)).encode() + b"\n")
        writer.close()
        await writer.wait_closed()
        ended.set()

    server = await asyncio.start_unix_server(serve, path)
    async with server:
        yield told
        await ended.wait()


async def test_a_device_that_is_still_going_away_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qemu, "_POLL_S", 0.0)
    duplicate = {"error": {"desc": "Duplicate device ID 'ftdi'"}}
    async with monitor(tmp_path / "qmp", [duplicate, duplicate, {"return": {}}]) as told:
        stream = await qemu._connected(tmp_path / "qmp")
        await qemu._execute(stream, {"execute": "device_add"})
        stream[1].close()
        await stream[1].wait_closed()
    assert told == [{"execute": "device_add"}] * 3


async def test_what_the_monitor_refuses_ends_the_trial(tmp_path: Path) -> None:
    async with monitor(tmp_path / "qmp", [{"error": {"desc": "no such bus"}}]):
        stream = await qemu._connected(tmp_path / "qmp")
        with pytest.raises(qemu.MachineFailed, match="no such bus"):
            await qemu._execute(stream, {"execute": "device_add"})
        stream[1].close()
        await stream[1].wait_closed()


def test_the_machine_gets_the_checkout_and_what_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    (root / "hub").mkdir(parents=True)
    (root / "hub" / "one.py").write_text("one\n")
    (root / "secret").write_text("not for it\n")
    monkeypatch.setattr(qemu, "ROOT", root)
    qemu.write_checkout(tmp_path / "checkout.tar", {"seed": "7"})
    with tarfile.open(tmp_path / "checkout.tar") as archive:
        names = archive.getnames()
        assert [one for one in names if "cache" not in one] == ["hub/one.py", "usbvm.json"]
        assert any(one.startswith("hub/__pycache__/one.") for one in names)
        wanted = archive.extractfile("usbvm.json")
        assert wanted is not None
        assert json.loads(wanted.read()) == {"seed": "7"}


def test_where_it_cannot_run_it_says_why_and_passes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def impossible() -> Path:
        raise NotPrepared("there is no QEMU")

    monkeypatch.setattr(program, "prepared", impossible)
    monkeypatch.setattr(program, "prepare", impossible)
    assert program.main(["--seconds", "5"]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (last["trials"], last["must_fire"], last["done"]) == (0, [], True)
    assert last["note"] == "skipped: there is no QEMU"
