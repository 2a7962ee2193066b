"""The hub's own time: a budget clock that nobody can set, and doubt about the wall clock.

The budget clock is persisted and goes on across restarts; time-to-live, lockouts and deadlines
count on it.  (While the hub is down it stands: a hold may live longer than its time, never
shorter.)  The wall clock is for people and records; ordering never depends on it.
"""

from __future__ import annotations

from collections.abc import Sequence

from hub.clock import Clock
from hub.service.notices import ClockTrusted

JUMP_MS = 5 * 60_000
AGREE_MS = 60_000
BACK_TOLERANCE_MS = 2_000
SET_MS = 1_000


class BudgetClock:
    """Milliseconds since the hub was founded, not counting the time it was down."""

    def __init__(self, clock: Clock, base_ms: int) -> None:
        self._clock = clock
        self._base_ms = base_ms
        self._start_s = clock.monotonic_s()

    def budget_ms(self) -> int:
        """The budget clock's reading."""
        return self._base_ms + int((self._clock.monotonic_s() - self._start_s) * 1000)

    def wall_ms(self) -> int:
        """The wall clock's reading; here so that the writer asks one object for both."""
        return self._clock.wall_ms()


class ClockGuard:
    """Watches the wall clock against the monotonic one.

    ``suspect`` says why the wall clock isn't trusted, or is empty; ``off_ms`` is the wall clock
    less the cloud's, as far as known.
    """

    def __init__(self, clock: Clock, *, trusted_wall_ms: int, suspect: str) -> None:
        self._clock = clock
        self.suspect = suspect
        self.off_ms: int | None = None
        self._wall_ms = clock.wall_ms()
        self._monotonic_s = clock.monotonic_s()
        if not suspect and self._wall_ms < trusted_wall_ms - BACK_TOLERANCE_MS:
            self.suspect = (
                f"the clock is {(trusted_wall_ms - self._wall_ms) // 1000} s behind the last "
                "trusted instant"
            )

    def tick(self) -> str:
        """Compare; ``suspect`` after it.  Call it every few seconds."""
        wall_ms, monotonic_s = self._clock.wall_ms(), self._clock.monotonic_s()
        jump_ms = (wall_ms - self._wall_ms) - int((monotonic_s - self._monotonic_s) * 1000)
        self._wall_ms, self._monotonic_s = wall_ms, monotonic_s
        if self.off_ms is not None and abs(jump_ms) > SET_MS:
            self.off_ms += jump_ms
        if abs(jump_ms) > JUMP_MS:
            self.suspect = f"the clock jumped by {jump_ms // 1000} s"
        return self.suspect

    def compare(self, trusted_ms: int) -> str:
        """Compare with an instant from the cloud or NTP; ``suspect`` after it.  A jump until now
        is in it, and the next look must not find it again."""
        self._wall_ms, self._monotonic_s = self._clock.wall_ms(), self._clock.monotonic_s()
        self.off_ms = off_ms = self._wall_ms - trusted_ms
        if abs(off_ms) <= AGREE_MS:
            self.suspect = ""
        elif abs(off_ms) > JUMP_MS:
            self.suspect = f"the clock is {off_ms // 1000} s off the cloud's"
        return self.suspect

    def agree(self, told_ms: int) -> str:
        """Lift the doubt if the wall clock is right by now; ``suspect`` after it.  Nothing is held
        against the clock: what a technician said of it stands until the next HELLO."""
        if self.suspect and abs(self._clock.wall_ms() - told_ms) <= AGREE_MS:
            return self.compare(told_ms)
        return self.suspect

    def notify(self, told: Sequence[object]) -> None:
        """What was told after a commit: a technician's word, which the next look must not undo."""
        if any(isinstance(notice, ClockTrusted) for notice in told):
            self.trust()

    def trust(self) -> None:
        """A technician says that it is right, as it has been set until now."""
        self.tick()
        self.suspect = ""
