"""A customer display's twin without hardware: for demonstrations, simulations and tests."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from devices.peripherals.model import Gone, Identity, LineDisplay

KEPT_MAX: Final = 200


class SimulatedDisplay(LineDisplay):
    """``shown``: what stood on it, oldest first, each line as wide as the display."""

    key = "simulated-display"
    title = "Simulated customer display"
    _pulled: asyncio.Event | None = None

    @property
    def shown(self) -> deque[tuple[str, ...]]:
        if not hasattr(self, "_shown"):
            self._shown: deque[tuple[str, ...]] = deque(maxlen=KEPT_MAX)
        return self._shown

    def pull(self) -> None:
        """Somebody pulls its cable."""
        if self._pulled is not None:
            self._pulled.set()

    async def serve(self, ready: Callable[[Identity], None]) -> None:
        self._pulled = pulled = asyncio.Event()
        try:
            ready(Identity(maker="Store Hub", model="simulated display"))
            await pulled.wait()
        finally:
            self._pulled = None
        raise Gone("the simulated display was pulled out: plug it in again")

    async def show(self, lines: tuple[str, ...]) -> None:
        if self._pulled is None:
            raise Gone("the simulated display isn't plugged in")
        wanted = (*lines, *("",) * self.rows)[: self.rows]
        self.shown.append(tuple(line[: self.columns].ljust(self.columns) for line in wanted))


DRIVER = SimulatedDisplay
