"""The loop that presents payments: woken, paced, cut, and never twice at once for one payment."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cloud_link.payments.forwarder import LOOK_S, PARALLEL, TELL_S
from cloud_link.payments.processor import Effect
from hub.crashpoints import on_crashpoint
from hub.domain.payments.tokens import SealedToken
from hub.domain.payments.work import WorkKind
from hub.service.notices import PaymentChanged
from hub.service.payments.commands import ProcessorSaid
from tests.unit.processors.virtual import (
    FakeGate,
    FakeProcessor,
    forwarder_of,
    leased,
    now_s,
    run_virtual,
)

CHANGED = PaymentChanged("p1", "s1", "till-1", "t1", "stored")


def test_what_is_due_is_charged_with_its_token_and_ended() -> None:
    async def play() -> None:
        gate, processor = FakeGate([leased()]), FakeProcessor()
        forwarder = forwarder_of(gate, processor)
        await forwarder.start()
        await asyncio.sleep(5)
        [(what, effect)] = processor.calls
        assert (what, effect.token, effect.key) == ("charge", b"token of p1", "p1")
        [(work, said)] = gate.ended
        assert (work.payment_id, said.outcome, said.psp_ref) == ("p1", "approved", "ref-p1")
        assert "token" not in repr(effect)
        assert forwarder.status().state == "running"
        assert forwarder.status().told == {"approved": 1}
        await forwarder.stop()
        assert processor.closed
        assert forwarder.status().state == "stopped"

    run_virtual(play)


def test_four_at_once_and_never_two_of_one_payment() -> None:
    async def play() -> None:
        many = [leased(number) for number in range(9)]
        refunds: list[Any] = [
            leased(0, WorkKind.REFUND, key=f"r{n}", refund_id=f"r{n}", token=None) for n in range(3)
        ]
        gate, processor = FakeGate([*refunds, *many]), FakeProcessor()
        forwarder = forwarder_of(gate, processor)
        await forwarder.start()
        await asyncio.sleep(30)
        assert len(gate.ended) == 12
        assert processor.most == PARALLEL
        assert not processor.overlapping
        await forwarder.stop()

    run_virtual(play)


def test_a_notice_wakes_it_and_it_looks_by_itself() -> None:
    async def play() -> None:
        gate, processor = FakeGate(), FakeProcessor()
        forwarder = forwarder_of(gate, processor)
        await forwarder.start()
        await asyncio.sleep(2)
        gate.due.append(leased(1))
        forwarder.notify([object(), CHANGED])
        await asyncio.sleep(2)
        assert gate.outcomes() == ["approved"]
        gate.due.append(leased(2))
        began_s = now_s()
        while len(gate.ended) < 2:
            await asyncio.sleep(0.5)
        assert now_s() - began_s <= LOOK_S + 3  # virtual seconds
        await forwarder.stop()

    run_virtual(play)


def test_what_was_sent_before_is_looked_up_and_not_charged_again() -> None:
    async def known(what: str, effect: Effect) -> ProcessorSaid:
        assert what == "look_up"
        assert effect.token is None
        return ProcessorSaid("approved", psp_ref="known")

    async def play() -> None:
        gate, processor = FakeGate([leased(first_sent_at_ms=1)]), FakeProcessor(known)
        forwarder = forwarder_of(gate, processor)
        await forwarder.start()
        await asyncio.sleep(5)
        assert processor.asked() == ["look_up"]
        assert gate.ended[0][1].psp_ref == "known"
        await forwarder.stop()

    run_virtual(play)


@pytest.mark.parametrize(
    ("kind", "changed", "asked"),
    [
        (WorkKind.CHARGE, {"first_sent_at_ms": 1}, ["look_up", "charge"]),
        (WorkKind.LOOK_UP, {}, ["look_up"]),
        (WorkKind.LOOK_UP, {"refund_id": "r"}, ["look_up_refund"]),
        (WorkKind.CAPTURE, {}, ["capture"]),
        (WorkKind.REVERSE, {}, ["reverse"]),
        (WorkKind.REFUND, {"refund_id": "r"}, ["look_up_refund", "refund"]),
        (WorkKind.ASK, {}, []),
    ],
)
def test_each_kind_of_work_asks_for_what_it_is(
    kind: WorkKind, changed: dict[str, Any], asked: list[str]
) -> None:
    async def play() -> None:
        gate, processor = FakeGate([leased(1, kind, **changed)]), FakeProcessor()
        forwarder = forwarder_of(gate, processor)
        await forwarder.start()
        await asyncio.sleep(5)
        assert processor.asked() == asked
        assert len(gate.ended) == 1
        await forwarder.stop()

    run_virtual(play)


def test_a_look_up_that_fails_before_a_repeat_sends_nothing() -> None:
    async def silent(what: str, _effect: Effect) -> ProcessorSaid:
        assert what in ("look_up", "look_up_refund")
        return ProcessorSaid("unknown", "no answer")

    async def play() -> None:
        works = [
            leased(1, first_sent_at_ms=1),
            leased(2, WorkKind.REFUND, refund_id="r2"),
            leased(3, WorkKind.REFUND, refund_id="r3", first_sent_at_ms=1),
        ]
        gate = FakeGate(works)
        forwarder = forwarder_of(gate, FakeProcessor(silent))
        await forwarder.start()
        await asyncio.sleep(5)
        told = {work.payment_id: said.outcome for work, said in gate.ended}
        assert told == {"p1": "not-sent", "p2": "not-sent", "p3": "unknown"}
        await forwarder.stop()

    run_virtual(play)


def test_a_token_that_can_not_be_opened_loses_nothing_and_says_so() -> None:
    keys = {"key-1": False}

    def unseal(_payment_id: str, sealed: SealedToken) -> bytes:
        if not keys[sealed.key_id]:
            raise ValueError("this key is another one")
        return b"token"

    async def play() -> None:
        gate, processor = FakeGate([leased()]), FakeProcessor()
        forwarder = forwarder_of(gate, processor, unseal=unseal)
        await forwarder.start()
        await asyncio.sleep(5)
        assert processor.calls == []
        [(_, said)] = gate.ended
        assert said.outcome == "not-sent"
        assert said.not_before_ms > 0
        assert "key-1" in forwarder.status().problem
        await asyncio.sleep(3600)
        assert forwarder.status().problem == ""  # it was paid otherwise, or expired
        keys["key-1"] = True
        gate.due.append(leased())
        forwarder.notify([CHANGED])
        await asyncio.sleep(5)
        assert gate.outcomes() == ["not-sent", "approved"]
        assert forwarder.status().problem == ""
        await forwarder.stop()

    run_virtual(play)


def test_an_outcome_is_told_again_while_the_database_is_busy() -> None:
    async def play() -> None:
        gate, processor = FakeGate([leased()], busy=4), FakeProcessor()
        forwarder = forwarder_of(gate, processor)
        await forwarder.start()
        await asyncio.sleep(TELL_S + 10)
        assert gate.outcomes() == ["approved"]
        assert len(processor.calls) == 1
        await forwarder.stop()

    run_virtual(play)


def test_a_database_that_stays_busy_leaves_a_doubt_and_the_next_one_goes_on() -> None:
    async def play() -> None:
        gate, processor = FakeGate([leased(1)], busy=1000), FakeProcessor()
        forwarder = forwarder_of(gate, processor)
        await forwarder.start()
        await asyncio.sleep(TELL_S + 30)
        assert gate.ended == []
        assert forwarder.status().in_flight == 0
        gate.busy, gate.due = 0, [leased(2)]
        forwarder.notify([CHANGED])
        await asyncio.sleep(5)
        assert gate.outcomes() == ["approved"]
        await forwarder.stop()

    run_virtual(play)


def test_the_lease_covers_all_that_may_take_time() -> None:
    async def play() -> None:
        processor = FakeProcessor(takes_s=10_000)
        gate = FakeGate([leased(first_sent_at_ms=1)])
        forwarder = forwarder_of(gate, processor)
        began_s = now_s()
        await forwarder.start()
        while not gate.ended:
            await asyncio.sleep(1)
        assert gate.outcomes() == ["unknown"]
        assert now_s() - began_s + TELL_S < gate.leases[0].lease_ms / 1000  # virtual seconds
        await forwarder.stop()

    run_virtual(play)


def test_a_processor_that_does_not_answer_is_asked_less_and_less() -> None:
    async def silent(_what: str, _effect: Effect) -> ProcessorSaid:
        return ProcessorSaid("not-sent", "no connection")

    async def play() -> None:
        gate, processor = FakeGate([leased(1)], again=True), FakeProcessor(silent)
        forwarder = forwarder_of(gate, processor)
        await forwarder.start()
        await asyncio.sleep(1800)
        assert 20 <= len(processor.calls) <= 200
        assert forwarder.status().state == "resting"
        forwarder.retry()
        before = len(processor.calls)
        await asyncio.sleep(2)
        assert len(processor.calls) == before + 1
        await forwarder.stop()

    run_virtual(play)


def test_while_it_is_held_nothing_is_leased_and_what_is_in_flight_is_cut() -> None:
    held = False

    async def play() -> None:
        nonlocal held
        gate, processor = FakeGate([leased(1)]), FakeProcessor(takes_s=15)
        forwarder = forwarder_of(gate, processor, held=lambda: held)
        await forwarder.start()
        await asyncio.sleep(2)
        held = True
        forwarder.look()
        await asyncio.sleep(1)
        assert gate.outcomes() == ["unknown"]
        gate.due.append(leased(2))
        forwarder.notify([CHANGED])
        await asyncio.sleep(300)
        assert len(gate.ended) == 1
        assert len(processor.calls) == 1
        assert forwarder.status().state == "held"
        held = False
        forwarder.look()
        await asyncio.sleep(20)
        assert gate.outcomes() == ["unknown", "approved"]
        await forwarder.stop()

    run_virtual(play)


def test_without_a_way_nothing_is_leased() -> None:
    way = False

    async def play() -> None:
        nonlocal way
        gate, processor = FakeGate([leased(1)]), FakeProcessor()
        forwarder = forwarder_of(gate, processor, ready=lambda: way)
        await forwarder.start()
        await asyncio.sleep(100)
        assert gate.leases == []
        assert forwarder.status().state == "waiting"
        way = True
        forwarder.look()
        await asyncio.sleep(3)
        assert gate.outcomes() == ["approved"]
        await forwarder.stop()

    run_virtual(play)


def test_an_adapter_that_breaks_its_promise_leaves_a_doubt() -> None:
    async def broken(_what: str, _effect: Effect) -> ProcessorSaid:
        raise RuntimeError("a bug")

    async def play() -> None:
        gate, processor = FakeGate([leased(1)]), FakeProcessor(broken)
        forwarder = forwarder_of(gate, processor)
        await forwarder.start()
        await asyncio.sleep(5)
        assert gate.outcomes() == ["unknown"]
        await forwarder.stop()

    run_virtual(play)


def test_a_stop_in_the_middle_tells_a_doubt() -> None:
    async def play() -> None:
        gate, processor = FakeGate([leased(1), leased(2)]), FakeProcessor(takes_s=15)
        forwarder = forwarder_of(gate, processor)
        await forwarder.start()
        await asyncio.sleep(1)
        await forwarder.stop()
        assert gate.outcomes() == ["unknown", "unknown"]
        assert forwarder.status().in_flight == 0

    run_virtual(play)


def test_crash_points_stand_where_only_one_side_knows() -> None:
    passed: list[str] = []

    async def play() -> None:
        gate, processor = FakeGate([leased(1)]), FakeProcessor()
        forwarder = forwarder_of(gate, processor)
        on_crashpoint(
            lambda name: passed.append(f"{name} {len(processor.calls)} {len(gate.ended)}")
        )
        await forwarder.start()
        await asyncio.sleep(5)
        await forwarder.stop()

    try:
        run_virtual(play)
    finally:
        on_crashpoint(None)
    assert passed == ["forwarder.leased 0 0", "forwarder.answered 1 0", "forwarder.told 1 1"]
