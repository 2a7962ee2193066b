"""Metrics of a running hub, put together."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable

import hub
from hub.app.parts import Parts, Running
from hub.app.periodic import Periodic
from hub.clock import Randomness
from hub.config import Settings
from hub.health.prober import Prober
from hub.health.status import StatusSource
from hub.logs import Recent
from hub.observe.exporter import Exporter, poster
from hub.observe.source import MetricsSource
from hub.observe.spool import Spool
from hub.observe.tally import Tally
from hub.web.metricsdoor import MetricsDoor

RETRY_S = 30.0
"""How often a port is tried again that was taken at the start."""


class Watching:
    """What is counted, and the door it is read at.  ``connect`` once the parts are there."""

    def __init__(self, tally: Tally, randomness: Randomness) -> None:
        self.tally = tally
        self._randomness = randomness
        self._recent: Recent | None = None
        self._exporter: Exporter | None = None
        self._exporting: asyncio.Task[None] | None = None
        self._close_post: Callable[[], Awaitable[None]] | None = None
        self.door: MetricsDoor | None = None
        self._trying: Periodic | None = None
        self._source: MetricsSource | None = None

    def connect(
        self,
        running: Running,
        parts: Parts,
        *,
        status: StatusSource,
        prober: Prober,
        recent: Recent,
        started_at_ms: int,
        context: Callable[[], ssl.SSLContext],
    ) -> None:
        """Begin to count requests."""
        running.gate.watch = self.tally.of_gate
        running.messaging.router.traffic.watch = self.tally.of_device
        self._source = MetricsSource(
            running.gate,
            status,
            self.tally,
            started_at_ms=started_at_ms,
            queue_depth=lambda: running.writer.depth,
            measured=prober.latest,
            certificate_ends_at_ms=parts.server_certificate_expires_at_ms,
            log_counts=lambda: (recent.total, recent.lost),
            export=lambda: None if self._exporter is None else self._exporter.figures(),
        )
        self._export_log(running.settings, recent)
        self.door = MetricsDoor(running.settings.metrics, self._source.text, context)

    async def text(self) -> bytes:
        """What a scrape would get now; nothing before the parts are there."""
        return b"" if self._source is None else await self._source.text()

    async def start(self) -> None:
        """Serve, or try again now and then: never fails."""
        if self._exporter is not None:
            self._exporting = asyncio.create_task(self._exporter.run(), name="otlp-log")
        if self.door is None or self.door.is_off:
            return
        await self.door.keep()
        self._trying = Periodic("metrics-door", RETRY_S, self.door.keep)
        self._trying.start()

    async def stop(self) -> None:
        """Serve no more."""
        if self._trying is not None:
            await self._trying.stop()
        if self.door is not None:
            await self.door.stop()
        await self._stop_export()

    def _export_log(self, settings: Settings, recent: Recent) -> None:
        wanted = settings.log
        if wanted.otlp_url is None:
            return
        token = wanted.otlp_token.get_secret_value() if wanted.otlp_token is not None else None
        post, self._close_post = poster(wanted.otlp_url, token, wanted.otlp_ca_file)
        self._exporter = Exporter(
            Spool(settings.paths.state / "otlp", wanted.otlp_spool_mb << 20),
            post,
            self._randomness,
            store=settings.store.id,
            version=hub.__version__,
        )
        for _, one in reversed(recent.lines.newest()):  # what the start has told so far
            self._exporter.take(one)
        recent.tap = self._exporter.take
        self._recent = recent

    async def _stop_export(self) -> None:
        if self._exporter is None:
            return
        if self._recent is not None:
            self._recent.tap = None
        if self._exporting is not None:
            self._exporting.cancel()
            await asyncio.gather(self._exporting, return_exceptions=True)
        await self._exporter.flush()
        if self._close_post is not None:
            await self._close_post()

    async def reload_tls(self) -> None:
        """The hub's certificate was renewed."""
        if self.door is not None:
            await self.door.reload_tls()
