"""What is attached to a virtual till is as the file in its folder says."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from pathlib import Path

import pytest

from devices.tills import twin


def test_without_a_file_all_is_well(tmp_path: Path) -> None:
    assert twin.read(tmp_path / twin.FILE) == ()


def test_known_conditions_are_read_and_others_are_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / twin.FILE
    file.write_text("drawer-open printer-on-fire\nprinter-paper-empty\n")
    assert twin.read(file) == ("printer-paper-empty", "drawer-open")
    assert "printer-on-fire" in caplog.text
    file.unlink()
    file.mkdir()
    assert twin.read(file) == ()
    assert "can't be read" in caplog.text


async def test_a_change_of_the_file_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(twin, "_LOOK_S", 0.01)
    told: asyncio.Queue[tuple[str, ...]] = asyncio.Queue()

    def tell(conditions: Iterable[str]) -> None:
        told.put_nowait(tuple(conditions))

    async with asyncio.timeout(30):
        playing = asyncio.create_task(twin.play(tmp_path, tell))
        assert await told.get() == ()
        (tmp_path / twin.FILE).write_text("printer-paper-empty")
        seen = await told.get()
        assert seen == ("printer-paper-empty",)
        (tmp_path / twin.FILE).unlink()
        assert await told.get() == ()
    playing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await playing
