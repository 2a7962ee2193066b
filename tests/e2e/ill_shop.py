"""A shop whose box, router and internet are machines of their own, to be made ill for real.

Three network namespaces::

    box ── eth0 ── lan ── router ── wan ── internet (the sandbox OMS)
                    │
                 this test: the shop's devices, the technician's phone

The box's state lies on a small ext4 of its own.  Everything needs root.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from devices.kit import IdentityStore, PairingLink, pair
from hub.clock import SystemRandomness
from scripts.rig import Child, Ports, ShopRig

STORE = "367"
DISK_BYTES = 2 << 30
UNTIL_S = 90.0


@dataclass(frozen=True, slots=True)
class Net:
    """Namespaces and addresses; 198.18.0.0/15 is kept for trials (RFC 2544)."""

    box: str
    router: str
    internet: str
    box_ip: str
    oms_ip: str

    def cut(self) -> None:
        """The router's line to the provider is dead."""
        _run("ip", "-n", self.router, "link", "set", "wan", "down")

    def mend(self) -> None:
        """It is back."""
        _run("ip", "-n", self.router, "link", "set", "wan", "up")


@contextmanager
def network() -> Iterator[Net]:
    """The three machines, wired up; the test is skipped where they can't be made."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("needs root and the Debian package iproute2 to make network namespaces")
    pid = os.getpid()
    lan, wan = f"198.18.{pid % 250}", f"198.19.{pid % 250}"
    names = [f"sh-ill-{pid}-{role}" for role in ("box", "router", "internet")]
    box, router, internet = names
    net, phone = Net(box, router, internet, f"{lan}.2", f"{wan}.2"), f"shill{pid % 10**8}"
    made: list[str] = []
    try:
        for name in names:
            try:
                _run("ip", "netns", "add", name)
            except subprocess.CalledProcessError as error:
                pytest.skip(f"network namespaces can't be made here: {error.stderr.strip()}")
            made.append(name)
            _ip(name, "link", "set", "lo", "up")
        for rule in ("ip_forward=1", "icmp_ratelimit=0"):  # it says "no way" to every packet
            _run("ip", "netns", "exec", router, "sysctl", "-qw", f"net.ipv4.{rule}")
        _ip(router, "link", "add", "lan", "type", "bridge")
        _cable(box, "eth0", router, "port1")
        _cable(internet, "eth0", router, "wan")
        _run("ip", "link", "add", phone, "type", "veth", "peer", "name", "port2", "netns", router)
        for port in ("port1", "port2"):
            _ip(router, "link", "set", port, "master", "lan", "up")
        _address(router, "lan", f"{lan}.1")
        _address(router, "wan", f"{wan}.1")
        _address(box, "eth0", net.box_ip)
        _address(internet, "eth0", net.oms_ip)
        _ip(box, "route", "add", "default", "via", f"{lan}.1")
        _ip(internet, "route", "add", "default", "via", f"{wan}.1")
        _run("ip", "address", "add", f"{lan}.9/24", "dev", phone)
        _run("ip", "link", "set", phone, "up")
        yield net
    finally:
        for name in made:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@contextmanager
def small_disk(base: Path) -> Iterator[Path]:
    """An ext4 of 2 GiB in a file with holes, at ``base/hub``."""
    image, place = base / "disk.img", base / "hub"
    place.mkdir(mode=0o700)
    with image.open("wb") as file:
        file.truncate(DISK_BYTES)
    try:
        _run("mkfs.ext4", "-q", "-F", "-m", "0", str(image))
        _run("mount", "-o", "loop", str(image), str(place))
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        pytest.skip(f"a small disk can't be made here: {getattr(error, 'stderr', '') or error}")
    try:
        place.chmod(0o700)
        yield place
    finally:
        _run("umount", str(place))


def fill(disk: Path, percent: int) -> Path:
    """Fill it as df counts, without writing; the file that does it."""
    file = disk / "somebodys-film.mp4"
    room = os.statvfs(disk)
    total = (room.f_blocks - room.f_bfree + room.f_bavail) * room.f_frsize
    wanted = total * percent // 100 - (total - room.f_bavail * room.f_frsize)
    with file.open("wb") as opened:
        os.posix_fallocate(opened.fileno(), 0, wanted + total // 200)
    return file


class IllShop:
    """Use :func:`ill_shop`."""

    def __init__(self, rig: ShopRig, net: Net, disk: Path) -> None:
        self.rig = rig
        self.net = net
        self.disk = disk

    @property
    def url(self) -> str:
        return f"https://{self.net.box_ip}:{self.rig.ports.https}"

    def set_clock_wrong(self, by_ms: int) -> None:
        """The box's wall clock is so far ahead from now on."""
        _clock_file(self.rig.base).write_text(str(by_ms))

    async def device(self) -> IdentityStore:
        """A till, paired over TLS."""
        link = PairingLink.parse(await self.rig.admin.open_pairing("Front", "till"))
        store = IdentityStore(self.rig.tills / "front")
        await pair(
            store, host=link.host, port=link.port, ca_fingerprint=link.fingerprint, code=link.code
        )
        return store

    async def findings(self) -> dict[str, dict[str, Any]]:
        """What the hub finds not to be well, by check."""
        health = (await self.rig.admin.status())["health"]
        return {
            one["key"]: one for one in health["findings"] if one["level"] not in ("ok", "unknown")
        }

    async def lost_weight(self) -> dict[str, int]:
        """What the readiness score has lost, by check."""
        readiness = (await self.rig.admin.status())["health"]["readiness"]
        return {one["key"]: one["weight"] for one in readiness["lost"]}

    async def until(self, holds: Callable[[dict[str, dict[str, Any]]], bool]) -> None:
        """Wait until the findings are so."""
        found: dict[str, dict[str, Any]] = {}
        try:
            async with asyncio.timeout(UNTIL_S):
                while not holds(found := await self.findings()):
                    await asyncio.sleep(0.2)
        except TimeoutError:
            told = [one["summary"] for one in found.values()]
            raise AssertionError(f"never so; {told}; the hub:\n{self.rig.hub.tail()}") from None


