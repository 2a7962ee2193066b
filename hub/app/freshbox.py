"""A box that was just unpacked says on the first printer plugged into it where its page is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from devices.peripherals.transports.usblp import SYSTEM, Roots, usb_printers
from hub.app.periodic import end_task
from hub.config import Settings
from hub.contract.documents import StatusTicketFacts
from hub.discovery import system_addresses
from hub.service.caller import HUB
from hub.service.gate import Gate
from hub.service.handlers.peripherals import AdoptPrinter, is_fresh
from hub.storage.errors import StorageError

log = logging.getLogger(__name__)

LOOK_S: Final = 5.0
PRINTER: Final = "printer-usb"
DRIVER: Final = "escpos-printer"
ADDRESSES_MAX: Final = 4
LABELS: Final = ("zebra", "label", "zd", "gk4")
"""What prints labels, going by its name, gets no ticket."""


class FreshBox:
    """Looks for USB printers until one is found, or until anything was set up here."""

    def __init__(
        self, settings: Settings, gate: Gate, url: Callable[[], str], roots: Roots = SYSTEM
    ) -> None:
        self._settings = settings
        self._gate = gate
        self._url = url
        self._roots = roots
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look; nothing begins on a box that was used before."""
        if not self._settings.peripherals and is_fresh(self._gate.rows):
            self._task = asyncio.create_task(self._run(), name="fresh-box")

    async def stop(self) -> None:
        """Look no more."""
        await end_task(self._task)

    async def _run(self) -> None:
        while True:
            try:
                if not is_fresh(self._gate.rows) or await self._adopt():
                    return
            except (OSError, StorageError) as error:
                log.info("the first printer can't be set up yet: %s", error)
            await asyncio.sleep(LOOK_S)

    async def _adopt(self) -> bool:
        """Whether there was a printer to set up."""
        found = await asyncio.to_thread(lambda: list(usb_printers(self._roots)))
        for one in found:
            name = " ".join(filter(None, (one.maker, one.model)))
            if any(word in name.lower() for word in LABELS):
                continue
            ticket = await asyncio.to_thread(self._ticket)
            command = AdoptPrinter(PRINTER, DRIVER, one.address, name[:60], ticket)
            if await self._gate.internal(HUB, command):
                log.warning("the first printer of this fresh box is set up: %s", one.address)
            return True
        return False

    def _ticket(self) -> StatusTicketFacts:
        store = self._settings.store
        link, link_mbps = wired()
        return StatusTicketFacts(
            at_ms=self._gate.clock.wall_ms(),
            shop=store.name,
            hub_name=store.hub_name,
            store=store.id,
            version=self._gate.shop.version,
            url=self._url(),
            addresses=tuple(one.ip for one in system_addresses())[:ADDRESSES_MAX],
            link=link,
            link_mbps=link_mbps,
            signal_percent=None if link else signal_percent(),
        )


def wired(root: Path = Path("/sys/class/net")) -> tuple[str, int | None]:
    """The first network card with a carrier and its speed (Mbit/s), as the kernel says it; empty
    where there is none."""
    for card in sorted(root.glob("e*")):
        if _read(card / "carrier") == "1":
            speed = _read(card / "speed")
            return card.name, int(speed) if speed.isdigit() else None
    return "", None


def signal_percent(table: Path = Path("/proc/net/wireless")) -> int | None:
    """Quality of the first wireless link (of 70, as drivers count), in percent."""
    for line in _read(table).splitlines()[2:]:
        words = line.split()
        if len(words) > 2 and (quality := words[2].rstrip(".")).isdigit():
            return min(100, int(quality) * 100 // 70)
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return ""
