"""A driver that does what a test says, on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from devices.peripherals.model import Capabilities, Identity, Peripheral, World
from devices.peripherals.transports.memory import Exchange
from tests.fakes import START_WALL_MS, SeededRandomness


@dataclass
class LoopClock:
    """The loop's own time as both clocks."""

    loop: asyncio.AbstractEventLoop

    def monotonic_s(self) -> float:
        return 1000.0 + self.loop.time()

    def wall_ms(self) -> int:
        return START_WALL_MS + round(self.loop.time() * 1000)


class DriverAtWill(Peripheral):
    """Serves until the test ends it."""

    key = "at-will"
    title = "Does what a test says"

    def __init__(self, loop: asyncio.AbstractEventLoop, seed: int = 0) -> None:
        world = World(LoopClock(loop), SeededRandomness(seed))
        super().__init__(Exchange().connector("at-will"), world, lambda _: None)
        self.loop = loop
        self.serving = 0
        self.began_s: list[float] = []
        self.ready: Callable[[Identity], None] = lambda _: None
        self.end: asyncio.Future[None] | None = None
        self.deaf_to_cancellations = 0

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities()

    async def serve(self, ready: Callable[[Identity], None]) -> None:
        self.serving += 1
        self.began_s.append(self.loop.time())
        self.ready = ready
        self.end = self.loop.create_future()
        try:
            while True:
                try:
                    await asyncio.shield(self.end)
                    return
                except asyncio.CancelledError:
                    if self.end.cancelled() or self.deaf_to_cancellations <= 0:
                        raise
                    self.deaf_to_cancellations -= 1
        finally:
            self.serving -= 1
            self.end = None
