"""What of the broker's own words reaches the log."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

import pytest

from hub.mqtt.logpipe import pump_log
from tests.fakes import FakeClock

LOG = logging.getLogger("test.broker")


class Pipe:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.stream = asyncio.StreamReader()
        self.heard: list[bytes] = []
        self.last: deque[str] = deque(maxlen=3)
        self._task = asyncio.create_task(
            pump_log(self.stream, LOG, self.last, self.clock, self.heard.append)
        )

    async def say(self, *lines: str) -> None:
        count = len(self.heard) + len(lines)
        self.stream.feed_data("".join(f"{line}\n" for line in lines).encode())
        async with asyncio.timeout(30):
            while len(self.heard) < count:
                await asyncio.sleep(0)

    async def end(self) -> None:
        self.stream.feed_eof()
        await self._task


async def test_strangers_cannot_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, LOG.name)
    pipe = Pipe()
    for n in range(120):  # two minutes of a scanner, two connections a second
        for port in (n, 10_000 + n):
            await pipe.say(
                f"New connection from 10.0.0.66:{port} on port 8883.",
                "OpenSSL Error[0]: error:0A000126:SSL routines::unexpected eof while reading",
                "Client <unknown> disconnected: Protocol error.",
                "Client guessed-name disconnected, not authorised.",
                "Client connection from 10.0.0.66 denied: max_connections exceeded.",
            )
        pipe.clock.advance(1)
    await pipe.say("New client connected from 10.0.0.2:40000 as till-1 (p5, c1, k60).")
    await pipe.end()

    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) <= 2 * 21 + 1
    assert lines[-1] == "New client connected from 10.0.0.2:40000 as till-1 (p5, c1, k60)."
    assert "580 more lines about unknown connections are not shown" in lines
    assert {record.levelno for record in caplog.records} == {logging.INFO}


async def test_a_flood_is_counted_and_every_line_is_heard_unmasked(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, LOG.name)
    pipe = Pipe()
    card = "Client 4111111111111111 closed its connection."
    await pipe.say(*(card for _ in range(500)))
    pipe.clock.advance(1)
    await pipe.say("Error: something")
    await pipe.end()

    lines = [record.getMessage() for record in caplog.records]
    assert lines.count(lines[0]) == 200
    assert "4111111111111111" not in caplog.text
    assert lines[200:] == ["300 more lines of the broker are not shown", "Error: something"]
    assert pipe.heard[0] == card.encode()
    assert pipe.last[-1] == "Error: something"
