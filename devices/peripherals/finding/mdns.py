"""Printers that announce themselves (DNS-SD: ``_pdl-datastream`` is port 9100).

Those that announce only LPD (``_printer``) are asked for nothing but their address: nearly all of
them take raw bytes at 9100 as well.  What is found is a claim by whoever answered.
"""

from __future__ import annotations

import asyncio
from typing import Final

from zeroconf import InterfaceChoice
from zeroconf._services.info import AddressResolver
from zeroconf.asyncio import AsyncServiceInfo

from devices.announced import Announced, Interfaces, NoMdns, addresses_of, asking
from devices.peripherals.finding.found import Found, How, Unavailable, tidy
from devices.peripherals.model import Category
from devices.peripherals.transports.tcp import DEFAULT_PORT

RAW: Final = "_pdl-datastream._tcp.local."
LPD: Final = "_printer._tcp.local."
PRINTERS_MAX: Final = 64
RESOLVE_S: Final = 2.0


async def mdns_printers(
    timeout_s: float, interfaces: Interfaces = InterfaceChoice.All
) -> list[Found]:
    """Those that answer within ``timeout_s``, one for each address; at most ``PRINTERS_MAX``.

    Errors: :class:`Unavailable`.
    """
    found: dict[str, Found] = {}
    try:
        async with (
            asking(interfaces) as zeroconf,
            Announced(zeroconf, [RAW, LPD], _read, found).watched(2 * PRINTERS_MAX),
        ):
            await asyncio.sleep(timeout_s)  # whoever wants to answer has, then
    except NoMdns as error:
        raise Unavailable(str(error)) from error
    return _by_address(found)


def _by_address(found: dict[str, Found]) -> list[Found]:
    """Each address once; what announces raw printing goes first."""
    by_address: dict[str, Found] = {}
    for name in sorted(found, key=lambda name: (not name.endswith(RAW), name)):
        by_address.setdefault(found[name].address, found[name])
    return list(by_address.values())


async def resolve_local(host: str, interfaces: Interfaces = InterfaceChoice.All) -> list[str]:
    """The addresses of ``printer.local``, IPv4 first; none when nobody answers in two seconds."""
    asked = AddressResolver(host.rstrip(".") + ".")
    try:
        async with asking(interfaces) as zeroconf:
            await asked.async_request(zeroconf, RESOLVE_S * 1000)
    except NoMdns:
        return []
    return addresses_of(asked)


def _read(info: AsyncServiceInfo) -> Found | None:
    addresses = addresses_of(info)
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
