"""What was logged: single messages, and the rings that keep the last of them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

RECENT_LIMIT = 200
LINES_LIMIT = 5000
LINES_LIMIT_CHARS = 4_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One message, already masked and cut."""

    at_ms: int
    level: str
    source: str
    message: str
    trace: str
    fields: Mapping[str, str | int | bool | None]


class Lines:
    """The last messages of any level, for the page of logs; safe from any thread.  At most 5,000,
    and no more than four million characters."""

    def __init__(self, limit: int = LINES_LIMIT, limit_chars: int = LINES_LIMIT_CHARS) -> None:
        self._entries: deque[Entry] = deque()
        self._limit = limit
        self._limit_chars = limit_chars
        self._chars = 0
        self._total = 0
        self._lock = threading.Lock()

    def add(self, entry: Entry) -> None:
        with self._lock:
            self._entries.append(entry)
            self._total += 1
            self._chars += _size(entry)
            while len(self._entries) > self._limit or self._chars > self._limit_chars:
                self._chars -= _size(self._entries.popleft())

    def newest(self) -> list[tuple[int, Entry]]:
        """All of them with their numbers, which go up by one a message, the newest first."""
        with self._lock:
            entries, total = tuple(self._entries), self._total
        return [(total - back, entry) for back, entry in enumerate(reversed(entries))]


def _size(entry: Entry) -> int:
    return 100 + len(entry.message) + len(entry.trace) + sum(map(_field_size, entry.fields.items()))


def _field_size(field: tuple[str, str | int | bool | None]) -> int:
    return len(field[0]) + (len(field[1]) if isinstance(field[1], str) else 20)


class Recent:
    """The last warnings and errors, for the status page; safe from any thread.  ``lines`` are the
    messages of all levels."""

    def __init__(self, limit: int = RECENT_LIMIT) -> None:
        self.lines = Lines()
        self._entries: deque[Entry] = deque(maxlen=limit)
        self._lock = threading.Lock()
        self._total = 0
        self.tap: Callable[[Entry], None] | None = None
        """Told of every message that is written, in any thread; it must not wait or log."""
        self.lost = 0
        """Messages that were not written: over the bound, or to a journal that doesn't read."""

    def add(self, entry: Entry) -> None:
        with self._lock:
            self._entries.append(entry)
            self._total += 1

    def newest(self, count: int = RECENT_LIMIT) -> tuple[Entry, ...]:
        """At most ``count`` entries, the newest first."""
        with self._lock:
            return tuple(reversed(self._entries))[:count]

    @property
    def total(self) -> int:
        """Warnings and errors since the start, also those that left the ring."""
        return self._total
