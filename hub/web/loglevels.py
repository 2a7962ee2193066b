"""Logging more, or less, for a while."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

from hub import events
from hub.clock import Clock
from hub.contract.pages.house import LogLevelView

LOGGERS_MAX: Final = 20
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Changed:
    before: int
    until_ms: int
    timer: asyncio.TimerHandle


class LogLevels:
    """Sets levels and puts them back when their time is over; ``close`` puts all back.

    At most 20 loggers at a time; beyond, the change made first is put back at once.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed: dict[str, _Changed] = {}

    def set(self, logger: str, level: str, for_s: int) -> None:
        """Log from ``level`` on for so long; the empty ``logger`` is all of them."""
        self.put_back(logger)
        while len(self._changed) >= LOGGERS_MAX:
            self.put_back(next(iter(self._changed)))
        found = logging.getLogger(logger or None)
        timer = asyncio.get_running_loop().call_later(for_s, self.put_back, logger)
        until_ms = self._clock.wall_ms() + for_s * 1000
        self._changed[logger] = _Changed(found.level, until_ms, timer)
        found.setLevel(level.upper())
        _log.warning(
            "logging from %s on for %d s: %s",
            level,
            for_s,
            logger or "all of it",
            extra=events.LEVEL_CHANGED(logger_name=logger, for_s=for_s),
        )

    def set_all(self, level: str, for_s: int) -> None:
        """All loggers; an empty level puts them back."""
        if level:
            self.set("", level, for_s)
        else:
            self.put_back("")

    def put_back(self, logger: str) -> None:
        """The level from before is in force again; nothing happens where none was changed."""
        changed = self._changed.pop(logger, None)
        if changed is not None:
            changed.timer.cancel()
            logging.getLogger(logger or None).setLevel(changed.before)

    def close(self) -> None:
        """Put all levels back."""
        for logger in tuple(self._changed):
            self.put_back(logger)

    def views(self) -> tuple[LogLevelView, ...]:
        """The levels in force: that of all loggers first, then those changed for a while."""
        names = ("", *(name for name in self._changed if name))
        return tuple(self._view(name) for name in names)

    def _view(self, logger: str) -> LogLevelView:
        level = logging.getLogger(logger or None).getEffectiveLevel()
        changed = self._changed.get(logger)
        return LogLevelView(
            logger=logger,
            level=logging.getLevelName(level).lower(),
            until_ms=changed.until_ms if changed else None,
        )
