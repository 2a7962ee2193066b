"""The cable that can be cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from scripts.rig import Wire

PATIENCE_S = 60.0


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while said := await reader.read(1000):
            writer.write(said.upper())
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    """A wire to somebody who answers in capitals."""
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, Wire(server.sockets[0].getsockname()[1]) as it:
        yield it


@asynccontextmanager
async def connection(
    wire: Wire,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(b"hello")
    async with asyncio.timeout(PATIENCE_S):
        return await reader.read(1000)


async def ends(reader: asyncio.StreamReader) -> bool:
    """Whether nothing more comes: an end of file, or a reset."""
    async with asyncio.timeout(PATIENCE_S):
        try:
            return await reader.read(1) == b""
        except ConnectionError:
            return True


async def test_a_whole_wire_carries_both_ways(wire: Wire) -> None:
    async with connection(wire) as whole:
        assert await answered(*whole) == b"HELLO"
        assert wire.connections == 1


async def test_a_cut_wire_breaks_what_is_open_and_refuses_what_is_new(wire: Wire) -> None:
    async with connection(wire) as (reader, writer):
        assert await answered(reader, writer) == b"HELLO"
        wire.cut()
        assert await ends(reader)
    async with connection(wire) as (reader, _):
        assert await ends(reader)
    wire.mend()
    async with connection(wire) as whole:
        assert await answered(*whole) == b"HELLO"
    assert wire.cuts == 1


async def test_a_stranded_connection_is_silent_and_new_ones_work(wire: Wire) -> None:
    async with connection(wire) as (reader, writer), connection(wire) as more:
        assert await answered(reader, writer) == b"HELLO"
        assert await answered(*more) == b"HELLO"
        wire.strand()
        writer.write(b"anybody?")
        async with connection(wire) as fresh:
            assert await answered(*fresh) == b"HELLO"
        assert not reader.at_eof()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await reader.read(1)


async def test_a_frozen_wire_keeps_everything_until_it_is_mended(wire: Wire) -> None:
    async with connection(wire) as (reader, writer):
        wire.freeze()
        writer.write(b"late")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await reader.read(1)
        wire.mend()
        async with asyncio.timeout(PATIENCE_S):
            assert await reader.read(1000) == b"LATE"
