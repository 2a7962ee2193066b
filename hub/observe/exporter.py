"""Sends the log, or what is traced, away by OTLP/HTTP: from memory to disk once a second, from disk
when it can be.

While nobody answers, everything waits on disk, up to the bound of the settings.  A kill loses what
came in the last second; of the log, the journal has it.  What was sent when the hub was ended may
be sent once more.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

from hub import events
from hub.clock import Randomness
from hub.domain.schedule import restart_s
from hub.observe.otlp import REFUSED, RETRYABLE, Signal
from hub.observe.spool import Spool

log = logging.getLogger(__name__)
T = TypeVar("T")

FLUSH_S: Final = 1.0
MEMORY_MAX: Final = 10_000
"""As many as come while one answer is awaited; more are dropped and counted (``log.max_per_s`` and
``traces.max_per_s`` bound them before)."""
BACKOFF_FIRST_S: Final = 1.0
BACKOFF_MAX_S: Final = 300.0
ANSWER_S: Final = 20.0
TOLD_MAX_BYTES: Final = 65_536
FAILURES_MAX: Final = 5
"""So often the same file of the spool may fail for a reason nobody thought of; then it is dropped,
counted, so that the others get their turn."""


class Unanswered(Exception):
    """Nobody answered, or asked for patience."""


class Answer(NamedTuple):
    """The HTTP status, and how many of what was sent were refused though it is a success."""

    status: int
    refused: int = 0


class Post(Protocol):
    """Sends one body.  Errors: :class:`Unanswered`."""

    def __call__(self, content: bytes) -> Awaitable[Answer]: ...


@dataclass(slots=True)
class Figures:
    """For the metrics."""

    sent: int = 0
    dropped: int = 0
    spool_bytes: int = 0


class Exporter(Generic[T]):
    """``take`` is called in any thread and never waits; ``run`` does the rest."""

    def __init__(
        self,
        signal: Signal[T],
        spool: Spool,
        post: Post,
        randomness: Randomness,
        *,
        store: str,
        version: str,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._signal = signal
        self._spool = spool
        self._post = post
        self._randomness = randomness
        self._store = store
        self._version = version
        self._sleep = sleep
        self._lock = threading.Lock()
        self._taken: deque[T] = deque()
        self._dropped = 0
        self._sent = 0
        self._failing = False
        self._begun = False
        self._strange: tuple[Path | None, int] = (None, 0)

    def take(self, one: T) -> None:
        """Keep it for sending."""
        with self._lock:
            if len(self._taken) < MEMORY_MAX:
                self._taken.append(one)
            else:
                self._dropped += 1

    def figures(self) -> Figures:
        """How it goes; costs nothing."""
        return Figures(self._sent, self._dropped + self._spool.dropped, self._spool.bytes)

    async def run(self) -> None:
        """Until it is cancelled, whatever happens."""
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
                    wait_s = self._pause_s(failures)
                    self._tell_worse(error)
                except Exception as error:
                    failures += 1
                    wait_s = self._pause_s(failures)
                    self._tell_strange(error)
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
        except Exception as error:
            self._dropped += len(taken)
            self._tell_strange(error)

    def _pause_s(self, failures: int) -> float:
        return restart_s(failures, BACKOFF_FIRST_S, BACKOFF_MAX_S, self._randomness.uniform)

    def _keep(self, taken: tuple[T, ...]) -> None:
        if not self._begun:
            self._spool.begin()
            self._begun = True
        self._spool.append([self._signal.record(one) for one in taken])

    async def _send_one(self) -> bool:
        """Whether there may be more.  Errors: :class:`Unanswered`, OSError."""
        found = await asyncio.to_thread(self._spool.oldest) if self._begun else None
        if found is None:
            return False
        path, records = found
        try:
            status, refused = await self._posted(records) if records else Answer(200)
        except (Unanswered, OSError):
            raise
        except Exception:
            await self._give_up(path, len(records))
            raise
        if status in RETRYABLE:
            raise Unanswered(f"the collector answered {status}")
        await asyncio.to_thread(self._spool.done, path)
        if not 200 <= status < 300:
            refused = len(records)
        refused = min(refused, len(records))
        self._sent += len(records) - refused
        self._dropped += refused
        if refused:
            self._tell_worse(ValueError(f"the collector refuses {refused} with {status}"))
        else:
            self._tell_better()
        return True

    async def _posted(self, records: list[dict[str, Any]]) -> Answer:
        return await self._post(self._signal.body(records, self._store, self._version))

    async def _give_up(self, path: Path, count: int) -> None:
        """A file that fails again and again must not keep the others."""
        times = self._strange[1] + 1 if self._strange[0] == path else 1
        self._strange = (path, times)
        if times >= FAILURES_MAX:
            await asyncio.to_thread(self._spool.done, path)
            self._dropped += count

    def _tell_worse(self, error: Exception) -> None:
        if not self._failing:
            log.warning(
                "%s isn't sent away: %s",
                self._signal.title,
                error,
                extra=events.EXPORT_WAITS(signal=self._signal.key),
            )
        self._failing = True

    def _tell_strange(self, error: Exception) -> None:
        """A fault of the hub's own: it goes on, and once its trace is told."""
        if not self._failing:
            log.error(
                "sending %s failed; it is tried again",
                self._signal.title,
                exc_info=error,
                extra=events.EXPORT_FAILED(signal=self._signal.key),
            )
        self._failing = True

    def _tell_better(self) -> None:
        if self._failing:
            log.info(
                "%s is sent away again",
                self._signal.title,
                extra=events.EXPORT_GOES_ON(signal=self._signal.key),
            )
        self._failing = False


def refused_of(told: bytes) -> int:
    """How many a success refuses (OTLP/HTTP, "Partial Success"); 0 when it doesn't say."""
    try:
        partial = json.loads(told)["partialSuccess"]
        return max(0, *(int(partial.get(name) or 0) for name in REFUSED))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        return 0


def poster(
    url: str, token: str | None, ca_file: Path | None
) -> tuple[Post, Callable[[], Awaitable[None]]]:
    """A :class:`Post` to ``url`` by aiohttp, and what closes it."""
    import aiohttp

    session: aiohttp.ClientSession | None = None
    headers = {"Content-Type": "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"

    async def post(content: bytes) -> Answer:
        nonlocal session
        if session is None:
            timeout = aiohttp.ClientTimeout(total=ANSWER_S)
            try:
                context = await asyncio.to_thread(ssl.create_default_context, cafile=ca_file)
            except OSError as error:
                raise Unanswered(f"otlp_ca_file can't be read: {error}") from None
            connector = aiohttp.TCPConnector(ssl=context, limit=1)
            session = aiohttp.ClientSession(timeout=timeout, connector=connector)
        try:
            async with session.post(
                url, data=content, headers=headers, allow_redirects=False
            ) as answer:
                return Answer(answer.status, refused_of(await answer.content.read(TOLD_MAX_BYTES)))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unanswered(str(error) or type(error).__name__) from None

    async def close() -> Any:
        if session is not None:
            await session.close()

    return post, close
