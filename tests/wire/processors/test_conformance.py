"""The suite that every adapter has to pass: ours do, and adapters that break a promise don't."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cloud_link.payments.conformance.__main__ import main
from cloud_link.payments.conformance.bench import Bench
from cloud_link.payments.conformance.runner import as_json, as_table, run_checks
from cloud_link.payments.oms import OmsProcessor
from cloud_link.payments.processor import Effect
from cloud_link.payments.stripe import StripeProcessor
from hub.service.payments.commands import ProcessorSaid
from tests.wire.processors.conftest import Oms


async def test_the_oms_adapter_keeps_every_promise(oms: Oms) -> None:
    results = await run_checks(oms.bench)
    assert [one for one in results if one.outcome != "ok"] == []
    assert "16 kept, 0 failed, 0 left out" in as_table(results)
    assert json.loads(as_json(results))["ok"] is True


@pytest.mark.may_leak  # a peer of its own
async def test_the_stripe_adapter_keeps_its_promises_where_nobody_knows_keys(
    intents: Bench,
) -> None:
    results = await run_checks(intents)
    assert [one for one in results if one.outcome == "failed"] == []
    left_out = {one.name for one in results if one.outcome == "skipped"}
    assert left_out == {
        "a charge repeated under its key is one",
        "a key of something else is no approval",
        "a late outcome is found",
    }


def _with(name: str, instead: Callable[..., Any]) -> type[OmsProcessor]:
    return type("Broken", (OmsProcessor,), {name: instead})


async def _all_is_declined(self: OmsProcessor, effect: Effect) -> ProcessorSaid:
    said = await OmsProcessor.charge(self, effect)
    return said if said.outcome != "unknown" else replace(said, outcome="declined")


async def _nothing_was_sent(self: OmsProcessor, effect: Effect) -> ProcessorSaid:
    said = await OmsProcessor.charge(self, effect)
    return said if said.outcome != "unknown" else replace(said, outcome="not-sent")


async def _another_key(self: OmsProcessor, effect: Effect) -> ProcessorSaid:
    extra = replace(effect, key=effect.key + "x", amount_minor=effect.amount_minor)
    return await OmsProcessor.refund(self, extra)


async def _never_found(self: OmsProcessor, effect: Effect) -> ProcessorSaid:
    return ProcessorSaid("not-found")


async def _code_lost(self: OmsProcessor, effect: Effect) -> ProcessorSaid:
    said = await OmsProcessor.charge(self, effect)
    return ProcessorSaid(said.outcome, said.reason, psp_ref=said.psp_ref)


async def _raises(self: OmsProcessor, effect: Effect) -> ProcessorSaid:
    raise RuntimeError("a bug")


BROKEN = [
    ("charge", _all_is_declined, "a lost answer is unknown and found later"),
    ("charge", _nothing_was_sent, "a lost answer is unknown and found later"),
    ("charge", _code_lost, "declines say why"),
    ("refund", _another_key, "refunds are done once and never exceed"),
    ("look_up", _never_found, "a good card is approved and not captured"),
    ("look_up_refund", _never_found, "refunds are done once and never exceed"),
    ("reverse", _raises, "what is let go can not be taken"),
]


@pytest.mark.parametrize(("name", "instead", "fails"), BROKEN)
async def test_an_adapter_that_breaks_a_promise_is_found_out(
    oms: Oms, monkeypatch: pytest.MonkeyPatch, name: str, instead: Any, fails: str
) -> None:
    assert isinstance(oms.bench.processor, OmsProcessor)
    make = oms.bench.elsewhere
    assert make is not None
    kind = type(oms.bench.processor)
    broken = type("Broken", (kind,), {name: instead})

    async def elsewhere(url: str) -> Any:
        made = await make(url)
        made.__class__ = broken
        return made

    monkeypatch.setattr(oms.bench.processor, "__class__", broken)
    results = await run_checks(replace(oms.bench, elsewhere=elsewhere))
    assert fails in {one.name for one in results if one.outcome == "failed"}


async def test_an_oms_that_forgets_keys_is_found_out(oms: Oms) -> None:
    await oms.faults(forget_keys=True)
    results = await run_checks(oms.bench)
    failed = {one.name for one in results if one.outcome == "failed"}
    assert "a charge repeated under its key is one" in failed
    assert "a repeat after a doubt is looked up first" not in failed


async def test_anybody_can_run_it_from_the_shell(
    oms: Oms, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PROCESSOR_SECRET", oms.running.secrets.token)
    url = ["--url", oms.running.url]
    assert await asyncio.to_thread(main, ["--adapter", "oms", "--json", *url]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True
    assert await asyncio.to_thread(main, ["--adapter", "stripe", *url]) == 2
    assert "test key" in capsys.readouterr().err
    assert await asyncio.to_thread(main, ["--adapter", "nobody", *url]) == 2
    theirs = ["--adapter", f"{__name__}:theirs", "--good", "pm_x", *url]
    assert await asyncio.to_thread(main, theirs) in (1, 2)


def theirs(url: str, secret: str) -> StripeProcessor:
    """Somebody else's adapter."""
    from cloud_link.transport import AiohttpTransport, TlsFiles

    return StripeProcessor(AiohttpTransport(TlsFiles(), 5.0), secret, url)
