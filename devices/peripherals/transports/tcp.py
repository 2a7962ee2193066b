"""Raw port 9100 (AppSocket): a printer on the network, or a serial device server.

A printer that is switched off says nothing.  While the line is idle TCP's keepalive finds that
out; while bytes are on their way, their repetitions do.  A printer without paper closes its window
and goes on answering: it is waited for.  (That is why TCP_USER_TIMEOUT isn't set: Linux ends a
connection whose window stays closed for so long, answered or not.)
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from devices.peripherals.model import Gone, Unreachable
from devices.peripherals.transports.fd import CHECK_EVERY_S, FdWire
from devices.peripherals.transports.opening import Opener, words

DEFAULT_PORT: Final = 9100
CONNECT_TIMEOUT_S: Final = 5.0
KEEPALIVE: Final = {
    socket.TCP_KEEPIDLE: 10,  # seconds of silence until the first question
    socket.TCP_KEEPINTVL: 5,
    socket.TCP_KEEPCNT: 3,
}
SEND_BUFFER_BYTES: Final = 65_536
"""The less the kernel takes, the less is in doubt when the printer goes."""
UNANSWERED_MAX: Final = 6
"""So many repetitions without an answer take about thirteen seconds on a shop's network."""
_ADDRESSES_MAX: Final = 8
_TCP_INFO_HEAD: Final = struct.Struct("8B")

SockAddress = tuple[str | int | bytes, ...]
Resolve = Callable[[str], Awaitable[list[str]]]
"""The addresses of a host's name, best first; an empty list when nobody knows it."""


@dataclass
class TcpConnector:
    """Opens a connection each time.  ``resolve``: asked first for names that end in ``.local``."""

    address: str
    host: str
    port: int = DEFAULT_PORT
    connect_timeout_s: float = CONNECT_TIMEOUT_S
    resolve: Resolve | None = None
    check_every_s: float = CHECK_EVERY_S
    _opener: Opener = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._opener = Opener(self.address, self.connect_timeout_s)

    async def open(self) -> FdWire:
        try:
            async with asyncio.timeout(self.connect_timeout_s):
                sock = await self._connected()
        except TimeoutError:
            raise Unreachable(
                f"{self.address} doesn't answer within {self.connect_timeout_s:g} s: is it switched"
                " on, is its network cable in, and is this still its address?"
            ) from None
        return self._wire(sock)

    async def _connected(self) -> socket.socket:
        failed: OSError | None = None
        for family, target in (await self._targets())[:_ADDRESSES_MAX]:
            sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                sock.setblocking(False)
                _tune(sock)
                await asyncio.get_running_loop().sock_connect(sock, target)
            except OSError as error:
                sock.close()
                failed = error
            except BaseException:
                sock.close()
                raise
            else:
                return sock
        raise Unreachable(f"{self.address} {_refused(failed)}") from failed

    async def _targets(self) -> list[tuple[int, SockAddress]]:
        numeric = _numeric(self.host, self.port)
        if numeric is not None:
            return [numeric]
        if self.resolve is not None and self.host.lower().rstrip(".").endswith(".local"):
            told = [_numeric(one, self.port) for one in await self.resolve(self.host)]
            if known := [one for one in told if one is not None]:
                return known
        try:
            infos = await self._opener.open(
                lambda: socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM),
                lambda _: None,
            )
        except Unreachable as error:
            if not isinstance(error.__cause__, socket.gaierror):
                raise
            raise Unreachable(
                f"{self.address}: nobody knows the name {self.host!r}; write the printer's numeric"
                " address, as its status sheet shows it"
            ) from error
        return [(int(family), tuple(target)) for family, _, _, _, target in infos]

    def _wire(self, sock: socket.socket) -> FdWire:
        def check() -> None:
            info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_HEAD.size)
            _, _, repeated, probes, *_ = _TCP_INFO_HEAD.unpack(info)
            if max(repeated, probes) >= UNANSWERED_MAX:
                raise Gone(
                    f"{self.address} is gone: it doesn't answer any more; is it switched on and is"
                    " its network cable in?"
                )

        return FdWire(
            sock.fileno(),
            self.address,
            check=check,
            release=lambda _: sock.close(),
            check_every_s=self.check_every_s,
        )


def _tune(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for option, value in KEEPALIVE.items():
        sock.setsockopt(socket.IPPROTO_TCP, option, value)


def _numeric(host: str, port: int) -> tuple[int, SockAddress] | None:
    bare, _, scope = host.partition("%")
    try:
        version = ipaddress.ip_address(bare).version
    except ValueError:
        return None
    if version == 4:
        return socket.AF_INET, (host, port)
    try:
        index = int(scope) if scope.isdigit() else socket.if_nametoindex(scope) if scope else 0
    except OSError:
        return None
    return socket.AF_INET6, (bare, port, 0, index)


def _refused(error: OSError | None) -> str:
    match error.errno if error is not None else None:
        case errno.ECONNREFUSED:
            return (
                "refuses the connection: it is starting, or another computer uses it (wait), or its"
                " port is another one (of a printer: switch on raw printing, port 9100, in its"
                " network settings)"
            )
        case errno.EHOSTUNREACH | errno.ENETUNREACH | errno.EHOSTDOWN:
            return (
                "can't be reached: is it switched on, is its network cable in, and is it in the"
                " same network as the hub?"
            )
        case _:
            why = words(error) if error is not None else "its name has no address"
            return f"can't be reached: {why}"
