"""Finding the shop's hub on the local network by mDNS.

What is found is a claim by whoever answered, not a proof: pair with a hub over TLS, and compare
its CA with the fingerprint from the pairing code, before you tell it anything.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import partial

from zeroconf.asyncio import AsyncServiceInfo

from devices.announced import Announced, NoMdns, addresses_of, asking
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
    found: dict[str, FoundHub] = {}
    done = asyncio.Event()

    def told() -> None:
        if len(found) >= enough:
            done.set()

    try:
        async with asyncio.timeout(timeout_s), asking() as zeroconf:
            search = Announced(zeroconf, [HUB_SERVICE], partial(_read, store), found, told)
            async with search.watched(MAX_HUBS):
                await done.wait()
    except TimeoutError:
        pass  # the usual end: whoever wanted to answer has
    except NoMdns as error:
        raise DiscoveryUnavailable(str(error)) from error
    return sorted(found.values(), key=lambda hub: hub.name)


def _read(store: str | None, info: AsyncServiceInfo) -> FoundHub | None:
    try:
        hub = _hub_of(info)
    except ValueError as error:
        _log.debug("Ignoring %s: %s", info.name, error)
        return None
    return hub if store in (None, hub.store) else None


def _hub_of(info: AsyncServiceInfo) -> FoundHub:
    addresses = tuple(addresses_of(info))
    if not addresses or not info.port or not info.server:
        raise ValueError("no address, port or host")
    txt = HubTxt.parse(info.properties)
    return FoundHub(
        name=info.name.removesuffix("." + info.type),
        title=txt.name,
        host=info.server.removesuffix("."),
        addresses=addresses,
        https_port=info.port,
        mqtt_port=txt.mqtt_port,
        mtls_port=txt.mtls_port,
        wss_path=txt.wss_path,
        store=txt.store,
        ca_fingerprint=txt.ca_fingerprint,
    )
