"""What a device does when its hub wants an earlier fact first."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest_asyncio

from devices.kit.courier import Courier
from devices.kit.journal import Journal
from hub.clock import SystemClock, SystemIds, SystemRandomness
from hub.contract.envelope import Reply
from hub.contract.problems import Code, problem

FIRST, LATER = str(uuid.uuid4()), str(uuid.uuid4())


@pytest_asyncio.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    journal = await Journal.open(tmp_path / "j", owner="367/till-1", journal_id=FIRST)
    yield journal
    await journal.close()


def courier_of(journal: Journal) -> Courier:
    clock, randomness = SystemClock(), SystemRandomness()
    return Courier(
        journal,
        cast(Any, None),
        cast(Any, None),
        clock=clock,
        ids=SystemIds(clock, randomness),
        randomness=randomness,
        on_settled=lambda _: None,
    )


def wants(expected: int) -> Reply:
    return Reply(
        ok=False,
        problem=problem(Code.CONFLICT, "It is missing.", context={"expected": expected}),
    )


async def test_a_fact_is_kept_when_the_hub_wants_an_earlier_one_that_is_here(
    journal: Journal,
) -> None:
    courier = courier_of(journal)
    first, second = [await courier.fact("scan", {"n": n}) for n in (1, 2)]
    assert courier.fact_answered(second, wants(1))
    assert [f"{one.journal_id}:{one.evt_seq}" for one in journal.facts(9)] == [first, second]


async def test_facts_are_renumbered_when_the_one_the_hub_wants_is_gone(
    journal: Journal, tmp_path: Path
) -> None:
    courier = courier_of(journal)
    told = [await courier.fact("scan", {"n": n}) for n in (1, 2, 3)]
    assert courier.fact_answered(told[0], Reply(ok=False, problem=problem(Code.TOO_LARGE, "")))
    assert courier.fact_answered(told[1], wants(1))
    assert courier.fact_answered(told[2], wants(1))  # about its old number: nothing more happens
    await courier.fact("scan", {"n": 4})
    fresh = journal.journal_id
    assert fresh != FIRST
    assert [one.id for one in journal.facts(9)] == [(fresh, n) for n in (1, 2, 3)]
    await journal.flush()
    copy = tmp_path / "copy"
    copy.write_bytes((tmp_path / "j").read_bytes())
    again = await Journal.open(copy, owner="367/till-1", journal_id=LATER)
    assert [one.id for one in again.facts(9)] == [(fresh, n) for n in (1, 2, 3)]
    assert '"evt_seq":2,' in again.facts(9)[1].body
    assert '"n":3' in again.facts(9)[1].body
    await again.close()
