"""Printers that answer SNMP are found; what else answers, and how, does no harm."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devices.peripherals.finding import Found, How, find
from devices.peripherals.finding.found import Unavailable
from devices.peripherals.finding.search import Scope
from devices.peripherals.finding.snmp import HR_DEVICE_DESCR, SYS_DESCR, snmp_printers
from devices.peripherals.model import Category
from devices.peripherals.transports.usblp import Roots
from tests.wire.peripherals.plugs import open_fds

v1 = pytest.importorskip("pysnmp.proto.api").v1
decoder = pytest.importorskip("pyasn1.codec.ber.decoder")
encoder = pytest.importorskip("pyasn1.codec.ber.encoder")


class Agent(asyncio.DatagramProtocol):
    """Answers what it is told; ``raw`` instead of an answer."""

    def __init__(self) -> None:
        self.told: dict[str, bytes] = {}
        self.raw: list[bytes] = []
        self.asked: list[str] = []
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self.transport is not None
        message, _ = decoder.decode(data, asn1Spec=v1.Message())
        assert str(v1.apiMessage.get_community(message)) == "public"
        ((oid, _),) = v1.apiPDU.get_varbinds(v1.apiMessage.get_pdu(message))
        self.asked.append(str(oid))
        for one in self.raw:
            self.transport.sendto(one, addr)
        answer = v1.apiMessage.get_response(message)
        pdu = v1.apiMessage.get_pdu(answer)
        if str(oid) in self.told:
            v1.apiPDU.set_varbinds(pdu, [(oid, v1.OctetString(self.told[str(oid)]))])
        else:
            v1.apiPDU.set_error_status(pdu, 2)  # noSuchName
        self.transport.sendto(encoder.encode(answer), addr)


@pytest.fixture
async def agent() -> AsyncIterator[Agent]:
    loop = asyncio.get_running_loop()
    transport, made = await loop.create_datagram_endpoint(Agent, local_addr=("127.0.0.1", 0))
    yield made
    transport.close()


async def answers(agent: Agent, wanted: int = 1) -> list[Found]:
    """As soon as so many are found."""
    assert agent.transport is not None
    target = agent.transport.get_extra_info("sockname")
    for _ in range(20):
        found = await snmp_printers(0.5, [target])
        if len(found) >= wanted and len(agent.asked) >= 4:
            break
    return found


@pytest.mark.parametrize(
    ("told", "model"),
    [
        ({SYS_DESCR: b"EPSON TM-T88VI"}, "EPSON TM-T88VI"),
        ({SYS_DESCR: b"Linux 3.4", HR_DEVICE_DESCR: b"Star TSP654II"}, "Star TSP654II"),
        ({HR_DEVICE_DESCR: b"Bixolon\r\n SRP-350\xff"}, "Bixolon SRP-350\ufffd"),
    ],
)
async def test_a_printer_is_found_by_either_of_its_descriptions(
    agent: Agent, told: dict[str, bytes], model: str
) -> None:
    agent.told = told
    printer = Found(Category.PRINTER, "tcp://127.0.0.1:9100", model, model, How.SNMP)
    assert await answers(agent) == [printer]
    assert set(agent.asked) == {SYS_DESCR, HR_DEVICE_DESCR}


async def test_switches_and_scanners_that_answer_are_no_printers(agent: Agent) -> None:
    agent.told = {SYS_DESCR: b"Cisco IOS Software, C2960"}
    assert await answers(agent, wanted=0) == []


async def test_bytes_that_are_no_answer_are_passed_over(agent: Agent) -> None:
    agent.raw = [b"", b"\x30", b"\x30\x84\xff\xff\xff\xff", os.urandom(1400), b"\x30\x80" * 1000]
    agent.told = {SYS_DESCR: b"EPSON TM-T88VI"}
    assert len(await answers(agent)) == 1


async def test_a_search_names_the_printer_that_mdns_left_without_a_model(
    agent: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def by_mdns(*_: object) -> list[Found]:
        return [Found(Category.PRINTER, "tcp://127.0.0.1:9100", "Counter", "", How.MDNS)]

    monkeypatch.setattr("devices.peripherals.finding.search.mdns_printers", by_mdns)
    agent.told = {SYS_DESCR: b"EPSON TM-T88VI"}
    assert agent.transport is not None
    scope = Scope(
        roots=Roots(tmp_path, tmp_path),
        snmp_targets=(agent.transport.get_extra_info("sockname"),),
    )
    found: list[Found] = []
    for _ in range(20):
        found = await find(0.5, scope)
        if found[0].model:
            break
    assert found == [
        Found(Category.PRINTER, "tcp://127.0.0.1:9100", "Counter", "EPSON TM-T88VI", How.MDNS)
    ]


async def test_without_pysnmp_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pysnmp.proto.api", None)
    with pytest.raises(Unavailable, match="pysnmp is missing"):
        await snmp_printers(0.1, [])


async def test_a_search_that_is_cancelled_leaves_no_socket(agent: Agent) -> None:
    await snmp_printers(0.01, [])
    before = open_fds()
    for steps in (0, 1, 2, 5, 50):
        searching = asyncio.create_task(snmp_printers(3600, []))
        for _ in range(steps):
            await asyncio.sleep(0)
        searching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await searching
    async with asyncio.timeout(30):
        while open_fds() > before:
            await asyncio.sleep(0.01)
