"""The whole hub: one object that starts in order, runs, and stops in reverse order."""

from __future__ import annotations

import asyncio
import logging
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import Any

from cloud_link.link import CloudLink
from cloud_link.parts import World
from hub.app.actions import make_actions
from hub.app.afar import Afar, Own, bundle_of
from hub.app.caretaker import MB, Caretaker, Certificates
from hub.app.chronicle import Chronicle, watched_parts
from hub.app.doors import Behind, Locks, make_socket, make_web
from hub.app.exporting import Exports
from hub.app.founding import StateLock, open_state, warn_of_sqlite
from hub.app.measuring import LOOK_S, limits_of, make_prober
from hub.app.messaging import Messaging
from hub.app.names import advertisement, certificate_names
from hub.app.parts import Parts, Running
from hub.app.paying import CardPayments
from hub.app.periodic import Periodic
from hub.app.peripherals import Peripherals
from hub.app.replica_child import Replicator
from hub.app.reserve import Reserve
from hub.app.shopfacts import shop_of
from hub.app.tuning import SWITCH_INTERVAL_S, settle_memory
from hub.app.watching import Watching
from hub.clock import Clock, Ids, Randomness
from hub.config import Loaded, Settings
from hub.discovery import Advertisement, Advertiser
from hub.health.mending import Action, ActionDesk
from hub.health.status import StatusSource
from hub.logs import Recent
from hub.observe.tally import Tally
from hub.security.authority import Authority
from hub.security.secrets_box import SecretsBox
from hub.service import records
from hub.service.gate import Gate
from hub.service.handlers import collect
from hub.service.handlers.signin import PinDesk
from hub.service.notices import DatasetSwapped
from hub.service.records import Recorder
from hub.service.shop import Shop
from hub.service.timekeeping import BudgetClock, ClockGuard
from hub.storage import devicerows
from hub.storage.readers import LoopReader, ThreadReaders
from hub.storage.searchindex import SearchIndex
from hub.storage.writer import WriterCore
from hub.storage.writer_thread import WriterThread
from hub.web.reads import Sources

log = logging.getLogger(__name__)


