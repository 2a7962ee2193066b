"""Reads a peripheral's address from the settings.

====================================================  ==========================================
``tcp://192.0.2.7:9100``                              raw port of a printer, 9100 if left out
``tcp://printer.local``                               by its name in the shop's network
``usb://04b8:0e15/X1AB012345``                        USB printer: vendor, product, serial number
``usb://0416:5011?port=1-1.2``                        the same by its socket
``usb:///dev/usb/lp0``                                USB printer by its node
``usb-raw://04b8:0e15/X1AB012345``                    USB printer without the driver usblp; also
                                                      ``?port=1-1.2``
``serial:///dev/serial/by-id/usb-…?baud=9600``        serial line; also ``bits``, ``parity`` (n, e,
                                                      o), ``stop``, ``flow`` (none, rtscts, xonxoff)
``hid:///dev/input/by-id/usb-…-event-kbd``            scanner that is a keyboard
``memory://NAME``                                     simulated twin in this process
====================================================  ==========================================
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from devices.peripherals.model import Connector, Unfit
from devices.peripherals.transports.hid import HidConnector
from devices.peripherals.transports.memory import Exchange
from devices.peripherals.transports.serial import BAUDS, Flow, Line, Parity, SerialConnector
from devices.peripherals.transports.tcp import DEFAULT_PORT, Resolve, TcpConnector
from devices.peripherals.transports.usblp import SYSTEM, Roots, UsbConnector
from devices.peripherals.transports.usbraw import UsbRawConnector

ADDRESS_MAX: Final = 400
EXAMPLES: Final = {
    "tcp": "tcp://192.0.2.7:9100",
    "usb": "usb://04b8:0e15/X1AB012345",
    "usb-raw": "usb-raw://04b8:0e15/X1AB012345",
    "serial": "serial:///dev/serial/by-id/usb-FTDI_FT232R_A50285BI-if00-port0?baud=9600",
    "hid": "hid:///dev/input/by-id/usb-Datalogic_Scanner-event-kbd",
    "memory": "memory://printer-1",
}
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?")
_USB_ID = re.compile(r"([0-9a-f]{4}):([0-9a-f]{4})")
_USB_EXACT = re.compile(r"usb(-raw)?://([^/]+/.+|[^/?]+\?port=.+|/dev/.+)")
_USB: Final = frozenset({"usb", "usb-raw"})
_USB_PORT = re.compile(r"\d{1,3}-\d{1,3}(\.\d{1,3}){0,6}")
_PLAIN = "/:-._~+,=@!$'()*;&[]"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

T = TypeVar("T")


class AddressInvalid(Unfit, ValueError):
    """The text quotes the address, says what was expected and gives an example."""

    def __init__(self, address: str, expected: str, scheme: str = "tcp") -> None:
        shown = address if len(address) <= ADDRESS_MAX else address[:ADDRESS_MAX] + "…"
        super().__init__(f"{shown!r}: expected {expected}, e.g. {EXAMPLES[scheme]}")


@dataclass(frozen=True, slots=True)
class Places:
    """What addresses lead into besides the network: the system's devices and simulated twins."""

    roots: Roots = SYSTEM
    exchange: Exchange | None = None
    resolve: Resolve | None = None


def connector(address: str, places: Places | None = None) -> Connector:
    """What opens it; opens nothing yet.  Errors: :class:`AddressInvalid`."""
    places = places or Places()
    text = address.strip()
    if not text or len(text) > ADDRESS_MAX or not text.isprintable():
        raise AddressInvalid(address, f"one line of 1 to {ADDRESS_MAX} characters")
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise AddressInvalid(address, f"an address ({error})") from error
    if parts.fragment:
        raise AddressInvalid(address, "no '#' (write %23)", _scheme(parts))
    match parts.scheme:
        case "tcp":
            return _tcp(text, parts, places)
        case "usb":
            return _usb(text, parts, places)
        case "usb-raw":
            return _usb_raw(text, parts, places)
        case "serial":
            return _serial(text, parts, places)
        case "hid":
            return _hid(text, parts, places)
        case "memory":
            return _memory(text, parts, places)
        case _:
            real = [scheme for scheme in EXAMPLES if scheme != "memory"]
            raise AddressInvalid(address, f"to begin with one of {_either(real)}, then '://'")


def place_of(address: str) -> str:
    """One spelling of the address, without how to speak there (baud and so on): for comparing it
    with another, and with what hotplug tells."""
    head, _, query = address.strip().partition("?")
    scheme, _, rest = head.partition("://")
    place = f"{scheme.lower()}://{quote(unquote(rest), safe=_PLAIN)}"
    if (kind := scheme.lower()) in _USB:
        vendor_product, slash, serial = place.removeprefix(f"{kind}://").partition("/")
        place = f"{kind}://{vendor_product.lower()}{slash}{serial}"
        return f"{place}?{query}" if query else place
    return place


def leads_to(address: str, moved: Collection[str]) -> bool:
    """Whether what came or went (as hotplug tells it) may be what the address leads to.

    An address that is no lasting name, such as ``/dev/ttyUSB0``, may lead to any of its kind.
    """
    place = place_of(address)
    kind = place.partition("://")[0]
    if place in moved or kind not in {"usb", "usb-raw", "serial", "hid"}:
        return place in moved
    lasting = "/by-id/" in place or (kind in _USB and bool(_USB_EXACT.fullmatch(place)))
    return not lasting and any(one.startswith(f"{kind}://") for one in moved)


