"""What is plugged into the box, by the names that udev and the kernel give it."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from devices.peripherals.finding.found import Found, How, guess, tidy
from devices.peripherals.hotplug import look
from devices.peripherals.model import Category
from devices.peripherals.transports import ieee1284
from devices.peripherals.transports.usblp import Roots, UsbPrinter, usb_printers
from devices.peripherals.transports.usbtree import PluggedPrinter, plugged_printers

_SERIAL: Final = "serial:///dev/serial/by-id/"
_INPUT: Final = "hid:///dev/input/by-id/"
_TAILS: Final = re.compile(r"(-if\d\d)?(-port\d+)?(-event-kbd)?$")


def local(roots: Roots) -> list[Found]:
    """Reads directories only; sorted by kind and address."""
    by_driver = usb_printers(roots)
    ports = {one.port for one in by_driver}
    raw = [one for one in plugged_printers(roots) if one.port not in ports]
    found = [*map(_printer, by_driver), *map(_raw, raw)]
    for address in sorted(look(roots)):
        if address.startswith(_SERIAL):
            name = _spoken(address.removeprefix(_SERIAL))
            found.append(Found(guess(name), address, name, name, How.SERIAL))
        elif address.startswith(_INPUT):
            name = _spoken(address.removeprefix(_INPUT))
            scanner = Category.SCANNER if guess(name) is Category.SCANNER else None
            found.append(Found(scanner, address, name, name, How.INPUT))
    return found


def _printer(one: UsbPrinter) -> Found:
    told = ieee1284.identity(one.ieee1284)
    return _named(one, told.maker or one.maker, told.model or one.model)


def _raw(one: PluggedPrinter) -> Found:
    return _named(one, one.maker, one.model)


def _named(one: UsbPrinter | PluggedPrinter, maker: str, model: str) -> Found:
    whole = tidy(model if model.lower().startswith(maker.lower()) else f"{maker} {model}")
    name = whole or f"USB printer {one.vendor}:{one.product}"
    return Found(Category.PRINTER, one.address, name, whole, How.USB)


def _spoken(name: str) -> str:
    """``usb-Datalogic_Gryphon_S1-if00`` as a person would say it."""
    return tidy(_TAILS.sub("", unquote(name).removeprefix("usb-")).replace("_", " "))
