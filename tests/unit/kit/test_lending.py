"""A lent printer prints each document once, whatever the way to it does."""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from devices.kit.lending import REMEMBERED, UNFINISHED_MAX, Kick, Lending, PrintMemory
from hub.contract.lending import LentPrinter, PieceTaken, PrintPiece
from hub.contract.problems import Refusal

PRINTED = PieceTaken(outcome="printed", confirmed=True)


class Tablet:
    """A tablet with a printer; ``paper`` is what came out."""

    def __init__(self, folder: Path, *, kick: Kick | None = None) -> None:
        self.paper: list[bytes] = []
        self.hold = asyncio.Event()
        self.hold.set()
        self.begun = asyncio.Event()
        self.fails = False
        self._path = folder / "lent-prints"
        self._kick = kick
        self.start()

    def start(self) -> None:
        memory = PrintMemory(self._path)
        self.lending = Lending(memory, self._print, self._look, self._kick)

    async def restart(self) -> None:
        await self.lending.close()
        self.start()

    async def ask(self, job_id: str, data: bytes, piece: int = 0, pieces: int = 1) -> PieceTaken:
        text = base64.b64encode(data).decode()
        sent = PrintPiece(job_id=job_id, piece=piece, pieces=pieces, data=text)
        return PieceTaken.model_validate(await self.lending.on_print(sent.model_dump(mode="json")))

    async def _print(self, data: bytes) -> PieceTaken:
        self.begun.set()
        await self.hold.wait()
        self.paper.append(data)
        if self.fails:
            raise RuntimeError("the cable is loose")
        return PRINTED

    async def _look(self) -> LentPrinter:
        return LentPrinter(ready=True, maker="Acme", conditions=("printer-paper-near-end",))


@pytest.fixture
async def tablet(tmp_path: Path) -> Any:
    made = Tablet(tmp_path)
    yield made
    await made.lending.close()


def job() -> str:
    return str(uuid.uuid4())


async def test_a_repeat_is_answered_from_memory_and_not_printed(tablet: Tablet) -> None:
    one = job()
    assert await tablet.ask(one, b"receipt") == PRINTED
    assert await tablet.ask(one, b"receipt") == PRINTED
    assert tablet.paper == [b"receipt"]


async def test_a_repeat_while_it_prints_waits_for_the_same_end(tablet: Tablet) -> None:
    one = job()
    tablet.hold.clear()
    asked = [asyncio.create_task(tablet.ask(one, b"receipt")) for _ in range(3)]
    await tablet.begun.wait()
    tablet.hold.set()
    assert await asyncio.gather(*asked) == [PRINTED] * 3
    assert tablet.paper == [b"receipt"]


async def test_a_document_is_printed_when_all_its_pieces_are_there(tablet: Tablet) -> None:
    one = job()
    assert (await tablet.ask(one, b"b", 1, 3)).outcome == "held"
    assert (await tablet.ask(one, b"a", 0, 3)).outcome == "held"
    assert (await tablet.ask(one, b"a", 0, 3)).outcome == "held"
    assert tablet.paper == []
    assert await tablet.ask(one, b"c", 2, 3) == PRINTED
    assert tablet.paper == [b"abc"]


async def test_a_tablet_that_restarts_remembers_what_it_printed(tablet: Tablet) -> None:
    one = job()
    await tablet.ask(one, b"receipt")
    await tablet.restart()
    assert await tablet.ask(one, b"receipt") == PRINTED
    assert tablet.paper == [b"receipt"]


async def test_a_tablet_that_died_while_printing_says_unknown_and_prints_nothing(
    tablet: Tablet,
) -> None:
    one = job()
    tablet.hold.clear()
    asked = asyncio.create_task(tablet.ask(one, b"receipt"))
    await tablet.begun.wait()
    await tablet.restart()
    await asyncio.gather(asked, return_exceptions=True)
    tablet.hold.set()
    assert (await tablet.ask(one, b"receipt")).outcome == "unknown"
    assert tablet.paper == []


async def test_a_printer_that_fails_in_the_middle_is_unknown_for_good(tablet: Tablet) -> None:
    one = job()
    tablet.fails = True
    first = await tablet.ask(one, b"receipt")
    assert (first.outcome, "loose" in first.reason) == ("unknown", True)
    tablet.fails = False
    assert await tablet.ask(one, b"receipt") == first
    assert len(tablet.paper) == 1


