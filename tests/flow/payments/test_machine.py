"""Whatever tills, terminals, the processor, people and time do to payments, in whatever order: none
is taken twice, none is forgotten, and in the end the book says what the processor says."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.flow.payments import walk
from tests.support.cardday import CardDay
from tests.support.cardsteps import STEPS
from tests.support.cardworld import Refs


class Payments(RuleBasedStateMachine):
    """See the module's text; its rules are the steps of a :class:`CardDay`."""

    day: CardDay | None = None

    @initialize(refs=st.sampled_from(Refs), by_key=st.booleans())
    def begin(self, refs: Refs, by_key: bool) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="sh-cards-"))
        self.day = CardDay(self.directory, refs, by_key=by_key)

    @invariant()
    def what_holds_always(self) -> None:
        if self.day is not None:
            self.day.check()

    def teardown(self) -> None:
        if self.day is None:
            return
        try:
            self.day.finish()
            self.day.shop.check_laws()
        finally:
            self.day.shop.close()
            shutil.rmtree(self.directory, ignore_errors=True)


def _step(name: str) -> Callable[..., None]:
    def step(self: Payments, **how: Any) -> None:
        getattr(self.day, name)(**how)

    step.__name__ = name
    return step


_rule: Any = rule
for _name, _how in STEPS.items():
    _drawn = {key: st.sampled_from(choices) for key, choices in _how.items()}
    setattr(Payments, _name, _rule(**_drawn)(_step(_name)))

TestPayments = Payments.TestCase
TestPayments.settings = settings(
    max_examples=8,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("seed", range(3))
def test_days_at_random_end_well(seed: int) -> None:
    assert walk.play(seed, episodes=4)
