"""What is sent to an OpenTelemetry collector: the log, and traces, each with a spool of its own."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import hub
from hub.app.periodic import Periodic
from hub.clock import Clock, Randomness
from hub.config import Settings
from hub.config.log import Log
from hub.config.traces import Traces
from hub.logs import Recent
from hub.observe.exporter import Exporter, Figures, poster
from hub.observe.otlp import LOGS, TRACES, Signal
from hub.observe.spool import Spool
from hub.observe.tracer import Policy, Tracer
from hub.security.files import SECRET_MODE, write_atomic

log = logging.getLogger(__name__)

AWAITED: Final = "awaited.json"
"""Traced requests whose event the cloud doesn't have yet; a kill may leave older ones there, which
nothing will be told of."""
KEEP_S: Final = 10.0


class Exports:
    """Made at the start; ``start`` once the state directory is there.  ``tracer`` is None when
    nothing is traced."""

    def __init__(
        self, settings: Settings, clock: Clock, randomness: Randomness, recent: Recent
    ) -> None:
        self._settings = settings
        self._randomness = randomness
        self._recent = recent
        self._closing: list[Callable[[], Awaitable[None]]] = []
        self._exporters: dict[str, Exporter[Any]] = {}
        self._running: list[asyncio.Task[None]] = []
        self._keeping = Periodic("otlp-awaited", KEEP_S, self._keep)
        self._kept = 0
        self._writing = threading.Lock()
        self._traces = settings.paths.state / "otlp-traces"
        self.tracer: Tracer | None = None
        if settings.log.otlp_url is not None:
            self._make(LOGS, settings.log, settings.log.otlp_url, settings.paths.state / "otlp")
        wanted = settings.traces
        if wanted.otlp_url is not None:
            made = self._make(TRACES, wanted, wanted.otlp_url, self._traces)
            policy = Policy(wanted.sample_per_mille / 1000, wanted.slow_ms / 1000, wanted.max_per_s)
            cloud = settings.cloud.url is not None
            self.tracer = Tracer(clock, randomness, policy, made.take, cloud=cloud)

    def _make(
        self, signal: Signal[Any], wanted: Log | Traces, url: str, folder: Path
    ) -> Exporter[Any]:
        token = wanted.otlp_token.get_secret_value() if wanted.otlp_token is not None else None
        post, close = poster(url, token, wanted.otlp_ca_file)
        self._closing.append(close)
        made = self._exporters[signal.key] = Exporter(
            signal,
            Spool(folder, wanted.otlp_spool_mb << 20, 2 * self._settings.storage.reserve_mb << 20),
            post,
            self._randomness,
            store=self._settings.store.id,
            version=hub.__version__,
        )
        return made

    def figures(self) -> Mapping[str, Figures]:
        """How it goes, by signal; costs nothing."""
        return {key: one.figures() for key, one in self._exporters.items()}

    async def start(self) -> None:
        """Begin to send; never fails."""
        logs = self._exporters.get(LOGS.key)
        if logs is not None:
            for _, one in reversed(self._recent.lines.newest()):  # what the start has told so far
                logs.take(one)
            self._recent.tap = logs.take
        if self.tracer is not None:
            self.tracer.recall(await asyncio.to_thread(self._read_awaited))
            self._kept = self.tracer.changes
            self._keeping.start()
        for key, exporter in self._exporters.items():
            self._running.append(asyncio.create_task(exporter.run(), name=f"otlp-{key}"))

    async def stop(self) -> None:
        """Send no more; what is there is on disk afterwards."""
        if LOGS.key in self._exporters:
            self._recent.tap = None
        await self._keeping.stop()
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        self._running.clear()
        for exporter in self._exporters.values():
            await exporter.flush()
        await self._keep()
        for close in self._closing:
            await close()

    def _read_awaited(self) -> object:
        try:
            return json.loads((self._traces / AWAITED).read_text())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            log.warning("traces of requests before the start aren't gone on with: %s", error)
            return None

    async def _keep(self) -> None:
        """Write down what waits, if that has changed."""
        if self.tracer is None or self.tracer.changes == self._kept:
            return
        self._kept = self.tracer.changes
        await asyncio.to_thread(self._write_awaited, self.tracer.awaited())

    def _write_awaited(self, awaited: list[list[str | int]]) -> None:
        try:
            with self._writing:  # the turn that a stop cut off may still be at it
                self._traces.mkdir(mode=0o700, parents=True, exist_ok=True)
                write_atomic(self._traces / AWAITED, json.dumps(awaited).encode(), SECRET_MODE)
        except OSError as error:
            log.warning("traces of requests whose event waits may end early: %s", error)
