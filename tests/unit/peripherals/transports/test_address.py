"""An address of the settings leads to a connector, or says what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.peripherals.model import Unfit
from devices.peripherals.transports.address import (
    EXAMPLES,
    AddressInvalid,
    Places,
    connector,
    leads_to,
    place_of,
)
from devices.peripherals.transports.hid import HidConnector
from devices.peripherals.transports.memory import Exchange, MemoryConnector
from devices.peripherals.transports.serial import Line, SerialConnector
from devices.peripherals.transports.tcp import TcpConnector
from devices.peripherals.transports.usblp import Roots, UsbConnector
from devices.peripherals.transports.usbraw import UsbRawConnector

TWINS = Places(exchange=Exchange())


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("tcp://192.0.2.7:9100", "192.0.2.7", 9100),
        ("tcp://192.0.2.7", "192.0.2.7", 9100),
        ("tcp://192.0.2.7:4001/", "192.0.2.7", 4001),
        ("tcp://EPSON-1.local", "epson-1.local", 9100),
        ("tcp://[2001:db8::7]:9100", "2001:db8::7", 9100),
        ("  tcp://192.0.2.7  ", "192.0.2.7", 9100),
    ],
)
def test_a_printer_on_the_network(address: str, host: str, port: int) -> None:
    made = connector(address)
    assert isinstance(made, TcpConnector)
    assert (made.address, made.host, made.port) == (address.strip(), host, port)


def test_a_usb_printer_by_what_it_says_of_itself() -> None:
    made = connector("usb://04B8:0E15/X1%20AB")
    assert isinstance(made, UsbConnector)
    assert (made.vendor, made.product, made.serial) == ("04b8", "0e15", "X1 AB")
    by_port = connector("usb://0416:5011?port=1-1.2")
    assert isinstance(by_port, UsbConnector)
    assert (by_port.serial, by_port.port) == ("", "1-1.2")


def test_a_raw_usb_printer_is_written_like_one_with_a_driver() -> None:
    made = connector("usb-raw://04B8:0E15/X1%20AB")
    assert isinstance(made, UsbRawConnector)
    assert (made.vendor, made.product, made.serial) == ("04b8", "0e15", "X1 AB")
    by_port = connector("usb-raw://0416:5011?port=1-1.2")
    assert isinstance(by_port, UsbRawConnector)
    assert (by_port.serial, by_port.port) == ("", "1-1.2")


@pytest.mark.parametrize(
    ("address", "leads"),
    [
        ("usb-raw://04B8:0e15/X1", True),
        ("usb-raw://04b8:0e15/X2", False),
        ("usb-raw://04b8:0e15?port=1-1", False),
        ("usb-raw://04b8:0e15", True),
        ("usb://04b8:0e15/X1", False),
        ("usb:///dev/usb/lp0", False),
    ],
)
def test_what_moved_as_raw_concerns_raw_addresses_only(address: str, leads: bool) -> None:
    assert leads_to(address, {"usb-raw://04b8:0e15/X1"}) is leads


def test_local_nodes_are_below_the_given_root() -> None:
    places = Places(roots=Roots(dev=Path("/test/dev")))
    printer = connector("usb:///dev/usb/lp0", places)
    assert isinstance(printer, UsbConnector)
    assert printer.node == Path("/test/dev/usb/lp0")
    scanner = connector("hid:///dev/input/by-id/usb-X-event-kbd", places)
    assert isinstance(scanner, HidConnector)
    assert scanner.path == Path("/test/dev/input/by-id/usb-X-event-kbd")


def test_a_serial_line_and_how_to_speak_on_it() -> None:
    plain = connector("serial:///dev/serial/by-id/usb-X")
    assert isinstance(plain, SerialConnector)
    assert plain.line == Line(baud=9600, bits=8, parity="n", stop=1, flow="none")
    odd = connector("serial:///dev/ttyS0?baud=19200&bits=7&parity=E&stop=2&flow=rtscts")
    assert isinstance(odd, SerialConnector)
    assert odd.line == Line(19_200, 7, "e", 2, "rtscts")


def test_a_simulated_twin() -> None:
    assert isinstance(connector("memory://printer-1", TWINS), MemoryConnector)
    with pytest.raises(AddressInvalid, match="no simulated peripherals here"):
        connector("memory://printer-1")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("", "one line"),
        ("printer", "to begin with one of tcp, usb, usb-raw, serial, hid, then"),
        ("http://192.0.2.7", "to begin with"),
        ("tcp://", "name of a host"),
        ("tcp://a b", "name of a host"),
        ("tcp://192.0.2.7:0", "a port from 1 to 65535"),
        ("tcp://192.0.2.7:99999", "a port from 1 to 65535"),
        ("tcp://192.0.2.7:x", "a port from 1 to 65535"),
        ("tcp://192.0.2.7/queue", "nothing but a host and a port"),
        ("tcp://me@192.0.2.7", "nothing but a host and a port"),
        ("tcp://192.0.2.7?baud=9600", "nothing after '?'"),
        ("tcp://[::1", "an address"),
        ("usb://04b8", "four hexadecimal digits"),
        ("usb://04b8:0e1g/1", "four hexadecimal digits"),
        ("usb-raw:///dev/usb/lp0", "four hexadecimal digits each, e.g."),
        ("usb-raw://04b8:0e15?port=1", "a socket such as"),
        ("usb:///dev/lp0", "below /dev/usb/"),
        ("usb:///dev/usb/../mem", "below /dev/usb/"),
        ("usb://04b8:0e15?port=1", "a socket such as"),
        ("serial:///dev/ttyS0?baud=9601", "baud to be one of 1200, 2400"),
        ("serial:///dev/ttyS0?parity=even", "parity to be one of n, e, o"),
        ("serial:///dev/ttyS0?speed=9600", "only baud, bits, parity, stop, flow"),
        ("serial:///dev/ttyS0?baud=9600&baud=9600", "each once"),
        ("serial://ttyS0", "three slashes"),
        ("hid:///dev/input/", "three slashes"),
        ("hid://x#y", "no '#'"),
        ("memory://", "a name of letters"),
    ],
)
def test_a_wrong_one_is_quoted_with_what_was_expected_and_an_example(
    address: str, expected: str
) -> None:
    with pytest.raises(AddressInvalid) as caught:
        connector(address, TWINS)
    text = str(caught.value)
    assert text.startswith(repr(address))
    assert expected in text
    assert any(text.endswith(example) for example in EXAMPLES.values())
    assert isinstance(caught.value, Unfit)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("example", EXAMPLES.values())
def test_every_example_is_right(example: str) -> None:
    assert connector(example, TWINS).address == example


_scheme = st.sampled_from(
    ["tcp://", "usb://", "usb-raw://", "serial://", "hid://", "memory://", ""]
)
_text = st.one_of(st.text(max_size=40), st.text("/:?&=.-[]@%#abc019", max_size=40))


@given(_scheme, _text)
def test_any_text_is_an_address_or_is_refused_with_words(scheme: str, rest: str) -> None:
    try:
        made = connector(scheme + rest, TWINS)
    except AddressInvalid:
        return
    assert made.address == (scheme + rest).strip()


def test_the_place_of_an_address_is_without_how_to_speak_there() -> None:
    line = "serial:///dev/serial/by-id/usb-X"
    assert place_of(f"{line}?baud=9600") == place_of(line) == line
    assert place_of("usb://0416:5011?port=1-1.2") == "usb://0416:5011?port=1-1.2"
    assert place_of("usb://04B8:0E15/X1AB") == "usb://04b8:0e15/X1AB"
    assert place_of("USB-RAW://04B8:0E15/X1AB") == "usb-raw://04b8:0e15/X1AB"
    assert place_of("hid:///dev/a%23b") == place_of("hid:///dev/%61%23b")
