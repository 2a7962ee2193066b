"""A shop with simulated peripherals, kept and printed on as the hub does it, without a broker."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from devices.peripherals.drivers.simulated_printer import SimulatedPrinter
from hub.app.messaging import Messaging
from hub.app.peripherals import Peripherals
from hub.clock import SystemRandomness
from hub.config import load
from hub.contract.topics import Topics
from hub.service.handlers import collect
from hub.service.shop import PaymentRules
from tests.e2e.richshop import rich_shop
from tests.hubparts import SHOP, HubParts
from tests.support.paying import PlainVault

SETTINGS = """\
[store]
id = "367"
name = "Corner Shop"
timezone = "Europe/Berlin"
currency = "EUR"

[cloud]
url = "https://oms.example"

[[peripherals]]
id = "printer-counter"
driver = "simulated-printer"
name = "Receipts, counter"
serves = ["till-1", "till-2"]
fallback = "printer-office"

[[peripherals]]
id = "printer-office"
driver = "simulated-printer"
name = "Office"
serves = ["till-3"]

[[peripherals]]
id = "drawer-counter"
driver = "simulated-drawer"
name = "Drawer at the door"
serves = ["till-1"]

[[peripherals]]
id = "scale-1"
driver = "simulated-scale"
name = "Fruit and vegetables"
options.grams = 455

[[peripherals]]
id = "scanner-1"
driver = "simulated-scanner"

[[peripherals]]
id = "display-1"
driver = "simulated-display"
name = "Customer display at the door"
serves = ["till-1"]
"""


class _NoBroker:
    """Nobody hears what peripherals say, and nobody is asked."""

    topics = Topics("367")
    on_up: Callable[[], None]

    def publish(self, topic: str, payload: bytes, **options: Any) -> None:
        """Into the void."""


@dataclass
class PeripheralShop:
    """A running hub and what hangs on it."""

    hub: HubParts
    peripherals: Peripherals

    def printer(self, name: str = "printer-counter") -> SimulatedPrinter:
        """A simulated printer."""
        post = self.peripherals.desk.post(name)
        assert post is not None
        assert isinstance(post.driver, SimulatedPrinter)
        return post.driver


@asynccontextmanager
async def peripheral_shop(
    root: Path, settings: str = SETTINGS, *, days: int = 2, **options: Any
) -> AsyncIterator[PeripheralShop]:
    """Some days of trade; nothing is printed yet."""
    told: list[Callable[[Sequence[object]], None]] = []

    def on_notices(found: Sequence[object]) -> None:
        for listen in told:
            listen(found)

    file = root / "peripherals.toml"
    file.write_text(settings)
    loaded = load(file, env={}).settings
    shop = replace(
        SHOP,
        has_drawer=lambda till: till == "till-1",
        file_peripherals=frozenset(one.id for one in loaded.peripherals),
        payments=PaymentRules(processor=True, vault=PlainVault()),
    )
    options |= {"handlers": collect, "on_notices": on_notices, "shop": shop}
    async with rich_shop(root, days=days, **options) as hub:
        made = Peripherals(loaded, hub.gate, cast(Messaging, _NoBroker()), SystemRandomness())
        told.append(made.notify)
        await made.start(lambda: hub.base)
        try:
            yield PeripheralShop(hub, made)
        finally:
            await made.stop()
