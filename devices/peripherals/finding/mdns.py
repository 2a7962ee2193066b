"""Printers that announce themselves (DNS-SD: ``_pdl-datastream`` is port 9100).

Those that announce only LPD (``_printer``) are asked for nothing but their address: nearly all of
them take raw bytes at 9100 as well.  What is found is a claim by whoever answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
from collections.abc import AsyncIterator, Sequence
from typing import Final

from zeroconf import (
    Error,
    InterfaceChoice,
    IPVersion,
    ServiceStateChange,
    Zeroconf,
)
from zeroconf._services.info import AddressResolver
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from devices.peripherals.finding.found import Found, How, Unavailable, tidy
from devices.peripherals.model import Category
from devices.peripherals.transports.tcp import DEFAULT_PORT

RAW: Final = "_pdl-datastream._tcp.local."
LPD: Final = "_printer._tcp.local."
PRINTERS_MAX: Final = 64
RESOLVE_S: Final = 2.0

Interfaces = Sequence[str] | InterfaceChoice


async def mdns_printers(
    timeout_s: float, interfaces: Interfaces = InterfaceChoice.All
) -> list[Found]:
    """Those that answer within ``timeout_s``, one for each address; at most ``PRINTERS_MAX``.

    Errors: :class:`Unavailable`.
    """
    async with _started(interfaces) as zeroconf:
        search = _Search(zeroconf)
        search.browse()
        try:
            await asyncio.sleep(timeout_s)  # whoever wants to answer has, then
        finally:
            await search.stop()
    return search.found()


async def resolve_local(host: str, interfaces: Interfaces = InterfaceChoice.All) -> list[str]:
    """The addresses of ``printer.local``, IPv4 first; none when nobody answers in two seconds."""
    asked = AddressResolver(host.rstrip(".") + ".")
    try:
        async with _started(interfaces) as zeroconf:
            await asked.async_request(zeroconf, RESOLVE_S * 1000)
    except Unavailable:
        return []
    return sorted(asked.parsed_scoped_addresses(IPVersion.All), key=_rank)


@contextlib.asynccontextmanager
async def _started(interfaces: Interfaces) -> AsyncIterator[Zeroconf]:
    stack = _open(interfaces)
    starting = asyncio.ensure_future(stack.zeroconf.async_wait_for_start())
    try:
        await asyncio.shield(starting)
        yield stack.zeroconf
    except Error as error:
        raise Unavailable(str(error) or type(error).__name__) from error
    finally:
        # One that is closed while it starts loses its sockets.
        await asyncio.gather(starting, return_exceptions=True)
        await stack.async_close()


class _Search:
    def __init__(self, zeroconf: Zeroconf) -> None:
        self._zeroconf = zeroconf
        self._lookups: dict[str, asyncio.Task[None]] = {}
        self._browser: AsyncServiceBrowser | None = None
        self._found: dict[str, Found] = {}

    def browse(self) -> None:
        self._browser = AsyncServiceBrowser(self._zeroconf, [RAW, LPD], [self._on_change])

    async def stop(self) -> None:
        if self._browser is not None:
            await self._browser.async_cancel()
        for lookup in self._lookups.values():
            lookup.cancel()
        await asyncio.gather(*self._lookups.values(), return_exceptions=True)

    def found(self) -> list[Found]:
        """Each address once; what announces raw printing goes first."""
        by_address: dict[str, Found] = {}
        for name in sorted(self._found, key=lambda name: (not name.endswith(RAW), name)):
            by_address.setdefault(self._found[name].address, self._found[name])
        return list(by_address.values())

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
        elif len(self._lookups) < 2 * PRINTERS_MAX:
            self._lookups[name] = asyncio.create_task(self._look_up(service_type, name))

    async def _look_up(self, service_type: str, name: str) -> None:
        info = AsyncServiceInfo(service_type, name)
        while not await info.async_request(self._zeroconf, 1000):
            pass  # a lost packet; the search's time-out ends this
        found = _read(info)
        if found is not None and len(self._found) < 2 * PRINTERS_MAX:
            self._found[name] = found


def _read(info: AsyncServiceInfo) -> Found | None:
    addresses = sorted(info.parsed_scoped_addresses(IPVersion.All), key=_rank)
    # LPD's port 0 says: no LPD, only the name is announced (Bonjour Printing 1.2, section 7).
    if not addresses or (info.type == RAW and not info.port):
        return None
    port = info.port if info.type == RAW and info.port else DEFAULT_PORT
    host = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]
    told = {key.lower(): value or "" for key, value in info.decoded_properties.items()}
    model = told.get("ty") or f"{told.get('usb_mfg', '')} {told.get('usb_mdl', '')}"
    name = info.name.removesuffix("." + info.type)
    return Found(
        Category.PRINTER,
        f"tcp://{host}:{port}",
        tidy(name),
        tidy(model) or tidy(told.get("product", "").strip("()")),
        How.MDNS,
    )


def _rank(address: str) -> tuple[int, str]:
    bare = ipaddress.ip_address(address.partition("%")[0])
    return (0 if bare.version == 4 else 2 if bare.is_link_local else 1), address


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
        raise Unavailable(str(error) or type(error).__name__) from error
