"""Where the way to the cloud ends: this box's network, the router, names, the internet, the OMS.

Looked at only while the cloud isn't reached.  Nobody but the shop's router, its name servers and
the OMS itself is asked.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from hub.clock import Clock
from hub.contract.health import Place, WayStep
from hub.health.probes import files

ANSWER_S: Final = 4.0
ADDRESSES_MAX: Final = 4
TITLES: Final[dict[Place, str]] = {
    "lan": "This box's network",
    "router": "The router",
    "dns": "Looking up names",
    "internet": "The internet",
    "oms": "The cloud",
}
Found = tuple[Literal["ok", "broken", "unknown"], str]
"""The state of a stretch, and a word about it."""
Reach = Literal["reached", "refused", "no-route", "silent"]
"""``refused``: somebody is there and says no; ``no-route``: this box or the router knows no way;
``silent``: no answer in time."""


@dataclass(frozen=True, slots=True)
class Net:
    """The network as it is asked; in tests, as they want it.

    ``resolve`` raises :class:`socket.gaierror`, with ``EAI_NONAME`` when somebody said that there
    is no such name.  ``stir`` sends the router something, so that the kernel asks who it is.
    """

    resolve: Callable[[str, int], Awaitable[list[str]]]
    connect: Callable[[str, int], Awaitable[Reach]]
    stir: Callable[[str], Awaitable[None]]


@dataclass(slots=True)
class _Look:
    """One look: what is found of each stretch."""

    lan: Found = ("unknown", "")
    router: Found = ("unknown", "")
    dns: Found = ("unknown", "")
    internet: Found = ("unknown", "")
    oms: Found = ("unknown", "")

    def told(self) -> tuple[WayStep, ...]:
        """In order; what lies behind a broken stretch can't be seen."""
        steps: list[WayStep] = []
        broken = False
        for place, title in TITLES.items():
            state, text = ("unknown", "") if broken else getattr(self, place)
            broken = broken or state == "broken"
            steps.append(WayStep(place=place, title=title, state=state, text=text))
        return tuple(steps)


class Way:
    """The way to the OMS at ``url``.  Addresses that were looked up once are remembered: by them
    a name server that fails is told apart from an internet that is gone."""

    def __init__(
        self, url: str, clock: Clock, net: Net | None = None, root: Path = Path("/")
    ) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or (80 if parts.scheme == "http" else 443)
        self._clock = clock
        self._net = net or real_net()
        self._root = root
        self._known: list[str] = []

    @property
    def knows(self) -> bool:
        """Whether there are addresses to fall back on, or none are needed."""
        return bool(self._known) or _is_address(self._host)

    async def remember(self) -> None:
        """Look the OMS's name up while all is well."""
        await self._names(_Look())

    async def look(self) -> tuple[WayStep, ...]:
        """The five stretches.  Takes 20 s at most."""
        look = _Look()
        await self._near(look)
        addresses = await self._names(look)
        reaches = await asyncio.gather(*map(self._reached, addresses or self._known))
        if "reached" in reaches or "refused" in reaches:
            self._answered(look, "refused" if "reached" not in reaches else "reached")
        elif look.router[0] != "broken" and look.lan[0] != "broken":
            await self._silent(look, addresses, list(reaches))
        return look.told()

    async def _near(self, look: _Look) -> None:
        """This box's network and the router."""
        routes = await asyncio.to_thread(default_routes, self._root)
        carriers = await asyncio.to_thread(interfaces_up, self._root)
        if not carriers:
            look.lan = ("broken", "no cable or Wi-Fi is connected")
            return
        look.lan = ("ok", ", ".join(carriers))
        if not routes:
            look.router = ("broken", "the box was given no router's address (DHCP)")
            return
        interface, gateway = routes[0]
        if interface not in carriers:
            look.lan = ("broken", f"{interface} has no connection")
            return
        await self._net.stir(gateway)
        answers = await asyncio.to_thread(neighbour_answers, self._root, gateway)
        match answers:
            case True:
                look.router = ("ok", gateway)
            case False:
                look.router = ("broken", f"{gateway} doesn't answer")
            case None:
                look.router = ("unknown", gateway)

    async def _names(self, look: _Look) -> list[str]:
        """The OMS's addresses."""
        if _is_address(self._host):
            look.dns = ("ok", "not needed")
            return [self._host]
        found = await self._resolve(self._host)
        match found:
            case list():
                self._known = found[:ADDRESSES_MAX]
                look.dns = ("ok", ", ".join(self._known))
                return self._known
            case "no-such-name":
                look.dns = ("broken", f"there is no name {self._host}")
            case "no-answer":
                look.dns = ("broken", f"no answer for {self._host}")
        return []

    async def _resolve(self, name: str) -> list[str] | Literal["no-such-name", "no-answer"]:
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._net.resolve(name, self._port)
        except socket.gaierror as error:
            return "no-such-name" if error.errno == socket.EAI_NONAME else "no-answer"
        except (OSError, TimeoutError):
            return "no-answer"

    async def _reached(self, address: str) -> Reach:
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._net.connect(address, self._port)
        except TimeoutError:
            return "silent"

    @staticmethod
    def _answered(look: _Look, how: Reach) -> None:
        """Somebody at the other end answers, which proves everything before it but the names."""
        look.lan, look.router = ("ok", look.lan[1]), ("ok", look.router[1])
        look.internet = ("ok", "")
        look.oms = (
            "broken",
            "the server takes connections, but doesn't answer as it should"
            if how == "reached"
            else "the server refuses connections",
        )

    async def _silent(self, look: _Look, addresses: list[str], reaches: list[Reach]) -> None:
        """No answer from the OMS.  A name that nobody has looked up yet, and so nobody remembers,
        is answered only over the internet."""
        if look.dns[0] == "broken":
            if look.dns[1].startswith("there is no name") or not reaches:
                return
            look.dns = ("unknown", look.dns[1])
            look.internet = ("broken", "neither names nor the cloud answer")
        elif reaches and all(one == "no-route" for one in reaches):
            look.internet = ("broken", "the router knows no way there")
        elif look.dns[1] == "not needed":
            look.oms = ("broken", f"no answer from {', '.join(addresses)}")
        elif await self._resolve(f"look-{self._clock.wall_ms()}.{self._host}") == "no-answer":
            look.internet = ("broken", "no new name is looked up")
        else:
            look.internet = ("ok", "new names are looked up")
            look.oms = ("broken", f"no answer from {', '.join(addresses)}")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def real_net() -> Net:
    """This box's network."""
    return Net(_look_up, _connect, _stir)


