"""A printer on the network: its bytes, its refusals, and its silences."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

from devices.peripherals.model import Gone, Unreachable
from devices.peripherals.transports import tcp
from devices.peripherals.transports.address import connector
from devices.peripherals.transports.tcp import TcpConnector
from tests.wire.peripherals.plugs import open_fds


class Printer:
    """Listens; what was accepted is the test's to use."""

    def __init__(self, listening: socket.socket) -> None:
        self.listening = listening
        self.port: int = listening.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.accepted: list[socket.socket] = []

    async def accept(self) -> socket.socket:
        sock, _ = await asyncio.get_running_loop().sock_accept(self.listening)
        self.accepted.append(sock)
        return sock


@pytest.fixture
async def printer() -> AsyncIterator[Printer]:
    listening = socket.create_server(("127.0.0.1", 0), backlog=0)
    listening.setblocking(False)
    made = Printer(listening)
    yield made
    for sock in (*made.accepted, listening):
        sock.close()


async def read_all(sock: socket.socket, count: int) -> bytes:
    got = bytearray()
    while len(got) < count:
        data = await asyncio.get_running_loop().sock_recv(sock, 1_000_000)
        assert data
        got += data
    return bytes(got)


async def test_bytes_go_both_ways(printer: Printer) -> None:
    wire = await connector(printer.address).open()
    there = await printer.accept()
    await wire.write(b"\x10\x04\x01")
    assert await read_all(there, 3) == b"\x10\x04\x01"
    there.send(b"\x16")
    assert await wire.read() == b"\x16"
    await wire.close()
    assert await asyncio.get_running_loop().sock_recv(there, 1) == b""


async def test_what_was_written_before_a_close_arrives(printer: Printer) -> None:
    wire = await connector(printer.address).open()
    there = await printer.accept()
    await wire.write(b"r" * 30_000)
    await wire.close()
    assert len(await read_all(there, 30_000)) == 30_000


@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_a_printer_that_ends_the_connection_is_gone(printer: Printer, how: str) -> None:
    wire = await connector(printer.address).open()
    there = await printer.accept()
    reading = asyncio.create_task(wire.read())
    await asyncio.sleep(0.01)
    if how == "reset":
        there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    there.close()
    with pytest.raises(Gone, match="is gone"):
        await reading
    with contextlib.suppress(Gone):
        while True:
            await wire.write(b"x" * 1000)
    await wire.close()


async def test_one_that_listens_on_no_such_port_is_told_with_a_next_step(printer: Printer) -> None:
    printer.listening.close()
    with pytest.raises(Unreachable, match="switch on raw printing"):
        await connector(printer.address).open()


async def test_one_that_never_answers_is_given_up(printer: Printer) -> None:
    # A queue that is full: Linux drops what comes after, as a machine that is switched off does.
    filling = [socket.socket() for _ in range(4)]
    for sock in filling:
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", printer.port))
    before = open_fds()
    with pytest.raises(Unreachable, match="doesn't answer within"):
        await TcpConnector(printer.address, "127.0.0.1", printer.port, 0.2).open()
    opening = asyncio.create_task(connector(printer.address).open())
    await asyncio.sleep(0.05)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert open_fds() <= before
    for sock in filling:
        sock.close()


async def test_a_local_name_is_asked_of_the_network_first(printer: Printer) -> None:
    asked: list[str] = []

    async def resolve(host: str) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    wire = await TcpConnector("tcp://p.local", "p.local", printer.port, resolve=resolve).open()
    await printer.accept()
    await wire.close()
    assert asked == ["p.local"]


async def test_a_name_that_nobody_knows_is_told_with_a_next_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nobody(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    with pytest.raises(Unreachable, match="write the printer's numeric address"):
        await connector("tcp://printer.invalid").open()


async def test_an_idle_line_is_asked_after_by_tcp_itself(printer: Printer) -> None:
    wire = await connector(printer.address).open()
    await printer.accept()
    with socket.socket(fileno=wire.fd) as sock:  # type: ignore[attr-defined]
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        for option, value in tcp.KEEPALIVE.items():
            assert sock.getsockopt(socket.IPPROTO_TCP, option) == value
        sock.detach()
    await wire.close()


async def test_a_printer_without_paper_is_waited_for_however_often_it_is_looked_at(
    printer: Printer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp, "UNANSWERED_MAX", 5)
    made = TcpConnector(printer.address, "127.0.0.1", printer.port, check_every_s=0.02)
    wire = await made.open()
    there = await printer.accept()
    data = bytes(range(256)) * 60_000
    writing = asyncio.create_task(wire.write(data))
    await asyncio.sleep(2)
    assert not writing.done()
    assert await read_all(there, len(data)) == data
    await writing
    await wire.close()


async def test_a_write_that_is_broken_off_sends_no_more(printer: Printer) -> None:
    wire = await connector(printer.address).open()
    there = await printer.accept()
    writing = asyncio.create_task(wire.write(b"x" * 30_000_000))
    await asyncio.sleep(0.05)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await wire.close()
    count = 0
    while data := await asyncio.get_running_loop().sock_recv(there, 1_000_000):
        count += len(data)
    assert 0 < count < 30_000_000


async def test_connections_broken_off_at_any_point_leave_no_descriptor(printer: Printer) -> None:
    before = open_fds()
    for steps in range(20):
        opening = asyncio.create_task(connector(printer.address).open())
        accepting = asyncio.create_task(printer.accept())
        for _ in range(steps):
            await asyncio.sleep(0)
        opening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await (await opening).close()
        accepting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            (await accepting).close()
    assert open_fds() <= before
