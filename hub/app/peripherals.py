"""What hangs on this box, wired into the hub: kept while it runs, asked through the gate, printed
on by the spooler, paid at by the teller, told to the broker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from devices.peripherals.asking import Counter
from devices.peripherals.cardposts import CardPosts
from devices.peripherals.catalogue import Catalogue
from devices.peripherals.desk import Desk
from devices.peripherals.finding.mdns import resolve_local
from devices.peripherals.hotplug import Hotplug, Moved
from devices.peripherals.lending import Declined, NotAsked, Unanswered
from devices.peripherals.model import Entry, World
from devices.peripherals.spooler import Pace, Spooler
from devices.peripherals.teller import Teller
from devices.peripherals.telling import Telling
from devices.peripherals.transports.address import Places
from hub.app.composing import Composer
from hub.app.freshbox import FreshBox
from hub.app.messaging import Messaging
from hub.app.periodic import end_task
from hub.clock import Randomness
from hub.config import Settings
from hub.config.peripherals import Peripheral as Set
from hub.contract.problems import Code
from hub.contract.topics import Topics
from hub.documents import returncode
from hub.mqtt import commander
from hub.mqtt.session import PublishRefused
from hub.security.secrets_box import SecretsBox
from hub.service.caller import HUB
from hub.service.gate import Gate
from hub.service.handlers.peripherals import KeepPeripherals, Kept, KeptAt
from hub.service.notices import PeripheralsChanged
from hub.storage import devicerows, peripheralrows
from hub.storage.errors import StorageError
from hub.storage.peripheralrows import PeripheralRow

log = logging.getLogger(__name__)

LOCAL = ("usb:", "serial:", "hid:")
RETRY_S = 5.0
TILLS = frozenset({"till", "kiosk"})


class Peripherals:
    """Made once per run; started after messaging, stopped before it.

    ``box``: without it receipts carry no code for returns in other shops.
    """

    def __init__(
        self,
        settings: Settings,
        gate: Gate,
        messaging: Messaging,
        randomness: Randomness,
        box: SecretsBox | None = None,
    ) -> None:
        self._settings = settings
        self._gate = gate
        self._air = _Air(messaging)
        world = World(gate.clock, randomness)
        catalogue = Catalogue(
            world,
            places=Places(resolve=resolve_local),
            ask=self._air.ask,
            training=settings.store.training,
        )
        self.desk = Desk(catalogue, gate.clock.wall_ms)
        self.counter = Counter(self.desk, catalogue)
        printing = settings.printing
        pace = Pace(
            fallback_after_s=float(printing.fallback_after_s),
            stopped_max_s=float(printing.stopped_max_s),
        )
        return_key = None if box is None else box.derive(returncode.PURPOSE)
        composer = Composer(settings, self.desk, return_key)
        self.template = composer.template
        self.spooler = Spooler(gate, self.counter, composer.compose, world, pace)
        self.cards = CardPosts(self.desk)
        self.teller = Teller(gate, self.cards, world)
        self.telling = Telling(
            self.desk,
            gate,
            self._air,
            self._tills,
            printer_ready=self._ready,
            printers_changed=self._able,
        )
        self.desk.ears = self.telling.ears
        self._hotplug: Hotplug | None = None
        self._fresh: FreshBox | None = None
        self._again = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._kept = False  # in this life of the hub
        messaging.on_up = self.telling.restate

    async def start(self, url: Callable[[], str]) -> None:
        """Begin to look for what is set up, and to print.  ``url``: of the hub's page."""
        try:
            await self._keep()
        except Exception as error:  # a hub without its peripherals is better than none
            log.warning("what hangs on the hub can't be kept yet: %s", error, exc_info=error)
            self._again.set()
        self.telling.start()
        self._gate.live.desk = self.counter
        self.spooler.start()
        self.teller.start()
        self._task = asyncio.create_task(self._follow(), name="peripherals-changed")
        self._fresh = FreshBox(self._settings, self._gate, url)
        self._fresh.start()

    async def stop(self) -> None:
        """Let what is being printed and paid end, then let go of everything."""
        await end_task(self._task)
        if self._fresh is not None:
            await self._fresh.stop()
        self._gate.live.desk = None
        if self._hotplug is not None:
            await self._hotplug.stop()
        await asyncio.gather(self.spooler.stop(), self.teller.stop())
        await self.telling.stop()
        await self.desk.stop()

    def has_drawer(self, device_id: str) -> bool:
        """Whether a drawer of the hub's belongs to this till; from any thread."""
        return self.counter.has_drawer(device_id)

    def terminal_of(self, device_id: str) -> str | None:
        """The card terminal that serves this till, if the hub drives one; from any thread."""
        return self.cards.terminal_of(device_id)

    def notify(self, told: Sequence[object]) -> None:
        """Take what committed requests left to be told."""
        self.spooler.notify(told)
        self.teller.notify(told)
        if any(isinstance(one, PeripheralsChanged) for one in told):
            self._again.set()

    def _ready(self, peripheral_id: str) -> None:
        self.spooler.printer_ready(peripheral_id)
        self.teller.wake()

    def _able(self) -> None:
        self.spooler.wake()
        self.teller.wake()

    async def _follow(self) -> None:
        while True:
            await self._again.wait()
            self._again.clear()
            try:
                await self._keep()
            except StorageError as error:
                log.warning("what is set up can't be read yet: %s", error)
                await asyncio.sleep(RETRY_S)
                self._again.set()
            except Exception:
                log.exception("following what was set up failed; the next change tries again")

    async def _keep(self) -> None:
        """Drive what the settings and the page say."""
        wanted = entries(self._settings.peripherals, peripheralrows.listed(self._gate.rows))
        if not wanted and not self.desk.posts and not peripheralrows.owners(self._gate.rows):
            return
        await self.desk.keep(wanted)
        kept = tuple(
            Kept(post.entry.id, post.entry.name or post.entry.id, post.kind or "service")
            for post in self.desk.posts
        )
        places: KeptAt = await self._gate.internal(HUB, KeepPeripherals(kept, not self._kept))
        self._kept = True
        for name in places.taken:
            await self.desk.refuse(name, f"{name} is a paired device's id: choose another id")
        self.telling.forget(places.dropped)
        self.telling.restate()
        await self._watch_plugs()

    async def _watch_plugs(self) -> None:
        local = any(post.entry.address.startswith(LOCAL) for post in self.desk.posts)
        if local and self._hotplug is None:
            self._hotplug = Hotplug(self._plugged)
            await self._hotplug.start()

    def _plugged(self, moved: Moved) -> None:
        self.desk.poke(moved.came | moved.went)

    def _tills(self) -> tuple[str, ...]:
        paired = devicerows.paired(self._gate.rows)
        return tuple(one.device_id for one in paired if one.kind in TILLS)


