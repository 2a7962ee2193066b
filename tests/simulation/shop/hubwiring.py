"""How the simulated hub's parts are put together, and in what they differ from the daemon's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cloud_link.link import CloudLink
from cloud_link.parts import World as LinkWorld
from cloud_link.payments.forwarder import LOOK_S, Forwarder, Tempo
from cloud_link.payments.issuer import OmsIssuer
from cloud_link.payments.links import LinkOffice, carry_link
from devices.peripherals.cards import Pace as CardPace
from devices.peripherals.choosing import Pace as PrintPace
from devices.peripherals.model import Ended
from devices.peripherals.model import World as DriverWorld
from devices.peripherals.spooler import Spooler
from devices.peripherals.teller import Teller
from hub.app.balances import Balances
from hub.app.caretaker import Caretaker
from hub.app.founding import Opened
from hub.app.messaging import Messaging
from hub.app.periodic import Periodic
from hub.app.shopfacts import shop_of
from hub.app.vaulting import payment_rules
from hub.config import Settings
from hub.documents.layout import Layout
from hub.domain.payments.tokens import SealedToken
from hub.domain.payments.work import Hand
from hub.mqtt.router import Router
from hub.security.vault import PaymentVault
from hub.service.gate import Gate
from hub.service.handlers import collect
from hub.service.handlers.printing import Begun
from hub.service.handlers.signin import PinDesk
from hub.service.payments.owing import CONTACT
from hub.service.records import Recorder
from hub.service.shop import PaymentRules
from hub.service.timekeeping import BudgetClock, ClockGuard
from hub.storage import paymentrows, refundrows
from hub.storage.writer import WriterCore
from tests.simulation.kernel import Process
from tests.simulation.shop.goods import STORE, TOKEN, verify_pin
from tests.simulation.shop.paper import SimPrinters, compose
from tests.simulation.shop.simcards import SimProcessor, SimTerminals
from tests.simulation.shop.simlinks import SimSession, SimTransport
from tests.simulation.shop.simwriter import Pace, SimReaders, SimRows, SimWriter

if TYPE_CHECKING:
    from tests.simulation.shop.hub import HubMachine

NEVER_S = 86_400
QUIET_S, BUSY_S = 1_800.0, 60.0
AT_THE_PROCESSOR = (
    f"SELECT 1 FROM payments WHERE {paymentrows.OPEN} AND state NOT IN ('intent', 'at_terminal',"
    " 'unknown', 'manual', 'lost', 'recovery') LIMIT 1"
)
AT_THE_ISSUER = (
    f"SELECT 1 FROM payments WHERE {paymentrows.OPEN} AND kind <> 'card'"
    " AND state NOT IN ('manual', 'recovery') LIMIT 1"
)
TO_BE_SENT = (
    "SELECT 1 FROM payment_links WHERE state IN ('wanted', 'sending', 'unknown')"
    " OR recall = 'wanted' AND state = 'sent' LIMIT 1"
)
LEAST_S = 0.01
TINY_S = 1e-6
PLENTY_BYTES = 1 << 40


@dataclass(frozen=True, slots=True)
class HubConfig:
    """What a run of the simulation decides about its hub.

    ``devices`` are paired from the beginning; a name like ``kiosk-1`` makes a kiosk, others are
    tills.  The ``*_s`` are longer than in production: a quiet night is to cost little.
    Without ``synced`` the database leaves out its syncs, which only matter to a disk that can lose
    power.  ``overrides`` are merged into the settings, section by section.
    """

    anti_entropy: bool = True
    devices: tuple[str, ...] = ("till-1", "till-2")
    batch_events: int = 100
    batch_max: int = 256
    queue_limit: int = 1000
    print_receipts: bool = False
    stocked: bool = True
    scarce: bool = False
    synced: bool = True
    digest_every_s: int = 3_600
    dataset_every_s: int = 21_600
    poll_wait_s: int = 600
    clock_every_s: float = 900.0
    care_every_s: float = 1_800.0
    disk_every_s: float = 900.0
    watch_every_s: float = 900.0
    state_every_s: float = 1_200.0
    busy_s: float = BUSY_S
    pace: Pace = field(default_factory=Pace)
    printing: PrintPace = field(default_factory=lambda: PrintPace(look_s=900.0))
    overrides: dict[str, dict[str, Any]] = field(default_factory=dict)
    takes_cards: bool = False
    """Whether tills may begin card payments at the hub."""
    gift_cards: bool = False
    """Whether it asks the cloud about gift cards."""
    links: bool = False
    """Whether it has the cloud send payment links."""
    terminals: dict[str, str] = field(default_factory=dict)
    """Till → the terminal that the hub drives there."""
    unsent: Callable[[str], None] | None = None
    """Told of payments of which nothing left the box."""
    paying: CardPace = field(
        default_factory=lambda: CardPace(
            look_s=1_800.0, asked_s=30.0, absent_s=60.0, report_s=21_600.0
        )
    )


@dataclass(slots=True)
class RunningHub:
    """One run's parts."""

    process: Process
    settings: Settings
    database: Path
    gate: Gate
    writer: SimWriter
    core: WriterCore
    rows: SimRows
    messaging: Messaging
    router: Router
    link: CloudLink
    guard: ClockGuard
    caretaker: Caretaker
    spooler: Spooler
    teller: Teller | None
    forwarder: Forwarder | None
    others: tuple[Forwarder, ...] = ()
    """To the issuer of gift cards, and to who sends payment links."""


