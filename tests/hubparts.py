"""A hub without broker and cloud: real database, gate, authority and HTTPS, on free ports."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hub.clock import Clock, Randomness, SystemClock, SystemIds, SystemRandomness
from hub.contract.admin import OpenPairing
from hub.contract.local import (
    BrokerStatus,
    CloudStatus,
    DiscoveryStatus,
    RecentError,
    StorageStatus,
)
from hub.health.facts import NOTHING_MEASURED, Measured
from hub.health.mending import Action, ActionDesk
from hub.health.status import StatusSource, storage_status
from hub.security.authority import Authority
from hub.security.renewal import Nonces
from hub.security.sessions import Sessions
from hub.service.caller import Caller, CallerKind
from hub.service.gate import Gate, Handlers
from hub.service.handlers import (
    datasets,
    devices,
    drill,
    loglevel,
    mending,
    parking,
    presence,
    staff,
    webaccess,
)
from hub.service.handlers.signin import PinDesk
from hub.service.records import Recorder
from hub.service.shop import PaymentRules, Shop
from hub.storage import hubrow
from hub.storage.readers import LoopReader, ThreadReaders
from hub.storage.rows import Tx
from hub.storage.writer import WriterCore
from hub.storage.writer_thread import WriterThread
from hub.web.adminsocket import BOUNDS, SOCKET_NAME, AdminSocket
from hub.web.listener import Bounds
from hub.web.pairing import PairingOpenedPage
from hub.web.reads import Sources
from hub.web.server import WebConfig, WebServer
from tests.support.paying import PlainVault
from tests.support.quickdb import open_quickly

SHELL = Caller(CallerKind.CLI, "uid-0")
SHOP = Shop(
    store="367",
    name="Corner Shop",
    hub_name="store-hub",
    currency="EUR",
    zone=ZoneInfo("Europe/Berlin"),
    timezone="Europe/Berlin",
    version="0.1.0",
    payments=PaymentRules(vault=PlainVault()),
)


@dataclass
class Instants:
    """Wall and budget time from one clock."""

    clock: Clock

    def wall_ms(self) -> int:
        return self.clock.wall_ms()

    def budget_ms(self) -> int:
        return int(self.clock.monotonic_s() * 1000)


class ShiftedClock:
    """The machine's clock, with monotonic time that a test can push on."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self.ahead_s = 0.0

    def wall_ms(self) -> int:
        return self._clock.wall_ms()

    def monotonic_s(self) -> float:
        return self._clock.monotonic_s() + self.ahead_s


def new_csr(key: ec.EllipticCurvePrivateKey | None = None) -> str:
    """A certificate request as a device makes it."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "whatever")])
    made = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


@dataclass
class FakeParts:
    """The live parts as a test wants them."""

    clock: Clock
    database: Path
    broker_state: str = "running"
    cloud_state: str = "up"
    expires_at_ms: int | None = None
    recent: list[RecentError] = field(default_factory=list)

    def broker(self) -> BrokerStatus:
        return BrokerStatus(
            mode="managed",
            state=self.broker_state,
            since_ms=self.clock.wall_ms() - 3_600_000,
            restarts=0,
            connected=self.broker_state == "running",
        )

    def cloud(self) -> CloudStatus:
        return CloudStatus(
            state=self.cloud_state,
            since_ms=self.clock.wall_ms() - 600_000,
            last_success_at_ms=self.clock.wall_ms() - 2000,
            url="https://oms.example",
        )

    def discovery(self) -> DiscoveryStatus:
        return DiscoveryStatus(
            state="announced", name="store-hub.local", addresses=("192.0.2.10", "2001:db8::10")
        )

    def storage(self) -> StorageStatus:
        return storage_status(self.database, queue_depth=0, full=False, alive=True)

    def errors(self) -> Sequence[RecentError]:
        return self.recent

    def server_certificate_expires_at_ms(self) -> int | None:
        return self.expires_at_ms


@dataclass
class Pretended:
    """What the probes are said to have found."""

    value: Measured = NOTHING_MEASURED


@dataclass
class HubParts:
    """What a test may touch."""

    gate: Gate
    writer: WriterThread
    notices: list[object]
    authority: Authority
    parts: FakeParts
    status: StatusSource
    state: Path
    run: Path
    web: WebServer
    admin: AdminSocket
    measured: Pretended

    @property
    def base(self) -> str:
        return f"https://127.0.0.1:{self.web.port}"

    async def write(self, work: Any) -> Any:
        """Run ``work(tx)`` in the writer."""
        return await self.writer.submit(work)

    def trust(self) -> ssl.SSLContext:
        """A client that trusts this hub's authority only."""
        return ssl.create_default_context(cadata=self.authority.ca_pem())

    async def open_pairing(self, **fields: Any) -> PairingOpenedPage:
        """A pairing code, as the command line gets one."""
        return await self.web.desk.open(SHELL, OpenPairing(**fields))

    @asynccontextmanager
    async def technician(self) -> AsyncIterator[tuple[aiohttp.ClientSession, dict[str, str]]]:
        """A client that is signed in, and the headers of its changes."""
        async with self.client() as http:
            code = self.web.technician.open()
            async with http.post("/api/1/session", json={"code": code}) as answer:
                assert answer.status == 200, await answer.text()
                yield http, {"X-CSRF-Token": (await answer.json())["csrf"]}

    @asynccontextmanager
    async def client(self) -> AsyncIterator[aiohttp.ClientSession]:
        connector = aiohttp.TCPConnector(ssl=self.trust())
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(
            self.base, connector=connector, cookie_jar=jar, timeout=aiohttp.ClientTimeout(60)
        ) as session:
            yield session


