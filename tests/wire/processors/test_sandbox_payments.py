"""The sandbox as a processor: faults on request, late outcomes, a memory that restores leave."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from cloud_link.payments.carrying import carry_out
from cloud_link.payments.conformance.bench import keyed
from cloud_link.payments.conformance.checks import _again
from cloud_link.payments.processor import Effect
from cloud_link.sandbox.__main__ import main
from hub.contract.oms_payments import PaymentOutcome
from hub.domain.payments.declines import DeclineCode
from tests.wire.processors.conftest import Oms, Wait


async def test_a_503_after_the_work_is_unknown_and_the_look_up_finds_it(oms: Oms) -> None:
    adapter, effect = oms.bench.processor, oms.bench.effect()
    await oms.faults(error_after_rate=1.0)
    assert (await adapter.charge(effect)).outcome == "unknown"
    said = await carry_out(adapter, _again(effect), effect.token)
    assert said.outcome == "approved"
    assert await oms.moved(effect.payment_id) == ["charge"]
    bare = replace(effect, psp_ref=said.psp_ref)
    assert (await adapter.capture(keyed(bare, "c"))).outcome == "unknown"
    assert (await adapter.look_up(bare)).outcome == "captured"
    assert (await adapter.refund(keyed(bare, "r", 5))).outcome == "unknown"
    assert (await adapter.look_up_refund(keyed(bare, "r", 5))).outcome == "refunded"
    assert await oms.moved(effect.payment_id) == ["charge", "capture", "refund"]


async def test_503_before_any_work_is_unknown_too(oms: Oms) -> None:
    adapter, effect = oms.bench.processor, oms.bench.effect()
    await oms.admin("misbehave", {"error_rate": 1.0, "retry_after_s": 7})
    said = await adapter.charge(effect)
    assert (said.outcome, said.not_before_ms) == ("unknown", 7000)
    await oms.admin("misbehave", {})
    assert (await adapter.look_up(effect)).outcome == "not-found"


async def test_amounts_are_declined_from_a_bound_on(oms: Oms) -> None:
    await oms.faults(decline_from_minor=5000, decline_code="limit-exceeded")
    adapter = oms.bench.processor
    assert (await adapter.charge(oms.bench.effect(4999))).outcome == "approved"
    said = await adapter.charge(oms.bench.effect(5000))
    assert (said.outcome, said.code) == ("declined", DeclineCode.LIMIT_EXCEEDED)


async def test_a_late_outcome_is_told_by_a_command(oms: Oms, until: Wait) -> None:
    adapter = oms.bench.processor
    late, declined = oms.bench.effect(token=b"late"), oms.bench.effect(token=b"late decline-fraud")
    for effect in (late, declined):
        assert (await adapter.charge(effect)).outcome == "acked"
        assert await oms.moved(effect.payment_id) == []

    async def told() -> bool:
        found = (await oms.admin("commands"))["commands"]
        return len([one for one in found if one["type"] == "payment.outcome"]) == 2

    await until(told)
    commands = (await oms.admin("commands"))["commands"]
    data = [PaymentOutcome.model_validate(one["data"]) for one in commands]
    outcomes = {one.payment_id: (one.status, one.code) for one in data}
    assert outcomes == {
        late.payment_id: ("approved", ""),
        declined.payment_id: ("declined", "fraud"),
    }
    taken = {one.payment_id: one.approved_minor for one in data}
    assert taken == {late.payment_id: late.amount_minor, declined.payment_id: None}
    assert (await adapter.look_up(late)).approved_minor == late.amount_minor
    assert await oms.moved(late.payment_id) == ["charge"]
    assert (await adapter.look_up(declined)).outcome == "declined"


async def test_keys_that_are_forgotten_charge_twice_unless_it_is_looked_up(oms: Oms) -> None:
    await oms.faults(forget_keys=True)
    adapter, bare, minded = oms.bench.processor, oms.bench.effect(), oms.bench.effect()
    for _ in range(2):
        await adapter.charge(bare)
    assert await oms.moved(bare.payment_id) == ["charge", "charge"]
    await adapter.charge(minded)
    await carry_out(adapter, _again(minded), minded.token)
    assert await oms.moved(minded.payment_id) == ["charge"]


async def test_what_the_oms_forgets_in_a_restore_the_processor_still_knows(oms: Oms) -> None:
    adapter = oms.bench.processor
    await oms.admin("backup", {})
    effect = await oms.bench.captured()
    await oms.admin("restore", {})
    assert (await adapter.charge(_with_token(effect))).outcome == "unknown"  # another life
    assert await oms.moved(effect.payment_id) == ["charge", "capture"]


def _with_token(effect: Effect) -> Effect:
    return replace(effect, token=b"tok-good")


async def test_without_a_session_nothing_is_sent(oms: Oms) -> None:
    from cloud_link.payments.oms import OmsProcessor

    adapter = OmsProcessor(lambda: None, 5)
    effect = oms.bench.effect()
    assert (await adapter.charge(effect)).outcome == "not-sent"
    assert (await adapter.look_up(effect)).outcome == "unknown"
    assert (await adapter.charge(replace(effect, token=None))).outcome == "not-sent"


async def test_a_person_has_the_processor_misbehave_from_a_shell(
    oms: Oms, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--state", str(tmp_path / "oms"), "--url", oms.running.url]

    async def said(verb: str, *more: str) -> str:
        assert await asyncio.to_thread(main, [verb, *where, *more]) == 0
        return capsys.readouterr().out

    assert '"decline_from_minor": 100' in await said("faults", '{"decline_from_minor": 100}')
    effect = oms.bench.effect()
    assert (await oms.bench.processor.charge(effect)).outcome == "declined"
    assert '"decline_from_minor": null' in await said("faults")
    assert effect.payment_id in await said("payments")