def wired(hub: HubMachine, process: Process, settings: Settings, opened: Opened) -> RunningHub:
    """The parts over an open database; nothing is started."""
    budget = BudgetClock(process.clock, opened.hub.budget_ms)
    core = WriterCore(
        opened.conn,
        budget,
        batch_max=settings.storage.batch_max,
        queue_limit=settings.storage.queue_limit,
    )
    writer = SimWriter(
        process, core, hub.random, hub.config.pace, on_fatal=lambda _error: hub.fatal(process)
    )
    rows = SimRows(opened.database, writer)
    process.at_death(rows.close)
    slow = SimReaders(process, opened.database, writer)
    process.at_death(slow.close)
    desk = PinDesk(verify_pin)
    links: list[CloudLink] = []
    gate = Gate(
        shop=shop_of(settings, payments=_payment_rules(hub.config, process, settings, links)),
        writer=writer,
        rows=rows,
        slow=slow,
        handlers=collect(desk),
        clock=process.clock,
        budget=budget,
        ids=process.ids,
        recorder=Recorder(bytes(32), settings.store.id),
    )
    guard = ClockGuard(
        process.clock,
        trusted_wall_ms=opened.hub.trusted_wall_ms,
        suspect=opened.hub.clock_suspect,
    )
    link = _Link(hub.config, settings, gate, process, opened, guard)
    links.append(link)
    messaging = _messaging(hub.config, process, settings, gate, link)
    link.announce = messaging.announcer.wake
    caretaker = _Care(hub, settings, gate, process, guard)
    printers = SimPrinters(process, hub.paper, hub.random) if hub.paper else _NoPrinters()
    spooler = _Spooler(
        gate, printers, compose, DriverWorld(process.clock, process.randomness), hub.config.printing
    )
    teller, forwarder = _paying(hub.config, process, gate)
    others = other_ways(hub.config, process, settings, gate, link, teller)
    link.ways = others
    return RunningHub(
        process,
        settings,
        opened.database,
        gate,
        writer,
        core,
        rows,
        messaging,
        messaging.router,
        link,
        guard,
        caretaker,
        spooler,
        teller,
        forwarder,
        others,
    )


def _payment_rules(
    config: HubConfig, process: Process, settings: Settings, links: Sequence[CloudLink]
) -> PaymentRules | None:
    if not config.takes_cards:
        return None
    vault = PaymentVault.open(
        process.directory / "payments.keys", bytes(32), bytes(32), process.randomness
    )
    rules = payment_rules(settings, vault, config.terminals.get)
    rules = replace(rules, processor=True)
    if not config.gift_cards:
        return rules
    return replace(
        rules,
        issuer=True,
        issuer_ready=lambda: any(one.client is not None and not one.held for one in links),
    )