@asynccontextmanager
async def hub_parts(
    root: Path,
    *,
    clock: Clock | None = None,
    randomness: Randomness | None = None,
    shop: Shop = SHOP,
    bounds: Bounds | None = None,
    admin_bounds: Bounds | None = None,
    bridge: Any = None,
    idle_s: int = 900,
    on_notices: Any = None,
    actions: Sequence[Action] = (),
    sources: Sources | None = None,
    handlers: Callable[[PinDesk], Handlers] = lambda _pins: _handlers(),
) -> AsyncIterator[HubParts]:
    """The parts, running; everything is closed afterwards."""
    clock = clock or SystemClock()
    randomness = randomness or SystemRandomness()
    state, run = root / "state", root / "run"
    for directory in (state, run):
        directory.mkdir(mode=0o700, exist_ok=True)
    told = Told()
    async with (
        _pins() as pins,
        _gate(state / "hub.db", shop, clock, randomness, told, handlers(pins)) as (gate, writer),
    ):
        authority = await asyncio.to_thread(_authority, state / "tls", clock.wall_ms())
        parts, measured = FakeParts(clock, state / "hub.db"), Pretended()
        status = StatusSource(
            gate, parts, started_at_ms=clock.wall_ms(), measured=lambda: measured.value
        )
        desk = ActionDesk(gate, actions)
        web = _web(
            gate,
            clock,
            config=WebConfig(bind="127.0.0.1", port=0, idle_s=idle_s, bounds=bounds or Bounds()),
            authority=authority,
            status=status,
            randomness=randomness,
            bridge=bridge,
            actions=desk,
            sources=sources,
            pins=pins,
        )
        admin = _admin(gate, run, web, status, desk, admin_bounds or BOUNDS)
        told.listeners += [web.notify, *([on_notices] if on_notices is not None else [])]
        async with _open(web, admin):
            yield HubParts(
                gate,
                writer,
                told.notices,
                authority,
                parts,
                status,
                state,
                run,
                web,
                admin,
                measured,
            )


@dataclass
class Told:
    """What committed requests left to be told, kept and passed on."""

    notices: list[object] = field(default_factory=list)
    listeners: list[Callable[[Sequence[object]], Any]] = field(default_factory=list)

    def __call__(self, found: Sequence[object]) -> None:
        self.notices.extend(found)
        for listen in self.listeners:
            listen(found)


@asynccontextmanager
async def _pins() -> AsyncIterator[PinDesk]:
    desk = PinDesk()
    try:
        yield desk
    finally:
        await asyncio.to_thread(desk.close)


@asynccontextmanager
async def _gate(
    database: Path,
    shop: Shop,
    clock: Clock,
    randomness: Randomness,
    told: Told,
    handlers: Handlers,
) -> AsyncIterator[tuple[Gate, WriterThread]]:
    conn = await asyncio.to_thread(open_quickly, database)
    writer = WriterThread(
        WriterCore(conn, Instants(clock)), on_notices=told, on_fatal=lambda error: None
    )
    slow = ThreadReaders(database)
    try:
        await writer.submit(_found(shop.store))
        await slow.open()
        with LoopReader(database) as rows:
            gate = Gate(
                shop=shop,
                writer=writer,
                rows=rows,
                slow=slow,
                handlers=handlers,
                clock=clock,
                budget=Instants(clock),
                ids=SystemIds(clock, randomness),
                recorder=Recorder(bytes(32), shop.store),
            )
            yield gate, writer
    finally:
        await slow.close()
        await writer.stop()


def _web(
    gate: Gate, clock: Clock, *, config: WebConfig, randomness: Randomness, **more: Any
) -> WebServer:
    return WebServer(
        config,
        gate=gate,
        sessions=Sessions(bytes(32), randomness),
        nonces=Nonces(clock, randomness),
        randomness=randomness,
        host=lambda: "127.0.0.1",
        mqtt_password_port=lambda: 8883,
        mqtt_mtls_port=lambda: 8884,
        **more,
    )


def _admin(
    gate: Gate, run: Path, web: WebServer, status: StatusSource, desk: ActionDesk, bounds: Bounds
) -> AdminSocket:
    return AdminSocket(
        run / SOCKET_NAME,
        gate=gate,
        status=status,
        desk=web.desk,
        technician=web.technician,
        url=lambda: f"https://127.0.0.1:{web.port}/",
        bounds=bounds,
        actions=desk,
        reads=web.reads,
    )


@asynccontextmanager
async def _open(web: WebServer, admin: AdminSocket) -> AsyncIterator[None]:
    await web.start()
    await admin.start()
    try:
        yield
    finally:
        await admin.stop()
        await web.stop()


def _found(store: str) -> Any:
    def work(tx: Tx) -> None:
        if hubrow.load(tx) is None:
            hubrow.found(tx, store, "hub-test", "machine", "fork1")

    return work


def _authority(directory: Path, now_ms: int) -> Authority:
    authority = Authority.open(directory, store_name="Corner Shop", now_ms=now_ms)
    authority.ensure_server("store-hub", [], [], now_ms)
    authority.issue_crl([], now_ms)
    return authority


def _handlers() -> Handlers:
    return Handlers(
        writes={
            **devices.WRITES,
            **webaccess.WRITES,
            **parking.WRITES,
            **loglevel.WRITES,
            **staff.WRITES,
        },
        reads={**devices.READS, **webaccess.READS},
        slow_reads={**devices.SLOW_READS, **webaccess.SLOW_READS},
        internal={
            **devices.INTERNAL,
            **mending.INTERNAL,
            **presence.INTERNAL,
            **webaccess.INTERNAL,
            **staff.INTERNAL,
            **datasets.INTERNAL,
            **drill.INTERNAL,
        },
        before={},
    )
