"""A scale's twin without hardware: for demonstrations, simulations and tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from devices.peripherals.model import (
    Connector,
    Gone,
    Identity,
    Option,
    Scale,
    Told,
    Weight,
    World,
)
from devices.peripherals.scanning.reading import number
from devices.peripherals.weighing.reading import Reading
from devices.peripherals.weighing.watch import Watch

CAPACITY_G = 15_000


class SimulatedScale(Scale):
    """Weighs what is put on it; at rest at once unless :meth:`put` says otherwise.  It opens no
    wire."""

    key = "simulated-scale"
    title = "Simulated scale"
    option_help = {"grams": f"what lies on it at the start, 0 to {CAPACITY_G}; 0"}

    def __init__(
        self,
        connector: Connector,
        world: World,
        tell: Callable[[Told], None],
        options: Mapping[str, Option] | None = None,
    ) -> None:
        super().__init__(connector, world, tell, options)
        self._grams = number(self.options, "grams", 0, CAPACITY_G, 0)
        self._moving = False
        self._watch = Watch(world.clock, tell)
        self._pulled: asyncio.Event | None = None

    def put(self, grams: int, *, moving: bool = False) -> None:
        """Put this on it, instead of what lay there; ``moving``: it doesn't come to rest."""
        self._grams, self._moving = grams, moving
        if self._pulled is not None:
            self._show()

    def pull(self) -> None:
        """Somebody pulls its cable."""
        if self._pulled is not None:
            self._pulled.set()

    async def weigh(self, timeout_s: float) -> Weight:
        if self._pulled is not None:
            asyncio.get_running_loop().call_soon(self._show)
        return await self._watch.at_rest(timeout_s)

    async def serve(self, ready: Callable[[Identity], None]) -> None:
        self._pulled = pulled = asyncio.Event()
        self._watch.opened()
        try:
            ready(Identity(maker="Store Hub", model="simulated scale"))
            self._show()
            await pulled.wait()
        finally:
            self._pulled = None
            self._watch.closed()
        raise Gone("The simulated scale was pulled out: plug it in again.")

    def _show(self) -> None:
        out = self._grams > CAPACITY_G or self._grams < 0
        reading = Reading(
            None if out else self._grams,
            self._moving,
            overload=self._grams > CAPACITY_G,
            under_zero=self._grams < 0,
            zero=self._grams == 0,
        )
        self._watch.take(reading)
        self._watch.take(reading)


DRIVER = SimulatedScale
