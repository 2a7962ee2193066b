"""A connection to a printer is let go of, whatever still goes on there."""

from __future__ import annotations

import asyncio

from devices.peripherals.escpos.session import USUAL, Session
from devices.peripherals.model import Gone


class Stuck:
    """A wire that takes nothing; as the real ones it takes one write at a time."""

    def __init__(self) -> None:
        self.writing = asyncio.Event()
        self.closed = asyncio.Event()

    async def read(self, max_bytes: int = 4096) -> bytes:
        await self.closed.wait()
        raise Gone("it was closed")

    async def write(self, data: bytes) -> None:
        if self.writing.is_set():
            raise RuntimeError("it is being written to already")
        self.writing.set()
        await self.closed.wait()
        raise Gone("it was closed")

    async def close(self) -> None:
        self.closed.set()


async def test_a_job_given_up_while_something_else_is_sent_closes_the_connection() -> None:
    wire = Stuck()
    session = Session(wire, USUAL, lambda _status: None)
    shown = asyncio.create_task(session.write(b"for the display"))
    await wire.writing.wait()
    session.give_up("the printer stopped", clear=True)
    async with asyncio.timeout(30):
        await session.close()
        assert wire.closed.is_set()
        (ended,) = await asyncio.gather(shown, return_exceptions=True)
    assert isinstance(ended, Gone)
