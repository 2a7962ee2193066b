"""What keeps a log harmless: secrets are hidden, and chatter is bounded."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hub.clock import Clock

SECRETS_LIMIT = 1000
_SHORTEST_SECRET = 4
_MASK = "********"


class Masker:
    """Hides known secrets in texts.  At the bound the oldest secret is forgotten."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: deque[str] = deque(maxlen=SECRETS_LIMIT)
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Mask ``secret`` from now on; texts under four characters would hide half the log."""
        if len(secret) >= _SHORTEST_SECRET and secret not in self._secrets:
            self._secrets.append(secret)

    def __call__(self, text: str) -> str:
        for secret in tuple(self._secrets):
            text = text.replace(secret, _MASK)
        return text


class RateBound:
    """At most ``max_per_s`` messages a second, apart for severe ones, so that chatter can't
    push an error out."""

    def __init__(self, max_per_s: int, clock: Clock) -> None:
        self._clock = clock
        self._max = max_per_s
        self._second = -1
        self._counts = {False: 0, True: 0}
        self._lock = threading.Lock()
        self.dropped = 0

    def admits(self, *, severe: bool) -> bool:
        second = int(self._clock.monotonic_s())
        with self._lock:
            if second != self._second:
                self._second = second
                self._counts = {False: 0, True: 0}
            self._counts[severe] += 1
            if self._counts[severe] <= self._max:
                return True
            self.dropped += 1
            return False

    def take_dropped(self) -> int:
        """How many were dropped since the last call."""
        with self._lock:
            count, self.dropped = self.dropped, 0
            return count
