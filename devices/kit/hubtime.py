"""The hub's time, as far as a device can know it."""

from __future__ import annotations

from hub.clock import Clock


class HubClock:
    """A clock that shows the hub's wall time: the device's own plus what the hub's messages taught.

    A live ``hub/state`` sets the difference.  A retained one was written some time ago and so only
    proves that the hub's clock shows at least that: it can mend a device that woke up in 1970, but
    never sets a clock back.
    """

    def __init__(self, own: Clock) -> None:
        self._own = own
        self._offset_ms = 0
        self._is_exact = False

    @property
    def is_exact(self) -> bool:
        """Whether a live message has set it; a retained one only bounds it."""
        return self._is_exact

    @property
    def offset_ms(self) -> int:
        """What is added to the device's own wall time."""
        return self._offset_ms

    def heard(self, time_ms: int, *, retained: bool) -> None:
        """Learn from a message that was stamped ``time_ms`` by the hub."""
        seen_ms = time_ms - self._own.wall_ms()
        self._offset_ms = max(self._offset_ms, seen_ms) if retained else seen_ms
        self._is_exact = self._is_exact or not retained

    def wall_ms(self) -> int:
        return self._own.wall_ms() + self._offset_ms

    def monotonic_s(self) -> float:
        return self._own.monotonic_s()
