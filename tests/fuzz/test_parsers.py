"""Every parser on changed examples, and on a few noisy bytes: typed refusals only."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cache
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.engine import Finding, Runner, Target, random_input
from tests.fuzz.table import all_targets, close

CHANGED = 40
NOISE = 15


@cache
def by_name() -> dict[str, Target]:
    return {one.name: one for one in all_targets()}


@pytest.fixture(scope="module", autouse=True)
def _ended() -> Iterator[None]:
    yield
    close()


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def shown(found: Finding) -> str:
    return f"{found.what}\ninputs: {found.inputs!r}\n{found.trace}"


@pytest.mark.may_block  # targets run their own loop, one input after the other
@pytest.mark.may_leak  # what they share lives until the module's end
@pytest.mark.parametrize("name", list(by_name()))
def test_a_parser_refuses_in_its_own_words(name: str) -> None:
    target = by_name()[name]
    runner = Runner((target,))
    rng = Random(name)  # the same inputs each time; the trial looks for new ones
    for seed in target.seeds:
        runner.try_one(target, seed)
    for _ in range(CHANGED * target.weight):
        runner.try_one(target, random_input(target, rng))
    target.fresh()
    assert not runner.findings, "\n\n".join(map(shown, runner.findings.values()))


@pytest.mark.may_block
@pytest.mark.may_leak
@settings(
    max_examples=NOISE * 30,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(name=st.sampled_from(sorted(by_name())), data=st.binary(max_size=300))
def test_noise_is_refused_everywhere(name: str, data: bytes) -> None:
    target = by_name()[name]
    runner = Runner((target,))
    runner.try_one(target, data)
    assert not runner.findings, "\n\n".join(map(shown, runner.findings.values()))
