"""How a till deals with money: card payments, and what follows from the hub's answers.

Nothing is asked of the processor or the hub that the wallet doesn't hold; whatever is interrupted
is taken up under the same keys.  A card is charged before its sale is sent; a sale that is refused
has its charge reversed; what a void or a return gives back goes to the card it came from.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from random import Random
from typing import Any

from devices.kit import HubClient, Refused
from devices.kit.codec import decode, operation_of
from hub.contract.sale import CommitSale, RefundView, Tender
from tests.simulation.kernel import Lost, Process
from tests.simulation.shop.cardbox import CardBox, CardWay
from tests.simulation.shop.giftcards import Purse
from tests.simulation.shop.valuebox import ValueBox
from tests.simulation.shop.wallet import Job, Payment, Refund, Wallet

PROCESSOR = "processor"
PATIENCE_S = 15.0
TRIES = 4
"""How often a customer waits for the card; after that they pay in cash."""
PAUSE_CAP_S = 300.0


class MoneyBox:
    """``answered`` is called with each job that the hub said yes to."""

    def __init__(
        self,
        process: Process,
        hub: HubClient,
        wallet: Wallet,
        random: Random,
        answered: Callable[[Job], None],
        sign_in: Callable[[], Awaitable[Any]],
        by: CardWay,
        purse: Purse | None = None,
    ) -> None:
        self._process = process
        self._world = process.world
        self._hub = hub
        self._random = random
        self._answered = answered
        self.wallet = wallet
        self.cards = CardBox(process, hub, wallet, by, sign_in)
        self.faults = self.cards.faults
        self._value = ValueBox(process, hub, wallet, purse, sign_in) if purse else None

    async def charge(self, amount_minor: int, sale: CommitSale) -> tuple[Job, Tender] | None:
        """A job with an approved payment, and its tender; None when the customer pays in cash."""
        if self.cards.by.way != "alone":
            return await self.cards.charge(amount_minor, sale)
        payment = Payment(self._hub.ids.uuid7(), amount_minor)
        job = Job(self._hub.new_key(), "sale", "commit", payments=(payment,))
        self.wallet.keep(job)
        for attempt in range(TRIES):
            outcome = await self._ask("authorise", payment.payment_id, amount_minor=amount_minor)
            if outcome is not None:
                break
            await self._pause(attempt)
        else:
            self._world.count("card given up")
        if outcome != "approved":
            self._process.spawn(self._undo(job))
            return None
        job = self.wallet.keep(job.with_payment(replace(payment, state="approved")))
        tender = Tender(
            kind="card",
            amount_minor=amount_minor,
            payment_id=payment.payment_id,
            last4=f"{self._random.randrange(10_000):04d}",
            approval_code=f"{self._random.randrange(1_000_000):06d}",
        )
        return job, tender

    async def charge_card_of_value(
        self, total_minor: int, sale: CommitSale
    ) -> tuple[Job, Tender] | None:
        """The same with a gift card or store credit, of all of it or a part."""
        if self._value is None or total_minor <= 0:
            return None
        found, nothing = await self._value.charge(total_minor, sale)
        if nothing is not None:
            self._process.spawn(self._undo(nothing))
        return found

    def joined(self, first: Job, second: Job) -> Job:
        """One job for what two tenders pay."""
        self._world.count("split tender with a gift card")
        whole = self.wallet.keep(replace(first, payments=first.payments + second.payments))
        self.wallet.done(second)
        return whole

    async def finish(self, job: Job) -> dict[str, Any]:
        """Send the job's request until it is answered, and see to the money; its result.

        Errors: :class:`Refused`, when nothing is left of it.
        """
        command = decode(job.service, job.operation, job.body.encode())
        expected = operation_of(command).result
        try:
            answer = await self._hub.submit(command, expected, key=job.key)
        except Refused:
            if job.payments:
                self._world.count("refused sale with a charge")
            await self._undo(job)
            raise
        self._answered(job)
        if job.address == "sale/commit":
            await self.cards.sold(job)
        result = answer.model_dump()
        if not job.refunds and "refund" in result:
            job = self.wallet.keep(replace(job, refunds=self._refunds(job, result["refund"])))
        for refund in job.refunds:
            await self._give_back(refund)
        self.wallet.done(job)
        return result

    def resume(self) -> list[Awaitable[Any]]:
        """What the last run left, to be run."""
        left: list[Awaitable[Any]] = []
        for job in list(self.wallet.jobs.values()):
            self._world.count("job taken up after a reboot")
            if job.service == "payment":
                left.append(self.cards.follow(job))
            else:
                left.append(self._settled(job) if job.body else self._begun_and_undone(job))
        return left

    async def _begun_and_undone(self, job: Job) -> None:
        if self._value is not None:
            await self._value.begin_again(job)
        await self._undo(job)

    async def _settled(self, job: Job) -> None:
        try:
            await self.finish(job)
        except Refused as error:
            self._process.note(f"refused after a reboot: {error}")

    def _refunds(self, job: Job, views: Any) -> tuple[Refund, ...]:
        found = []
        for n, one in enumerate(views):
            view = RefundView.model_validate(one)
            if view.kind == "card" and view.payment_id is not None and view.by == "till":
                # The key may be another one after an approval; what is undone may not.
                stem = decode(job.service, job.operation, job.body.encode())
                return_id = getattr(stem, "return_id", "")
                document = return_id or f"void-{stem.sale_id}"  # type: ignore[attr-defined]
                on_top_minor = (view.tip_minor or 0) + (view.surcharge_minor or 0)
                amount_minor = view.amount_minor + on_top_minor
                found.append(Refund(f"{document}-{n}", view.payment_id, amount_minor, return_id))
        return tuple(found)

    async def _undo(self, job: Job) -> None:
        known = tuple(one for one in job.payments if one.way != "alone")
        for payment in job.payments:
            if payment.way == "alone":
                await self._insist("reversed", "reverse", payment.payment_id)
        if known:
            await self.cards.undo(replace(job, payments=known))
        else:
            self.wallet.done(job)

    async def _give_back(self, refund: Refund) -> None:
        way = await self.cards.gives_back(refund)
        if way in ("alone", "refund"):
            await self._insist(
                "refunded",
                "refund",
                refund.payment_id,
                refund_id=refund.refund_id,
                amount_minor=refund.amount_minor,
            )
        if way in ("dropped", "refund"):
            await self.cards.tell_given(refund, "reversed" if way == "dropped" else "refunded")

    async def _insist(self, wanted: str, do: str, payment_id: str, **fields: Any) -> None:
        attempt = 0
        while (outcome := await self._ask(do, payment_id, **fields)) is None:
            self._world.count(f"{do} asked again")
            await self._pause(attempt)
            attempt += 1
        if outcome != wanted:
            text = f"{do} of {payment_id} {fields} was answered {outcome}"
            self.faults.append((payment_id, text))

    async def _ask(self, do: str, payment_id: str, **fields: Any) -> str | None:
        request = {"do": do, "payment_id": payment_id} | fields
        try:
            answer: str = await self._world.network.call(
                self._process, PROCESSOR, request, PATIENCE_S
            )
        except Lost:
            return None
        return answer

    async def _pause(self, attempt: int) -> None:
        await asyncio.sleep(self._random.uniform(0.5, min(PAUSE_CAP_S, 2.0 * 2 ** min(attempt, 9))))
