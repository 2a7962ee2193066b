"""When to try again: backoff, a budget for retries, and a circuit breaker.

The shop's rules: full jitter ``U(0, min(60 s, 1 s·2ⁿ))``, ``Retry-After`` is a floor, retries have
a budget so that they never multiply the load, a breaker lets one probe through.  A network failure
never exhausts anything: an empty budget only means waiting longer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

BASE_S: Final = 1.0
CAP_S: Final = 60.0
MAX_RETRY_AFTER_S: Final = 3600.0
"""A server that asks for more is asked again after an hour: its clock may be wrong."""


def backoff_s(
    attempt: int, uniform: Callable[[float, float], float], retry_after_s: float = 0.0
) -> float:
    """Seconds to wait after failed attempt number ``attempt`` (from 0).

    Full jitter keeps a thousand shops from coming back at once; with a ``Retry-After`` the
    jitter is added to it for the same reason.  ``uniform(low, high)`` is the source of randomness.
    """
    ceiling = min(CAP_S, BASE_S * 2.0 ** min(max(attempt, 0), 16))
    floor = min(max(retry_after_s, 0.0), MAX_RETRY_AFTER_S)
    return floor + uniform(0.0, ceiling)


def restart_s(
    failures: int, first_s: float, most_s: float, uniform: Callable[[float, float], float]
) -> float:
    """Seconds until what has failed ``failures`` times in a row (from 0) is started again: half to
    all of ``first_s`` doubled each time, ``most_s`` at most.  Never nearly nothing, unlike
    :func:`backoff_s`: it is one part on one box, and nobody else waits for its turn."""
    ceiling_s = min(most_s, first_s * 2.0 ** min(max(failures, 0), 10))
    return uniform(ceiling_s / 2, ceiling_s)


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """A bucket of tokens in thousandths: a retry costs one, a first try earns a part of one.

    ``trickle_s`` seconds earn one as well, so that the bucket never stays empty for ever.
    """

    capacity: int = 10
    earn_milli: int = 100
    trickle_s: float = 10.0
    milli: int = 10_000

    def earned(self) -> RetryBudget:
        """After a first try."""
        return self._with(self.milli + self.earn_milli)

    def elapsed(self, seconds: float) -> RetryBudget:
        """After time has passed on the monotonic clock."""
        return self._with(self.milli + int(1000 * max(seconds, 0.0) / self.trickle_s))

    def spend(self) -> RetryBudget | None:
        """One retry's worth less, or None if it must wait."""
        return None if self.milli < 1000 else self._with(self.milli - 1000)

    def wait_s(self) -> float:
        """Seconds until a retry can be paid for by waiting alone; 0 if it can be now."""
        return max(0, 1000 - self.milli) * self.trickle_s / 1000

    def _with(self, milli: int) -> RetryBudget:
        return replace(self, milli=max(0, min(self.capacity * 1000, milli)))


class BreakerState(StrEnum):
    """``closed`` lets everything through, ``open`` nothing, ``half_open`` one probe."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class BreakerEvent(StrEnum):
    """What happened.  ``tripped`` is the failure that makes it too many in a row."""

    SUCCESS = "success"
    FAILURE = "failure"
    TRIPPED = "tripped"
    COOLED = "cooled"


BREAKER_TRANSITIONS: Final[dict[tuple[BreakerState, BreakerEvent], BreakerState]] = {
    (BreakerState.CLOSED, BreakerEvent.SUCCESS): BreakerState.CLOSED,
    (BreakerState.CLOSED, BreakerEvent.FAILURE): BreakerState.CLOSED,
    (BreakerState.CLOSED, BreakerEvent.TRIPPED): BreakerState.OPEN,
    (BreakerState.CLOSED, BreakerEvent.COOLED): BreakerState.CLOSED,
    # An answer to something sent before the breaker opened: only a probe may close it.
    (BreakerState.OPEN, BreakerEvent.SUCCESS): BreakerState.OPEN,
    (BreakerState.OPEN, BreakerEvent.FAILURE): BreakerState.OPEN,
    (BreakerState.OPEN, BreakerEvent.TRIPPED): BreakerState.OPEN,
    (BreakerState.OPEN, BreakerEvent.COOLED): BreakerState.HALF_OPEN,
    (BreakerState.HALF_OPEN, BreakerEvent.SUCCESS): BreakerState.CLOSED,
    (BreakerState.HALF_OPEN, BreakerEvent.FAILURE): BreakerState.OPEN,
    (BreakerState.HALF_OPEN, BreakerEvent.TRIPPED): BreakerState.OPEN,
    (BreakerState.HALF_OPEN, BreakerEvent.COOLED): BreakerState.HALF_OPEN,
}


@dataclass(frozen=True, slots=True)
class Breaker:
    """A circuit breaker as a value; ``*_at_s`` are monotonic seconds.

    ``trips`` counts openings since the last success and makes a good ``attempt`` for
    :func:`backoff_s`.  A probe that never reports is given up after ``probe_timeout_s``.
    """

    threshold: int = 5
    probe_timeout_s: float = 90.0
    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    trips: int = 0
    retry_at_s: float = 0.0

    def ask(self, now_s: float) -> tuple[Breaker, bool]:
        """May a request go now?  A yes while not closed is the one probe."""
        if self.state is BreakerState.CLOSED:
            return self, True
        if now_s < self.retry_at_s:
            return self, False
        state = BREAKER_TRANSITIONS[self.state, BreakerEvent.COOLED]
        return replace(self, state=state, retry_at_s=now_s + self.probe_timeout_s), True

    def succeeded(self) -> Breaker:
        """A request was answered (a refusal is an answer)."""
        state = BREAKER_TRANSITIONS[self.state, BreakerEvent.SUCCESS]
        if state is BreakerState.CLOSED:
            return replace(self, state=state, failures=0, trips=0, retry_at_s=0.0)
        return self

    def failed(self, now_s: float, cooldown_s: float) -> Breaker:
        """A request was not answered; if this opens the breaker, it stays so for ``cooldown_s``."""
        failures = min(self.failures + 1, self.threshold)
        tripped = failures >= self.threshold
        event = BreakerEvent.TRIPPED if tripped else BreakerEvent.FAILURE
        state = BREAKER_TRANSITIONS[self.state, event]
        opened = state is BreakerState.OPEN and self.state is not BreakerState.OPEN
        return replace(
            self,
            state=state,
            failures=failures,
            trips=self.trips + opened,
            retry_at_s=now_s + max(cooldown_s, 0.0) if opened else self.retry_at_s,
        )
