"""Growing, jittered, capped pauses: many devices must not come back in step."""

from __future__ import annotations

from hub.clock import Randomness

_EXPONENT_MAX = 16


class Backoff:
    """Full jitter: the n-th pause is uniform in ``[0, min(cap_s, base_s * 2**n)]``."""

    __slots__ = ("_base_s", "_cap_s", "_randomness", "_tries")

    def __init__(self, randomness: Randomness, *, base_s: float, cap_s: float) -> None:
        if not 0 < base_s <= cap_s:
            raise ValueError(f"base_s {base_s} must be above 0 and at most cap_s {cap_s}")
        self._randomness = randomness
        self._base_s = base_s
        self._cap_s = cap_s
        self._tries = 0

    @property
    def tries(self) -> int:
        """How many pauses were taken since the last reset."""
        return self._tries

    def reset(self) -> None:
        self._tries = 0

    def next_s(self, floor_s: float = 0.0) -> float:
        """The next pause; ``floor_s`` (such as a ``retry_after_ms``) is added to, never undercut,
        so that those who were told the same do not come back in the same instant."""
        high_s = min(self._cap_s, self._base_s * 2 ** min(self._tries, _EXPONENT_MAX))
        self._tries += 1
        if floor_s > 0:
            return floor_s + self._randomness.uniform(0, min(high_s, floor_s))
        return self._randomness.uniform(0, high_s)
