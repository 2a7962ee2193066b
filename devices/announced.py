"""Services that announce themselves by mDNS, each looked up until it has answered."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Generic, TypeVar

from zeroconf import Error, InterfaceChoice, IPVersion, ServiceStateChange, Zeroconf
from zeroconf._services.info import AddressResolver
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

Found = TypeVar("Found")
Interfaces = Sequence[str] | InterfaceChoice
_ASK_MS = 1000


class NoMdns(Exception):
    """The network can't be asked: no interface is usable, or another program has UDP port 5353 to
    itself."""


@contextlib.asynccontextmanager
async def asking(interfaces: Interfaces = InterfaceChoice.All) -> AsyncIterator[Zeroconf]:
    """Ask the network within, over these interfaces.  Errors: :class:`NoMdns`."""
    stack = _open(interfaces)
    starting = asyncio.ensure_future(stack.zeroconf.async_wait_for_start())
    try:
        await asyncio.shield(starting)
        yield stack.zeroconf
    except Error as error:
        raise NoMdns(str(error) or type(error).__name__) from error
    finally:
        # One that is closed while it starts loses its sockets.
        await asyncio.gather(starting, return_exceptions=True)
        await stack.async_close()


def _open(interfaces: Interfaces) -> AsyncZeroconf:
    chosen = interfaces if isinstance(interfaces, InterfaceChoice) else list(interfaces)
    try:
        try:
            return AsyncZeroconf(interfaces=chosen, ip_version=IPVersion.All)
        except OSError as error:
            if error.errno != errno.EAFNOSUPPORT:
                raise
            return AsyncZeroconf(interfaces=chosen, ip_version=IPVersion.V4Only)
    except (OSError, RuntimeError) as error:
        raise NoMdns(str(error) or type(error).__name__) from error


def addresses_of(info: AsyncServiceInfo | AddressResolver) -> list[str]:
    """IPv4 first, IPv6 link-local ones last and with their scope."""
    return sorted(info.parsed_scoped_addresses(IPVersion.All), key=_rank)


def _rank(address: str) -> tuple[int, str]:
    bare = ipaddress.ip_address(address.partition("%")[0])
    return (0 if bare.version == 4 else 2 if bare.is_link_local else 1), address


class Announced(Generic[Found]):
    """``found``: what answers to one of ``types``, by its name there, as ``read`` makes it out
    (None: it can't be used).  ``told`` is called when there is another."""

    def __init__(
        self,
        zeroconf: Zeroconf,
        types: Sequence[str],
        read: Callable[[AsyncServiceInfo], Found | None],
        found: dict[str, Found],
        told: Callable[[], None] = lambda: None,
    ) -> None:
        self._zeroconf = zeroconf
        self._types = list(types)
        self._read = read
        self._told = told
        self._most = 0
        self._lookups: dict[str, asyncio.Task[None]] = {}
        self._found = found

    @contextlib.asynccontextmanager
    async def watched(self, most: int) -> AsyncIterator[None]:
        """Look within; for so many at most."""
        self._most = most
        browser = AsyncServiceBrowser(self._zeroconf, self._types, [self._on_change])
        try:
            yield
        finally:
            await browser.async_cancel()
            for lookup in self._lookups.values():
                lookup.cancel()
            await asyncio.gather(*self._lookups.values(), return_exceptions=True)

    def _on_change(
        self,
        zeroconf: Zeroconf,
        service_type: str,
        name: str,
        state_change: ServiceStateChange,
    ) -> None:
        if (running := self._lookups.pop(name, None)) is not None:
            running.cancel()
        if state_change is ServiceStateChange.Removed:
            self._found.pop(name, None)
        elif len(self._lookups) < self._most:
            self._lookups[name] = asyncio.create_task(self._look_up(service_type, name))

    async def _look_up(self, service_type: str, name: str) -> None:
        info = AsyncServiceInfo(service_type, name)
        while not await info.async_request(self._zeroconf, _ASK_MS):
            pass  # a lost packet; whoever watches ends this
        found = self._read(info)
        if found is not None and len(self._found) < self._most:
            self._found[name] = found
            self._told()
