"""What a printer says of itself: ``MFG:EPSON;MDL:TM-T20II;…`` (IEEE 1284-2000, 7.6)."""

from __future__ import annotations

from typing import Final, Protocol, runtime_checkable

from devices.peripherals.model import Identity, Wire

TEXT_MAX: Final = 64


@runtime_checkable
class Introduces(Protocol):
    """A wire whose other side has said who it is."""

    @property
    def identity(self) -> Identity:
        """Known once it is open; empty where it says nothing."""


def introduced(wire: Wire) -> Identity:
    """What is known of the other side of a wire without asking it."""
    return wire.identity if isinstance(wire, Introduces) else Identity()


def fields(device_id: str) -> dict[str, str]:
    """By their keys; the first of each counts."""
    told: dict[str, str] = {}
    for part in device_id.split(";"):
        key, colon, value = part.partition(":")
        if colon:
            told.setdefault(key.strip().upper(), value.strip())
    return told


def identity(device_id: str, serial: str = "") -> Identity:
    """``serial``: from elsewhere, for printers that don't tell it here."""
    told = fields(device_id)

    def one(*keys: str) -> str:
        text = next((told[key] for key in keys if told.get(key)), "")
        return "".join(sign for sign in text if sign.isprintable())[:TEXT_MAX]

    return Identity(
        maker=one("MFG", "MANUFACTURER"),
        model=one("MDL", "MODEL"),
        serial=one("SN", "SERN", "SERIALNUMBER") or serial[:TEXT_MAX],
    )
