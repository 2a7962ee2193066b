"""The HTTPS server: routes, bounds, and who may use them."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, cast

from aiohttp import web

from hub.clock import Randomness
from hub.contract.admin import OpenPairing
from hub.contract.base import CONTRACT_VERSION
from hub.contract.local import Hello, PairRequest, RenewalRequest, TechnicianSignIn
from hub.contract.pages.table import READS, ROOMS
from hub.contract.problems import Code, Refusal, refuse
from hub.health.mending import ActionDesk
from hub.health.status import StatusSource
from hub.security.authority import Authority
from hub.security.renewal import Nonces
from hub.security.sessions import Sessions
from hub.service.gate import Gate, Request
from hub.service.handlers.signin import PinDesk
from hub.service.notices import LogLevelAsked
from hub.web import answers
from hub.web.access import COOKIE, SESSION, Access, PageSession
from hub.web.answers import SECURITY_HEADERS, address_of, read_model, too_often
from hub.web.feed import StatusFeed
from hub.web.limits import RateLimit
from hub.web.listener import Bounds, Listener
from hub.web.page import Page
from hub.web.pairing import Addresses, Admit, PairingDesk
from hub.web.reads import Reads, Sources, is_polled
from hub.web.technician import TechnicianCode

_log = logging.getLogger(__name__)

IDEMPOTENCY_HEADER: Final = "Idempotency-Key"
WRONG_CODE_COST: Final = 10
STREAMS: Final = frozenset({"/mqtt", "/api/1/status/stream"})
"""Paths whose answers have no end; they bound their own writes."""


class Bridge(Protocol):
    """MQTT over WebSocket, as :class:`hub.mqtt.bridge.WebSocketBridge` does it."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one client until it goes."""


@dataclass(frozen=True, slots=True)
class WebConfig:
    """What the settings say; times in seconds."""

    bind: str = ""
    port: int = 8443
    idle_s: int = 900
    max_s: int = 28_800
    max_body_bytes: int = 262_144
    bounds: Bounds = field(default_factory=Bounds)


