"""A hub as its own process with paired devices, and the echo that is the floor beside it."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from devices.kit.identity import request_certificate
from hub.clock import SystemClock
from hub.config import Settings
from hub.security.authority import Authority
from hub.storage.sqlite import Connection
from scripts.benchmarks.measure import process_cpu_s
from scripts.benchmarks.seeding import Fields, add_device, found_shop, settings_for
from scripts.benchmarks.till import Till, TillKey
from scripts.rig.process import Child

_HUB = "import sys; from hub.cli import main; sys.exit(main())"
_READY_S = 30.0


@dataclass(slots=True)
class HubProcess:
    """A running hub.  ``keys`` are those of its devices; ``ready_s`` is how long its start took."""

    settings: Settings
    child: Child
    ready: dict[str, Any]
    ready_s: float
    keys: list[TillKey]

    @property
    def mtls_port(self) -> int:
        return int(self.ready["mqtt_mtls_port"])

    def cpu_s(self) -> float:
        """Processor seconds of the hub's process (its broker is another one)."""
        return process_cpu_s(self.child.pid)


def _pair(settings: Settings, conn: Connection, count: int) -> list[TillKey]:
    """Tills of this hub before its first start, without the walk through its web door."""
    now_ms = SystemClock().wall_ms()
    tls = settings.paths.state / "tls"
    authority = Authority.open(tls, store_name=settings.store.name, now_ms=now_ms)
    keys = []
    for number in range(1, count + 1):
        device_id = f"till-{number:03d}"
        key = ec.generate_private_key(ec.SECP256R1())
        request = request_certificate(key).public_bytes(Encoding.PEM)
        issued = authority.issue_device(request, device_id, now_ms)
        file = settings.paths.state.parent / f"{device_id}.pem"
        file.write_text(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
            + issued.certificate_pem
        )
        keys.append(TillKey(device_id, settings.store.id, file, authority.ca_pem()))
        add_device(conn, device_id)
    return keys


@asynccontextmanager
async def running_hub(
    folder: Path,
    *,
    devices: int = 0,
    products: int = 100,
    fill: Callable[[Connection], None] = lambda conn: None,
    preload: Path | None = None,
    **sections: Fields,
) -> AsyncIterator[HubProcess]:
    """A hub over a fresh database in ``folder``, without a cloud.  ``sections`` of its settings go
    over ours, ``fill`` may write more into the database, ``preload`` is for LD_PRELOAD."""
    settings = settings_for(folder, **sections)

    def make() -> list[TillKey]:
        conn = found_shop(settings, products)
        keys = _pair(settings, conn, devices)
        fill(conn)
        conn.close()
        return keys

    keys = await asyncio.to_thread(make)
    async with started_hub(folder, settings, preload=preload) as hub:
        hub.keys = keys
        yield hub


@asynccontextmanager
async def started_hub(
    folder: Path, settings: Settings, *, preload: Path | None = None
) -> AsyncIterator[HubProcess]:
    """A hub over the state that is there."""
    config = folder / "config.toml"
    config.write_text(_toml(settings))
    before = [shutil.which("env") or "env", f"LD_PRELOAD={preload}"] if preload else []
    child = Child(
        "the hub",
        [*before, sys.executable, "-c", _HUB, "--config", str(config), "run"],
        log=folder / "hub.log",
    )
    start_s = perf_counter()
    await child.start()
    try:
        ready = await child.ready(_READY_S)
        yield HubProcess(settings, child, ready, perf_counter() - start_s, [])
    finally:
        await child.stop()


@asynccontextmanager
async def running_echo(hub: HubProcess, folder: Path) -> AsyncIterator[HubProcess]:
    """An echo on a broker of its own that knows the hub's devices; shaped like a hub."""
    run = folder / "run"
    run.mkdir(parents=True, exist_ok=True)
    state = str(hub.settings.paths.state)
    child = Child(
        "the echo",
        [*(sys.executable, "-m", "scripts.benchmarks.echo"), state, str(folder)],
        log=folder / "echo.log",
    )
    start_s = perf_counter()
    await child.start()
    try:
        ready = await child.ready(_READY_S)
        yield HubProcess(hub.settings, child, ready, perf_counter() - start_s, hub.keys)
    finally:
        await child.stop()


@asynccontextmanager
async def connected(hub: HubProcess, count: int | None = None) -> AsyncIterator[list[Till]]:
    """The first ``count`` of its devices, connected."""
    async with AsyncExitStack() as stack:
        tills = []
        for key in hub.keys[:count]:
            till = await Till.open(key, hub.mtls_port)
            stack.push_async_callback(till.close)
            tills.append(till)
        yield tills


def _toml(settings: Settings) -> str:
    """What differs from the defaults."""
    lines = []
    for section, fields in settings.model_dump(mode="json", exclude_unset=True).items():
        tables = [fields] if isinstance(fields, dict) else fields
        for table in tables:
            lines.append(f"[{section}]" if table is fields else f"[[{section}]]")
            lines += [f"{name} = {json.dumps(value)}" for name, value in table.items()]
    return "\n".join([*lines, ""])