def _scheme(parts: SplitResult) -> str:
    return parts.scheme if parts.scheme in EXAMPLES else "tcp"


def _tcp(address: str, parts: SplitResult, places: Places) -> TcpConnector:
    _options(address, parts, ())
    try:
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise AddressInvalid(address, "a port from 1 to 65535") from error
    if port == 0:
        raise AddressInvalid(address, "a port from 1 to 65535")
    bracketed = ":" in host
    if parts.path not in {"", "/"} or parts.username is not None:
        raise AddressInvalid(address, "nothing but a host and a port")
    if not bracketed and (not _HOST.fullmatch(host) or ".." in host):
        raise AddressInvalid(address, "the numeric address or the name of a host")
    return TcpConnector(address, host, port or DEFAULT_PORT, resolve=places.resolve)


def _usb(address: str, parts: SplitResult, places: Places) -> UsbConnector:
    if not parts.netloc:
        _options(address, parts, ())
        node = _path(address, parts, "/dev/usb/", "usb")
        return UsbConnector(address, node=_rooted(node, places.roots), roots=places.roots)
    vendor, product, serial, port = _usb_ids(address, parts, "usb", ", or a node")
    return UsbConnector(
        address, vendor=vendor, product=product, serial=serial, port=port, roots=places.roots
    )


def _usb_raw(address: str, parts: SplitResult, places: Places) -> UsbRawConnector:
    vendor, product, serial, port = _usb_ids(address, parts, "usb-raw")
    return UsbRawConnector(address, vendor, product, serial, port, roots=places.roots)


def _usb_ids(
    address: str, parts: SplitResult, scheme: str, otherwise: str = ""
) -> tuple[str, str, str, str]:
    """Vendor, product, serial number and socket; the last two may be empty."""
    if (ids := _USB_ID.fullmatch(parts.netloc.lower())) is None:
        expected = f"vendor and product as four hexadecimal digits each{otherwise}"
        raise AddressInvalid(address, expected, scheme)
    port = _options(address, parts, ("port",), scheme).get("port", "")
    if port and not _USB_PORT.fullmatch(port):
        raise AddressInvalid(address, "a socket such as port=1-1.2", scheme)
    return ids[1], ids[2], unquote(parts.path.removeprefix("/")), port


def _rooted(path: str, roots: Roots) -> Path:
    dev = Path("/dev")
    return roots.dev / Path(path).relative_to(dev) if dev in Path(path).parents else Path(path)


def _serial(address: str, parts: SplitResult, places: Places) -> SerialConnector:
    path = _rooted(_path(address, parts, "/", "serial"), places.roots)
    options = _options(address, parts, ("baud", "bits", "parity", "stop", "flow"), "serial")

    def chosen(name: str, allowed: Iterable[T], default: T) -> T:
        if name not in options:
            return default
        known = {str(one): one for one in allowed}
        if (told := options[name].lower()) not in known:
            raise AddressInvalid(address, f"{name} to be one of {_either(known)}", "serial")
        return known[told]

    parities: tuple[Parity, ...] = ("n", "e", "o")
    flows: tuple[Flow, ...] = ("none", "rtscts", "xonxoff")
    defaults = Line()
    line = Line(
        baud=chosen("baud", BAUDS, defaults.baud),
        bits=chosen("bits", (7, 8), defaults.bits),
        parity=chosen("parity", parities, defaults.parity),
        stop=chosen("stop", (1, 2), defaults.stop),
        flow=chosen("flow", flows, defaults.flow),
    )
    return SerialConnector(address, str(path), line)


def _hid(address: str, parts: SplitResult, places: Places) -> HidConnector:
    _options(address, parts, (), "hid")
    return HidConnector(address, _rooted(_path(address, parts, "/", "hid"), places.roots))


def _memory(address: str, parts: SplitResult, places: Places) -> Connector:
    _options(address, parts, (), "memory")
    if parts.path not in {"", "/"} or not _NAME.fullmatch(parts.netloc):
        raise AddressInvalid(address, "a name of letters, digits, '-', '_' and '.'", "memory")
    if places.exchange is None:
        raise AddressInvalid(address, "a real one: there are no simulated peripherals here")
    return places.exchange.connector(parts.netloc, address)


def _path(address: str, parts: SplitResult, below: str, scheme: str) -> str:
    path = unquote(parts.path)
    if parts.netloc or not path.startswith(below) or ".." in path.split("/") or path[-1] == "/":
        raise AddressInvalid(address, f"three slashes and a path below {below}", scheme)
    return path


def _options(
    address: str, parts: SplitResult, known: tuple[str, ...], scheme: str = "tcp"
) -> dict[str, str]:
    try:
        told = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=16)
    except ValueError as error:
        raise AddressInvalid(address, "at most a few options", scheme) from error
    options = dict(told)
    strange = sorted(options.keys() - set(known))
    if strange or len(options) != len(told):
        allowed = f"only {_either(known)}, each once" if known else "nothing"
        raise AddressInvalid(address, f"{allowed} after '?'", scheme)
    return options


def _either(names: Iterable[str]) -> str:
    return ", ".join(names)
