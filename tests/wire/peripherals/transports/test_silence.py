"""A printer that is switched off says nothing: the hub finds out by itself."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from tests.wire.discovery.conftest import machines, plugged
from tests.wire.discovery.mdns_machines import Machine

__all__ = ["machines", "plugged"]

# Setting up interfaces with ip(8) takes milliseconds, and nothing else runs in this loop.
pytestmark = pytest.mark.may_block

SCRIPT = Path(__file__).parent / "silent_process.py"
LISTENING = """
import socket
listening = socket.create_server(("10.99.0.2", 9100))
print("listening", flush=True)
kept = []
while True:
    kept.append(listening.accept())
"""


@pytest.mark.parametrize("how", ["idle", "busy"])
async def test_a_printer_whose_cable_is_out_is_gone_whether_it_was_idle_or_printing(
    machines: tuple[Machine, Machine],
    how: str,
) -> None:
    hub, printer = machines
    hub.up("10.99.0.1")
    printer.up("10.99.0.2")
    listening = await printer.spawn(sys.executable, "-c", LISTENING)
    assert listening.stdout is not None
    await asyncio.wait_for(listening.stdout.readline(), 60)
    # The shell keeps the test's end of the pipe from the child until it is told to go on.
    go_on = printer.directory / "go-on"
    command = f"while ! test -e {go_on}; do sleep 0.05; done; echo"
    line = f"{sys.executable} {SCRIPT} tcp://10.99.0.2:9100 {how}"
    wire = await hub.spawn("sh", "-c", f"({command}) | {line}")
    assert wire.stdout is not None
    opened = await asyncio.wait_for(wire.stdout.readline(), 60)
    assert json.loads(opened) == {"open": True}

    printer.isolate()
    go_on.touch()

    told = await asyncio.wait_for(wire.stdout.readline(), 60)
    assert "is gone" in json.loads(told)["gone"]
