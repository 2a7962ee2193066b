"""The simulated printer writes where it is told to, and into nothing that belongs to others."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from devices.peripherals.drivers.simulated_printer import SimulatedPrinter
from devices.peripherals.model import Misconfigured, World
from devices.peripherals.transports.memory import Exchange
from hub.clock import SystemClock, SystemRandomness
from hub.documents.layout import Layout, Text


def made(**options: Any) -> SimulatedPrinter:
    world = World(SystemClock(), SystemRandomness())
    connector = Exchange().connector("printer")
    return SimulatedPrinter(connector, world, lambda _told: None, {"job_ms": 0, **options})


@pytest.mark.parametrize("name", ["hub.db", "config.toml", "box.key", "paper", "x.txt/hub.db"])
def test_whoever_sets_it_up_can_not_have_it_write_into_any_file(tmp_path: Path, name: str) -> None:
    """The page sets peripherals up, too: the hub's own files are none of its business."""
    with pytest.raises(Misconfigured, match=r"\.txt"):
        made(file=str(tmp_path / name))


async def test_documents_go_to_the_end_of_its_file(tmp_path: Path) -> None:
    printer = made(file=str(tmp_path / "paper.txt"))
    serving = asyncio.create_task(printer.serve(lambda _identity: None))
    async with asyncio.timeout(30):
        while not printer.powered:
            await asyncio.sleep(0.01)
        await printer.print(Layout("one", (Text("hello"),)))
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    assert "hello" in (tmp_path / "paper.txt").read_text()
