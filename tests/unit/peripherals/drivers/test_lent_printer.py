"""A printer that a till lends: what became of a document, whatever becomes of the way there."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from typing import Any

import pytest

from devices.peripherals.choosing import Pace
from devices.peripherals.drivers import lent_printer
from devices.peripherals.drivers.lent_printer import LentPrinter
from devices.peripherals.lending import Declined, DeviceConnector, NotAsked, Unanswered
from devices.peripherals.model import (
    ConditionsAre,
    Gone,
    Identity,
    Misconfigured,
    Outcome,
    PeripheralError,
    Told,
    Unreachable,
    World,
)
from hub.clock import SystemClock, SystemRandomness
from hub.contract import lending
from hub.documents.layout import Layout, Text

SHORT = Layout("short", (Text("hello"),))
LONG = Layout("long", tuple(Text(f"{n:05d} " * 7) for n in range(1500)))


class Till:
    """Answers as it is told to; ``answers`` by operation, ``pieces`` are what came."""

    def __init__(self, **options: Any) -> None:
        self.answers: dict[str, Any] = {
            lending.LOOK: {"ready": True, "maker": "M", "conditions": ["printer-paper-near-end"]},
            lending.PRINT: {"outcome": "printed", "confirmed": True},
            lending.KICK: {"outcome": "printed"},
        }
        self.pieces: list[lending.PrintPiece] = []
        self.fail_at: tuple[int, PeripheralError] | None = None
        self.waited_s: dict[str, float] = {}
        self.told: list[Told] = []
        connector = DeviceConnector.of("device:till-01", self._ask)
        world = World(SystemClock(), SystemRandomness())
        self.printer = LentPrinter(connector, world, self.told.append, options)

    async def _ask(
        self, device_id: str, operation: str, data: dict[str, Any], timeout_s: float
    ) -> dict[str, Any]:
        assert device_id == "till-01"
        self.waited_s[operation] = timeout_s
        answer = self.answers[operation]
        if operation == lending.PRINT:
            piece = lending.PrintPiece.model_validate(data)
            if self.fail_at is not None and self.fail_at[0] == piece.piece:
                raise self.fail_at[1]
            self.pieces.append(piece)
            if piece.piece < piece.pieces - 1:
                return {"outcome": "held"}
        if isinstance(answer, Exception):
            raise answer
        found: dict[str, Any] = answer
        return found


async def test_a_document_goes_in_pieces_that_are_whole_at_the_till() -> None:
    till = Till()
    ended = await till.printer.print(LONG)
    assert (ended.outcome, ended.confirmed) == (Outcome.PRINTED, True)
    assert len(till.pieces) > 1
    assert [one.piece for one in till.pieces] == list(range(len(till.pieces)))
    assert len({one.job_id for one in till.pieces}) == 1
    data = b"".join(base64.b64decode(one.data) for one in till.pieces)
    assert b"01499" in data
    await till.printer.print(SHORT)
    assert till.pieces[-1].pieces == 1
    assert till.pieces[-1].job_id != till.pieces[0].job_id


@pytest.mark.parametrize(
    ("error", "first", "last"),
    [
        (NotAsked("no broker"), Outcome.NOT_BEGUN, Outcome.NOT_BEGUN),
        (Declined("no printer"), Outcome.NOT_BEGUN, Outcome.NOT_BEGUN),
        (Unanswered("silence"), Outcome.NOT_BEGUN, Outcome.UNKNOWN),
    ],
)
async def test_only_the_last_piece_can_leave_nobody_knowing(
    error: PeripheralError, first: Outcome, last: Outcome
) -> None:
    till = Till()
    till.fail_at = (0, error)
    ended = await till.printer.print(LONG)
    assert ended.outcome is first
    assert str(error) in ended.reason
    till.fail_at = None
    await till.printer.print(LONG)
    till.fail_at = (till.pieces[-1].piece, error)
    assert (await till.printer.print(LONG)).outcome is last


async def test_a_till_that_answers_nonsense_to_the_last_piece_may_have_printed() -> None:
    till = Till()
    till.answers[lending.PRINT] = {"outcome": "maybe"}
    assert (await till.printer.print(SHORT)).outcome is Outcome.UNKNOWN
    till.answers[lending.PRINT] = {"outcome": "held"}
    assert (await till.printer.print(SHORT)).outcome is Outcome.UNKNOWN
    till.answers[lending.PRINT] = {"outcome": "refused", "reason": "no paper that wide"}
    ended = await till.printer.print(SHORT)
    assert (ended.outcome, ended.reason) == (Outcome.REFUSED, "no paper that wide")


async def test_it_is_ready_while_its_till_says_so_and_tells_its_conditions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lent_printer, "ANSWER_S", 0.1)
    till = Till(look_s=1)
    ready: list[Identity] = []
    serving = asyncio.create_task(till.printer.serve(ready.append))
    async with asyncio.timeout(30):
        while not till.told:
            await asyncio.sleep(0.01)
    assert ready == [Identity(maker="M")]
    assert till.told == [ConditionsAre(frozenset({"printer-paper-near-end"}))]
    till.answers[lending.LOOK] = Unanswered("silence")
    with pytest.raises(Gone, match="silence"):
        async with asyncio.timeout(30):
            await serving
    till.answers[lending.LOOK] = {"ready": False, "reason": "its cable is out"}
    with pytest.raises(Unreachable, match="its cable is out"):
        await till.printer.serve(ready.append)


async def test_what_a_till_says_of_its_printer_is_cut_to_what_a_list_can_show() -> None:
    till = Till()
    long = "x" * 100_000
    ready: list[Identity] = []
    till.answers[lending.LOOK] = {"ready": True, "maker": long, "model": long}
    serving = asyncio.create_task(till.printer.serve(ready.append))
    async with asyncio.timeout(30):
        while not till.told:
            await asyncio.sleep(0.01)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    assert ready == [Identity(maker="x" * 64, model="x" * 64)]
    for said in ({"ready": False, "reason": long}, Declined(long)):
        till.answers[lending.LOOK] = said
        with pytest.raises(Unreachable) as refused:
            await till.printer.serve(ready.append)
        assert len(str(refused.value)) < 300


async def test_its_drawer_is_kicked_at_the_till() -> None:
    till = Till()
    assert (await till.printer.kick(2, 100)).outcome is Outcome.PRINTED
    assert till.waited_s[lending.KICK] < Pace().kick_max_s  # no drawer opens after it is given up
    assert (await till.printer.kick(3, 100)).outcome is Outcome.REFUSED
    till.answers[lending.KICK] = Unanswered("silence")
    assert (await till.printer.kick(5, 100)).outcome is Outcome.UNKNOWN


def test_settings_that_can_t_be_meant_so_are_refused() -> None:
    for options in ({"width_mm": 70}, {"width_mm": True}, {"look_s": 0}, {"colour": "red"}):
        with pytest.raises(Misconfigured):
            Till(**options)
    for address in ("device:", "device:Till 1", "device:../x"):
        with pytest.raises(Misconfigured, match="device:till-01"):
            DeviceConnector.of(address, Till()._ask)


def sent(till: Till) -> bytes:
    """What the till got last."""
    last = till.pieces[-1].job_id
    return b"".join(base64.b64decode(one.data) for one in till.pieces if one.job_id == last)


async def test_half_a_document_that_may_stand_on_the_paper_is_cut_off_once() -> None:
    till = Till()
    cut = b"\x1dVA"
    await till.printer.print(replace(SHORT, after_torn=True))
    assert sent(till).index(cut) < sent(till).index(b"hello")
    await till.printer.print(SHORT)
    assert cut not in sent(till)
    till.fail_at = (0, Unanswered("silence"))
    assert (await till.printer.print(SHORT)).outcome is Outcome.UNKNOWN
    till.fail_at = (0, NotAsked("no broker"))
    assert (await till.printer.print(SHORT)).outcome is Outcome.NOT_BEGUN
    till.fail_at = None
    await till.printer.print(SHORT)
    assert sent(till).index(cut) < sent(till).index(b"hello")
    await till.printer.print(SHORT)
    assert cut not in sent(till)
