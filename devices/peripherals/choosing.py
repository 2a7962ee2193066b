"""Which printer prints a job: the preferred one, or after a while whoever stands in for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from devices.peripherals.model import Outcome
from hub.domain.schedule import restart_s


@dataclass(frozen=True, slots=True)
class Pace:
    """Times in seconds.

    ``fallback_after_s``: so long a job waits for its printer before another one prints it.
    ``stopped_max_s``: so long a job that has begun waits for paper or a closed cover.
    ``look_s``: the queue is looked at so often even if nobody tells.  ``pause_*_s``: between
    attempts at a printer that takes nothing.  ``grace_s``: so long the hub's stop waits for what is
    being printed.
    """

    fallback_after_s: float = 20.0
    stopped_max_s: float = 600.0
    kick_max_s: float = 5.0
    compose_max_s: float = 60.0
    look_s: float = 30.0
    pause_first_s: float = 1.0
    pause_most_s: float = 30.0
    grace_s: float = 10.0


@dataclass(slots=True)
class Wait:
    """How long nothing happens unless somebody tells."""

    seconds: float

    def at_most(self, seconds: float) -> None:
        """No longer than so."""
        self.seconds = min(self.seconds, max(0.0, seconds))


@dataclass(slots=True)
class _State:
    """What is known of a printer; instants are monotonic seconds.

    ``failures`` in a row: it was said to be ready and took nothing, or nobody knows what.
    """

    down_since_s: float | None = None
    failures: int = 0
    not_before_s: float = 0.0


class Chooser:
    """Remembers how each printer did; it has as many states as there are printers."""

    def __init__(
        self,
        is_ready: Callable[[str], bool],
        pace: Pace,
        uniform: Callable[[float, float], float],
    ) -> None:
        self._is_ready = is_ready
        self._pace = pace
        self._uniform = uniform
        self._states: dict[str, _State] = {}

    def choose(self, routes: Sequence[str], now_s: float, wait: Wait) -> str | None:
        """The first printer that can; those before it have been down for long enough.  None: for
        now nobody; ``wait`` says when that may be different."""
        for printer_id in routes:
            state = self._states.setdefault(printer_id, _State())
            ready = self._is_ready(printer_id)
            if ready and now_s >= state.not_before_s:
                if not state.failures:
                    state.down_since_s = None
                return printer_id
            if state.down_since_s is None:
                state.down_since_s = now_s
            if ready:
                wait.at_most(state.not_before_s - now_s)
            left_s = state.down_since_s + self._pace.fallback_after_s - now_s
            if left_s > 0:
                wait.at_most(left_s)
                return None
        return None

    def learn(self, printer_id: str, outcome: Outcome, now_s: float) -> float:
        """Remember how a job ended there; seconds until it is asked again."""
        if outcome in (Outcome.PRINTED, Outcome.REFUSED):
            self.forgive(printer_id)
            return 0.0
        state = self._states.setdefault(printer_id, _State())
        pause_s = self.pause_s(state.failures)
        state.failures += 1
        state.not_before_s = now_s + pause_s
        if state.down_since_s is None:
            state.down_since_s = now_s
        return pause_s

    def forgive(self, printer_id: str) -> None:
        """It works, or is there again: what was before doesn't count any more."""
        self._states[printer_id] = _State()

    def pause_s(self, failures: int) -> float:
        """How long to wait after so many failures in a row (from 0)."""
        pace = self._pace
        return restart_s(failures, pace.pause_first_s, pace.pause_most_s, self._uniform)
