"""The sandbox's payment links: one message each, whatever gets lost; paid at the admin's door."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloud_link.payments.links import LinkOffice
from cloud_link.payments.oms import OmsProcessor
from cloud_link.sandbox.__main__ import main
from hub.contract.oms_links import LinkPaid
from hub.domain.payments.work import WorkKind
from hub.service.payments.commands import Leased
from tests.wire.processors.conftest import IDS, Oms


def work() -> Leased:
    payment_id = IDS.uuid7()
    return Leased(
        kind=WorkKind.LINK,
        payment_id=payment_id,
        fence=1,
        key=f"{payment_id}-link-1",
        amount_minor=499,
        currency="EUR",
        terminal_id="t-1",
        psp_ref="",
        terminal_ref="",
        first_sent_at_ms=None,
        reason="expired",
    )


def office(oms: Oms) -> LinkOffice:
    processor = oms.bench.processor
    assert isinstance(processor, OmsProcessor)
    return LinkOffice(processor._client, 5.0)


async def sent(oms: Oms) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await oms.admin("payments/links"))["links"]
    return found


def contact(email: str = "dora@example.org") -> bytes:
    return json.dumps({"email": email}).encode()


async def test_a_link_whose_answer_is_lost_is_sent_once(oms: Oms) -> None:
    asked, sender = work(), office(oms)
    await oms.faults(error_after_rate=1.0)
    assert (await sender.send(asked, contact())).outcome == "unknown"
    await oms.faults()
    said = await sender.send(asked, contact())
    assert (said.outcome, said.url[:8]) == ("sent", "https://")
    assert said.expires_at_ms is not None
    (link,) = await sent(oms)
    assert (link["key"], link["messages"]) == (asked.key, 1)
    assert "dora" not in str(link)
    other = replace(asked, amount_minor=500)
    assert (await sender.send(other, contact())).outcome == "declined"


async def test_an_address_that_takes_nothing_is_refused(oms: Oms) -> None:
    said = await office(oms).send(work(), contact("nobody@mail.invalid"))
    assert (said.outcome, said.reason) == ("declined", "the address takes no messages")


async def test_what_is_paid_by_a_link_is_told_by_a_command(oms: Oms) -> None:
    asked, sender = work(), office(oms)
    await sender.send(asked, contact())
    await oms.admin("payments/links/pay", {"payment_id": asked.payment_id})
    commands = (await oms.admin("commands"))["commands"]
    (told,) = [one["data"] for one in commands if one["type"] == "payment.link_paid"]
    paid = LinkPaid.model_validate(told)
    assert (paid.key, paid.amount_minor) == (asked.key, 499)
    said = await sender.send(asked, contact())
    assert (said.outcome, said.psp_ref) == ("captured", paid.psp_ref)


async def test_a_link_that_is_called_back_is_paid_by_nobody(oms: Oms) -> None:
    asked, sender = work(), office(oms)
    assert (await sender.call_back(asked)).outcome == "not-found"
    await sender.send(asked, contact())
    await oms.faults(error_after_rate=1.0)
    assert (await sender.call_back(asked)).outcome == "unknown"
    await oms.faults()
    for _ in range(2):
        assert (await sender.call_back(asked)).outcome == "reversed"
    with pytest.raises(AssertionError, match="cancelled"):
        await oms.admin("payments/links/pay", {"payment_id": asked.payment_id})
    assert (await sender.send(asked, contact())).outcome == "declined"
    (link,) = await sent(oms)
    assert (link["status"], link["messages"]) == ("cancelled", 1)


async def test_a_link_that_is_paid_stays_so(oms: Oms) -> None:
    asked, sender = work(), office(oms)
    await sender.send(asked, contact())
    told = await oms.admin("payments/links/pay", {"payment_id": asked.payment_id})
    said = await sender.call_back(asked)
    assert (said.outcome, said.psp_ref) == ("captured", told["psp_ref"])
    again = await oms.admin("payments/links/pay", {"payment_id": asked.payment_id})
    assert again == told, "of the same instant, however often it is told"


async def test_a_link_is_paid_by_hand(
    oms: Oms, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = work()
    await office(oms).send(asked, contact())
    where = ["--state", str(tmp_path / "oms"), "--url", oms.running.url]

    async def said(verb: str, *more: str) -> str:
        assert await asyncio.to_thread(main, [verb, *where, *more]) == 0
        return capsys.readouterr().out

    assert asked.key in await said("links")
    assert '"amount_minor": 300' in await said("pay-link", asked.payment_id, "--amount-minor=300")
    assert '"status": "paid"' in await said("links")