def _paying(
    config: HubConfig, process: Process, gate: Gate
) -> tuple[Teller | None, Forwarder | None]:
    """As :mod:`hub.app.peripherals` and :mod:`hub.app.paying` put them together."""
    if not config.takes_cards:
        return None, None
    terminals = SimTerminals(process, tuple(config.terminals.values()))
    world = DriverWorld(process.clock, process.randomness)
    teller = _Teller(gate, terminals, world, config.paying)

    def unseal(payment_id: str, token: SealedToken) -> bytes:
        vault = gate.shop.payments.vault
        assert isinstance(vault, PaymentVault)
        return vault.unseal(payment_id, token)

    forwarder = _Forwarder(
        gate,
        SimProcessor(process, config.unsent),
        unseal,
        Tempo(process.clock, process.randomness),
        ready=lambda: teller.recovered,
    )
    forwarder.busy_s = config.busy_s
    return teller, forwarder


def other_ways(
    config: HubConfig,
    process: Process,
    settings: Settings,
    gate: Gate,
    link: CloudLink,
    teller: Teller | None,
) -> tuple[Forwarder, ...]:
    """As :mod:`hub.app.forwarding` makes them."""
    vault = gate.shop.payments.vault
    found: list[Forwarder] = []
    if teller is None or not isinstance(vault, PaymentVault):
        return ()

    def contact(payment_id: str, token: SealedToken) -> bytes:
        return vault.unseal(payment_id, token, CONTACT)

    timeout_s = settings.cloud.request_timeout_s
    how: dict[str, Any] = {
        "ready": lambda: link.client is not None and teller.recovered,
        "held": lambda: link.held,
    }
    tempo = Tempo(process.clock, process.randomness)
    if config.gift_cards:
        party = OmsIssuer(lambda: link.client, timeout_s)
        issuer = _Forwarder(gate, party, vault.unseal, tempo, hand=Hand.ISSUER, **how)
        issuer.work, issuer.busy_s = AT_THE_ISSUER, config.busy_s
        gate.live.balance = Balances(lambda: link.client, process.clock).ask
        found.append(issuer)
    if config.links:
        how |= {"parallel": 1, "hand": Hand.LINKS, "carry": carry_link}
        sender = _Forwarder(gate, LinkOffice(lambda: link.client, timeout_s), contact, tempo, **how)
        sender.work, sender.busy_s = TO_BE_SENT, config.busy_s
        found.append(sender)
    return tuple(found)


def _messaging(
    config: HubConfig, process: Process, settings: Settings, gate: Gate, link: CloudLink
) -> Messaging:
    messaging = Messaging(
        settings,
        gate,
        cast(Any, None),  # another's broker needs no certificates of ours
        process.clock,
        process.randomness,
        cloud_up=lambda: link.up,
        list_revoked=_nothing,
    )
    topics = messaging.topics
    session = SimSession(
        process,
        (topics.every_request, topics.every_fact, topics.every_state, topics.every_meta),
        messaging._on_message,
        messaging._on_up,
        messaging._on_down,
        settings.broker.max_packet_bytes,
    )
    messaging.session = cast(Any, session)
    messaging.announcer._refresh_s = config.state_every_s
    messaging._watch = Periodic("mqtt-watch", config.watch_every_s, messaging._look_after)
    process.receive = session.receive
    return messaging


