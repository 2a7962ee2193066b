"""What a search finds, and guesses at what it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from devices.peripherals.model import Category

TEXT_MAX: Final = 120


class Unavailable(Exception):
    """A way can't be searched; the text says why."""


class How(StrEnum):
    """By whose word."""

    USB = "usb"
    SERIAL = "serial"
    INPUT = "input"
    MDNS = "mdns"
    SNMP = "snmp"


@dataclass(frozen=True, slots=True)
class Found:
    """Something that could be configured.

    ``category``: a guess from its name; None when it may be anything.  ``address``: as the settings
    want it.  ``name``: what a person knows it by; ``model``: what it says it is; both may be empty,
    and neither is to be trusted.
    """

    category: Category | None
    address: str
    name: str
    model: str
    how: How


_DISPLAY: Final = r"line ?display|customer ?display|pole ?display|\bdm-?d\d|\bvfd\b|\bcd5220\b"
_SCALE: Final = r"scale|\bwaage\b|mettler|toledo|\bdibal\b|\bbizerba\b|\bcas_?(pd|ad|er)\b"
_SCANNER: Final = (
    r"scan|bar ?code|datalogic|honeywell|symbol|metrologic|newland|zebex|opticon|gryphon"
    r"|magellan|quickscan|voyager|\bds\d{4}|\bls\d{4}|\bhid ?pos"
)
_PRINTER: Final = (
    r"print|receipt|\btm-?[a-z]?\d|\btsp\d|\brp-?\d{2,3}|thermal|bixolon|\bsrp-|citizen"
    r"|\bct-s|epson|star ?micronics|zijiang|\bpos-?(58|80)|zebra|\bzd\d{3}|\bgk\d{3}"
)
_WORDS: Final = (
    (Category.DISPLAY, _DISPLAY),
    (Category.SCALE, _SCALE),
    (Category.SCANNER, _SCANNER),
    (Category.PRINTER, _PRINTER),
)


def guess(*words: str) -> Category | None:
    """From what something is called; scanners are asked before printers: Zebra makes both."""
    text = " ".join(words).replace("_", " ").lower()
    for category, pattern in _WORDS:
        if re.search(pattern, text):
            return category
    return None


def tidy(text: str) -> str:
    """What a stranger says of itself: one line, printable, not too long."""
    shown = "".join(one if one.isprintable() else " " for one in text)
    return " ".join(shown.split())[:TEXT_MAX]