class WebServer:
    """Start it with ``start``, end it with ``stop``.  ``wake`` after every commit that left
    notices; ``reload_tls`` after the server's certificate was renewed."""

    def __init__(
        self,
        config: WebConfig,
        *,
        gate: Gate,
        authority: Authority,
        status: StatusSource,
        sessions: Sessions,
        nonces: Nonces,
        randomness: Randomness,
        host: Callable[[], str],
        mqtt_password_port: Callable[[], int],
        mqtt_mtls_port: Callable[[], int],
        bridge: Bridge | None = None,
        technician: TechnicianCode | None = None,
        admit: Admit | None = None,
        actions: ActionDesk | None = None,
        sources: Sources | None = None,
        pins: PinDesk | None = None,
    ) -> None:
        self._config = config
        self._gate = gate
        self._authority = authority
        self._status = status
        self._bridge = bridge
        self._actions = actions or ActionDesk(gate)
        self.technician = technician or TechnicianCode(gate.clock, randomness)
        self.access = Access(
            gate, sessions, self.technician, pins, idle_s=config.idle_s, max_s=config.max_s
        )
        self.desk = PairingDesk(
            gate,
            authority,
            nonces,
            randomness,
            Addresses(host, lambda: self.port, mqtt_password_port, mqtt_mtls_port),
            admit,
        )
        self.reads = Reads(gate, status, sources or Sources())
        self.feed = StatusFeed(status)
        self._strangers = RateLimit(gate.clock, capacity=100, refill_s=60)
        self._runner: web.AppRunner | None = None
        self._listener: Listener | None = None
        self._feeding: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port in use, or the one configured before the start."""
        return self._listener.port if self._listener is not None else self._config.port

    @property
    def connections(self) -> int:
        """Open connections."""
        return self._listener.connections if self._listener is not None else 0

    def notify(self, told: Sequence[object]) -> None:
        """Take what committed requests left to be told: show viewers what changed, soon."""
        self.wake()
        for notice in told:
            if isinstance(notice, LogLevelAsked):
                self.reads.levels.set(notice.logger, notice.level, notice.for_s)

    def wake(self) -> None:
        """Show viewers what changed, soon."""
        self.feed.wake()

    async def start(self) -> None:
        """Listen.  Raises OSError when the port is taken; the certificate files must be there."""
        app = await asyncio.to_thread(self._app)
        # What fails in a handler is logged by `guarded`; what is left is strangers' bad HTTP, which
        # must not fill the log.
        quiet = logging.getLogger("hub.web.http")
        quiet.setLevel(logging.CRITICAL)
        runner = web.AppRunner(
            app,
            logger=quiet,
            access_log=None,
            handle_signals=False,
            keepalive_timeout=self._config.bounds.idle_s,
            shutdown_timeout=3.0,
            auto_decompress=False,
            lingering_time=self._config.bounds.linger_s,
        )
        await runner.setup()
        server = runner.server
        assert server is not None
        listener = Listener(cast(Callable[[], asyncio.Protocol], server), self._config.bounds)
        listener.use(await asyncio.to_thread(self.context))
        await listener.start(self._config.bind, self._config.port)
        self._runner, self._listener = runner, listener
        self._feeding = asyncio.create_task(self.feed.run(), name="status-feed")

    async def stop(self) -> None:
        """Let viewers go, finish what is being answered (3 s), close the rest."""
        if self._listener is not None:
            self._listener.stop_accepting()
        self.reads.levels.close()
        await self.feed.close()
        if self._feeding is not None:
            self._feeding.cancel()
            await asyncio.gather(self._feeding, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()
        if self._listener is not None:
            await self._listener.close()

    async def reload_tls(self) -> None:
        """Use the certificate files as they are now, for new connections."""
        if self._listener is not None:
            self._listener.use(await asyncio.to_thread(self.context))

    def context(self) -> ssl.SSLContext:
        """The hub's certificate as it is now; reads files."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        context.load_cert_chain(
            self._authority.server_certificate_path, self._authority.server_key_path
        )
        return context

    # --- routes -------------------------------------------------------------------------------

    def _app(self) -> web.Application:
        app = web.Application(
            middlewares=[self._middleware], client_max_size=self._config.max_body_bytes
        )
        app.on_response_prepare.append(_secure_headers)
        page = Page()
        router = app.router
        for path in page.paths:
            router.add_get(path, page.handle)
        router.add_get("/api/1/hello", self._hello)
        router.add_get("/api/1/ca", self._ca)
        router.add_post("/api/1/pair", self._pair)
        router.add_post("/api/1/renewals/nonce", self._nonce)
        router.add_post("/api/1/renewals", self._renew)
        router.add_get("/api/1/session", self._session)
        router.add_post("/api/1/session", self._sign_in)
        router.add_delete("/api/1/session", self._sign_out)
        router.add_get("/api/1/me", self._me)
        router.add_get("/api/1/status", self._show_status)
        router.add_get("/api/1/status/stream", self._stream)
        router.add_get("/api/1/actions", self._list_actions)
        router.add_post("/api/1/actions/{key}", self._act)
        router.add_post("/api/1/pairing/open", self._open_pairing)
        for read in READS:
            router.add_get(read.path, self._read_page)
        # Not behind GET's back: `Allow` of a page must not promise POST.
        rooms = "|".join(("status", "actions", *ROOMS))
        service = f"{{service:(?!(?:{rooms})/)[^{{}}/]+}}"
        router.add_post(f"/api/1/{service}/{{operation}}", self._operation)
        router.add_get("/mqtt", self._mqtt)
        return app

    @web.middleware
    async def _middleware(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        assert self._listener is not None
        transport = request.transport
        if request.path in STREAMS:
            self._listener.request_streams(transport)
        else:
            self._listener.request_begins(transport)

        async def allowed(request: web.Request) -> web.StreamResponse:
            await self.access.guard(request)
            return await handler(request)

        try:
            return await answers.guarded(request, allowed, self._gate.ids)
        finally:
            self._listener.request_ends(transport)

    async def _hello(self, _request: web.Request) -> web.Response:
        return answers.answer(
            Hello(
                store=self._gate.shop.store,
                name=self._gate.shop.name,
                version=self._gate.shop.version,
                contract=(CONTRACT_VERSION, CONTRACT_VERSION),
                ca_fingerprint=self._authority.fingerprint,
                time_ms=self._gate.clock.wall_ms(),
            )
        )

    async def _ca(self, _request: web.Request) -> web.Response:
        return web.Response(
            text=self._authority.ca_pem(),
            content_type="application/x-pem-file",
            headers={"Cache-Control": "no-store"},
        )

    async def _pair(self, request: web.Request) -> web.Response:
        self._take(request)
        asked = await read_model(request, PairRequest, self._config.bounds.body_s)
        try:
            return answers.answer(await self.desk.pair(asked, _host(request)))
        except Refusal as refusal:
            if refusal.problem.code is Code.FORBIDDEN:
                self._strangers.charge(address_of(request), WRONG_CODE_COST)
            raise

    async def _nonce(self, request: web.Request) -> web.Response:
        self._take(request)
        return answers.answer(self.desk.nonce())

    async def _renew(self, request: web.Request) -> web.Response:
        self._take(request)
        asked = await read_model(request, RenewalRequest, self._config.bounds.body_s)
        return answers.answer(await self.desk.renew(asked, _host(request)))

    async def _session(self, request: web.Request) -> web.Response:
        session = await self.access.need(request, counts=not is_polled(request))
        return answers.answer(self.access.view(session))

    async def _sign_in(self, request: web.Request) -> web.Response:
        asked = await read_model(request, TechnicianSignIn, self._config.bounds.body_s)
        return await self.access.sign_in(request, asked)

    async def _me(self, request: web.Request) -> web.Response:
        session = await self.access.need(request, counts=not is_polled(request))
        return answers.answer(self.access.user(session))

    async def _sign_out(self, request: web.Request) -> web.Response:
        await self.access.sign_out(_session(request))
        response = web.Response(status=204)
        response.del_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="Strict")
        return response

    async def _show_status(self, request: web.Request) -> web.Response:
        await self.access.need(request, counts=False)
        return answers.answer(await self._status.status())

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        session = await self.access.need(request, counts=False)
        return await self.feed.serve(request, lambda: self.access.still_good(session))

    async def _list_actions(self, request: web.Request) -> web.Response:
        await self.access.need(request, counts=not is_polled(request))
        return answers.answer(self._actions.listed())

    async def _act(self, request: web.Request) -> web.Response:
        key = request.match_info["key"]
        return answers.answer(await self._actions.run(_session(request).caller, key))

    async def _read_page(self, request: web.Request) -> web.StreamResponse:
        session = await self.access.need(request, counts=not is_polled(request))
        return await self.reads.answer(session.caller, request)

    async def _open_pairing(self, request: web.Request) -> web.Response:
        command = await read_model(request, OpenPairing, self._config.bounds.body_s)
        return answers.answer(await self.desk.open(_session(request).caller, command))

    async def _operation(self, request: web.Request) -> web.Response:
        answers.need_json(request)
        body = await answers.read_body(request, self._config.bounds.body_s)
        text = await self._gate.answer(
            Request(
                _session(request).caller,
                request.match_info["service"],
                request.match_info["operation"],
                body,
                request.headers.get(IDEMPOTENCY_HEADER),
            )
        )
        return answers.gate_answer(text)

    async def _mqtt(self, request: web.Request) -> web.StreamResponse:
        if self._bridge is None:
            raise refuse(Code.UNAVAILABLE, "MQTT over WebSocket is switched off here.")
        return await self._bridge.handle(request)

    def _take(self, request: web.Request) -> None:
        if wait_s := self._strangers.take(address_of(request)):
            raise too_often(wait_s)


async def _secure_headers(_request: web.Request, response: web.StreamResponse) -> None:
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "store-hub"


def _session(request: web.Request) -> PageSession:
    """Whose change it is; without :meth:`Access.guard` there is none, and no change."""
    return request[SESSION]


def _host(request: web.Request) -> str:
    """By what name or address the device reached us: it will find the broker there too."""
    try:
        return request.url.host or ""
    except ValueError:
        return ""
