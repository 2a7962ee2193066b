"""A whole hub that presents what it keeps to a stand-in for Stripe, without a way to the cloud."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hub.clock import SystemRandomness
from hub.contract.payments import PaymentView, ReportPayment, StartPayment
from hub.contract.sale import SaleDone, SaleVoided, Tender, VoidSale
from scripts.rig.npm_peer import NotPrepared
from scripts.rig.shop import free_port
from scripts.rig.stripe_peers import KEY, localstripe
from tests.support.hubbox import GOODS, SUPERVISOR, Box, open_box, sale_of

pytestmark = pytest.mark.may_leak  # processes of their own
PRICE = GOODS[0].price_minor


class Peer:
    """What the stand-in knows."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def intents(self, payment_id: str) -> list[dict[str, Any]]:
        return [
            one
            for one in await self._list("payment_intents")
            if one["metadata"].get("payment_id") == payment_id
        ]

    async def refunds(self) -> list[dict[str, Any]]:
        return await self._list("refunds")

    async def _list(self, what: str) -> list[dict[str, Any]]:
        headers = {"Authorization": f"Bearer {KEY}"}
        async with (
            aiohttp.ClientSession(headers=headers) as http,
            http.get(f"{self.url}/v1/{what}", params={"limit": "100"}) as got,
        ):
            found: list[dict[str, Any]] = (await got.json())["data"]
            return found


@pytest.fixture
async def peer(tmp_path: Path) -> AsyncIterator[Peer]:
    async with AsyncExitStack() as stack:
        try:
            port = free_port(SystemRandomness())
            url = await stack.enter_async_context(localstripe(port, tmp_path / "peer.log"))
        except NotPrepared as error:
            pytest.skip(str(error))
        yield Peer(url)


@pytest.fixture
async def box(peer: Peer) -> AsyncIterator[Box]:
    stripe = {"processor": "stripe", "stripe_key": KEY, "stripe_url": peer.url, "card_per_day": 100}
    async with open_box(settings={"payments": stripe}) as opened:
        yield opened


async def test_what_is_stored_is_presented_to_stripe_once_but_not_in_a_drill(
    box: Box, peer: Peer
) -> None:
    store = await box.pair()
    async with box.client(store, SUPERVISOR) as hub:
        await box.stock_up(hub)

        async def stored(token: str) -> tuple[str, str]:
            sale_id, payment_id = hub.ids.uuid7(), hub.ids.uuid7()
            begun = StartPayment(
                payment_id=payment_id, sale_id=sale_id, amount_minor=PRICE, terminal="own"
            )
            await hub.request(begun, PaymentView, until_answered=True)
            said = ReportPayment(payment_id=payment_id, outcome="approved-offline", token=token)
            await hub.request(said, PaymentView, until_answered=True)
            card = Tender(kind="card", amount_minor=PRICE, payment_id=payment_id)
            await hub.submit(sale_of(sale_id, tenders=[card]), SaleDone)
            return sale_id, payment_id

        def state(payment_id: str) -> str:
            [(found,)] = box.rows("SELECT state FROM payments WHERE payment_id = ?", payment_id)
            return str(found)

        sale_id, good = await stored("pm_card_visa")
        _, bad = await stored("pm_card_chargeCustomerFail")
        await box.until(lambda: state(good) == "captured")
        await box.until(lambda: state(bad) == "retry_wait")
        [intent] = await peer.intents(good)
        assert (intent["status"], intent["amount"], intent["currency"]) == (
            "succeeded",
            PRICE,
            "eur",
        )
        assert [one["status"] for one in await peer.intents(bad)] == ["requires_payment_method"]

        await hub.submit(VoidSale(sale_id=sale_id, reason="rung up twice"), SaleVoided)
        await box.until(lambda: state(good) == "refunded")
        assert [one["amount"] for one in await peer.refunds()] == [PRICE]

        await box.cli("drill", "--minutes", "30")
        _, held = await stored("pm_card_visa")
        await asyncio.sleep(2)  # nothing may happen meanwhile
        assert await peer.intents(held) == []
        assert state(held) == "stored"
        await box.cli("drill", "--end")
        await box.until(lambda: state(held) == "captured")
        assert len(await peer.intents(held)) == 1
    assert KEY not in box.rig.hub.log.read_text()
