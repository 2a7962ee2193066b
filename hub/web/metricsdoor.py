"""``GET /metrics`` on a port of its own: this machine only, or the network with TLS and a token."""

from __future__ import annotations

import asyncio
import hmac
import logging
import ssl
from collections.abc import Awaitable, Callable
from typing import Final, cast

from aiohttp import web

from hub import events
from hub.config import Metrics
from hub.observe.exposition import CONTENT_TYPE
from hub.web.listener import Bounds, Listener

_log = logging.getLogger(__name__)

LOOPBACK: Final = "127.0.0.1"
BOUNDS: Final = Bounds(connections=16, per_address=8)
_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class MetricsDoor:
    """``keep`` listens, or tries again: a port that is taken must not keep a shop from selling.

    ``context`` gives the TLS context of the hub's certificate; only asked on the network.
    """

    def __init__(
        self,
        settings: Metrics,
        text: Callable[[], Awaitable[bytes]],
        context: Callable[[], ssl.SSLContext],
    ) -> None:
        self._settings = settings
        self._text = text
        self._context = context
        self._runner: web.AppRunner | None = None
        self._listener: Listener | None = None
        self._complained = False

    @property
    def is_off(self) -> bool:
        """True when the settings want none."""
        return self._settings.listen == "off"

    @property
    def port(self) -> int | None:
        """The port in use; None while nobody listens."""
        return self._listener.port if self._listener is not None else None

    async def keep(self) -> None:
        """Listen unless that is so already; why it can't be is logged once."""
        if self.is_off or self._listener is not None:
            return
        try:
            await self._open()
        except OSError as error:
            await self._close_runner()
            if not self._complained:
                _log.warning(
                    "metrics are not served: port %d can't be had (%s); set metrics.port or"
                    ' metrics.listen = "off"',
                    self._settings.port,
                    error,
                    extra=events.METRICS_NOT_SERVED(port=self._settings.port),
                )
            self._complained = True

    async def reload_tls(self) -> None:
        """Use the certificate as it is now, for new connections."""
        if self._listener is not None and self._settings.listen == "lan":
            self._listener.use(await asyncio.to_thread(self._context))

    async def stop(self) -> None:
        """Stop listening."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.stop_accepting()
        await self._close_runner()
        if listener is not None:
            await listener.close()

    async def _open(self) -> None:
        app = web.Application(client_max_size=1024)
        app.router.add_get("/metrics", self._show)
        quiet = logging.getLogger("hub.web.http")
        quiet.setLevel(logging.CRITICAL)
        self._runner = web.AppRunner(
            app, logger=quiet, access_log=None, handle_signals=False, shutdown_timeout=1.0
        )
        await self._runner.setup()
        listener = Listener(cast(Callable[[], asyncio.Protocol], self._runner.server), BOUNDS)
        if self._settings.listen == "lan":
            listener.use(await asyncio.to_thread(self._context))
            await listener.start(self._settings.bind, self._settings.port)
        else:
            await listener.start_clear(LOOPBACK, self._settings.port)
        self._listener, self._complained = listener, False

    async def _close_runner(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _show(self, request: web.Request) -> web.Response:
        assert self._listener is not None
        self._listener.request_begins(request.transport)
        try:
            if not self._may(request):
                return web.Response(
                    status=401,
                    text="send Authorization: Bearer and the token of metrics.token\n",
                    headers={**_HEADERS, "WWW-Authenticate": "Bearer"},
                )
            body = await self._text()
            return web.Response(body=body, headers={**_HEADERS, "Content-Type": CONTENT_TYPE})
        finally:
            self._listener.request_ends(request.transport)

    def _may(self, request: web.Request) -> bool:
        token = self._settings.token
        if token is None:
            return self._settings.listen == "loopback"
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        return hmac.compare_digest(given, b"Bearer " + token.get_secret_value().encode())