class _Link(CloudLink):
    """The real link over the simulated network."""

    def __init__(
        self,
        config: HubConfig,
        settings: Settings,
        gate: Gate,
        process: Process,
        opened: Opened,
        guard: ClockGuard,
    ) -> None:
        self.announce: Callable[[], None] = lambda: None
        self.ways: tuple[Forwarder, ...] = ()
        self._config = config
        super().__init__(
            settings.cloud,
            gate,
            LinkWorld(
                process.clock,
                process.ids,
                process.randomness,
                transport=SimTransport(process),
            ),
            machine_hash=opened.hub.machine_hash,
            on_trusted_time=lambda trusted_ms: _drop(guard.compare(trusted_ms)),
            on_change=self._changed,
        )

    def _changed(self) -> None:
        self.announce()
        for way in self.ways:
            way.look()

    def _made(self) -> Any:
        parts = super()._made()
        parts.downlink._wait_s = self._config.poll_wait_s
        if not self._config.anti_entropy:
            parts.antientropy = cast(Any, _Never())
        return parts


class _Spooler(Spooler):
    """The same of this one, whose waits are shorter still before they are too short."""

    async def _turn(self) -> float:
        return max(TINY_S, await super()._turn())


class _Teller(Teller):
    """The real one; virtual time doesn't pass in waits that are too short for its numbers."""

    async def _turn(self) -> float:
        return max(LEAST_S, await super()._turn())


class _Forwarder(Forwarder):
    """The real one, which looks less often while nothing is open: what is new wakes it."""

    busy_s = BUSY_S
    work = AT_THE_PROCESSOR

    async def _round(self) -> float:
        wait_s = await super()._round()
        if wait_s < LOOK_S:
            return wait_s
        rows = cast(Gate, self._gate).rows
        busy = rows.one(self.work) is not None or refundrows.open_ones(rows, 1)
        return self.busy_s if busy else QUIET_S


class _Never:
    """In the place of a part that is switched off."""

    def ask(self) -> None:
        """Nobody compares."""

    async def run(self) -> None:
        """Wait for ever."""
        await asyncio.Event().wait()


class _Care(Caretaker):
    """The real caretaker without certificates, at the simulation's pace."""

    def __init__(
        self, hub: HubMachine, settings: Settings, gate: Gate, process: Process, guard: ClockGuard
    ) -> None:
        super().__init__(settings, gate, process.clock, guard, cast(Any, _NoCertificates()))
        self._hub = hub
        config = hub.config
        self._jobs = (
            Periodic("clock-guard", config.clock_every_s, self.keep_time),
            Periodic("housekeeping", config.care_every_s, self.housekeep),
            Periodic("disk-guard", config.disk_every_s, self.guard_disk),
            Periodic("certificates", NEVER_S, _nothing),
        )

    def free_bytes(self) -> int:
        return self._hub.free_bytes


class _NoPrinters:
    """A shop without printers."""

    def route(self, _device_id: str, _kind: str) -> tuple[str, ...]:
        return ()

    def is_ready(self, _printer_id: str) -> bool:
        return False

    async def print(self, _printer_id: str, _layout: Layout, _job: Begun) -> Ended:
        raise AssertionError("nobody prints here")

    async def kick(self, _printer_id: str, _job: Begun) -> Ended:
        raise AssertionError("nobody has a drawer here")


class _NoCertificates:
    async def keep(self) -> None:
        """Nothing is kept."""


async def _nothing() -> None:
    """Nothing has to be done."""


def _drop(_value: object) -> None:
    """A value nobody needs."""


def settings_of(config: HubConfig, state: Path) -> Settings:
    """The hub's settings."""
    sections: dict[str, dict[str, Any]] = {
        "store": {"id": STORE, "timezone": "Europe/Berlin", "currency": "EUR"},
        "paths": {"state": state},
        "broker": {"mode": "external", "url": "mqtt://localhost:1883"},
        "storage": {"batch_max": config.batch_max, "queue_limit": config.queue_limit},
        "printing": {"receipts": config.print_receipts},
        "cloud": {
            "url": "http://localhost",
            "token": TOKEN,
            "batch_events": config.batch_events,
            "digest_every_s": config.digest_every_s,
            "dataset_every_s": config.dataset_every_s,
        },
    }
    for name, section in config.overrides.items():
        sections[name] = sections.get(name, {}) | section
    return Settings.model_validate(sections)
