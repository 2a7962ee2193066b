"""A scanner's twin without hardware: for demonstrations, simulations and tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from itertools import cycle

from devices.peripherals.model import (
    Connector,
    Gone,
    Identity,
    Option,
    Scanned,
    Scanner,
    Told,
    World,
)
from devices.peripherals.scanning.reading import number, text


class SimulatedScanner(Scanner):
    """Scans what it is told to, or its list of codes over and over.  It opens no wire: being
    plugged in is :attr:`plugged`."""

    key = "simulated-scanner"
    title = "Simulated scanner"
    option_help = {
        "codes": "codes to scan by itself, separated by blanks; none",
        "every_ms": "how often it scans one of them, 100 to 3600000 ms; 5000",
    }

    def __init__(
        self,
        connector: Connector,
        world: World,
        tell: Callable[[Told], None],
        options: Mapping[str, Option] | None = None,
    ) -> None:
        super().__init__(connector, world, tell, options)
        self._codes = text(self.options, "codes").split()
        self._every_s = number(self.options, "every_ms", 100, 3_600_000, 5000) / 1000
        self._pulled: asyncio.Event | None = None

    @property
    def plugged(self) -> bool:
        """Whether it is being served."""
        return self._pulled is not None

    def scan(self, data: bytes, aim: str = "") -> None:
        """Somebody scans this.  Raises :class:`Gone` while it isn't plugged in."""
        if self._pulled is None:
            raise Gone("The simulated scanner isn't plugged in.")
        self.tell(Scanned(data, aim))

    def pull(self) -> None:
        """Somebody pulls its cable."""
        if self._pulled is not None:
            self._pulled.set()

    async def serve(self, ready: Callable[[Identity], None]) -> None:
        self._pulled = pulled = asyncio.Event()
        try:
            ready(Identity(maker="Store Hub", model="simulated scanner"))
            for code in cycle(self._codes or [""]):
                try:
                    async with asyncio.timeout(self._every_s if code else None):
                        await pulled.wait()
                except TimeoutError:
                    self.tell(Scanned(code.encode()))
                else:
                    break
        finally:
            self._pulled = None
        raise Gone("The simulated scanner was pulled out: plug it in again.")


DRIVER = SimulatedScanner
