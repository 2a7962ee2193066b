"""What is plugged in and what announces itself is found, with an address that the settings take."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from zeroconf import IPVersion, ServiceInfo
from zeroconf.asyncio import AsyncZeroconf

from devices import announced
from devices.peripherals.finding import Found, How, find
from devices.peripherals.finding.found import Unavailable
from devices.peripherals.finding.mdns import LPD, RAW, mdns_printers, resolve_local
from devices.peripherals.finding.search import Scope
from devices.peripherals.model import Category
from devices.peripherals.transports.address import Places, connector
from tests.wire.peripherals.plugs import Box, open_fds

LOOPBACK = ("127.0.0.1",)
ME = f"t{os.getpid()}"
SEARCH_S = 2.0


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


class Network:
    """Printers that announce themselves on this machine's loopback, under this process's names."""

    def __init__(self, stack: AsyncZeroconf) -> None:
        self.stack = stack

    async def announce(
        self, type_: str, name: str, port: int, ip: str, **told: str | bytes
    ) -> None:
        info = ServiceInfo(
            type_,
            f"{ME} {name}.{type_}",
            port=port,
            addresses=[socket.inet_aton(ip)],
            server=f"{ME}-{name.replace(' ', '-')}.local.",
            properties=told,
        )
        await (await self.stack.async_register_service(info))


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    stack = AsyncZeroconf(interfaces=list(LOOPBACK), ip_version=IPVersion.V4Only)
    yield Network(stack)
    await stack.async_unregister_all_services()
    await stack.async_close()


async def mine(wanted: int) -> list[Found]:
    """What this process announces, as soon as that much of it is found."""
    for _ in range(10):
        found = [one for one in await mdns_printers(SEARCH_S, LOOPBACK) if ME in one.name]
        if len(found) >= wanted:
            break
    return found


async def test_printers_that_announce_themselves_are_found_once_for_each_address(
    network: Network,
) -> None:
    await asyncio.gather(
        network.announce(RAW, "Counter", 9100, "192.0.2.7", ty="EPSON TM-m30II"),
        network.announce(LPD, "Counter", 515, "192.0.2.7", ty="EPSON TM-m30II"),
        network.announce(LPD, "Office", 515, "192.0.2.8", usb_MFG="Star", usb_MDL="TSP100"),
        network.announce(LPD, "Old", 0, "192.0.2.9", product="(Old\x07 Printer)"),
    )

    found = sorted(await mine(3), key=lambda one: one.address)

    printer, how = Category.PRINTER, How.MDNS
    assert found == [
        Found(printer, "tcp://192.0.2.7:9100", f"{ME} Counter", "EPSON TM-m30II", how),
        Found(printer, "tcp://192.0.2.8:9100", f"{ME} Office", "Star TSP100", how),
        Found(printer, "tcp://192.0.2.9:9100", f"{ME} Old", "Old Printer", how),
    ]
    for one in found:
        assert connector(one.address).address == one.address


async def test_an_answer_that_is_no_text_is_survived(network: Network) -> None:
    await network.announce(RAW, "Odd", 9101, "192.0.2.7", ty=b"\xff\xfe\x00")
    (one,) = await mine(1)
    assert one.address == "tcp://192.0.2.7:9101"
    assert one.model.isprintable()


async def test_the_name_of_a_printer_is_resolved_by_asking_the_network(network: Network) -> None:
    await network.announce(RAW, "Counter", 9100, "192.0.2.7")
    told: list[str] = []
    for _ in range(10):
        told = await resolve_local(f"{ME}-Counter.local", LOOPBACK)
        if told:
            break
    assert told == ["192.0.2.7"]


async def test_a_printer_without_a_node_is_found_by_its_raw_address_and_others_once(
    box: Box,
) -> None:
    box.usb_printer("lp0", "1-1", "04b8:0e15", "X1", "TM-T88V")
    box.raw_printer("1-1", 5, "04b8:0e15", "X1", "TM-T88V", driver="usblp")
    box.raw_printer("1-2", 6, "0416:5011", model="POS-58")
    box.raw_printer("1-3", 7, "04b8:0e15", "X2")

    found = await find(5.0, Scope(roots=box.roots, network=False))

    assert [(one.category, one.address, one.name, one.how) for one in found] == [
        (Category.PRINTER, "usb://04b8:0e15/X1", "TM-T88V", How.USB),
        (Category.PRINTER, "usb-raw://0416:5011?port=1-2", "POS-58", How.USB),
        (Category.PRINTER, "usb-raw://04b8:0e15/X2", "USB printer 04b8:0e15", How.USB),
    ]
    for one in found:
        assert connector(one.address).address == one.address


async def test_what_is_plugged_in_is_found_with_the_addresses_that_last(box: Box) -> None:
    box.usb_printer("lp0", "1-1", "04b8:0e15", "X1 AB", "TM-T88V")
    box.usb_printer("lp1", "1-2", "0416:5011")
    scanner = "usb-Datalogic_Gryphon#1_S1-if00"
    box.link(f"serial/by-id/{scanner}", box.node("ttyACM0"))
    box.link("serial/by-id/usb-FTDI_UART_A5-if00-port0", box.node("ttyUSB0"))
    box.link("input/by-id/usb-Honeywell_Voyager-event-kbd", box.node("input/event3"))
    box.link("input/by-id/usb-Epson_Keyboard-event-kbd", box.node("input/event4"))

    found = await find(5.0, Scope(roots=box.roots, network=False))

    told = [(one.category, one.address, one.name, one.how) for one in found]
    serial, by_input = "serial:///dev/serial/by-id", "hid:///dev/input/by-id"
    printer = Category.PRINTER
    assert told == [
        (printer, "usb://04b8:0e15/X1%20AB", "TM-T88V", How.USB),
        (printer, "usb://0416:5011?port=1-2", "USB printer 0416:5011", How.USB),
        (None, f"{by_input}/usb-Epson_Keyboard-event-kbd", "Epson Keyboard", How.INPUT),
        (
            Category.SCANNER,
            f"{by_input}/usb-Honeywell_Voyager-event-kbd",
            "Honeywell Voyager",
            How.INPUT,
        ),
        (
            Category.SCANNER,
            f"{serial}/usb-Datalogic_Gryphon%231_S1-if00",
            "Datalogic Gryphon#1 S1",
            How.SERIAL,
        ),
        (None, f"{serial}/usb-FTDI_UART_A5-if00-port0", "FTDI UART A5", How.SERIAL),
    ]
    for one in found:
        made = connector(one.address, Places(roots=box.roots))
        assert made.address == one.address
    there = connector(found[4].address, Places(roots=box.roots))
    assert Path(there.path).exists()  # type: ignore[attr-defined]


async def test_a_usb_printer_is_called_what_its_device_id_says(box: Box) -> None:
    box.usb_printer("lp0", "1-1", "0519:0003", "22", "Star TSP143")
    interface = box.root / "sys" / "devices" / "1-1" / "1-1:1.0" / "ieee1284_id"
    interface.write_text("MFG:Star;CMD:STAR;MDL:TSP143 (STR_T-001);CLS:PRINTER;")
    (one,) = await find(5.0, Scope(roots=box.roots, network=False))
    assert one.model == "Star TSP143 (STR_T-001)"


async def test_a_network_that_cannot_be_asked_is_told_and_the_rest_is_found(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> AsyncZeroconf:
        raise OSError(98, "Address already in use")

    monkeypatch.setattr(announced, "AsyncZeroconf", refused)
    box.usb_printer("lp0", "1-1")
    notes: list[str] = []
    found = await find(0.2, Scope(roots=box.roots, snmp_targets=()), notes.append)
    assert len(found) == 1
    assert notes == ["the network by mDNS can't be searched: [Errno 98] Address already in use"]
    with pytest.raises(Unavailable):
        await mdns_printers(0.2)
    assert await resolve_local("x.local") == []


async def test_a_search_that_is_cancelled_leaves_nothing_open(box: Box) -> None:
    scope = Scope(roots=box.roots, interfaces=LOOPBACK, snmp_targets=())
    await find(0.1, scope)
    before = open_fds()
    for steps in (0, 1, 3, 10, 100):
        searching = asyncio.create_task(find(3600, scope))
        for _ in range(steps):
            await asyncio.sleep(0)
        searching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await searching
    async with asyncio.timeout(30):
        while open_fds() > before:
            await asyncio.sleep(0.01)
