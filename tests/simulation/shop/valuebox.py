"""Gift cards and store credit at a till: begun with the hub, followed, or given up.

A payment is in the wallet before the hub is asked, with what was read from its card: whoever goes
on after a crash asks for the same payment again, and gives it up then.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, Final

from devices.kit import HubClient, KitError, Refused
from hub.contract.payments import (
    AskBalance,
    BalanceView,
    GetPayment,
    PaymentView,
    StartPayment,
    ValueTender,
)
from hub.contract.problems import Code
from hub.contract.sale import CommitSale, Tender
from hub.domain.payments.states import FENCING
from tests.simulation.kernel import Process
from tests.simulation.shop.giftcards import Piece, Purse
from tests.simulation.shop.wallet import Job, Payment, Wallet

WAY: Final = "value"
PAYS: Final = 0.5
COUPLES: Final = 0.2
UNPLUGGED: Final = 0.03
FOLLOWED_S: Final = 180.0


class ValueBox:
    """``purse``: what customers have with them; ``sign_in`` puts the till's person in front of the
    hub again."""

    def __init__(
        self,
        process: Process,
        hub: HubClient,
        wallet: Wallet,
        purse: Purse,
        sign_in: Callable[[], Awaitable[Any]],
    ) -> None:
        self._process = process
        self._world = process.world
        self._hub = hub
        self._wallet = wallet
        self._purse = purse
        self._sign_in = sign_in
        self._random: Random = self._world.random(f"{process.name}/{process.number}/value")

    async def charge(
        self, total_minor: int, sale: CommitSale
    ) -> tuple[tuple[Job, Tender] | None, Job | None]:
        """A job with a payment that is held, and its tender; and a job that came to nothing."""
        name = self._process.name
        piece = await self._purse.met(name)
        if piece is not None:
            self._world.count("one card at two tills at once")
        elif self._random.random() < PAYS:
            piece = self._purse.pick(self._random)
            if self._random.random() < COUPLES:
                await self._purse.wait_for_the_other(name, piece)
        else:
            return None, None
        amount_minor = await self._amount(piece, total_minor)
        if amount_minor <= 0:
            return None, None
        job, view = await self._begun(piece, amount_minor, sale)
        if view is None or not view.tenderable or self._random.random() < 0.06:
            self._world.count("gift card: no")
            return None, job
        payment = job.payments[0]
        self._world.count(f"{piece.kind} taken" + (" of what is set aside" * view.allotted))
        tender = Tender.model_validate(
            {
                "kind": piece.kind,
                "amount_minor": payment.amount_minor,
                "payment_id": payment.payment_id,
            }
        )
        return (job, tender), None

    async def _amount(self, piece: Piece, total_minor: int) -> int:
        """All of it, a part, or what is told to be on the card."""
        lot = self._random.random()
        if lot < 0.25:
            try:
                asked = AskBalance(value=piece.tender())
                view = await self._hub.request(asked, BalanceView, timeout_s=30.0)
            except KitError:
                return total_minor
            self._world.count(f"balance {view.status}")
            return min(total_minor, view.balance_minor)
        return total_minor if lot < 0.7 else total_minor // 2

    async def _begun(
        self, piece: Piece, amount_minor: int, sale: CommitSale
    ) -> tuple[Job, PaymentView | None]:
        """A try, and another one for less where the hub says how much is set aside."""
        for _ in range(2):
            payment = Payment(
                self._hub.ids.uuid7(), amount_minor, way=WAY, card=_card(piece), sale=sale.sale_id
            )
            job = Job(self._hub.new_key(), "sale", "commit", payments=(payment,))
            self._wallet.keep(job)
            basket_id = sale.basket_id if self._random.random() < 0.5 else None
            view, left_minor = await self._started(payment, basket_id)
            if self._random.random() < UNPLUGGED:
                self._world.count("till dies in the middle of a gift card")
                self._process.machine.kill("no power at the till")
                await asyncio.sleep(1.0)
            if view is None and 0 < left_minor < amount_minor:
                self._world.count("gift card: only what is set aside")
                self._wallet.done(job)
                amount_minor = left_minor
                continue
            if view is not None:
                view = await self._followed(view)
            return job, view
        return job, None

    async def _started(
        self, payment: Payment, basket_id: str | None = None
    ) -> tuple[PaymentView | None, int]:
        """The payment as it was begun; or how much of the card is set aside here."""
        command = StartPayment(
            payment_id=payment.payment_id,
            sale_id=payment.sale,
            basket_id=basket_id,
            amount_minor=payment.amount_minor,
            value=ValueTender.model_validate(json.loads(payment.card)),
            offline="refuse" if self._random.random() < 0.05 else "accept",
        )
        for again in range(2):
            try:
                if again:
                    self._world.count("gift card asked for again under its id")
                return await self._hub.request(command, PaymentView, timeout_s=45.0), 0
            except Refused as error:
                self._world.count(f"gift card refused {error.problem.code}")
                if error.problem.code is Code.UNAUTHENTICATED:
                    await self._sign_in()
                left = error.problem.context.get("left_minor", 0)
                return None, left if isinstance(left, int) else 0
            except KitError:
                self._world.count("nobody knows whether the gift card was asked for")
        return None, 0

    async def _followed(self, view: PaymentView) -> PaymentView | None:
        patience_s = FOLLOWED_S if self._random.random() < 0.9 else 5.0
        end_s, pause_s = self._world.loop.time() + patience_s, 1.0
        while view.state in FENCING and self._world.loop.time() < end_s:
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, 60.0)
            try:
                query = GetPayment(payment_id=view.payment_id)
                view = await self._hub.request(query, PaymentView, timeout_s=30.0)
            except Refused:
                return None
            except KitError:
                continue
        self._world.count(f"gift card {view.state}")
        return view

    async def begin_again(self, job: Job) -> None:
        """After a crash: ask for the same payments once more, as often as not."""
        for payment in job.payments:
            if payment.way == WAY and self._random.random() < 0.5:
                self._world.count("gift card asked for again after a reboot")
                await self._started(payment)


def _card(piece: Piece) -> str:
    given = {"kind": piece.kind, "token": piece.token}
    return json.dumps(given | ({"pin": piece.pin} if piece.pin else {}))
