"""Which states and which steps of the table of card payments runs have come through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from hub.domain.payments.states import TRANSITIONS, PaymentEvent, PaymentState

S, E = PaymentState, PaymentEvent

TABLE: Final[dict[tuple[str, str], str]] = {
    (str(before), str(event)): str(after) for (before, event), after in TRANSITIONS.items()
}
"""(state, event) → the state after it, in the words of the database."""


OLD_BOOKS_ONLY: Final = frozenset({(str(S.EXPIRED), str(E.LATE_APPROVAL))})
"""Steps that only payments in old books can take: a deadline and what follows from it are written
at once, and a hub that is put back takes such a payment in as a receivable; an earlier version's
left it as it was told."""


def step_name(before: str, event: str) -> str:
    """What a step is called among a run's counters."""
    return f"payment {before} + {event}"


@dataclass(frozen=True, slots=True)
class Cover:
    """``steps``: how often each step of the table was taken; ``states``: how often each state was
    come to."""

    steps: dict[tuple[str, str], int]
    states: dict[str, int]

    @property
    def unseen(self) -> list[str]:
        """Steps and states that no run came through."""
        left = [step for step, count in self.steps.items() if not count]
        steps = [step_name(*step) for step in left if step not in OLD_BOOKS_ONLY]
        return steps + [f"payment {state}" for state, count in self.states.items() if not count]

    def figures(self) -> dict[str, int]:
        """In numbers."""
        return {
            "payment_steps_visited": sum(1 for count in self.steps.values() if count),
            "payment_steps_known": len(self.steps.keys() - OLD_BOOKS_ONLY),
            "payment_states_visited": sum(1 for count in self.states.values() if count),
            "payment_states_known": len(self.states),
        }

    def lines(self) -> Iterator[str]:
        """As a table for people."""
        for state, count in self.states.items():
            yield f"{count:8d}  {state}" + ("" if count else "    NEVER")
        yield ""
        for (before, event), count in self.steps.items():
            after = TABLE[before, event]
            never = "only in old books" if (before, event) in OLD_BOOKS_ONLY else "NEVER"
            yield f"{count:8d}  {before} + {event} -> {after}" + ("" if count else f"    {never}")
        yield ""
        yield ", ".join(f"{name}: {number}" for name, number in self.figures().items())


def cover(counters: Mapping[str, int]) -> Cover:
    """What runs with these counters came through."""
    steps = {step: counters.get(step_name(*step), 0) for step in TABLE}
    states = dict.fromkeys(map(str, PaymentState), 0)
    states[PaymentState.INTENT] = counters.get("payment new: begun", 0)
    for step, after in TABLE.items():
        states[after] += steps[step]
    return Cover(steps, states)
