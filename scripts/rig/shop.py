"""The rig: one directory with a sandbox OMS and a hub, each its own process.

::

    DIR/config.toml    the hub's settings        DIR/oms/    the OMS's state
    DIR/token          the OMS's bearer token    DIR/hub/    the hub's state
    DIR/logs/*.log     what they print           DIR/tills/  for the devices
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from hub.clock import Randomness
from scripts.rig.process import Child
from scripts.rig.talk import HubAdmin, OmsAdmin

HOST = "127.0.0.1"
_RUN_BYTES_MAX = 88
_PORTS = (15_000, 31_999)
_PORT_TRIES = 200
_GONE_S = 10.0
_POLL_S = 0.02
_given: set[int] = set()
_HUB = "import sys; from hub.cli import main; sys.exit(main())"

Sections = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Ports:
    """Where everything listens; the same after every restart."""

    oms: int
    https: int
    password: int
    mtls: int

    @classmethod
    def choose(cls, randomness: Randomness, *, https: int | None = None) -> Ports:
        """Free ones."""
        chosen: list[int] = []
        while len(chosen) < 4:
            port = free_port(randomness)
            if port not in chosen and port != https:
                chosen.append(port)
        oms, web, password, mtls = chosen
        return cls(oms, https or web, password, mtls)


def free_port(randomness: Randomness, host: str = HOST) -> int:
    """A port that nobody uses just now, below those that outgoing connections are given.

    One that was given before is not given again: whose server it is may be down for a moment.
    Test processes that run side by side (pytest-xdist) each have ports of their own.
    """
    low, high = _own_ports(os.environ)
    for _ in range(_PORT_TRIES):
        port = low + int(randomness.uniform(0, high - low))
        if port not in _given and is_free(port, host):
            _given.add(port)
            return port
    raise OSError(errno.EADDRINUSE, f"no free port found between {low} and {high}")


def _own_ports(environment: Mapping[str, str]) -> tuple[int, int]:
    """The first of this process's ports, and the first that is another's."""
    low, high = _PORTS
    number = environment.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    count = environment.get("PYTEST_XDIST_WORKER_COUNT", "")
    if not (number.isdecimal() and count.isdecimal()):
        return low, high
    share = (high - low) // max(1, int(count))
    first = low + share * (int(number) % max(1, int(count)))
    return first, first + share


def is_free(port: int, host: str = HOST) -> bool:
    """Whether a server could listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


