"""A machine as a network namespace, and what runs on it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
PROJECT = HERE.parents[2]

ADVERTISEMENT: dict[str, Any] = {
    "store": "367",
    "name": "Corner Shop",
    "host_label": "store-hub",
    "https_port": 8443,
    "mqtt_port": 8883,
    "mtls_port": 8884,
    "ca_fingerprint": "ab" * 32,
}

_DBUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>{address}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>
  </policy>
</busconfig>
"""


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


@dataclass
class Hub:
    """A running advertiser process and what it last said."""

    process: asyncio.subprocess.Process
    states: list[dict[str, Any]] = field(default_factory=list)

    async def reaches(
        self, status: str, check: Callable[[dict[str, Any]], bool] = lambda _: True
    ) -> dict[str, Any]:
        """The next new state of ``status`` that passes ``check``."""
        assert self.process.stdout is not None
        while line := await asyncio.wait_for(self.process.stdout.readline(), 60):
            self.states.append(json.loads(line))
            if self.states[-1]["status"] == status and check(self.states[-1]):
                return self.states[-1]
        raise AssertionError(f"the hub ended without reaching {status}: {self.states}")

    async def stop(self) -> None:
        if self.process.returncode is None:
            self.process.terminate()
        # Read on: a process that blocks on a full pipe would never end.
        await asyncio.wait_for(self.process.communicate(), 60)


@dataclass
class Machine:
    """A network namespace whose ``eth0`` is a cable to ``port`` of the switch."""

    namespace: str
    switch: str
    port: str
    directory: Path
    running: list[asyncio.subprocess.Process] = field(default_factory=list)
    bus: str = ""

    def ip(self, *arguments: str) -> str:
        return run("ip", "-n", self.namespace, *arguments)

    def up(self, address: str) -> None:
        self.ip("address", "add", f"{address}/24", "dev", "eth0")
        self.ip("link", "set", "eth0", "up")

    def plug_in(self) -> None:
        run("ip", "-n", self.switch, "link", "set", self.port, "up")

    def pull_out(self) -> None:
        run("ip", "-n", self.switch, "link", "set", self.port, "down")

    def join(self) -> None:
        """The switch carries this machine's packets."""
        run("ip", "-n", self.switch, "link", "set", self.port, "master", "br0")

    def isolate(self) -> None:
        """The switch drops them; the machine can't tell, its cable stays in."""
        run("ip", "-n", self.switch, "link", "set", self.port, "nomaster")

    async def spawn(self, *command: str) -> asyncio.subprocess.Process:
        environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
        if self.bus:
            environment["DBUS_SYSTEM_BUS_ADDRESS"] = self.bus
        process = await asyncio.create_subprocess_exec(
            *("ip", "netns", "exec", self.namespace, *command),
            stdout=asyncio.subprocess.PIPE,
            env=environment,
        )
        self.running.append(process)
        return process

    async def start_hub(self, **changes: object) -> Hub:
        wanted = json.dumps({**ADVERTISEMENT, **changes})
        return Hub(await self.spawn(sys.executable, str(HERE / "hub_process.py"), wanted))

    async def find(self, *, enough: int = 64, timeout_s: float = 40.0) -> list[dict[str, Any]]:
        script = str(HERE / "finder_process.py")
        process = await self.spawn(sys.executable, script, str(timeout_s), str(enough))
        output, _ = await asyncio.wait_for(process.communicate(), timeout_s + 60)
        found: list[dict[str, Any]] = json.loads(output)
        return found

    async def browse_with_avahi(self, service: str) -> list[list[str]]:
        """The resolved services (``=`` lines) of ``avahi-browse``, as lists of its columns."""
        process = await self.spawn("avahi-browse", "--resolve", "--parsable", "-t", service)
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        lines = (line.split(";") for line in output.decode().splitlines())
        return [columns for columns in lines if columns[0] == "="]

    async def start_avahi(self, *, disallow_other_stacks: bool = False) -> None:
        """A message bus and avahi-daemon of this machine's own; returns when avahi answers."""
        for program in ("avahi-daemon", "avahi-browse", "dbus-daemon"):
            if shutil.which(program) is None:
                pytest.skip(f"{program} is missing: install avahi-daemon, avahi-utils and dbus")
        self.bus = f"unix:path={self.directory}/bus"
        config = self.directory / "bus.conf"
        config.write_text(_DBUS_CONFIG.format(address=self.bus), encoding="utf-8")
        bus = await self.spawn(
            "dbus-daemon", f"--config-file={config}", "--nofork", "--print-address"
        )
        assert bus.stdout is not None
        await asyncio.wait_for(bus.stdout.readline(), 60)
        settings = self.directory / "avahi.conf"
        settings.write_text(
            f"[server]\nhost-name={self.namespace}\nuse-ipv4=yes\nuse-ipv6=yes\n"
            f"disallow-other-stacks={'yes' if disallow_other_stacks else 'no'}\n"
        )
        # avahi-daemon allows one of itself per /run: give it one that nobody else sees.
        await self.spawn(
            "sh",
            "-c",
            "mount -t tmpfs tmpfs /run && mkdir /run/avahi-daemon && exec avahi-daemon"
            f" --no-drop-root --no-chroot --no-rlimits --file={settings} 2>/dev/null",
        )
        for _ in range(400):
            probe = await self.spawn("sh", "-c", "avahi-browse --all -t >/dev/null 2>&1")
            if await probe.wait() == 0:
                return
            await asyncio.sleep(0.1)
        raise AssertionError("avahi-daemon did not start")

    async def end(self) -> None:
        for process in reversed(self.running):
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
        for process in self.running:
            try:
                await asyncio.wait_for(process.communicate(), 10)
            except TimeoutError:
                process.kill()
                await process.communicate()
