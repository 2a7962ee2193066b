"""Wires inside the process behave as the real ones."""

from __future__ import annotations

import asyncio

import pytest

from devices.peripherals.model import Gone, Unreachable
from devices.peripherals.transports.memory import Exchange, MemoryWire, pair


async def test_bytes_go_both_ways_in_order() -> None:
    near, far = pair()
    await near.write(b"one ")
    await near.write(b"two")
    assert await far.read(4) == b"one "
    await far.write(b"yes")
    assert (await far.read(), await near.read()) == (b"two", b"yes")


async def test_a_full_wire_holds_its_writer_until_it_is_read() -> None:
    near, far = pair(capacity_bytes=4)
    writing = asyncio.create_task(near.write(b"0123456789"))
    got = b""
    while len(got) < 10:
        got += await far.read(3)
    await writing
    assert got == b"0123456789"


async def test_what_was_written_before_the_end_is_read_and_then_it_is_gone() -> None:
    near, far = pair()
    await near.write(b"last")
    await near.close()
    await near.close()
    assert await far.read() == b"last"
    with pytest.raises(Gone):
        await far.read()
    with pytest.raises(Gone):
        await far.write(b"x")
    with pytest.raises(Gone):
        await near.read()


async def test_a_cut_wakes_whoever_waits_at_either_end() -> None:
    near, far = pair(capacity_bytes=1)
    waiting = [
        asyncio.create_task(near.read()),
        asyncio.create_task(far.read()),
        asyncio.create_task(near.write(b"xy")),
    ]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    far.cut()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert any(isinstance(one, Gone) for one in ended)
    assert all(isinstance(one, Gone | bytes) for one in ended)


async def test_an_exchange_opens_to_whatever_is_plugged_in() -> None:
    exchange = Exchange()
    there = exchange.connector("printer-1")
    with pytest.raises(Unreachable, match="memory://printer-1 is not plugged in"):
        await there.open()
    arrived: list[MemoryWire] = []
    exchange.plug_in("printer-1", arrived.append)
    near = await there.open()
    await near.write(b"hello")
    assert await arrived[0].read() == b"hello"
    exchange.unplug("printer-1")
    with pytest.raises(Unreachable):
        await there.open()