class ShopRig:
    """Use it as a context manager: at its end everything is stopped, tills first being yours.

    ``settings`` are sections of the hub's settings over the rig's own; ``oms_port`` is where the
    hub finds the OMS when a wire lies between.
    """

    def __init__(
        self,
        base: Path,
        store: str,
        ports: Ports,
        *,
        settings: Sections | None = None,
        oms_arguments: Sequence[str] = (),
        bind: str = HOST,
        oms_port: int | None = None,
    ) -> None:
        self.base = base.absolute()
        self.store = store
        self.ports = ports
        self.run_dir = _run_dir(self.base)
        self._settings = settings or {}
        self._bind = bind
        self._oms_port = oms_port or ports.oms
        logs = self.base / "logs"
        self.oms = Child(
            "the sandbox OMS",
            [
                *(sys.executable, "-m", "cloud_link.sandbox", "--state", str(self.base / "oms")),
                *("--port", str(ports.oms), "--store", store, *oms_arguments),
            ],
            log=logs / "oms.log",
        )
        self.hub = Child(
            "the hub",
            [sys.executable, "-c", _HUB, "--config", str(self.config_file), "run"],
            log=logs / "hub.log",
        )
        self.admin = HubAdmin(self.run_dir / "admin.sock")
        self.oms_admin = OmsAdmin("", "", "")
        self.bank_faults: dict[str, object] = {}
        self.hub_ready: dict[str, Any] = {}

    async def __aenter__(self) -> Self:
        for folder in (self.base, self.base / "hub", self.run_dir, self.base / "tills"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop_hub()
        await self.oms.stop()

    @property
    def config_file(self) -> Path:
        return self.base / "config.toml"

    @property
    def hub_database(self) -> Path:
        return self.base / "hub" / "hub.db"

    @property
    def oms_database(self) -> Path:
        return self.base / "oms" / "oms.db"

    @property
    def tills(self) -> Path:
        """The folder for the devices' own."""
        return self.base / "tills"

    # -- the OMS -------------------------------------------------------------------------------

    async def start_oms(self, timeout_s: float = 120.0) -> None:
        """Start it and wait until it answers.  Raises ChildDied, TimeoutError."""
        await self.oms.start()
        ready = await self.oms.ready(timeout_s)
        self.oms_admin = OmsAdmin(ready["url"], ready["ca"], ready["admin_token"])
        if self.bank_faults:  # of its processor; a restart forgets them
            await self.oms_admin.bank(**self.bank_faults)
        token = self.base / "token"
        if not token.exists() or token.read_text() != ready["token"]:
            token.touch(mode=0o600)
            token.write_text(ready["token"])

    # -- the hub -------------------------------------------------------------------------------

    def write_config(self) -> None:
        """The hub's settings; the OMS must have been started once."""
        ca = self.base / "oms" / "tls" / "ca.pem"
        ports = self.ports
        own: dict[str, dict[str, object]] = {
            "store": {"id": self.store, "timezone": "Europe/Berlin", "currency": "EUR"},
            "paths": {"state": str(self.base / "hub"), "run": str(self.run_dir)},
            "broker": {
                "bind": self._bind,
                "password_port": ports.password,
                "mtls_port": ports.mtls,
            },
            "web": {"bind": self._bind, "port": ports.https},
            "discovery": {"enabled": False},
            "metrics": {"port": 0},
            "cloud": {
                "url": f"https://{HOST}:{self._oms_port}",
                "token_file": str(self.base / "token"),
                "ca_file": str(ca),
            },
        }
        for section, fields in self._settings.items():
            own.setdefault(section, {}).update(fields)
        self.config_file.write_text(_toml(own))

    async def start_hub(self, timeout_s: float = 120.0) -> None:
        """Start it and wait until devices can connect.  Raises ChildDied, TimeoutError."""
        if not self.config_file.exists():
            self.write_config()
        await self.hub.start()
        self.hub_ready = await self.hub.ready(timeout_s)

    async def stop_hub(self) -> bool:
        """Stop it and make sure that its broker is gone, too; False if it had to be killed."""
        politely = await self.hub.stop()
        await self._bury_broker()
        return politely

    # -- the broker ----------------------------------------------------------------------------

    def broker_pid(self) -> int | None:
        """Of the hub's broker, if it runs."""
        try:
            pid = int((self.base / "hub" / "mqtt" / "broker.pid").read_text().split()[0])
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError, IndexError):
            return None
        ours = os.fsencode(self.base / "hub" / "mqtt")
        return pid if b"mosquitto" in command and ours in command else None

    def kill_broker(self) -> int | None:
        """SIGKILL; the pid that was killed, None if none runs."""
        pid = self.broker_pid()
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                return pid
        return None

    async def _bury_broker(self) -> None:
        """A broker whose hub was killed ends by itself; one that doesn't is helped."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_GONE_S):
                while self.broker_pid() is not None:
                    await asyncio.sleep(_POLL_S)
        self.kill_broker()

    def remember_ports(self) -> None:
        """Write the ports down for the next start."""
        (self.base / "ports.json").write_text(json.dumps(asdict(self.ports)))


def remembered_ports(base: Path) -> Ports | None:
    """The ports of the last run in ``base``; None if there was none."""
    try:
        return Ports(**json.loads((base / "ports.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _run_dir(base: Path) -> Path:
    """For the unix sockets: in ``base`` where its path is short enough, else below /tmp."""
    run = base / "run"
    if len(bytes(run)) <= _RUN_BYTES_MAX:
        return run
    name = hashlib.sha256(bytes(base)).hexdigest()[:12]
    return Path(f"/tmp/sh-{os.getuid()}-{name}")


def _toml(sections: Sections) -> str:
    """Texts, numbers, truth values and lists of texts, as TOML.  The fields of ``peripherals`` are
    peripherals by their id, each with its own fields."""
    lines = ["# Written by the rig at each start; changes here are lost.\n"]
    for section, fields in sections.items():
        if section == "peripherals":
            for name, one in fields.items():
                assert isinstance(one, Mapping)
                lines += ["[[peripherals]]\n", f"id = {json.dumps(name)}\n", *_fields(one)]
            continue
        lines += [f"[{section}]\n", *_fields(fields)]
    return "".join(lines)


def _fields(fields: Mapping[str, object]) -> list[str]:
    plain = {name: one for name, one in fields.items() if not isinstance(one, Mapping)}
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in plain.items()]
    if isinstance(options := fields.get("options"), Mapping):
        lines += ["[peripherals.options]\n", *_fields(options)]
    return lines
