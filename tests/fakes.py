"""Time, ids and randomness that a test decides about."""

from __future__ import annotations

from random import Random

from hub.clock import SystemIds

START_WALL_MS = 1_767_261_600_000
"""2026-01-01T10:00:00Z, a day in the middle of nothing."""


class FakeClock:
    """A clock that stands still until a test moves it; wall and monotonic time may part."""

    def __init__(self, wall_ms: int = START_WALL_MS, monotonic_s: float = 1000.0) -> None:
        self._wall_ms = wall_ms
        self._monotonic_s = monotonic_s

    def wall_ms(self) -> int:
        return self._wall_ms

    def monotonic_s(self) -> float:
        return self._monotonic_s

    def advance(self, seconds: float) -> None:
        """Let time pass on both clocks."""
        assert seconds >= 0, "time that passes goes forward; use jump_wall to set the clock back"
        self._wall_ms += round(seconds * 1000)
        self._monotonic_s += seconds

    def jump_wall(self, seconds: float) -> None:
        """Someone sets the wall clock, forwards or back; no time passes."""
        self._wall_ms += round(seconds * 1000)


class SeededRandomness:
    """The same numbers and bytes on every run with the same seed."""

    def __init__(self, seed: int = 0) -> None:
        self._random = Random(seed)

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)

    def token_bytes(self, count: int) -> bytes:
        return self._random.randbytes(count)


def seeded_ids_of(clock: FakeClock, seed: int = 0) -> SystemIds:
    """The real UUIDv7 generator over a fake clock and seeded randomness."""
    return SystemIds(clock, SeededRandomness(seed))
