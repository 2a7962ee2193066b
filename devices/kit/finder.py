"""Finding the shop's hub on the local network by mDNS.

What is found is a claim by whoever answered, not a proof: pair with a hub over TLS, and compare
its CA with the fingerprint from the pairing code, before you tell it anything.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from dataclasses import dataclass

from zeroconf import Error, InterfaceChoice, IPVersion, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from hub.contract.discovery import HUB_SERVICE, HubTxt

_log = logging.getLogger(__name__)

MAX_HUBS = 64


class DiscoveryUnavailable(Exception):
    """This device can't ask the network; connect by a configured address instead.

    Raised when no interface is usable or another mDNS program shares UDP port 5353 with nobody
    (avahi-daemon with ``disallow-other-stacks=yes``).
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundHub:
    """A hub that answered.

    ``name`` is the name it has on this network (unique, perhaps ``Name (2)``); ``title`` is what
    it is called.  ``addresses``: IPv4 first, IPv6 link-local ones last and with their scope.
    """

    name: str
    title: str
    host: str
    addresses: tuple[str, ...]
    https_port: int
    mqtt_port: int
    mtls_port: int
    wss_path: str
    store: str
    ca_fingerprint: str


async def find_hubs(
    timeout_s: float = 3.0, *, store: str | None = None, enough: int = MAX_HUBS
) -> list[FoundHub]:
    """The hubs that answer within ``timeout_s``, sorted by name; only those of ``store`` if given.

    Returns as soon as ``enough`` are found.  Answers that can't be read are left out, and so is
    everything after the first ``MAX_HUBS`` names.  Raises DiscoveryUnavailable.
    """
    try:
        stack = _open()
    except (OSError, RuntimeError) as error:
        raise DiscoveryUnavailable(str(error)) from error
    search = _Search(stack.zeroconf, store, enough)
    starting = asyncio.ensure_future(stack.zeroconf.async_wait_for_start())
    try:
        async with asyncio.timeout(timeout_s):
            await asyncio.shield(starting)
            search.browse()
            await search.done.wait()
    except TimeoutError:
        pass  # the usual end: whoever wanted to answer has
    except Error as error:
        raise DiscoveryUnavailable(str(error)) from error
    finally:
        await search.stop()
        # One that is closed while it starts loses its sockets.
        await asyncio.gather(starting, return_exceptions=True)
        await stack.async_close()
    return sorted(search.found.values(), key=lambda hub: hub.name)


class _Search:
    def __init__(self, zeroconf: Zeroconf, store: str | None, enough: int) -> None:
        self._zeroconf = zeroconf
        self._store = store
        self._enough = enough
        self._lookups: dict[str, asyncio.Task[None]] = {}
        self._browser: AsyncServiceBrowser | None = None
        self.found: dict[str, FoundHub] = {}
        self.done = asyncio.Event()

    def browse(self) -> None:
        self._browser = AsyncServiceBrowser(self._zeroconf, HUB_SERVICE, [self._on_change])

    async def stop(self) -> None:
        if self._browser is not None:
            await self._browser.async_cancel()
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
            self.found.pop(name, None)
        elif len(self._lookups) < MAX_HUBS:
            self._lookups[name] = asyncio.create_task(self._look_up(service_type, name))

    async def _look_up(self, service_type: str, name: str) -> None:
        info = AsyncServiceInfo(service_type, name)
        while not await info.async_request(self._zeroconf, 1000):
            pass  # a lost packet; the caller's timeout ends this
        try:
            hub = _read(info)
        except ValueError as error:
            _log.debug("Ignoring %s: %s", name, error)
            return
        if self._store is None or hub.store == self._store:
            self.found[name] = hub
            if len(self.found) >= self._enough:
                self.done.set()


def _read(info: AsyncServiceInfo) -> FoundHub:
    addresses = tuple(info.parsed_scoped_addresses(IPVersion.All))
    if not addresses or not info.port or not info.server:
        raise ValueError("no address, port or host")
    txt = HubTxt.parse(info.properties)
    return FoundHub(
        name=info.name.removesuffix("." + info.type),
        title=txt.name,
        host=info.server.removesuffix("."),
        addresses=tuple(sorted(addresses, key=_address_rank)),
        https_port=info.port,
        mqtt_port=txt.mqtt_port,
        mtls_port=txt.mtls_port,
        wss_path=txt.wss_path,
        store=txt.store,
        ca_fingerprint=txt.ca_fingerprint,
    )


def _address_rank(address: str) -> tuple[int, str]:
    if ":" not in address:
        return 0, address
    return (2 if "%" in address else 1), address


def _open() -> AsyncZeroconf:
    try:
        return AsyncZeroconf(interfaces=InterfaceChoice.All, ip_version=IPVersion.All)
    except OSError as error:
        if error.errno != errno.EAFNOSUPPORT:
            raise
        return AsyncZeroconf(interfaces=InterfaceChoice.All, ip_version=IPVersion.V4Only)
