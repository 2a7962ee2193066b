"""Puts the answer to one scrape together; all who ask within a second get the same."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final

from hub import events
from hub.health.facts import Measured
from hub.health.status import StatusSource
from hub.observe.exporter import Figures
from hub.observe.exposition import View, text_of
from hub.observe.tally import Tally
from hub.service.gate import Gate
from hub.storage import outbox

log = logging.getLogger(__name__)

CACHED_S: Final = 1.0
STATUS_S: Final = 5.0
"""So long a scrape waits for the database; Prometheus itself gives up after ten by default."""


class MetricsSource:
    """``queue_depth``, ``measured``, ``log_counts`` (problems, lost lines),
    ``certificate_ends_at_ms``, ``exports`` and ``untraced`` (over the rate, forgotten) only look,
    and cost nothing."""

    def __init__(
        self,
        gate: Gate,
        status: StatusSource,
        tally: Tally,
        *,
        started_at_ms: int,
        queue_depth: Callable[[], int],
        measured: Callable[[], Measured],
        certificate_ends_at_ms: Callable[[], int | None],
        log_counts: Callable[[], tuple[int, int]],
        exports: Callable[[], Mapping[str, Figures]] = dict,
        untraced: Callable[[], tuple[int, int] | None] = lambda: None,
    ) -> None:
        self._gate = gate
        self._status = status
        self._tally = tally
        self._started_at_ms = started_at_ms
        self._queue_depth = queue_depth
        self._measured = measured
        self._certificate_ends_at_ms = certificate_ends_at_ms
        self._log_counts = log_counts
        self._exports = exports
        self._untraced = untraced
        self._lock = asyncio.Lock()
        self._made: tuple[float, bytes] | None = None
        self._failing = False

    async def text(self) -> bytes:
        """What a scrape gets.  A database that doesn't answer costs the status' metrics only."""
        async with self._lock:
            now_s = self._gate.clock.monotonic_s()
            if self._made is None or now_s - self._made[0] >= CACHED_S:
                view = await self._view()
                # In a thread: a long text must not keep the loop from a sale.
                self._made = (now_s, await asyncio.to_thread(text_of, self._tally, view))
            return self._made[1]

    async def _view(self) -> View:
        gate, status, oldest = self._gate, None, {}
        try:
            async with asyncio.timeout(STATUS_S):
                status = await self._status.status()
                oldest = await gate.read(outbox.oldest_by_stream_ms)
            self._failing = False
        except Exception as error:
            if not self._failing:
                log.warning(
                    "the metrics come without the hub's status: %r",
                    error,
                    extra=events.METRICS_BLIND(),
                )
            self._failing, status = True, None
        problems, lost = self._log_counts()
        return View(
            store=gate.shop.store,
            version=gate.shop.version,
            now_ms=gate.clock.wall_ms(),
            started_at_ms=self._started_at_ms,
            queue_depth=self._queue_depth(),
            status=status,
            measured=self._measured(),
            oldest_at_ms=oldest,
            server_certificate_ends_at_ms=self._certificate_ends_at_ms(),
            log_problems=problems,
            log_lost=lost,
            exports=self._exports(),
            untraced=self._untraced(),
        )