def entries(
    in_file: Sequence[Set], on_page: Sequence[PeripheralRow]
) -> list[tuple[Entry, str, bool]]:
    """All that is set up, each with where and whether it shadows another: the file comes first."""
    page = {row.peripheral_id: row for row in on_page}
    found = [(_of_file(one), "settings", one.id in page) for one in in_file]
    named = {one.id for one in in_file}
    found += [(_of_page(row), "page", False) for name, row in page.items() if name not in named]
    return found


def _of_file(one: Set) -> Entry:
    return Entry(
        one.id,
        one.driver,
        one.address,
        one.name,
        one.serves,
        one.via or "",
        one.fallback or "",
        dict(one.options),
    )


def _of_page(row: PeripheralRow) -> Entry:
    return Entry(
        row.peripheral_id,
        row.driver,
        row.address,
        row.name,
        row.served,
        row.via,
        row.fallback,
        row.chosen,
    )


class _Air:
    """The broker, as peripherals know it."""

    def __init__(self, messaging: Messaging) -> None:
        self._messaging = messaging

    @property
    def topics(self) -> Topics:
        return self._messaging.topics

    def publish(self, topic: str, payload: bytes, **options: Any) -> bool:
        try:
            self._messaging.publish(topic, payload, **options)
        except PublishRefused as error:
            log.debug("not told: %s", error)
            return False
        return True

    async def ask(
        self, device_id: str, operation: str, data: dict[str, Any], timeout_s: float
    ) -> dict[str, Any]:
        try:
            return await self._messaging.command(device_id, operation, data, timeout_s)
        except commander.NotSent as error:
            raise NotAsked(str(error)) from error
        except commander.NoAnswer as error:
            raise Unanswered(str(error)) from error
        except commander.Declined as error:
            raise said_no(error) from error


def said_no(error: commander.Declined) -> Declined | Unanswered:
    """What a device's no means: it did nothing, unless it failed in the middle of doing it."""
    failed = error.problem.code in (Code.UNAVAILABLE, Code.OUTCOME_UNKNOWN)
    return Unanswered(str(error)) if failed else Declined(str(error))
