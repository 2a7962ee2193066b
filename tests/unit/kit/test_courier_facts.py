"""What a device does when its hub wants an earlier fact first, or a fact is too large to go."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import pytest_asyncio

from devices.kit.courier import Courier
from devices.kit.errors import TooMuch
from devices.kit.journal import Journal
from devices.kit.journal_state import PendingFact
from hub.clock import SystemClock, SystemIds, SystemRandomness
from hub.contract.base import MAX_MESSAGE_BYTES
from hub.contract.envelope import Reply
from hub.contract.problems import Code, problem
from hub.contract.topics import Topics

FIRST, LATER = str(uuid.uuid4()), str(uuid.uuid4())


@pytest_asyncio.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    journal = await Journal.open(tmp_path / "j", owner="367/till-1", journal_id=FIRST)
    yield journal
    await journal.close()


@dataclass
class StrictLink:
    """A broker that ends the connection at a packet over its limit."""

    told: list[str] = field(default_factory=list)

    def publish(self, topic: str, payload: bytes, *, correlation: str) -> None:
        assert len(payload) + len(topic) + len(correlation) + 64 <= MAX_MESSAGE_BYTES
        self.told.append(correlation)


class StrictSession:
    topics = Topics("367")
    identity = SimpleNamespace(device_id="till-1")

    def __init__(self) -> None:
        self.strict = StrictLink()

    async def link(self) -> StrictLink:
        return self.strict


def courier_of(journal: Journal, session: StrictSession | None = None) -> Courier:
    clock, randomness = SystemClock(), SystemRandomness()
    return Courier(
        journal,
        cast(Any, None),
        cast(Any, session),
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


async def test_a_fact_too_large_for_the_broker_is_refused_before_it_is_journalled(
    journal: Journal,
) -> None:
    courier = courier_of(journal)
    with pytest.raises(TooMuch, match="split it"):
        await courier.fact("scan", {"text": "ä" * (MAX_MESSAGE_BYTES // 2)})
    assert await courier.fact("scan", {"n": 1}) == f"{FIRST}:1"  # and leaves no gap behind
    almost = {"text": "x" * (MAX_MESSAGE_BYTES - 1024 - 300)}
    await courier.fact("scan", almost)
    assert len(journal.facts(9)) == 2


async def test_a_journalled_fact_that_can_never_be_sent_does_not_hold_up_the_later_ones(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    large = PendingFact(FIRST, 1, "scan", '{"data":"' + "x" * MAX_MESSAGE_BYTES + '"}')
    await journal.add_fact(large)
    session = StrictSession()
    courier = courier_of(journal, session)
    posting = asyncio.create_task(courier.run())
    try:
        journal.next_fact_id()
        second = await courier.fact("scan", {"n": 2})
        async with asyncio.timeout(30):
            while second not in session.strict.told:
                await asyncio.sleep(0)
        assert f"{FIRST}:1 (scan)" in caplog.text
        assert not journal.has_fact(large.id)
    finally:
        posting.cancel()
        with suppress(asyncio.CancelledError):
            await posting
