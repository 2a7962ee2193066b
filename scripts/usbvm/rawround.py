"""A printer by raw USB: the other one, which the kernel's usblp has, is taken from it by libusb."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final

from devices.peripherals.transports.usblp import usb_printers
from scripts.usbvm.printer import Printer, Trap
from scripts.usbvm.shop import Shop

RAW: Final = "printer-raw"
_CONFIRMED: Final = 2
"""The GS r after which a page is in its middle: the first one is its head's."""


async def raw_printer(shop: Shop, seen: Counter[str], wrong: Callable[[str], None]) -> None:
    """Set up, tried, pulled out of a job, tried again, removed: its driver has it again then.

    ``wrong`` hears of faults.  Errors: StandsStill.
    """
    printer = shop.plugs.other
    address = raw_address(printer)
    printer.gadget.plug()
    await _driven(shop, printer)
    await shop.command("peripherals", "add", RAW, "escpos-printer", address)
    await shop.until_phase(RAW, "ready")
    if has_driver(printer):
        wrong(f"{address} is ready, and usblp still has it")
    found = await shop.command("peripherals", "find", "--seconds", "1")
    if address not in {one["address"] for one in found}:
        wrong(f"{address} is driven, and find doesn't show it")
    await _page(shop, printer)
    await _cut(shop, printer)
    printer.gadget.plug()
    await shop.until_phase(RAW, "ready")
    seen["raw-replugged"] += 1
    await _page(shop, printer)
    await shop.command("peripherals", "remove", RAW)
    await _driven(shop, printer)
    seen["driver-given-back"] += 1
    printer.gadget.unplug()


def raw_address(printer: Printer) -> str:
    """As the hub's settings name it."""
    return printer.address.replace("usb://", "usb-raw://")


def has_driver(printer: Printer) -> bool:
    """Whether usblp has it."""
    return any(one.serial == printer.gadget.looks.serial for one in usb_printers())


async def _driven(shop: Shop, printer: Printer) -> None:
    await shop.until(lambda: has_driver(printer), lambda: f"{printer.address} has no usblp")


async def _page(shop: Shop, printer: Printer) -> None:
    """A test page comes out whole."""
    before = len(printer.tape.papers)
    await shop.command("peripherals", "test", RAW)
    await shop.until(lambda: len(printer.tape.papers) > before, lambda: f"no test page from {RAW}")


async def _cut(shop: Shop, printer: Printer) -> None:
    """The cable is pulled out of a page, half of the times out of a transfer."""
    gone = asyncio.Event()
    printer.sprung = gone.set
    printer.set_trap(Trap(nth=_CONFIRMED, stall=shop.rng.random() < 0.5))
    try:
        await shop.command("peripherals", "test", RAW)
        await shop.until(gone.is_set, lambda: f"no cable was pulled out of {RAW}")
    finally:
        printer.set_trap(None)
    await shop.until_phase(RAW, "lost")
