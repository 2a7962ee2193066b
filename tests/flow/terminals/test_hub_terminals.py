"""Cards with the real daemon and a terminal as a process of its own: money is taken once, whatever
dies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from devices.kit import HubClient
from hub.clock import SystemRandomness
from hub.contract.payments import GetPayment, GivePaymentUp, PaymentView, StartPayment
from hub.contract.sale import SaleDone, SaleVoided, Tender, VoidSale
from scripts.rig import free_port
from scripts.rig.terminal import TerminalRig
from tests.support.hubbox import GOODS, MANAGER, Box, open_box, sale_of

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("hub-terminals"),
    pytest.mark.may_leak,  # the module's hub and terminal are started again and again
]
RANDOM = SystemRandomness()
PRICE_MINOR = GOODS[0].price_minor


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def terminal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TerminalRig]:
    folder = tmp_path_factory.mktemp("cards") / "terminal"
    rig = TerminalRig(folder, (free_port(RANDOM), free_port(RANDOM)))
    await rig.start()
    yield rig
    await rig.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def box(terminal: TerminalRig) -> AsyncIterator[Box]:
    settings: dict[str, dict[str, Any]] = {
        "peripherals": {
            "terminal-1": terminal.entry(name="Counter", serves=["till-01"]),
            "terminal-2": {"driver": "simulated-terminal", "options": {"job_ms": 0}},
        }
    }
    async with open_box(settings=settings) as box:
        yield box


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def till(box: Box) -> AsyncIterator[HubClient]:
    store = await box.pair()
    assert store.load().device_id == "till-01"
    async with box.client(store, MANAGER) as hub:
        await box.stock_up(hub)
        yield hub


async def ready(box: Box, phase: str = "ready") -> None:
    async def is_so() -> bool:
        found = await box.cli_json("peripherals", "list")
        return any(one["id"] == "terminal-1" and one["phase"] == phase for one in found)

    await box.until(is_so)


async def begin(till: HubClient, **changed: Any) -> PaymentView:
    command = StartPayment(
        payment_id=till.ids.uuid7(),
        sale_id=till.ids.uuid7(),
        amount_minor=PRICE_MINOR,
        **changed,
    )
    return await till.request(command, PaymentView, until_answered=True)


async def state(till: HubClient, payment: PaymentView) -> PaymentView:
    asked = GetPayment(payment_id=payment.payment_id)
    return await till.request(asked, PaymentView, until_answered=True)


async def becomes(box: Box, till: HubClient, payment: PaymentView, *states: str) -> PaymentView:
    async def is_so() -> PaymentView | None:
        now = await state(till, payment)
        return now if now.state in states else None

    found = await box.until(is_so)
    assert isinstance(found, PaymentView)
    return found


async def test_a_sale_is_paid_by_card_at_the_terminal_of_its_till(
    box: Box, till: HubClient, terminal: TerminalRig
) -> None:
    await ready(box)
    payment = await begin(till)
    assert (payment.terminal_id, payment.driven_by) == ("terminal-1", "hub")
    paid = await becomes(box, till, payment, "authorised")
    assert (paid.last4, paid.tenderable) == ("0119", True)
    tender = Tender(kind="card", amount_minor=PRICE_MINOR, payment_id=payment.payment_id)
    done = await till.submit(sale_of(payment.sale_id, tenders=[tender]), SaleDone)
    assert done.sale_id == payment.sale_id
    assert (await terminal.taken())[payment.payment_id] == PRICE_MINOR


async def test_what_the_terminal_adds_is_charged_told_and_given_back(
    box: Box, till: HubClient, terminal: TerminalRig
) -> None:
    await ready(box)
    await terminal.act({"how": "silent", "surcharge_minor": 15})  # told when it is asked again
    payment = await begin(till)
    paid = await becomes(box, till, payment, "authorised")
    assert (paid.amount_minor, paid.surcharge_minor) == (PRICE_MINOR, 15)
    assert (await terminal.taken())[payment.payment_id] == PRICE_MINOR + 15
    shown = await box.cli("payments", "show", payment.payment_id)
    assert "surcharge: 0.15" in shown
    assert "surcharge that this shop doesn't allow" in shown
    tender = Tender(kind="card", amount_minor=PRICE_MINOR, payment_id=payment.payment_id)
    await till.submit(sale_of(payment.sale_id, tenders=[tender]), SaleDone)
    voided = await till.submit(VoidSale(sale_id=payment.sale_id, reason="mistake"), SaleVoided)
    (back,) = voided.refund
    assert (back.by, back.amount_minor, back.surcharge_minor) == ("hub", PRICE_MINOR, 15)
    await becomes(box, till, payment, "reversed", "refunded")
    assert (await terminal.taken())[payment.payment_id] == 0


@pytest.mark.parametrize("how", ["silent", "stale", "garbage", "http-500"])
async def test_a_lost_answer_is_asked_for_and_the_money_is_taken_once(
    box: Box, till: HubClient, terminal: TerminalRig, how: str
) -> None:
    await ready(box)
    await terminal.act(how)
    payment = await begin(till)
    paid = await becomes(box, till, payment, "authorised")
    assert "unknown" in [step.after for step in paid.steps]
    assert (await terminal.taken())[payment.payment_id] == PRICE_MINOR


async def test_a_terminal_that_loses_its_power_after_the_approval_tells_when_it_is_back(
    box: Box, till: HubClient, terminal: TerminalRig
) -> None:
    await ready(box)
    await terminal.act("power-loss")
    payment = await begin(till)
    await becomes(box, till, payment, "unknown")
    await terminal.killed()
    await terminal.start()
    await becomes(box, till, payment, "authorised")
    assert (await terminal.taken())[payment.payment_id] == PRICE_MINOR


async def test_a_terminal_that_lost_its_power_before_anything_was_done_says_so_twice(
    box: Box, till: HubClient, terminal: TerminalRig
) -> None:
    await ready(box)
    await terminal.act("power-loss-before")
    payment = await begin(till)
    await becomes(box, till, payment, "unknown")
    await terminal.killed()
    await terminal.start()
    await becomes(box, till, payment, "abandoned")
    assert payment.payment_id not in await terminal.taken()
    again = await begin(till)
    await becomes(box, till, again, "authorised")


async def test_a_hub_that_is_killed_while_the_customer_pays_asks_when_it_is_back(
    box: Box, till: HubClient, terminal: TerminalRig
) -> None:
    await ready(box)
    await terminal.act({"how": "approve", "customer_s": 1})
    payment = await begin(till)
    await box.until(lambda: terminal.has_in_hand(payment.payment_id))
    await box.rig.hub.kill()
    await box.start_hub()
    paid = await becomes(box, till, payment, "authorised")
    assert "unknown" in [step.after for step in paid.steps]
    assert (await terminal.taken())[payment.payment_id] == PRICE_MINOR


async def test_what_is_given_up_while_the_customer_pays_is_broken_off(
    box: Box, till: HubClient, terminal: TerminalRig
) -> None:
    await ready(box)
    await terminal.act({"how": "approve", "customer_s": 300})
    payment = await begin(till)
    await box.until(lambda: terminal.has_in_hand(payment.payment_id))
    given = GivePaymentUp(payment_id=payment.payment_id)
    await till.request(given, PaymentView, until_answered=True)
    await becomes(box, till, payment, "refused")
    assert payment.payment_id not in await terminal.taken()


async def test_what_was_approved_and_is_given_up_goes_back_at_the_terminal(
    box: Box, till: HubClient, terminal: TerminalRig
) -> None:
    await ready(box)
    payment = await begin(till)
    await becomes(box, till, payment, "authorised")
    given = GivePaymentUp(payment_id=payment.payment_id)
    await till.request(given, PaymentView, until_answered=True)
    await becomes(box, till, payment, "reversed")
    assert (await terminal.taken())[payment.payment_id] == 0


async def test_without_the_acquirer_the_terminal_stores_what_the_shop_allows(
    box: Box, till: HubClient, terminal: TerminalRig
) -> None:
    await ready(box)
    await terminal.go(online=False)
    try:
        online_only = await begin(till, offline="refuse")
        await becomes(box, till, online_only, "refused")
        payment = await begin(till)
        stored = await becomes(box, till, payment, "stored")
        assert (stored.custody, stored.approved_offline) == ("terminal", True)
        assert (await terminal.ledger())["stored_count"] == 1
    finally:
        await terminal.go(online=True)


async def test_a_terminal_that_is_off_is_told_and_its_customers_do_not_wait_for_ever(
    box: Box, till: HubClient, terminal: TerminalRig
) -> None:
    await ready(box)
    await terminal.stop()
    try:
        await ready(box, "lost")

        async def is_told() -> bool:
            findings = (await box.status())["health"]["findings"]
            (found,) = (one for one in findings if one["key"] == "peripherals")
            return "card terminal" in found["summary"]

        payment = await begin(till)
        await becomes(box, till, payment, "abandoned")
        await box.until(is_told)
    finally:
        await terminal.start()
    await ready(box)


async def test_another_till_has_the_terminal_that_serves_all(box: Box, till: HubClient) -> None:
    async with box.client(await box.pair(name="second"), MANAGER) as other:
        payment = await begin(other)
        assert payment.terminal_id == "terminal-2"
        await becomes(box, other, payment, "authorised")


async def test_no_secret_of_a_terminal_is_in_logs_or_lists(
    box: Box, till: HubClient, terminal: TerminalRig
) -> None:
    text = await asyncio.to_thread(Path(terminal.told["keys_file"]).read_text)
    passphrase = text.split()[2]
    log = await asyncio.to_thread(box.rig.hub.log.read_text, errors="replace")
    listed = await box.cli("peripherals", "list", "--json")
    for secret in (passphrase, "476173", "CVISA0001"):
        assert secret not in log
        assert secret not in listed