class Hub:
    """``failed`` is set when the hub can't go on and has to be started again."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock,
        ids: Ids,
        randomness: Randomness,
        recent: Recent,
        loaded: Loaded | None = None,
    ) -> None:
        self.settings = settings
        self._loaded = loaded
        self._clock = clock
        self._ids = ids
        self._randomness = randomness
        self._recent = recent
        self._stops: list[tuple[str, Callable[[], Any]]] = []
        self._listeners: list[Callable[[Sequence[object]], None]] = []
        self.failed: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
        self.started_at_ms = clock.wall_ms()
        self.watching = Watching(Tally(clock), Exports(settings, clock, randomness, recent))
        self._listeners.append(self.watching.tally.notify)
        self.advertiser: Advertiser | None = None
        self.chronicle: Chronicle | None = None

    # -- start --------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start everything, in order; what was started is stopped again if a step fails.

        The page comes before the broker is awaited: a technician sees why devices can't connect.
        """
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        try:
            await asyncio.to_thread(self._open_storage)
            self._start_replica()  # ended after the writer, so that it sends what that wrote
            self._start_writer()
            await self._start_readers()
            self._make_gate()
            await self._open_identity()
            self._make_messaging()
            self._make_cloud()
            self.attached = Peripherals(
                self.settings, self.gate, self.messaging, self._randomness, self.box
            )
            opening = asyncio.create_task(self.messaging.start(), name="messaging-start")
            self._later("messaging", lambda: self._stop_messaging(opening))
            teller = self.attached.teller
            self.paying.connect(
                self.gate, self.messaging.command, self.cloud, lambda: teller.recovered
            )
            parts = self.messaging, self.cloud, self.afar, self.attached, self.paying
            self._listeners += [part.notify for part in parts]
            self._gather()
            await self._open_doors()
            await self._start_watching()
            await opening
            self._later("the peripherals", self.attached.stop)
            await self.attached.start(lambda: f"https://{self.parts.host()}:{self.web.port}/")
            await self.afar.start()
            self._later("what is managed from afar", self.afar.stop)
            await self.cloud.start()
            self._later("the link to the cloud", self.cloud.stop)
            self._later("card payments", self.paying.stop)
            await self.paying.start()
            await self._start_discovery()
            await self._start_care()
            settle_memory()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop everything in reverse order; a part that fails doesn't keep the others."""
        while self._stops:
            name, stop = self._stops.pop()
            try:
                result = stop()
                if asyncio.iscoroutine(result):
                    await result
            except Exception:
                log.exception("stopping %s failed", name)

    async def _stop_messaging(self, opening: asyncio.Task[None]) -> None:
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)  # what it raised, the start raises
        await self.messaging.stop()

    def _later(self, name: str, stop: Callable[[], Any]) -> None:
        self._stops.append((name, stop))

    def _open_storage(self) -> None:
        lock = StateLock(self.settings.paths.state)
        self._later("the state directory's lock", lock.release)
        warn_of_sqlite()
        least = self.settings.storage.reserve_mb * MB
        self.reserve = Reserve(self.settings.paths.state, least)
        if shutil.disk_usage(self.settings.paths.state).free < least and self.reserve.release():
            log.warning("the disk is nearly full: the reserve of %d MB is used", least // MB)
        self.opened = open_state(self.settings, self._clock, self._randomness)
        key = self.settings.paths.state / "tls" / "box.key"
        self.box = SecretsBox.open(key, self._randomness)
        self.paying = CardPayments(self.settings, self.box, self._clock, self._randomness)

    def _start_replica(self) -> None:
        opened = self.opened
        self.replicator = Replicator(
            self.settings, opened.database, opened.hub.machine_hash, self._clock, self._randomness
        )
        self.replicator.start()
        self._later("the replicator", self.replicator.stop)

    def _start_writer(self) -> None:
        opened, storage = self.opened, self.settings.storage
        self.budget = BudgetClock(self._clock, opened.hub.budget_ms)
        core = WriterCore(
            opened.conn,
            self.budget,
            batch_max=storage.batch_max,
            queue_limit=storage.queue_limit,
            stopwatch=self.watching.tally,
        )
        self.writer = WriterThread(core, on_notices=self._on_notices, on_fatal=self._on_fatal)
        self._later("the writer", self.writer.stop)

    async def _start_readers(self) -> None:
        database = self.opened.database
        self.rows = LoopReader(database)
        self._later("the reader", self.rows.close)
        self.slow = ThreadReaders(database)
        await self.slow.open()
        self._later("the readers", self.slow.close)
        self.search = SearchIndex(database)
        self.search.start()
        self._later("the search index", self.search.stop)
        self._listeners.append(self._index)

    def _make_gate(self) -> None:
        self.pins = PinDesk()
        self._later("the PIN desk", lambda: asyncio.to_thread(self.pins.close))
        self.gate = Gate(
            shop=self._shop(),
            writer=self.writer,
            rows=self.rows,
            slow=self.slow,
            handlers=collect(self.pins),
            clock=self._clock,
            budget=self.budget,
            ids=self._ids,
            recorder=Recorder(
                self.box.derive(records.PURPOSE),
                self.settings.store.id,
                self.settings.broker.max_packet_bytes,
            ),
        )

    def _shop(self) -> Shop:
        """What hangs on the hub is asked later, and may be others then."""
        terms = self.paying.rules(lambda till: self.attached.terminal_of(till))  # noqa: PLW0108
        has_drawer = lambda till: self.attached.has_drawer(till)  # noqa: E731, PLW0108
        return shop_of(self.settings, has_drawer, self.box, terms)

    async def _open_identity(self) -> None:
        tls = self.settings.paths.state / "tls"
        knows_devices = devicerows.any_ever(self.rows)
        self.authority = await asyncio.to_thread(
            lambda: Authority.open(
                tls,
                store_name=self.settings.store.name,
                now_ms=self._clock.wall_ms(),
                create=not knows_devices,
            )
        )
        self.certificates = Certificates(
            self.settings,
            self.authority,
            self.rows,
            self._clock,
            lambda: certificate_names(self.settings),
        )
        await self.certificates.keep()

    def _make_messaging(self) -> None:
        self.guard = ClockGuard(
            self._clock,
            trusted_wall_ms=self.opened.hub.trusted_wall_ms,
            suspect=self.opened.hub.clock_suspect,
        )
        self._listeners.append(self.guard.notify)
        self.messaging = Messaging(
            self.settings,
            self.gate,
            self.authority,
            self._clock,
            self._randomness,
            cloud_up=lambda: self.cloud.up,
            list_revoked=self.certificates.list_revoked,
        )
        self.caretaker = Caretaker(
            self.settings,
            self.gate,
            self._clock,
            self.guard,
            self.certificates,
            reserve=self.reserve,
            writer_full=lambda: self.writer.full,
        )

    def _make_cloud(self) -> None:
        self.cloud = CloudLink(
            self.settings.cloud,
            self.gate,
            World(self._clock, self._ids, self._randomness, watch=self.watching.tracer),
            machine_hash=self.opened.hub.machine_hash,
            on_trusted_time=self._on_trusted_time,
            on_date=self.guard.agree,
            on_change=self._on_cloud_change,
            make_bundle=lambda: bundle_of(self.web.reads),
        )
        own = Own(self.settings, self._loaded, lambda: self.web.reads.levels)
        self.afar = Afar(self.gate, self.cloud, own, self._clock)

    def _gather(self) -> None:
        """Put together what is looked at, and what judges it."""
        self.running = Running(
            self.settings,
            self.opened.database,
            self.writer,
            self.gate,
            self.messaging,
            self.certificates,
            self.cloud,
            lambda: self.advertiser,
            self.replicator,
        )
        self.parts = Parts(self.running, self._recent)
        self.prober = make_prober(self.running, self.guard)
        self.status = StatusSource(
            self.gate,
            self.parts,
            started_at_ms=self.started_at_ms,
            limits=limits_of(self.settings),
            measured=self.prober.latest,
        )

    def _actions(self) -> list[Action]:
        """All that people can have the hub do to mend itself, in the order that pages show."""
        made = make_actions(self.running, self.prober, self.caretaker)
        return [*made, *self.afar.drill.actions(), *self.paying.actions()]

    async def _open_doors(self) -> None:
        seen = self.messaging.router.traffic.seen
        behind = Behind(
            self.running,
            self.parts,
            self.status,
            ActionDesk(self.gate, self._actions()),
            Sources(seen, self._recent, self._loaded, self.watching.text, self.attached.template),
        )
        locks = Locks(self.authority, self.box, self._clock, self._randomness, self.pins)
        self.web = make_web(behind, locks)
        await self.web.start()
        self._later("the web server", self.web.stop)
        self._listeners.append(self.web.notify)
        self.admin = make_socket(behind, self.web)
        await self.admin.start()
        self._later("the admin socket", self.admin.stop)

    async def _start_watching(self) -> None:
        self.watching.connect(
            self.running,
            self.parts,
            status=self.status,
            prober=self.prober,
            recent=self._recent,
            started_at_ms=self.started_at_ms,
            context=self.web.context,
        )
        await self.watching.start()
        self._later("the metrics", self.watching.stop)
        self.certificates.on_change = self._on_certificates

    async def _start_discovery(self) -> None:
        discovery = self.settings.discovery
        if not discovery.enabled:
            return
        self.advertiser = Advertiser(
            self._advertisement(),
            randomness=self._randomness,
            interfaces=tuple(discovery.interfaces),
            retry_s=discovery.retry_s,
        )
        await self.advertiser.start()
        self._later("discovery", self.advertiser.stop)

    async def _start_care(self) -> None:
        await self.caretaker.guard_disk()
        self.caretaker.start()
        self._later("the caretaker", self.caretaker.stop)
        self._later("the threads of the probes", self.prober.close)
        looking = Periodic("health-probes", LOOK_S, self.prober.look)
        looking.start()
        self._later("the probes", looking.stop)
        tally, latest = self.watching.tally, self.prober.latest
        self.chronicle = Chronicle(
            self.gate,
            watched_parts(
                self.cloud, latest, tally, self.settings.cloud.url, self.afar.drill.is_running
            ),
            seen_at_ms=self.opened.hub.trusted_wall_ms,
        )
        self.chronicle.start()
        self._later("the history", self.chronicle.stop)

    # -- wiring -------------------------------------------------------------------------------

    def _advertisement(self) -> Advertisement:
        ports, fingerprint = self.messaging.ports, self.authority.fingerprint
        return advertisement(self.settings.store, self.web.port, ports, fingerprint)

    def _on_notices(self, told: Sequence[object]) -> None:
        for listen in self._listeners:
            listen(told)

    def _index(self, told: Sequence[object]) -> None:
        for notice in told:
            if isinstance(notice, DatasetSwapped) and notice.dataset == "catalog":
                self.search.poke(snapshot=notice.snapshot)

    def _on_trusted_time(self, trusted_ms: int) -> None:
        self.guard.compare(trusted_ms)

    def _on_cloud_change(self) -> None:
        self.messaging.announcer.wake()
        self.web.wake()
        self.paying.look()
        if self.chronicle is not None:
            self.chronicle.look()

    async def _on_certificates(self, rolled_over: bool) -> None:
        await self.web.reload_tls()
        await self.watching.reload_tls()
        self.messaging.certificates_changed(rolled_over)
        if rolled_over and self.advertiser is not None:
            self.advertiser.advertise(self._advertisement())

    def _on_fatal(self, error: Exception) -> None:
        if not self.failed.done():
            self.failed.set_result(error)
