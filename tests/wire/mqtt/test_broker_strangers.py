"""Connections that never become a client are closed by the hub, long before Mosquitto would."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace

import pytest

from hub.mqtt.childsockets import ChildSockets, Connection
from hub.mqtt.config import BrokerLimits
from hub.mqtt.strangers import Patience
from hub.mqtt.supervisor import BrokerState
from tests.wire.mqtt.broker_shop import Shop, make_supervisor

CLOSED_WITHIN_S = 45.0  # Mosquitto itself takes 90 s
HALF_CONNECT = b"\x10\x22\x00\x04MQ"
HALF_HELLO = b"\x16\x03\x01\x02\x00\x01"


def lends() -> bool:
    """Whether this machine's kernel, or the container's filter, knows pidfd_getfd."""
    with socket.socket():
        sockets = ChildSockets(os.getpid())
        try:
            sockets.connections()
        except OSError as error:
            return error.errno not in (errno.EPERM, errno.ENOSYS)
        finally:
            sockets.close()
    return True


needs_pidfd_getfd = pytest.mark.skipif(not lends(), reason="pidfd_getfd is not permitted here")


def connect_packet(username: str, password: str) -> bytes:
    """CONNECT of MQTT 3.1.1 with a clean session and a keep-alive of 60 s."""
    fields = b"".join(
        len(text).to_bytes(2, "big") + text.encode() for text in (username, username, password)
    )
    body = b"\x00\x04MQTT\x04\xc2\x00\x3c" + fields
    return bytes((0x10, len(body))) + body


@dataclass
class Line:
    """An open connection that knows when the broker has closed it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    said: bytes = b""

    async def until_closed(self) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while more := await self.reader.read(4096):
                self.said += more


@contextlib.asynccontextmanager
async def line(
    host: str, port: int | None, said: bytes = b"", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Line]:
    name = "localhost" if tls else None
    reader, writer = await asyncio.open_connection(host, port, ssl=tls, server_hostname=name)
    try:
        writer.write(said)
        yield Line(reader, writer)
    finally:
        writer.transport.abort()


@pytest.fixture
def everywhere(shop_on_paper: Shop) -> Shop:
    """Listens on IPv4 and IPv6, as in a shop."""
    shop_on_paper.plan = replace(shop_on_paper.plan, bind="")
    shop_on_paper.add("tablet-1")
    return shop_on_paper


def _hosts() -> Iterator[str]:
    yield "127.0.0.1"
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        yield "::1"


@needs_pidfd_getfd
async def test_every_kind_of_silence_ends_and_a_slow_client_stays(everywhere: Shop) -> None:
    shop, authority = everywhere, everywhere.authority
    password, mtls = shop.plan.password_port, shop.plan.mtls_port
    tls = authority.client_context()
    device = authority.client_context(authority.issue_device("tablet-1"))
    shop.supervisor = make_supervisor(shop)
    shop.supervisor._patience = Patience(connect_s=15.0, dripping_s=18.0)  # a busy machine is slow
    shop.supervisor.start()
    try:
        await shop.connect()
        async with contextlib.AsyncExitStack() as stack:
            slow = await stack.enter_async_context(line("127.0.0.1", password, tls=tls))
            strangers = [
                await stack.enter_async_context(one)
                for one in (
                    *(line(host, port) for host in _hosts() for port in (password, mtls)),
                    line("127.0.0.1", password, HALF_HELLO),
                    line("127.0.0.1", mtls, HALF_HELLO),
                    line("127.0.0.1", password, tls=tls),
                    line("127.0.0.1", password, HALF_CONNECT, tls),
                    line("127.0.0.1", mtls, HALF_CONNECT, device),
                )
            ]
            await asyncio.sleep(5)
            slow.writer.write(connect_packet("till-1", shop.passwords["till-1"]))
            async with asyncio.timeout(CLOSED_WITHIN_S):
                assert await slow.reader.readexactly(4) == b"\x20\x02\x00\x00"
                await asyncio.gather(*(one.until_closed() for one in strangers))
            slow.writer.write(b"\xc0\x00")
            async with asyncio.timeout(CLOSED_WITHIN_S):
                assert await slow.reader.readexactly(2) == b"\xd0\x00"
    finally:
        await shop.stop()


@needs_pidfd_getfd
async def test_places_come_back_while_the_strangers_still_hold_on(shop_on_paper: Shop) -> None:
    shop = shop_on_paper
    shop.plan = replace(shop.plan, limits=BrokerLimits(password_connections=5))
    shop.supervisor = make_supervisor(shop)
    shop.supervisor._patience = Patience(connect_s=2.0, dripping_s=5.0)
    shop.supervisor.start()
    try:
        await shop.connect()
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(20):
                await stack.enter_async_context(line("127.0.0.1", shop.plan.password_port))
            async with asyncio.timeout(60):
                while not await _let_in(shop):
                    await asyncio.sleep(0.2)
    finally:
        await shop.stop()


