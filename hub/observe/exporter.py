"""Sends the log away by OTLP/HTTP: from memory to disk once a second, from disk when it can be.

While nobody answers, everything waits on disk, up to the bound of the settings.  A kill loses what
was logged in the last second; the journal has it.  What was sent when the hub was ended may be sent
once more.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from hub.clock import Randomness
from hub.logs import Entry
from hub.observe.otlp import RETRYABLE, body, record
from hub.observe.spool import Spool

log = logging.getLogger(__name__)

FLUSH_S: Final = 1.0
MEMORY_MAX: Final = 10_000
"""Entries of as long as one answer takes; more are dropped and counted (``log.max_per_s`` bounds
them before)."""
BACKOFF_FIRST_S: Final = 1.0
BACKOFF_MAX_S: Final = 300.0
ANSWER_S: Final = 20.0


class Unanswered(Exception):
    """Nobody answered, or asked for patience."""


class Post(Protocol):
    """Sends one body; the HTTP status.  Errors: :class:`Unanswered`."""

    def __call__(self, content: bytes) -> Awaitable[int]: ...


@dataclass(slots=True)
class Figures:
    """For the metrics."""

    sent: int = 0
    dropped: int = 0
    spool_bytes: int = 0


class Exporter:
    """``take`` is called in any thread and never waits; ``run`` does the rest."""

    def __init__(
        self,
        spool: Spool,
        post: Post,
        randomness: Randomness,
        *,
        store: str,
        version: str,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._spool = spool
        self._post = post
        self._randomness = randomness
        self._store = store
        self._version = version
        self._sleep = sleep
        self._lock = threading.Lock()
        self._taken: deque[Entry] = deque()
        self._dropped = 0
        self._sent = 0
        self._failing = False
        self._begun = False

    def take(self, entry: Entry) -> None:
        """Keep it for sending."""
        with self._lock:
            if len(self._taken) < MEMORY_MAX:
                self._taken.append(entry)
            else:
                self._dropped += 1

    def figures(self) -> Figures:
        """How it goes; costs nothing."""
        return Figures(self._sent, self._dropped + self._spool.dropped, self._spool.bytes)

    async def run(self) -> None:
        """Until it is cancelled."""
        failures, wait_s = 0, 0.0
        while True:
            await self.flush()
            more = False
            if wait_s <= 0:
                try:
                    more = await self._send_one()
                    failures = 0
                except (Unanswered, OSError) as error:
                    failures += 1
                    ceiling_s = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** min(failures, 10))
                    wait_s = self._randomness.uniform(ceiling_s / 2, ceiling_s)
                    self._tell_worse(error)
            if not more:
                await self._sleep(FLUSH_S)
                wait_s -= FLUSH_S

    async def flush(self) -> None:
        """Everything taken so far onto the disk; what doesn't get there is counted."""
        with self._lock:
            taken, self._taken = tuple(self._taken), deque()
        if not taken and self._begun:
            return
        try:
            await asyncio.to_thread(self._keep, taken)
        except OSError as error:
            self._dropped += len(taken)
            self._tell_worse(error)

    def _keep(self, taken: tuple[Entry, ...]) -> None:
        if not self._begun:
            self._spool.begin()
            self._begun = True
        self._spool.append([record(one) for one in taken])

    async def _send_one(self) -> bool:
        """Whether there may be more.  Errors: :class:`Unanswered`, OSError."""
        found = await asyncio.to_thread(self._spool.oldest) if self._begun else None
        if found is None:
            return False
        path, records = found
        status = 200
        if records:
            status = await self._post(body(records, store=self._store, version=self._version))
        if status in RETRYABLE:
            raise Unanswered(f"the collector answered {status}")
        await asyncio.to_thread(self._spool.done, path)
        if 200 <= status < 300:
            self._sent += len(records)
            self._tell_better()
        else:
            self._dropped += len(records)
            self._tell_worse(ValueError(f"the collector refuses it with {status}"))
        return True

    def _tell_worse(self, error: Exception) -> None:
        if not self._failing:
            log.warning("the log isn't sent away: %s", error)
        self._failing = True

    def _tell_better(self) -> None:
        if self._failing:
            log.info("the log is sent away again")
        self._failing = False


def poster(
    url: str, token: str | None, ca_file: Path | None
) -> tuple[Post, Callable[[], Awaitable[None]]]:
    """A :class:`Post` to ``url`` by aiohttp, and what closes it."""
    import aiohttp

    session: aiohttp.ClientSession | None = None
    headers = {"Content-Type": "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"

    async def post(content: bytes) -> int:
        nonlocal session
        if session is None:
            timeout = aiohttp.ClientTimeout(total=ANSWER_S)
            try:
                context = await asyncio.to_thread(ssl.create_default_context, cafile=ca_file)
            except OSError as error:
                raise Unanswered(f"log.otlp_ca_file can't be read: {error}") from None
            connector = aiohttp.TCPConnector(ssl=context, limit=1)
            session = aiohttp.ClientSession(timeout=timeout, connector=connector)
        try:
            async with session.post(
                url, data=content, headers=headers, allow_redirects=False
            ) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unanswered(str(error) or type(error).__name__) from None

    async def close() -> Any:
        if session is not None:
            await session.close()

    return post, close
