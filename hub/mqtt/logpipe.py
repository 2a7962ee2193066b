"""The broker's stderr, line by line, into the log; bounded, so that no client can flood it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Final

from hub.clock import Clock
from hub.domain.cards import mask

_LINE_BYTES: Final = 2_000
_LINES_PER_SECOND: Final = 200
_STRANGERS_LINES: Final = 20
_STRANGERS_EVERY_S: Final = 60.0
_CHUNK_BYTES: Final = 65_536
_STRANGERS: Final = (
    "New connection from ",
    "Client connection from ",
    "Client <unknown> ",
    "Socket error on client <unknown>",
    "OpenSSL Error",
)
_REFUSED: Final = " disconnected, not authorised."


class _Bound:
    """At most ``lines`` in ``period_s``; what was left out is told when the next period begins."""

    def __init__(self, lines: int, period_s: float, tell: Callable[[int], None]) -> None:
        self._lines = lines
        self._period_s = period_s
        self._tell = tell
        self._since_s, self._used, self._skipped = float("-inf"), 0, 0

    def turn(self, now_s: float) -> None:
        """Begin a new period if it is time."""
        if now_s - self._since_s >= self._period_s:
            if self._skipped:
                self._tell(self._skipped)
            self._since_s, self._used, self._skipped = now_s, 0, 0

    def allows(self) -> bool:
        """Whether one more may be shown."""
        if self._used >= self._lines:
            self._skipped += 1
            return False
        self._used += 1
        return True


async def pump_log(
    stream: asyncio.StreamReader,
    log: logging.Logger,
    last: deque[str],
    clock: Clock,
    on_line: Callable[[bytes], None] = lambda line: None,
) -> None:
    """Until the stream ends.  ``last`` keeps the newest lines, ``on_line`` gets each as it came.

    Lines over 2,000 bytes are cut; beyond 200 lines in a second they are counted, not logged, and
    so are those about connections that are no client (yet) beyond 20 in a minute.  It never stops
    reading: a broker that can't write its log stands still.
    """
    rest = b""
    everything = _Bound(
        _LINES_PER_SECOND,
        1.0,
        lambda count: log.warning("%d more lines of the broker are not shown", count),
    )
    strangers = _Bound(
        _STRANGERS_LINES,
        _STRANGERS_EVERY_S,
        lambda count: log.info("%d more lines about unknown connections are not shown", count),
    )
    while chunk := await stream.read(_CHUNK_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        rest = rest[:_LINE_BYTES]
        for bound in (everything, strangers):
            bound.turn(clock.monotonic_s())
        for raw in lines:
            on_line(raw[:_LINE_BYTES])
            line = raw[:_LINE_BYTES].decode(errors="replace").strip()
            if not line:
                continue
            line = mask(line)  # clients name themselves as they like
            last.append(line)
            nobody = line.startswith(_STRANGERS) or line.endswith(_REFUSED)
            if nobody and not strangers.allows():
                continue
            if everything.allows():
                log.log(_level(line), "%s", line)


def _level(line: str) -> int:
    if line == "Warning: Unable to set TCP_NODELAY.":  # once for each unix socket, which has none
        return logging.DEBUG
    if line.startswith("Error"):
        return logging.ERROR
    if line.startswith("Warning"):
        return logging.WARNING
    return logging.INFO
