"""Time, identifiers and randomness: the only place in the project that reads them from the world.

Everything else is handed these objects, so that a whole shop can be simulated from a seed.
Wall time is an integer of UTC milliseconds; it may jump.  Monotonic time is seconds as a float;
it never goes back within one run of the process.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
import uuid
from random import Random
from typing import Protocol


class Clock(Protocol):
    """A source of time."""

    def wall_ms(self) -> int:
        """UTC milliseconds since 1970; may jump when someone sets the clock."""

    def monotonic_s(self) -> float:
        """Seconds since an arbitrary start; never goes back while the process lives."""


class Ids(Protocol):
    """A source of identifiers."""

    def uuid7(self) -> str:
        """A fresh time-ordered UUID (RFC 9562, version 7) as 36 lower-case characters."""


class Randomness(Protocol):
    """A source of randomness, for jitter (``uniform``) and for secrets (``token_bytes``)."""

    def uniform(self, low: float, high: float) -> float:
        """A float in [low, high]."""

    def token_bytes(self, count: int) -> bytes:
        """``count`` bytes, unpredictable in production."""


class SystemClock:
    """The machine's own clock."""

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        return time.monotonic()


class SystemRandomness:
    """The operating system's randomness."""

    def __init__(self) -> None:
        self._jitter = Random(secrets.randbits(128))

    def uniform(self, low: float, high: float) -> float:
        return self._jitter.uniform(low, high)

    def token_bytes(self, count: int) -> bytes:
        return os.urandom(count)


class SystemIds:
    """UUIDv7 from a clock and a source of randomness; strictly increasing within one process.

    Identifiers made in the same millisecond count up in their ``rand_a`` and high ``rand_b`` bits
    (RFC 9562, section 6.2, method 2), so that an index keyed by them stays append-only.
    """

    def __init__(self, clock: Clock, randomness: Randomness) -> None:
        self._clock = clock
        self._randomness = randomness
        self._lock = threading.Lock()
        self._last = 0

    def uuid7(self) -> str:
        stamp = (self._clock.wall_ms() & ((1 << 48) - 1)) << 74
        noise = int.from_bytes(self._randomness.token_bytes(10), "big") & ((1 << 74) - 1)
        with self._lock:
            value = stamp | noise
            if value <= self._last:
                value = self._last + 1 + (noise & 0xFFFF)
            self._last = value
        return str(uuid.UUID(int=_with_version_and_variant(value)))


def _with_version_and_variant(value: int) -> int:
    """Spread 122 bits around the version (7) and variant (0b10) fields."""
    stamp, noise = value >> 74, value & ((1 << 74) - 1)
    rand_a, rand_b = noise >> 62, noise & ((1 << 62) - 1)
    return stamp << 80 | 0x7 << 76 | rand_a << 64 | 0b10 << 62 | rand_b


def uuid7_wall_ms(text: str) -> int | None:
    """The UTC milliseconds inside a UUIDv7 in its form of 36 characters, or None if ``text`` is
    not one.  (32 random hexadecimal digits are somebody's own key, not an ancient UUID.)"""
    if len(text) != 36:
        return None
    try:
        value = uuid.UUID(text)
    except ValueError:
        return None
    if value.version != 7 or value.variant != uuid.RFC_4122:
        return None
    return value.int >> 80
