"""The journal: what was kept is there after any crash, what was settled does not come back."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from devices.kit.errors import JournalForeign, JournalFull
from devices.kit.journal import Journal, JournalBounds
from devices.kit.journal_state import Answer, Entry, PendingFact

OWNER = "367/till-1"


def entry(key: str) -> Entry:
    return Entry(key=key, service="sale", operation="commit", body=f'{{"k":"{key}"}}', at_ms=1)


def fact(journal: Journal) -> PendingFact:
    journal_id, evt_seq = journal.next_fact_id()
    return PendingFact(journal_id=journal_id, evt_seq=evt_seq, kind="scan", body="{}")


async def opened(path: Path, journal_id: str = "j1", **bounds: int) -> Journal:
    return await Journal.open(
        path, owner=OWNER, journal_id=journal_id, bounds=JournalBounds(**bounds)
    )


async def test_what_was_asked_is_there_after_a_restart(tmp_path: Path) -> None:
    journal = await opened(tmp_path / "j")
    await journal.ask(entry("a"))
    await journal.ask(entry("b"))
    journal.answered("a", Answer("1", 5, {"x": 1}))
    await journal.close()
    journal = await opened(tmp_path / "j")
    assert [one.key for one in journal.entries] == ["a", "b"]
    assert journal.entry("a") is not None
    assert journal.entries[0].answer == Answer("1", 5, {"x": 1})
    assert journal.first_new() == entry("b")
    await journal.close()


async def test_only_the_same_incarnation_makes_an_answer_safe(tmp_path: Path) -> None:
    journal = await opened(tmp_path / "j")
    await journal.ask(entry("a"))
    journal.answered("a", Answer("1", 5, None))
    assert journal.safe("1", 4) == 0
    assert journal.safe("2", 99) == 0
    assert journal.stale_keys("2") == ["a"]
    assert journal.safe("1", 5) == 1
    assert journal.entries == []
    await journal.close()


async def test_what_is_asked_again_keeps_its_key_and_body(tmp_path: Path) -> None:
    journal = await opened(tmp_path / "j")
    await journal.ask(entry("a"))
    journal.answered("a", Answer("1", 5, None))
    journal.ask_again(["a"])
    await journal.close()
    journal = await opened(tmp_path / "j")
    again = journal.first_again()
    assert again is not None
    assert (again.key, again.body, again.offered_again) == ("a", entry("a").body, True)
    assert journal.first_new() is None
    journal.doubt("a", "not-found: no such basket")
    assert journal.first_again() is None
    assert journal.stale_keys("3") == []
    await journal.close()


async def test_fact_numbers_are_never_used_twice(tmp_path: Path) -> None:
    journal = await opened(tmp_path / "j", "first")
    await journal.add_fact(fact(journal))
    await journal.add_fact(fact(journal))
    await journal.close()
    journal = await opened(tmp_path / "j", "second")
    await journal.add_fact(fact(journal))
    ids = [one.id for one in journal.facts(10)]
    assert ids == [("first", 1), ("first", 2), ("second", 1)]
    assert journal.fact_acked(("first", 1))
    assert not journal.fact_acked(("first", 1))
    assert [one.id for one in journal.facts(1)] == [("first", 2)]
    await journal.close()


async def test_the_bound_refuses_new_requests_and_takes_answers(tmp_path: Path) -> None:
    journal = await opened(tmp_path / "j", entries=2, facts=1)
    await journal.ask(entry("a"))
    await journal.ask(entry("b"))
    await journal.add_fact(fact(journal))
    with pytest.raises(JournalFull):
        await journal.ask(entry("c"))
    with pytest.raises(JournalFull):
        await journal.add_fact(fact(journal))
    journal.answered("a", Answer("1", 1, None))
    journal.safe("1", 1)
    await journal.ask(entry("c"))
    await journal.close()


async def test_another_stores_journal_is_not_taken_over(tmp_path: Path) -> None:
    journal = await opened(tmp_path / "j")
    await journal.ask(entry("a"))
    await journal.close()
    with pytest.raises(JournalForeign):
        await Journal.open(tmp_path / "j", owner="9/till-1", journal_id="x")
    journal = await opened(tmp_path / "j")
    journal.end("a")
    await journal.close()
    await (await Journal.open(tmp_path / "j", owner="9/till-1", journal_id="x")).close()


async def test_many_at_once_share_writes_and_survive_compaction(tmp_path: Path) -> None:
    journal = await opened(tmp_path / "j", compact_bytes=2_000)
    for turn in range(20):
        keys = [f"{turn}-{number}" for number in range(10)]
        await asyncio.gather(*(journal.ask(entry(key)) for key in keys))
        for key in keys[:-1]:
            journal.end(key)
    await journal.flush()
    await journal.close()
    assert (tmp_path / "j").stat().st_size < 10_000
    journal = await opened(tmp_path / "j")
    assert [one.key for one in journal.entries] == [f"{turn}-9" for turn in range(20)]
    await journal.close()


class JournalMachine(RuleBasedStateMachine):
    """A journal and a model of it; crashes cut the file anywhere after the last awaited write."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="kit-journal-"))
        self.number = 0
        self.durable: set[str] = set()
        self.noted: set[str] = set()
        self.facts: set[tuple[str, int]] = set()
        self.acked: set[tuple[str, int]] = set()
        self.safe_bytes = 0

    @initialize()
    def begin(self) -> None:
        self._open()

    def _open(self) -> None:
        self.number += 1
        path = self.folder / "j"
        bounds = JournalBounds(compact_bytes=700)
        self.journal = self.runner.run(
            Journal.open(path, owner=OWNER, journal_id=f"j{self.number}", bounds=bounds)
        )
        self.safe_bytes = path.stat().st_size

    def _settled(self) -> None:
        self.runner.run(self.journal.flush())
        self.runner.run(asyncio.sleep(0))
        self.safe_bytes = (self.folder / "j").stat().st_size

    @rule(count=st.integers(1, 4))
    def ask(self, count: int) -> None:
        keys = [f"k{self.number}-{len(self.durable)}-{i}" for i in range(count)]

        async def all_of_them() -> None:
            await asyncio.gather(*(self.journal.ask(entry(key)) for key in keys))

        self.runner.run(all_of_them())
        self.durable.update(keys)
        self.safe_bytes = (self.folder / "j").stat().st_size

    @rule()
    def happen(self) -> None:
        pending = fact(self.journal)
        self.runner.run(self.journal.add_fact(pending))
        self.facts.add(pending.id)

    @precondition(lambda self: self.facts - self.acked)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(sorted(self.facts - self.acked)))

        async def ack() -> None:
            assert self.journal.fact_acked(one)

        self.runner.run(ack())
        self.acked.add(one)

    @precondition(lambda self: self.durable - self.noted)
    @rule(data=st.data(), seq=st.integers(1, 9))
    def end_or_make_safe(self, data: st.DataObject, seq: int) -> None:
        key = data.draw(st.sampled_from(sorted(self.durable - self.noted)))

        async def settle() -> None:
            if seq % 2:
                self.journal.end(key)
            else:
                self.journal.answered(key, Answer(key, seq, None))
                self.journal.safe(key, seq)

        self.runner.run(settle())
        self.noted.add(key)

    @rule()
    def restart(self) -> None:
        self.runner.run(self.journal.close())
        self._open()
        assert {one.key for one in self.journal.entries} == self.durable - self.noted
        assert {one.id for one in self.journal.facts(1000)} == self.facts - self.acked

    @rule(garbage=st.binary(max_size=40), keep=st.floats(0, 1))
    def crash(self, garbage: bytes, keep: float) -> None:
        """What was awaited is there; what was only noted may be there or not."""
        self._settled()
        path = self.folder / "j"
        copy = path.read_bytes()
        self.runner.run(self.journal.close())
        tail = b"\x89SHJ\0\0\0\x30" + garbage
        path.write_bytes(copy + tail[: int(len(tail) * keep)])
        self._open()
        assert {one.key for one in self.journal.entries} == self.durable - self.noted

    @invariant()
    def memory_is_the_model(self) -> None:
        if self.number:
            assert {one.key for one in self.journal.entries} == self.durable - self.noted

    def teardown(self) -> None:
        if self.number:
            self.runner.run(self.journal.close())
        self.runner.close()
        shutil.rmtree(self.folder)


TestJournalMachine = JournalMachine.TestCase
TestJournalMachine.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