async def test_what_cannot_be_written_down_is_not_begun(tablet: Tablet, tmp_path: Path) -> None:
    (tmp_path / "lent-prints").mkdir()
    tablet.lending._loaded = asyncio.create_task(asyncio.sleep(0))
    one = job()
    assert (await tablet.ask(one, b"receipt")).outcome == "not-begun"
    assert tablet.paper == []
    (tmp_path / "lent-prints").rmdir()
    assert await tablet.ask(one, b"receipt") == PRINTED


async def test_a_torn_line_costs_nothing_but_itself(tablet: Tablet, tmp_path: Path) -> None:
    one, two = job(), job()
    await tablet.ask(one, b"1")
    with (tmp_path / "lent-prints").open("a") as file:
        file.write(json.dumps([two, "begun"])[:-5])
    await tablet.restart()
    assert await tablet.ask(one, b"1") == PRINTED
    assert await tablet.ask(two, b"2") == PRINTED
    await tablet.restart()
    assert await tablet.ask(two, b"2") == PRINTED
    assert tablet.paper == [b"1", b"2"]


@pytest.mark.timeout(120)
async def test_the_memory_is_bounded_on_disk_and_keeps_the_newest(
    tablet: Tablet, tmp_path: Path
) -> None:
    jobs = [job() for _ in range(3 * REMEMBERED)]
    for one in jobs:
        await tablet.ask(one, b"x")
    lines = [line for line in (tmp_path / "lent-prints").read_text().splitlines() if line]
    assert len(lines) <= 4 * REMEMBERED + 1
    await tablet.restart()
    assert await tablet.ask(jobs[-1], b"x") == PRINTED
    assert len(tablet.paper) == len(jobs)


async def test_unfinished_documents_are_bounded(tablet: Tablet) -> None:
    first, *others = [job() for _ in range(UNFINISHED_MAX + 1)]
    for one in (first, *others):
        await tablet.ask(one, b"a", 0, 2)
    assert (await tablet.ask(first, b"b", 1, 2)).outcome == "held"
    assert tablet.paper == []


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"job_id": "x", "piece": 0, "pieces": 1, "data": ""},
        {"job_id": str(uuid.uuid4()), "piece": 0, "pieces": 1, "data": "not base64!"},
        {"job_id": str(uuid.uuid4()), "piece": 3, "pieces": 2, "data": ""},
    ],
)
async def test_what_is_no_piece_is_refused(tablet: Tablet, data: dict[str, Any]) -> None:
    with pytest.raises(Refusal):
        await tablet.lending.on_print(data)
    assert tablet.paper == []


async def test_the_drawer_is_opened_where_there_is_one(tablet: Tablet, tmp_path: Path) -> None:
    kicked: list[tuple[int, int]] = []

    async def kick(pin: int, pulse_ms: int) -> PieceTaken:
        kicked.append((pin, pulse_ms))
        return PieceTaken(outcome="printed")

    with_drawer = Tablet(tmp_path, kick=kick)
    assert (await with_drawer.lending.on_kick({"pin": 5}))["outcome"] == "printed"
    assert (await tablet.lending.on_kick({}))["outcome"] == "refused"
    with pytest.raises(Refusal):
        await with_drawer.lending.on_kick({"pin": 3})
    assert kicked == [(5, 100)]
    assert (await tablet.lending.on_look({}))["conditions"] == ["printer-paper-near-end"]


async def test_a_drawer_waits_for_no_document_and_never_opens_later(tmp_path: Path) -> None:
    kicked = asyncio.Event()

    async def kick(_pin: int, _pulse_ms: int) -> PieceTaken:
        kicked.set()
        return PieceTaken(outcome="printed")

    tablet = Tablet(tmp_path, kick=kick)
    tablet.hold.clear()
    printing = asyncio.create_task(tablet.ask(job(), b"receipt"))
    await tablet.begun.wait()
    async with asyncio.timeout(30):
        assert (await tablet.lending.on_kick({}))["outcome"] == "not-begun"
    tablet.hold.set()
    assert await printing == PRINTED
    assert not kicked.is_set()
    await tablet.lending.close()