async def _let_in(shop: Shop) -> bool:
    """Whether there is a place for the till."""
    tls = shop.authority.client_context()
    try:
        async with asyncio.timeout(10), line("127.0.0.1", shop.plan.password_port, tls=tls) as till:
            till.writer.write(connect_packet("till-1", shop.passwords["till-1"]))
            return await till.reader.readexactly(4) == b"\x20\x02\x00\x00"
    except (TimeoutError, OSError, asyncio.IncompleteReadError):
        return False


async def test_without_the_permission_the_shop_runs_and_says_once_what_it_means(
    shop_on_paper: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(self: ChildSockets, fd: int, inode: int) -> object:
        raise PermissionError(errno.EPERM, "pidfd_getfd: Operation not permitted")

    monkeypatch.setattr(ChildSockets, "_lend", refused)
    shop = shop_on_paper
    await shop.start()
    try:
        await shop.connect()
        async with asyncio.timeout(30):
            while not shop.supervisor.status.caution:
                await asyncio.sleep(0.02)
        first = shop.supervisor.status
        assert (first.state, first.reason) == (BrokerState.RUNNING, "")
        shop.supervisor.restart("the test wants it")
        async with asyncio.timeout(30):
            while shop.supervisor.status.pid in (None, first.pid) or shop.session.connects < 2:
                await asyncio.sleep(0.02)
            while not shop.supervisor.status.caution:
                await asyncio.sleep(0.02)
        async with shop.password_peer("till-1") as till:
            assert await till.connected == "Success"
    finally:
        await shop.stop()

    warnings = [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.WARNING and "pidfd_getfd" in record.getMessage()
    ]
    assert warnings == [first.caution]
    assert "90 s" in first.caution


LISTENER = """
import socket, sys
with socket.create_server((sys.argv[1], 0), family=int(sys.argv[2])) as server:
    print(server.getsockname()[1], flush=True)
    held = [server.accept()[0], server.accept()[0]]
    held.append(socket.socketpair())
    print("held", flush=True)
    print(held[0].recv(1), flush=True)
    sys.stdin.read()
"""


@pytest.fixture(params=[("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def family(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    host, number = request.param
    with contextlib.suppress(OSError), socket.create_server((host, 0), family=number):
        yield host, int(number)
        return
    pytest.skip(f"no {host} here")


@needs_pidfd_getfd
async def test_a_childs_connection_is_found_by_its_address_and_ended(
    family: tuple[str, int],
) -> None:
    host, number = family
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LISTENER, host, str(number), stdin=pipe, stdout=pipe
    )
    assert child.stdout is not None
    assert child.stdin is not None
    sockets = ChildSockets(child.pid)
    try:
        port = int(await child.stdout.readline())
        async with line(host, port) as first, line(host, port) as second:
            assert await child.stdout.readline() == b"held\n"
            found = sockets.connections()
            assert sockets.connections() == found
            own = first.writer.get_extra_info("sockname")
            (one,) = (it for it in found if it.host_port == own[1])
            assert (one.host, one.listener_port, len(found)) == (host, port, 2)

            assert not sockets.end(one, lambda heard: heard.received_bytes > 0)
            assert not sockets.end(replace(one, inode=one.inode + 1), lambda heard: True)
            assert not sockets.end(replace(one, fd=999), lambda heard: True)
            assert sockets.end(one, lambda heard: heard.unread_bytes == 0)
            async with asyncio.timeout(30):
                assert await child.stdout.readline() == b"b''\n"
                assert await first.reader.read() == b""

            second.writer.write(b"abc")
            (other,) = (it for it in found if it != one)
            async with asyncio.timeout(30):
                while not _has_unread(sockets, other, 3):
                    await asyncio.sleep(0.01)
        child.stdin.close()
        async with asyncio.timeout(30):
            await child.wait()
        with pytest.raises((ProcessLookupError, FileNotFoundError)):
            sockets.connections()
    finally:
        sockets.close()
        if child.returncode is None:
            child.kill()
            await child.wait()


def _has_unread(sockets: ChildSockets, one: Connection, count: int) -> bool:
    seen: list[bool] = []

    def look(heard: object) -> bool:
        seen.append(getattr(heard, "unread_bytes", 0) == count)
        return False

    sockets.end(one, look)
    return seen == [True]