@asynccontextmanager
async def ill_shop() -> AsyncIterator[IllShop]:
    """A shop that is well: cloud, hub and broker run.  Everything is removed afterwards."""
    base = Path(tempfile.mkdtemp(prefix="shi-", dir="/tmp"))
    try:
        with network() as net, small_disk(base) as disk:
            rig = _rig(base, net)
            async with rig:
                await rig.start_oms()
                await rig.start_hub()
                yield IllShop(rig, net, disk)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _rig(base: Path, net: Net) -> ShopRig:
    ports = Ports.choose(SystemRandomness())
    settings: dict[str, dict[str, object]] = {
        "cloud": {
            "url": f"https://{net.oms_ip}:{ports.oms}",
            "connect_timeout_s": 2,
            "request_timeout_s": 2,
            "poll_wait_s": 1,
            "retry_max_s": 1,
            "linger_ms": 20,
        },
        "storage": {"min_free_mb": 32},
        "log": {"format": "text"},
    }
    rig = ShopRig(base, STORE, ports, settings=settings, bind=net.box_ip)
    logs = base / "logs"
    sandbox = ("cloud_link.sandbox", "--state", str(base / "oms"), "--port", str(ports.oms))
    seeded = ("--store", STORE, "--seed-demo", "--skus", "40")
    where = ("--bind", net.oms_ip, "--host", net.oms_ip)
    rig.oms = Child(
        "the sandbox OMS", _in(net.internet, *sandbox, *seeded, *where), log=logs / "oms.log"
    )
    config = ("--config", str(rig.config_file), "run")
    impatient = ("tests.e2e.impatient_hub", str(_clock_file(base)))
    rig.hub = Child("the hub", _in(net.box, *impatient, *config), log=logs / "hub.log")
    return rig


def _in(namespace: str, *module: str) -> Sequence[str]:
    return [shutil.which("ip") or "ip", "netns", "exec", namespace, sys.executable, "-m", *module]


def _clock_file(base: Path) -> Path:
    return base / "clock-is-wrong-by-ms"


def _cable(one: str, port: str, other: str, its_port: str) -> None:
    _ip(one, "link", "add", port, "type", "veth", "peer", "name", its_port, "netns", other)


def _address(namespace: str, port: str, address: str) -> None:
    _ip(namespace, "address", "add", f"{address}/24", "dev", port)
    _ip(namespace, "link", "set", port, "up")


def _ip(namespace: str, *arguments: str) -> None:
    _run("ip", "-n", namespace, *arguments)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
