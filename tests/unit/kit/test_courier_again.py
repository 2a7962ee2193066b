"""What a device offers again to another incarnation of its hub, and in which order."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast

import pytest

from devices.kit.calls import with_record
from devices.kit.codec import BODY_BYTES_MAX
from devices.kit.courier import Courier, Settled
from devices.kit.journal import Journal
from devices.kit.journal_state import (
    Answer,
    Entry,
    JournalState,
    again_record,
    answer_record,
    ask_record,
    replay,
)
from hub.clock import SystemClock, SystemIds, SystemRandomness
from hub.contract.envelope import HubMode, HubState, Reply
from hub.contract.problems import Code, problem

YES = Reply(ok=True, seq=9, result={}, record="fresh")
WAIT = Reply(
    ok=False, problem=problem(Code.BUSY, "Its sale is missing.", context={"waits_for": "s"})
)


class Hub:
    """In the place of the calls: what it is asked, and what it says by key, in turn."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []
        self.says: dict[str, list[Reply]] = defaultdict(list)

    async def ask(
        self, _service: str, _operation: str, _body: bytes, key: str, **how: Any
    ) -> Reply:
        self.asked.append((key, how["record"]))
        return self.says[key].pop(0) if self.says[key] else YES

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not done():
                await asyncio.sleep(0.01)


class Desk:
    """A courier at work over a journal."""

    def __init__(self, journal: Journal) -> None:
        clock, randomness = SystemClock(), SystemRandomness()
        self.hub = Hub()
        self.settled: list[Settled] = []
        self.journal = journal
        self.courier = Courier(
            journal,
            cast(Any, self.hub),
            cast(Any, None),
            clock=clock,
            ids=SystemIds(clock, randomness),
            randomness=randomness,
            on_settled=self.settled.append,
        )

    async def keep(self, *keys: str) -> None:
        """Requests that incarnation 1 has answered."""
        for key in keys:
            await self.journal.ask(entry(key))
            self.journal.answered(key, Answer("1", 5, {}), f"record-of-{key}")

    def now(self, incarnation: str) -> None:
        self.courier.hub_changed(
            HubState(
                mode=HubMode.ONLINE,
                session="s",
                incarnation=incarnation,
                epoch=1,
                seq=0,
                safe_seq=0,
                time_ms=0,
            )
        )


def entry(key: str) -> Entry:
    return Entry(key=key, service="sale", operation="commit", body="{}", at_ms=1)


@asynccontextmanager
async def _at_work(path: Path) -> AsyncIterator[Desk]:
    journal = await Journal.open(path, owner="367/till-1", journal_id="j")
    desk = Desk(journal)
    running = asyncio.create_task(desk.courier.run())
    try:
        yield desk
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await journal.close()


async def test_what_was_answered_is_offered_again_with_its_record(tmp_path: Path) -> None:
    async with _at_work(tmp_path / "j") as desk:
        await desk.keep("a", "b")
        desk.now("2")
        await desk.hub.until(lambda: len(desk.settled) == 2)
        assert desk.hub.asked == [("a", "record-of-a"), ("b", "record-of-b")]
        desk.now("3")
        await desk.hub.until(lambda: len(desk.settled) == 4)
        assert desk.hub.asked[2:] == [("a", "fresh"), ("b", "fresh")]


async def test_an_answer_without_a_record_leaves_the_older_one(tmp_path: Path) -> None:
    async with _at_work(tmp_path / "j") as desk:
        await desk.keep("a")
        desk.hub.says["a"] = [Reply(ok=True, seq=3, result={})]
        desk.now("2")
        await desk.hub.until(lambda: len(desk.settled) == 1)
        desk.now("3")
        await desk.hub.until(lambda: len(desk.settled) == 2)
        assert [record for _, record in desk.hub.asked] == ["record-of-a"] * 2


async def test_what_builds_on_another_devices_sale_lets_the_others_go_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devices.kit.courier._ROUND_S", 0.01)
    async with _at_work(tmp_path / "j") as desk:
        await desk.keep("a", "b", "c")
        desk.hub.says["a"] = [WAIT, WAIT]
        desk.hub.says["b"] = [WAIT]
        desk.now("2")
        await desk.hub.until(lambda: len(desk.settled) == 3)
        assert [key for key, _ in desk.hub.asked] == ["a", "b", "c", "a", "b", "a"]
        assert [one.key for one in desk.settled] == ["c", "b", "a"]
        assert not any(one.problem for one in desk.settled)


async def test_what_waits_for_too_long_is_for_a_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devices.kit.courier._GIVE_UP_S", 0.0)
    async with _at_work(tmp_path / "j") as desk:
        await desk.keep("a")
        desk.hub.says["a"] = [WAIT]
        desk.now("2")
        await desk.hub.until(lambda: bool(desk.settled))
        (kept,) = desk.journal.entries
        assert kept.doubt is not None
        assert kept.record == "record-of-a"


async def test_an_answer_of_which_nothing_is_written_is_not_kept(tmp_path: Path) -> None:
    async with _at_work(tmp_path / "j") as desk:
        desk.hub.says["a"] = [Reply(ok=True, seq=0, result={"opened": True})]
        reply = await desk.courier.submit("a", "stock", "open-count", "{}")
        assert reply.result == {"opened": True}
        assert desk.journal.entries == []


def test_a_record_is_kept_through_restarts_and_compaction() -> None:
    told = (ask_record(entry("a")), answer_record("a", Answer("1", 5, {}), "r"))
    for history in (told, (*told, again_record("a"))):
        state = replay(history)
        for kept in (state, replay(state.snapshot())):
            assert kept.entries["a"].record == "r"
            assert kept.entries == state.entries
    assert _last(replay(told))["record"] == "r"


def test_a_journal_of_an_earlier_version_has_no_records() -> None:
    state = replay((ask_record(entry("a")), answer_record("a", Answer("1", 5, {}))))
    assert state.entries["a"].record is None
    assert "record" not in _last(state)


def _last(state: JournalState) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(list(state.snapshot())[-1])
    return found


def test_a_record_that_does_not_fit_is_left_out() -> None:
    body = b"x" * (BODY_BYTES_MAX - 10)
    assert with_record(body, "r" * 10) == "r" * 10
    assert with_record(body, "r" * 11) is None
    assert with_record(body, None) is None
