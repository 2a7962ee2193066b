"""The status as server-sent events (WHATWG HTML, section 9.2), for a bounded number of viewers.

One task builds the status while anybody looks, however many look; a viewer that is slow misses
pictures, never gets old ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Final

from aiohttp import web

from hub.contract.local import HubStatus
from hub.contract.problems import Code, Refusal, problem
from hub.health.status import CACHED_S, StatusSource

_log = logging.getLogger(__name__)

VIEWERS_MAX: Final = 20
REFRESH_S: Final = 2.0
SETTLE_S: Final = 0.25
HEARTBEAT_S: Final = 10.0
WRITE_S: Final = 10.0


class StatusFeed:
    """``wake`` after commits and changes of state; ``run`` for as long as the hub runs."""

    def __init__(self, source: StatusSource) -> None:
        self._source = source
        self._dirty = asyncio.Event()
        self._watched = asyncio.Event()
        self._news = asyncio.Condition()
        self._viewers = 0
        self._version = 0
        self._text = ""
        self._compared = ""
        self._closing = False

    @property
    def viewers(self) -> int:
        """Who looks now."""
        return self._viewers

    def wake(self) -> None:
        """Something changed: show it soon."""
        self._dirty.set()

    async def run(self) -> None:
        """Build and hand out while there are viewers."""
        loop = asyncio.get_running_loop()
        while not self._closing:
            await self._watched.wait()
            try:
                await self._publish(await self._source.status())
            except TimeoutError:
                _log.warning("the status could not be read in time; trying again")
            except Exception:
                _log.exception("the status could not be built; trying again")
            built_s = loop.time()
            try:
                async with asyncio.timeout(REFRESH_S):
                    await self._dirty.wait()
            except TimeoutError:
                continue
            self._dirty.clear()
            # Changes come in flocks; and the picture from just before them must have aged out.
            await asyncio.sleep(max(SETTLE_S, built_s + CACHED_S - loop.time()))

    async def close(self) -> None:
        """Let all viewers go."""
        async with self._news:
            self._closing = True
            self._watched.set()
            self._dirty.set()
            self._news.notify_all()

    async def serve(
        self, request: web.Request, still_good: Callable[[], bool]
    ) -> web.StreamResponse:
        """Answer one viewer until it goes, or may no longer look.  Errors: ``busy`` at the
        bound."""
        if self._viewers >= VIEWERS_MAX:
            raise Refusal(
                problem(
                    Code.BUSY,
                    f"{VIEWERS_MAX} pages already watch this hub: close one.",
                    retry_after_ms=10_000,
                )
            )
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        # Whoever comes first waits for a fresh picture: the one at hand is from the last viewer.
        seen = 0 if self._viewers else self._version
        self._viewers += 1
        self._watched.set()
        self._dirty.set()
        try:
            await response.prepare(request)
            await self._show(response, still_good, seen)
        except (ConnectionError, TimeoutError):
            if request.transport is not None:
                request.transport.abort()
        finally:
            self._viewers -= 1
            if not self._viewers and not self._closing:
                self._watched.clear()
                self._compared = ""
        return response

    async def _show(
        self, response: web.StreamResponse, still_good: Callable[[], bool], seen: int
    ) -> None:
        await _write(response, "retry: 2000\n\n")
        while True:
            await self._wait_for_news(seen)
            if self._closing:
                return
            if not still_good():
                await _write(response, "event: signed-out\ndata: {}\n\n")
                return
            if self._version == seen:
                await _write(response, "event: beat\ndata: {}\n\n")
                continue
            seen = self._version
            await _write(response, f"event: status\nid: {seen}\ndata: {self._text}\n\n")

    async def _wait_for_news(self, seen: int) -> None:
        """Until there is a newer picture than ``seen``, the end, or a heartbeat is due."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HEARTBEAT_S), self._news:
                await self._news.wait_for(lambda: self._closing or self._version > seen)

    async def _publish(self, status: HubStatus) -> None:
        """Hand out what differs; the hub's own time alone is no news."""
        compared = status.model_copy(update={"time_ms": 0}).model_dump_json()
        if compared == self._compared and self._text:
            return
        self._compared = compared
        async with self._news:
            self._text = status.model_dump_json()
            self._version += 1
            self._news.notify_all()


async def _write(response: web.StreamResponse, text: str) -> None:
    """A viewer that doesn't read holds nothing up for longer than its bound."""
    async with asyncio.timeout(WRITE_S):
        await response.write(text.encode())
