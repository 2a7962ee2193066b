"""A cash drawer's twin without hardware: for demonstrations, simulations and tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from devices.peripherals.model import (
    Capabilities,
    CashDrawer,
    Connector,
    DrawerMoved,
    Ended,
    Identity,
    Misconfigured,
    Option,
    Outcome,
    Peripheral,
    POSPrinter,
    Told,
    World,
)

CLOSES_MAX_MS: Final = 3_600_000


class SimulatedDrawer(CashDrawer):
    """Opens when it is kicked, and is closed by somebody after a while.  ``opens``: how often it
    was opened."""

    key = "simulated-drawer"
    title = "Simulated cash drawer"
    option_help = {
        "closes_ms": f"when somebody closes it, 0 (never) to {CLOSES_MAX_MS} ms; 3000",
    }

    def __init__(
        self,
        connector: Connector,
        world: World,
        tell: Callable[[Told], None],
        options: Mapping[str, Option] | None = None,
    ) -> None:
        super().__init__(connector, world, tell, options)
        closes_ms = self.options.get("closes_ms", 3000)
        if not isinstance(closes_ms, int) or not 0 <= closes_ms <= CLOSES_MAX_MS:
            raise Misconfigured(f"closes_ms: {closes_ms!r} isn't {self.option_help['closes_ms']}")
        self._closes_s = closes_ms / 1000
        self._host: POSPrinter | None = None
        self._moved = asyncio.Event()
        self._serving = False
        self.opens = 0

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(frozenset({"status"}))

    def hang_on(self, host: Peripheral) -> None:
        if not isinstance(host, POSPrinter):
            raise Misconfigured("via: a drawer hangs on a printer")
        self._host = host

    async def serve(self, ready: Callable[[Identity], None]) -> None:
        self._serving = True
        try:
            ready(Identity(maker="Store Hub", model="simulated drawer"))
            self._move(False)
            while True:
                self._moved.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._closes_s if self.opened else None):
                        await self._moved.wait()
                        continue
                self._move(False)
        finally:
            self._serving = False
            self.opened = None

    async def open(self) -> Ended:
        if not self._serving:
            return Ended(Outcome.NOT_BEGUN, "the simulated drawer isn't served")
        if self._host is not None:
            kicked = await self._host.kick(2, 100)
            if kicked.outcome is not Outcome.PRINTED:
                return kicked
        self.opens += 1
        self._move(True)
        self._moved.set()
        return Ended(Outcome.PRINTED, confirmed=True)

    def close(self) -> None:
        """Somebody pushes it shut."""
        self._move(False)
        self._moved.set()

    def _move(self, opened: bool) -> None:
        if self.opened is not opened:
            self.opened = opened
            self.tell(DrawerMoved(opened))


DRIVER = SimulatedDrawer
