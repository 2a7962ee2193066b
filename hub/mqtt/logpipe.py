"""The broker's stderr, line by line, into the log; bounded, so that no client can flood it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Final

from hub.clock import Clock
from hub.domain.cards import mask

_LINE_BYTES: Final = 2_000
_LINES_PER_SECOND: Final = 200
_CHUNK_BYTES: Final = 65_536


async def pump_log(
    stream: asyncio.StreamReader, log: logging.Logger, last: deque[str], clock: Clock
) -> None:
    """Until the stream ends.  ``last`` keeps the newest lines.

    Lines over 2,000 bytes are cut; beyond 200 lines in a second they are counted, not logged.  It
    never stops reading: a broker that can't write its log stands still.
    """
    rest = b""
    second, used, skipped = clock.monotonic_s(), 0, 0
    while chunk := await stream.read(_CHUNK_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        rest = rest[:_LINE_BYTES]
        now = clock.monotonic_s()
        if now - second >= 1:
            if skipped:
                log.warning("%d more lines of the broker are not shown", skipped)
            second, used, skipped = now, 0, 0
        for raw in lines:
            line = raw[:_LINE_BYTES].decode(errors="replace").strip()
            if not line:
                continue
            line = mask(line)  # clients name themselves as they like
            last.append(line)
            if used >= _LINES_PER_SECOND:
                skipped += 1
                continue
            used += 1
            log.log(_level(line), "%s", line)


def _level(line: str) -> int:
    if line == "Warning: Unable to set TCP_NODELAY.":  # once for each unix socket, which has none
        return logging.DEBUG
    if line.startswith("Error"):
        return logging.ERROR
    if line.startswith("Warning"):
        return logging.WARNING
    return logging.INFO
