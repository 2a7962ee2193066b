"""A running emulator of peripherals (see ``scripts.rig.emulator``), and what is done to it."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import aiohttp

from hub.clock import Randomness
from scripts.rig.emulator import Runtime, runtime
from scripts.rig.process import Child, ChildDied
from scripts.rig.shop import free_port

HOST = "127.0.0.1"
Fault = Literal["paper-out", "paper-near-end", "cover-open", "offline"]
Device = Mapping[str, object]
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Receipt:
    """One piece of paper.  ``boundary``: ``cut``, ``connection-closed`` or ``idle-timeout``."""

    id: str
    boundary: str
    width_dots: int
    height_dots: int


def printer(name: str, *, profile: str = "epson-tm-t20iii", idle_ms: int = 600_000) -> Device:
    """A receipt printer on TCP.  ``idle_ms``: after which an uncut paper counts as finished."""
    return {"id": name, "type": "printer", "profile": profile, "job_idle_timeout_ms": idle_ms}


def scale(name: str) -> Device:
    """A scale on TCP that speaks Toledo 8217."""
    return {"id": name, "type": "scale", "profile": "toledo8217-15kg"}


class Emulator:
    """Emulated devices, each on a TCP port of its own that it keeps over restarts.

    ``base``: its files; kept by it for as long as it is used.  Receipts survive :meth:`kill`.
    """

    def __init__(self, base: Path, randomness: Randomness, devices: Sequence[Device]) -> None:
        self._runtime: Runtime = runtime()
        self._randomness = randomness
        self._devices = list(devices)
        self._base = base
        self._private: Path | None = None
        if (scratch := self._runtime.scratch) is not None:
            self._private = scratch / f"emulator-{randomness.token_bytes(6).hex()}"
            self._base = self._private
        self._ports: dict[str, int] = {}
        self._api = 0
        self._child: Child | None = None
        self._log = base / "emulator.log"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()
        if self._private is not None:
            await asyncio.to_thread(shutil.rmtree, self._private, True)

    @property
    def alive(self) -> bool:
        """Whether it is switched on."""
        return self._child is not None and self._child.alive

    def port(self, name: str) -> int:
        """The TCP port of a device."""
        return self._ports[name]

    async def start(self) -> None:
        """Power on; returns when it answers.  Ports are chosen anew only the first time."""
        for attempt in range(_TRIES):
            if not self._ports or attempt:
                self._choose_ports()
            command = self._runtime.command("run", "--config", self._runtime.seen(self._write()))
            self._child = Child("emulator", command, log=self._log)
            await self._child.start()
            if await self._answers():
                return
            await self._child.kill()
        raise ChildDied(f"the emulator doesn't start; its log ends with:\n{self._tail()}")

    async def kill(self) -> None:
        """Power off: what it had not printed yet is gone."""
        if self._child is not None:
            await self._child.kill()

    async def fault(self, name: str, fault: Fault, *, on: bool = True) -> None:
        """Take its paper away, open its cover, and so on, or undo that."""
        await self._ask("PUT" if on else "DELETE", f"/devices/{name}/faults/{fault}")

    async def close_drawer(self, name: str) -> None:
        """Push the drawer of a printer shut."""
        await self._ask("POST", f"/devices/{name}/drawer/close")

    async def state(self, name: str) -> dict[str, Any]:
        """Of a printer: ``{"faults": [...], "drawer": "open"}``; of a scale its weights."""
        told = json.loads(await self._ask("GET", f"/devices/{name}"))
        found: dict[str, Any] = told["state"]
        return found

    async def post(self, path: str, body: object) -> bytes:
        """Any other call of its API below ``/api/v1``, e.g. ``/devices/deli/weight``."""
        return await self._ask("POST", path, body)

    async def put(self, path: str, body: object) -> bytes:
        """As :meth:`post`, with PUT."""
        return await self._ask("PUT", path, body)

    async def receipts(self, name: str) -> list[Receipt]:
        """All papers since the first start, oldest first."""
        told = json.loads(await self._ask("GET", f"/devices/{name}/receipts"))
        told.sort(key=lambda one: one["completed_at"])
        return [
            Receipt(one["id"], one["boundary"], one["width_dots"], one["height_dots"])
            for one in told
        ]

    async def text(self, name: str, receipt: str = "latest") -> str:
        """What stands on a paper; pictures as ``[image …]``."""
        return (await self._ask("GET", f"/devices/{name}/receipts/{receipt}/text")).decode()

    async def png(self, name: str, receipt: str = "latest") -> bytes:
        """A picture of a paper."""
        return await self._ask("GET", f"/devices/{name}/receipts/{receipt}/image")

    def _choose_ports(self) -> None:
        self._api = free_port(self._randomness)
        self._ports = {str(one["id"]): free_port(self._randomness) for one in self._devices}

    def _write(self) -> Path:
        self._base.mkdir(parents=True, exist_ok=True)
        devices = []
        for one in self._devices:
            tcp = {"tcp": {"host": HOST, "port": self._ports[str(one["id"])]}}
            whole: dict[str, object] = {**one, "connections": [tcp]}
            if one["type"] == "printer":
                whole["receipts_dir"] = self._runtime.seen(self._base / "receipts")
            devices.append(whole)
        settings = {"schema": 1, "api": {"host": HOST, "port": self._api}, "devices": devices}
        path = self._base / "emupos.yaml"
        path.write_text(json.dumps(settings))  # JSON is YAML
        return path

    async def _answers(self) -> bool:
        """Whether it has come up; False if it ended."""
        assert self._child is not None
        for _ in range(600):
            if not self._child.alive:
                return False
            with suppress(aiohttp.ClientError, OSError, TimeoutError):
                await self._ask("GET", "/health")
                return True
            await asyncio.sleep(0.1)
        return False

    def _tail(self) -> str:
        return "" if self._child is None else self._child.tail()

    async def _ask(self, method: str, path: str, body: object = None) -> bytes:
        url = f"http://{HOST}:{self._api}/api/v1{path}"
        timeout = aiohttp.ClientTimeout(total=30)
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.request(method, url, json=body) as got,
        ):
            told = await got.read()
            if got.status >= 400:
                raise RuntimeError(f"emulator: {method} {path}: {got.status} {told[:300]!r}")
            return told
