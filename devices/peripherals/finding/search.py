"""One search over all ways of finding."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from zeroconf import InterfaceChoice

from devices.announced import Interfaces
from devices.peripherals.finding.found import Found, Unavailable
from devices.peripherals.finding.local import local
from devices.peripherals.finding.mdns import mdns_printers
from devices.peripherals.finding.snmp import Target, snmp_printers
from devices.peripherals.transports.usblp import SYSTEM, Roots

log = logging.getLogger(__name__)

SEARCH_S: Final = 4.0
_SLACK_S: Final = 3.0
"""For closing; a search that doesn't end by itself is cut off then."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Where to look; tests look elsewhere."""

    roots: Roots = SYSTEM
    network: bool = True
    interfaces: Interfaces = InterfaceChoice.All
    snmp_targets: tuple[Target, ...] | None = None


async def find(
    timeout_s: float = SEARCH_S,
    scope: Scope | None = None,
    note: Callable[[str], None] | None = None,
) -> list[Found]:
    """What could be configured, local first, each address once; takes ``timeout_s`` if the network
    is asked.

    ``note`` hears in words of what couldn't be asked (the log does without it); the rest is found
    all the same.
    """
    scope = scope or Scope()
    note = note or log.warning
    ways = [_asked("this box", partial(asyncio.to_thread, local, scope.roots), timeout_s, note)]
    if scope.network:
        asked = partial(mdns_printers, timeout_s, scope.interfaces)
        ways.append(_asked("the network by mDNS", asked, timeout_s, note))
        asked = partial(snmp_printers, timeout_s, scope.snmp_targets)
        ways.append(_asked("the network by SNMP", asked, timeout_s, note))
    by_address: dict[str, Found] = {}
    for found in await asyncio.gather(*ways):
        for one in found:
            known = by_address.setdefault(one.address, one)
            by_address[one.address] = replace(known, model=known.model or one.model)
    return list(by_address.values())


async def _asked(
    what: str,
    way: Callable[[], Awaitable[list[Found]]],
    timeout_s: float,
    note: Callable[[str], None],
) -> list[Found]:
    try:
        async with asyncio.timeout(timeout_s + _SLACK_S):
            return await way()
    except (OSError, Unavailable, TimeoutError) as error:
        note(f"{what} can't be searched: {error or type(error).__name__}")
        return []