async def _look_up(host: str, port: int) -> list[str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


async def _connect(address: str, port: int) -> Reach:
    try:
        _, writer = await asyncio.open_connection(address, port)
    except ConnectionRefusedError:
        return "refused"
    except OSError as error:
        no_way = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN)
        return "no-route" if error.errno in no_way else "silent"
    writer.transport.abort()
    return "reached"


async def _stir(address: str) -> None:
    """One datagram to the discard port (RFC 863), and time for the neighbour to be found."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        try:
            sock.connect((address, 9))
            sock.send(b"\0")
        except OSError:  # not silent: the neighbour's state tells
            return
    await asyncio.sleep(1.0)


def default_routes(root: Path) -> list[tuple[str, str]]:
    """(interface, gateway) of IPv4's default routes, the one in use first (proc(5), route)."""
    found: list[tuple[int, str, str]] = []
    for line in (files.text(root / "proc/self/net/route") or "").splitlines()[1:]:
        fields = line.split()
        if len(fields) < 8 or fields[1] != "00000000" or fields[7] != "00000000":
            continue
        raw = int(fields[2], 16)
        if raw:
            gateway = str(ipaddress.IPv4Address(raw.to_bytes(4, "little")))
            found.append((int(fields[6]), fields[0], gateway))
    return [(interface, gateway) for _, interface, gateway in sorted(found)]


def interfaces_up(root: Path) -> list[str]:
    """Names of the interfaces that have a connection, without this box's own."""
    folder = root / "sys/class/net"
    names = sorted(path.name for path in folder.glob("*")) if folder.is_dir() else []
    return [
        name
        for name in names
        if name != "lo"
        and files.text(folder / name / "operstate") in ("up", "unknown")
        and files.text(folder / name / "carrier") != "0"
    ]


def neighbour_answers(root: Path, address: str) -> bool | None:
    """Whether the kernel knows who has this address (proc(5), arp); None: it doesn't say."""
    for line in (files.text(root / "proc/self/net/arp") or "").splitlines()[1:]:
        fields = line.split()
        if len(fields) >= 3 and fields[0] == address:
            return bool(int(fields[2], 16) & 0x2)
    return None
