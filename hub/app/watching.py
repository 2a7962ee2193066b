"""Metrics of a running hub, put together."""

from __future__ import annotations

import ssl
from collections.abc import Callable

from hub.app.exporting import Exports
from hub.app.parts import Parts, Running
from hub.app.periodic import Periodic
from hub.health.prober import Prober
from hub.health.status import StatusSource
from hub.logs import Recent
from hub.observe.source import MetricsSource
from hub.observe.tally import Tally
from hub.service.gate import Request
from hub.web.metricsdoor import MetricsDoor

RETRY_S = 30.0
"""How often a port is tried again that was taken at the start."""


class Watching:
    """What is counted and traced, and where it goes.  ``connect`` once the parts are there."""

    def __init__(self, tally: Tally, exports: Exports) -> None:
        self.tally = tally
        self._exports = exports
        self.tracer = exports.tracer
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
        """Begin to count requests, and to trace them."""
        running.gate.watch = self._of_gate
        running.messaging.router.traffic.watch = self.tally.of_device
        tracer = self.tracer
        if tracer is not None:
            running.messaging.router.trace = tracer.answered
            self.tally.on_commit = tracer.wrote
        self._source = MetricsSource(
            running.gate,
            status,
            self.tally,
            started_at_ms=started_at_ms,
            queue_depth=lambda: running.writer.depth,
            measured=prober.latest,
            certificate_ends_at_ms=parts.server_certificate_expires_at_ms,
            log_counts=lambda: (recent.total, recent.lost),
            exports=self._exports.figures,
            untraced=lambda: None if tracer is None else (tracer.bounded, tracer.forgotten),
        )
        self.door = MetricsDoor(running.settings.metrics, self._source.text, context)

    def _of_gate(self, request: Request, answer: str, span_s: float) -> None:
        self.tally.of_gate(request, answer, span_s)
        if self.tracer is not None:
            self.tracer.of_gate(request, answer, span_s)

    async def text(self) -> bytes:
        """What a scrape would get now; nothing before the parts are there."""
        return b"" if self._source is None else await self._source.text()

    async def start(self) -> None:
        """Serve, or try again now and then: never fails."""
        await self._exports.start()
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
        await self._exports.stop()

    async def reload_tls(self) -> None:
        """The hub's certificate was renewed."""
        if self.door is not None:
            await self.door.reload_tls()
