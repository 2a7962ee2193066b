"""How often a stranger may try."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from hub.clock import Clock

ADDRESSES_MAX: Final = 1024


class RateLimit:
    """A bucket of ``capacity`` tokens per address that refills in ``refill_s``.

    Beyond 1,024 addresses the one not heard of for the longest is forgotten.
    """

    def __init__(self, clock: Clock, *, capacity: int, refill_s: float) -> None:
        self._clock = clock
        self._capacity = float(capacity)
        self._per_s = capacity / refill_s
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str, cost: int = 1) -> float:
        """Spend ``cost`` tokens; 0 if there were enough, else seconds until there will be."""
        now_s = self._clock.monotonic_s()
        left, then_s = self._left.pop(address, (self._capacity, now_s))
        left = min(self._capacity, left + (now_s - then_s) * self._per_s)
        wait_s = max(0.0, (cost - left) / self._per_s)
        if not wait_s:
            left -= cost
        self._keep(address, left, now_s)
        return wait_s

    def give_back(self, address: str, tokens: float) -> None:
        """What was taken turned out to be well spent."""
        now_s = self._clock.monotonic_s()
        left, then_s = self._left.pop(address, (self._capacity, now_s))
        left += (now_s - then_s) * self._per_s + tokens
        self._keep(address, min(self._capacity, left), now_s)

    def charge(self, address: str, cost: int) -> None:
        """Take more from an address that turned out to be wrong; down to an empty bucket."""
        now_s = self._clock.monotonic_s()
        left, then_s = self._left.pop(address, (self._capacity, now_s))
        left = min(self._capacity, left + (now_s - then_s) * self._per_s)
        self._keep(address, max(0.0, left - cost), now_s)

    def _keep(self, address: str, left: float, now_s: float) -> None:
        self._left[address] = (left, now_s)
        if len(self._left) > ADDRESSES_MAX:
            self._left.popitem(last=False)
