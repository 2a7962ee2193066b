"""Two machines and a switch: network namespaces joined by veth pairs and a bridge."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.wire.discovery.mdns_machines import Machine, run

_serial = itertools.count(1)


@pytest.fixture
def plugged(tmp_path: Path) -> Iterator[tuple[Machine, Machine]]:
    """Two machines on one switch, without addresses and with their own interfaces down."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("needs root and the Debian package iproute2 to make network namespaces")
    prefix = f"sh-mdns-{os.getpid()}-{next(_serial)}"
    switch, *names = (f"{prefix}-{role}" for role in ("switch", "a", "b"))
    made: list[str] = []
    try:
        for name in (switch, *names):
            try:
                run("ip", "netns", "add", name)
            except subprocess.CalledProcessError as error:
                pytest.skip(f"network namespaces can't be made here: {error.stderr.strip()}")
            made.append(name)
            run("ip", "-n", name, "link", "set", "lo", "up")
            # Duplicate detection would hold back IPv6 addresses for a second or two.
            run("ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")
        bridge = ("ip", "-n", switch, "link", "add", "br0", "type", "bridge")
        run(*bridge, "mcast_snooping", "0")
        run("ip", "-n", switch, "link", "set", "br0", "up")
        yield (
            _plug_in(names[0], switch, "port1", tmp_path),
            _plug_in(names[1], switch, "port2", tmp_path),
        )
    finally:
        for name in made:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def _plug_in(name: str, switch: str, port: str, directory: Path) -> Machine:
    machine = Machine(name, switch, port, directory / name)
    machine.directory.mkdir()
    machine.ip(*("link", "add", "eth0", "type", "veth"), *("peer", "name", port, "netns", switch))
    machine.join()
    machine.plug_in()
    return machine


@pytest.fixture
async def machines(plugged: tuple[Machine, Machine]) -> AsyncIterator[tuple[Machine, Machine]]:
    """The same, and whatever was started on them is ended."""
    yield plugged
    for machine in plugged:
        await machine.end()
