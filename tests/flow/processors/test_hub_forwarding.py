"""A whole hub that keeps payments and presents them to the OMS: once, whatever happens between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr

from devices.kit import HubClient, IdentityStore
from devices.kit.errors import Refused
from hub.contract.payments import PaymentView, ReportPayment, StartPayment, ValueTender
from hub.contract.receivables import Contact
from hub.contract.sale import SaleDone, SaleVoided, Tender, VoidSale
from tests.support.hubbox import GOODS, SUPERVISOR, Box, open_box, sale_of

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("hub-forwarding")]
restarts = pytest.mark.may_leak  # the module's hub, started again
PRICE = GOODS[0].price_minor


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def box() -> AsyncIterator[Box]:
    settings = {"payments": {"processor": "oms", "card_per_day": 100, "link_at_once": True}}
    async with open_box(settings=settings) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def till(box: Box) -> IdentityStore:
    store = await box.pair()
    async with box.client(store, SUPERVISOR) as hub:
        await box.stock_up(hub)
    return store


@asynccontextmanager
async def selling(box: Box, till: IdentityStore) -> AsyncIterator[HubClient]:
    async with box.client(till, SUPERVISOR) as hub:
        yield hub


async def faults(box: Box, **set_to: Any) -> None:
    """Of the processor behind the sandbox."""
    await box.rig.oms_admin._call("POST", "payments/faults", set_to)


async def stored(
    hub: HubClient, token: str = "tok-good", contact: Contact | None = None
) -> tuple[str, str]:
    """A sale that is paid by a card approved offline: sale and payment."""
    sale_id, payment_id = hub.ids.uuid7(), hub.ids.uuid7()
    begun = StartPayment(
        payment_id=payment_id,
        sale_id=sale_id,
        amount_minor=PRICE,
        terminal="own",
        contact=contact,
    )
    await hub.request(begun, PaymentView, until_answered=True)
    said = ReportPayment(payment_id=payment_id, outcome="approved-offline", token=token)
    view = await hub.request(said, PaymentView, until_answered=True)
    assert view.state == "stored"
    card = Tender(kind="card", amount_minor=PRICE, payment_id=payment_id)
    await hub.submit(sale_of(sale_id, tenders=[card]), SaleDone)
    return sale_id, payment_id


def state_of(box: Box, payment_id: str) -> str:
    [(state,)] = box.rows("SELECT state FROM payments WHERE payment_id = ?", payment_id)
    return str(state)


def moved(box: Box, payment_id: str) -> list[str]:
    """The money that moved at the processor."""
    sql = "SELECT kind FROM payment_effects WHERE payment_id = ? ORDER BY n"
    return [kind for (kind,) in box.oms_rows(sql, payment_id)]


async def becomes(box: Box, payment_id: str, state: str) -> None:
    await box.until(lambda: state_of(box, payment_id) == state)


async def test_what_was_stored_is_charged_and_captured_once_and_its_token_gone(
    box: Box, till: IdentityStore
) -> None:
    async with selling(box, till) as hub:
        _, payment_id = await stored(hub, "tok-canary-57113")
    await becomes(box, payment_id, "captured")
    assert moved(box, payment_id) == ["charge", "capture"]
    [(secrets,)] = box.rows("SELECT count(*) FROM payment_secrets")
    assert secrets == 0
    assert b"tok-canary-57113" not in box.rig.hub_database.read_bytes()
    assert "tok-canary" not in box.rig.hub.log.read_text()


async def test_a_hard_decline_is_a_receivable_and_a_soft_one_waits(
    box: Box, till: IdentityStore
) -> None:
    async with selling(box, till) as hub:
        _, stolen = await stored(hub, "decline-stolen-or-lost")
        _, funds = await stored(hub, "decline-insufficient-funds")
    await becomes(box, stolen, "recovery")
    await becomes(box, funds, "retry_wait")
    assert moved(box, stolen) == moved(box, funds) == []


async def test_what_is_owed_is_asked_for_by_one_message_and_paid_by_its_link(
    box: Box, till: IdentityStore
) -> None:
    await faults(box, error_after_rate=0.5)  # half of the answers are lost
    async with selling(box, till) as hub:
        contact = Contact.model_validate({"email": "canary.57113@mail.example"})
        _, payment_id = await stored(hub, "decline-stolen-or-lost", contact)
    await box.until(lambda: box.rows("SELECT state FROM payment_links") == [("sent",)])
    [(key,)] = box.rows("SELECT link_key FROM payment_links")
    await faults(box)
    assert box.oms_rows("SELECT messages FROM payment_links WHERE key = ?", key) == [(1,)]
    await box.rig.oms_admin._call("POST", "payments/links/pay", {"payment_id": payment_id})
    await becomes(box, payment_id, "recovered")
    assert box.rows("SELECT count(*) FROM payment_contacts") == [(0,)]
    for path in box.rig.base.rglob("*"):
        assert not path.is_file() or b"canary.57113" not in path.read_bytes(), path.name


async def test_a_late_outcome_comes_by_command(box: Box, till: IdentityStore) -> None:
    async with selling(box, till) as hub:
        _, late = await stored(hub, "late")
        _, declined = await stored(hub, "late decline-fraud")
    await becomes(box, late, "captured")
    await becomes(box, declined, "recovery")
    assert moved(box, late) == ["charge", "capture"]


async def test_a_sale_that_is_voided_gives_the_money_back_once(
    box: Box, till: IdentityStore
) -> None:
    async with selling(box, till) as hub:
        sale_id, payment_id = await stored(hub)
        await becomes(box, payment_id, "captured")
        await hub.submit(VoidSale(sale_id=sale_id, reason="rung up twice"), SaleVoided)
    await becomes(box, payment_id, "refunded")
    assert moved(box, payment_id) == ["charge", "capture", "refund"]


async def test_answers_that_get_lost_charge_nobody_twice(box: Box, till: IdentityStore) -> None:
    await faults(box, error_after_rate=1.0)
    async with selling(box, till) as hub:
        _, payment_id = await stored(hub)
        await box.until(lambda: moved(box, payment_id) == ["charge"])
        await becomes(box, payment_id, "forward_unknown")
    await faults(box, forget_keys=True)  # from now on only the look-up protects
    await becomes(box, payment_id, "captured")
    assert moved(box, payment_id) == ["charge", "capture"]
    await faults(box)


GIFT = "GC-CANARY-77QX-0042"
SET_ASIDE = "GC-CANARY-77QX-0043"


async def gift(hub: HubClient, token: str) -> tuple[str, PaymentView]:
    """A payment with a gift card that was begun, and its sale."""
    sale_id = hub.ids.uuid7()
    begun = StartPayment(
        payment_id=hub.ids.uuid7(),
        sale_id=sale_id,
        amount_minor=PRICE,
        value=ValueTender(kind="gift_card", token=SecretStr(token)),
    )
    return sale_id, await hub.request(begun, PaymentView, until_answered=True)


async def paid_with(hub: HubClient, sale_id: str, payment_id: str) -> None:
    tender = Tender(kind="gift_card", amount_minor=PRICE, payment_id=payment_id)
    await hub.submit(sale_of(sale_id, tenders=[tender]), SaleDone)


async def test_a_gift_card_is_held_and_taken_with_the_sale(box: Box, till: IdentityStore) -> None:
    made = {"account_ref": "acct-42", "token": GIFT, "balance_minor": 3 * PRICE}
    await box.rig.oms_admin._call("POST", "value/cards", made)
    async with selling(box, till) as hub:
        sale_id, online = await gift(hub, GIFT)
        await becomes(box, online.payment_id, "authorised")
        await paid_with(hub, sale_id, online.payment_id)
    await becomes(box, online.payment_id, "captured")


async def test_in_a_drill_payments_wait_and_a_gift_card_is_taken_from_its_allotment(
    box: Box, till: IdentityStore
) -> None:
    made = {"account_ref": "acct-43", "token": SET_ASIDE, "balance_minor": 2 * PRICE}
    await box.rig.oms_admin._call("POST", "value/cards", made)
    granted = {"account_ref": "acct-43", "grant_minor": PRICE}
    await box.rig.oms_admin._call("POST", "value/allot", granted)
    await box.until(lambda: box.rows("SELECT granted_minor FROM value_accounts") == [(PRICE,)])
    await box.cli("drill", "--minutes", "30")
    async with selling(box, till) as hub:
        _, payment_id = await stored(hub)
        _, other = await stored(hub)
        sale_id, offline = await gift(hub, SET_ASIDE)
        assert (offline.state, offline.allotted) == ("authorised", True)
        with pytest.raises(Refused) as refused:
            await gift(hub, SET_ASIDE)
        assert refused.value.problem.context["left_minor"] == 0
        await paid_with(hub, sale_id, offline.payment_id)
    assert moved(box, payment_id) == moved(box, other) == []
    assert state_of(box, payment_id) == "stored"
    await box.cli("drill", "--end")
    for one in (payment_id, other, offline.payment_id):
        await becomes(box, one, "captured")
    assert moved(box, payment_id) == ["charge", "capture"]
    books = await box.rig.oms_admin._call("GET", "value", None)
    assert books["missing"]["acct-43"] == 0
    (card,) = [one for one in books["value_cards"] if one["account"] == "acct-43"]
    assert card["balance_minor"] == PRICE
    for path in box.rig.base.rglob("*"):
        inside = path.is_file() and "oms" not in path.parts
        assert not inside or SET_ASIDE.encode() not in path.read_bytes(), path


@restarts
async def test_a_hub_that_is_killed_while_it_forwards_charges_once(
    box: Box, till: IdentityStore
) -> None:
    await box.rig.oms_admin.misbehave(latency_ms=700)
    async with selling(box, till) as hub:
        _, payment_id = await stored(hub)
        await box.until(lambda: state_of(box, payment_id) == "forwarding")
        await box.rig.hub.kill()
    await box.rig.oms_admin.misbehave()
    await box.start_hub()
    await becomes(box, payment_id, "captured")
    assert moved(box, payment_id) == ["charge", "capture"]
