"""Card payments that the hub knows of: begun with it, and told by the till's own terminal or made
at one that the hub drives.

What was begun is brought to an end whatever happens to the till: its terminal's word is told, and
what no sale was paid with is given up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final, Literal

from devices.kit import HubClient, KitError, Refused
from hub.contract.base import Command
from hub.contract.payments import (
    CardFacts,
    GetPayment,
    GivePaymentUp,
    PaymentView,
    ReportPayment,
    StartPayment,
)
from hub.contract.problems import Code
from hub.contract.receivables import Contact
from hub.contract.sale import CommitSale, Tender
from tests.simulation.kernel import Lost, Process
from tests.simulation.shop.debtors import contact_of
from tests.simulation.shop.simcards import SALE_S, WORK_S
from tests.simulation.shop.wallet import Job, Payment, Refund, Wallet

FOLLOWED_S: Final = 240.0
"""So long a customer waits for the card."""
ASKED_TIMES: Final = 3
ENDED: Final = frozenset({"refused", "abandoned", "voided", "reversed", "refunded", "recovery"})
NOT_TAKEN: Final = frozenset({"refused", "not-done"})
Told = dict[str, Any]
GivingBack = Literal["alone", "refund", "dropped", "nothing"]
"""``alone``: at a stand-alone terminal; ``refund``: the payment stands, give a part of it back;
``dropped``: the terminal has let the payment go; ``nothing``: there is no money of it."""


@dataclass(frozen=True, slots=True)
class CardWay:
    """How a till takes cards: ``alone``, ``own`` or ``hub``; its terminal's name in the first case
    is empty.  ``shop_has_others``: some till of the shop takes them by the hub.  ``dawdles``: it
    takes hours now and then to tell what its terminal said.  ``tips``: customers give some;
    ``contacts``: they say how they can be reached."""

    way: str = "alone"
    terminal: str = ""
    shop_has_others: bool = False
    dawdles: bool = False
    tips: bool = False
    contacts: bool = False


class CardBox:
    """``sign_in`` puts the till's person in front of the hub again."""

    def __init__(
        self,
        process: Process,
        hub: HubClient,
        wallet: Wallet,
        by: CardWay,
        sign_in: Callable[[], Awaitable[Any]],
    ) -> None:
        self._process = process
        self._world = process.world
        self._hub = hub
        self._wallet = wallet
        self._random: Random = self._world.random(f"{process.name}/{process.number}/cards")
        self._sign_in = sign_in
        self._generous: Random = self._world.random(f"{process.name}/{process.number}/tips")
        self._debtor: Random = self._world.random(f"{process.name}/{process.number}/contacts")
        self.slow: Callable[[], bool] = lambda: False
        """Whether it takes its time now before it gives back."""
        self.by = by
        self.faults: list[tuple[str, str]] = []

    # -- paying -------------------------------------------------------------------------------

    async def charge(self, amount_minor: int, sale: CommitSale) -> tuple[Job, Tender] | None:
        """As :meth:`MoneyBox.charge`."""
        tip_minor = self._tip(amount_minor)
        payment = Payment(self._hub.ids.uuid7(), amount_minor, way=self.by.way, tip_minor=tip_minor)
        job = Job(self._hub.new_key(), "sale", "commit", payments=(payment,))
        self._wallet.keep(job)
        view = await self._started(payment, sale)
        if view is not None and self.by.way == "own":
            job = self._wallet.keep(job.with_payment(replace(payment, state="at_terminal")))
            job, view = await self._at_own_terminal(job, view)
        elif view is not None:
            view = await self._followed(payment)
        if view is None or not view.tenderable or self._random.random() < 0.04:
            self._world.count(f"card of the {self.by.way} way: no")
            self._process.spawn(self.undo(job))
            return None
        self._world.count(f"card of the {self.by.way} way: {view.state}")
        return job, Tender(kind="card", amount_minor=amount_minor, payment_id=payment.payment_id)

    def _tip(self, amount_minor: int) -> int:
        if not self.by.tips or self._generous.random() < 0.6:
            return 0
        self._world.count("tip with the payment's beginning")
        return max(0, int(amount_minor * self._generous.uniform(0.02, 0.29)))

    def _contact(self) -> Contact | None:
        if not self.by.contacts:
            return None
        return contact_of(self._debtor, self._debtor.randrange(100_000))

    async def _started(self, payment: Payment, sale: CommitSale) -> PaymentView | None:
        command = StartPayment(
            payment_id=payment.payment_id,
            sale_id=sale.sale_id,
            basket_id=sale.basket_id if self._random.random() < 0.5 else None,
            amount_minor=payment.amount_minor,
            tip_minor=payment.tip_minor,
            contact=self._contact(),
            terminal="own" if self.by.way == "own" else None,
            offline="refuse" if self._random.random() < 0.05 else "accept",
        )
        try:
            return await self._hub.request(command, PaymentView, timeout_s=60.0)
        except Refused as error:
            self._world.count(f"payment refused {error.problem.code}")
            if error.problem.code is Code.UNAUTHENTICATED:
                await self._sign_in()
        except KitError:
            self._world.count("nobody knows whether the payment was begun")
        return None

    async def _at_own_terminal(self, job: Job, view: PaymentView) -> tuple[Job, PaymentView | None]:
        payment = job.payments[0]
        told = await self._asked("sale", payment, offline=view.offline_allowed)
        for _ in range(ASKED_TIMES):
            if told is None or told["outcome"] == "unknown":
                self._world.count("till's terminal in doubt")
                if self._random.random() < 0.5:
                    await self._tell(payment.payment_id, {"outcome": "unknown"})
                await asyncio.sleep(self._random.uniform(5, 40))
                told = await self._asked("status", payment)
        if told is None or told["outcome"] == "unknown":
            return job, None
        if is_kept(told):
            job = self._wallet.keep(job.with_payment(replace(payment, state="kept")))
        if self._random.random() < (0.12 if self.by.dawdles else 0.05):
            self._world.count("till tells late")
            most_s = 14_400 if self.by.dawdles else 2_400
            await asyncio.sleep(self._random.uniform(300, most_s))
        return job, await self._tell(payment.payment_id, told)

    async def _followed(self, payment: Payment) -> PaymentView | None:
        """What the hub's terminal comes to, as long as the customer has patience."""
        patience_s = FOLLOWED_S if self._random.random() < 0.9 else 15.0
        end_s, pause_s = self._world.loop.time() + patience_s, 8.0
        while self._world.loop.time() < end_s:
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.6, 60.0)
            try:
                query = GetPayment(payment_id=payment.payment_id)
                view = await self._hub.request(query, PaymentView, timeout_s=30.0)
            except Refused:
                return None
            except KitError:
                continue
            if view.tenderable or view.state in ENDED or view.void_asked:
                return view
        self._world.count("customer without patience for the card")
        return None

    # -- after it ------------------------------------------------------------------------------

    async def sold(self, job: Job) -> None:
        """Its sale is written: what the till's terminal keeps itself is followed to its end."""
        for payment in job.payments:
            if payment.state == "kept":
                follow = Job(f"{job.key}-kept", "payment", "report", payments=(payment,))
                self._process.spawn(self.follow(self._wallet.keep(follow)))

    async def follow(self, job: Job) -> None:
        """Tell in the end what became of a payment that the terminal keeps."""
        for payment in job.payments:
            while True:
                told = await self._asked("status", payment)
                if told is not None and told["outcome"] == "not-done":
                    self._world.count("till's terminal is another one")
                    self._wallet.done(job)
                    return
                if told is not None and told["outcome"] in ("approved", "refused"):
                    break
                await asyncio.sleep(self._random.uniform(300, 1_800))
            self._world.count("till tells what became of a kept payment")
            await self._tell(payment.payment_id, told)
            if told.get("undone"):
                await self._tell(payment.payment_id, {"outcome": "reversed"})
        self._wallet.done(job)

    async def undo(self, job: Job) -> None:
        """Nothing is sold for these: say how they ended at the terminal, and give them up."""
        for payment in job.payments:
            at_first = self._random.random() < 0.5
            if at_first:
                await self._give_up(payment.payment_id)
            told: Told = {}
            if payment.way == "own":
                told = await self._cleared(payment)
            if not at_first:
                await self._give_up(payment.payment_id)
            if is_kept(told):
                follow = Job(job.key, "payment", "report", payments=(payment,))
                self._wallet.keep(follow)
                await self.take_back(payment.payment_id, self.by.terminal)
                await self.follow(follow)
        self._wallet.done(job)

    async def _cleared(self, payment: Payment) -> Told:
        """Tell what the till's terminal says in the end; what that is."""
        told: Told | None = {"outcome": "not-done", "reason": "never asked"}
        if payment.state != "asked":
            while (told := await self._asked("status", payment)) is None or (
                told["outcome"] == "unknown"
            ):
                await asyncio.sleep(self._random.uniform(20, 300))
        assert told is not None
        view = await self._tell(payment.payment_id, told)
        if view is None and told["outcome"] == "approved":
            await self._reversed_there(payment)
        return told

    async def _reversed_there(self, payment: Payment) -> None:
        """The hub knows nothing of it (any more): the terminal gives it back."""
        self._world.count("till gives back what the hub knows nothing of")
        request = {"do": "reverse", "payment_id": payment.payment_id}
        while True:
            try:
                await self._world.network.call(self._process, "processor", request, WORK_S)
            except Lost:
                await asyncio.sleep(self._random.uniform(30, 300))
            else:
                return

    async def take_back(self, payment_id: str, terminal: str) -> None:
        """Have a terminal drop what it keeps; too late is an answer, too."""
        while True:
            request = {"do": "reverse", "payment_id": payment_id}
            try:
                told = await self._world.network.call(self._process, terminal, request, WORK_S)
            except Lost:
                told = None
            if told is not None and told["outcome"] != "unknown":
                self._world.count(f"taken back at the till's terminal: {told['outcome']}")
                return
            await asyncio.sleep(self._random.uniform(30, 300))

    async def gives_back(self, refund: Refund) -> GivingBack:
        """See to money that the till is to give back, and say what is left to do."""
        if not self.by.shop_has_others:
            return "alone"
        query = GetPayment(payment_id=refund.payment_id)
        try:
            view = await self._hub.request(query, PaymentView, until_answered=True)
        except Refused:
            return "alone"
        if view.state in ("recovered", "recovery", "written_off"):
            return "nothing"  # out of the drawer
        terminal = terminal_of(view)
        if self.slow():
            await asyncio.sleep(self._generous.uniform(900, 5_400))
        if not refund.return_id:
            await self.take_back(refund.payment_id, terminal)
            return "nothing"
        payment = Payment(refund.payment_id, view.amount_minor, "at_terminal", view.driven_by)
        if refund.amount_minor == view.amount_minor and self._random.random() < 0.5:
            await self.take_back(refund.payment_id, terminal)
        while (told := await self._asked("status", payment, at=terminal)) is None or (
            told["outcome"] in ("unknown", "approved-offline")
        ):
            await asyncio.sleep(self._random.uniform(60, 900))
        if told["outcome"] == "approved":
            return "refund"
        return "dropped" if told.get("undone") else "nothing"

    async def tell_given(self, refund: Refund, outcome: str) -> None:
        """The terminal has given back what a return left to it."""
        self._world.count(f"till tells what it gave back: {outcome}")
        told = {"outcome": outcome, "return_id": refund.return_id}
        await self._tell(refund.payment_id, told)

    # -- asking --------------------------------------------------------------------------------

    async def _give_up(self, payment_id: str) -> None:
        missed = 0
        while missed < 2:
            found = await self._submitted(GivePaymentUp(payment_id=payment_id))
            if isinstance(found, PaymentView):
                return
            match found:
                case Code.NOT_FOUND:
                    missed += 1
                    await asyncio.sleep(180.0)
                case Code.UNAUTHENTICATED:
                    await self._sign_in()
                case _:
                    self.faults.append((payment_id, f"giving up {payment_id}: {found}"))
                    return

    async def _tell(self, payment_id: str, told: Told) -> PaymentView | None:
        """Report; sometimes twice.  None: the hub doesn't know it."""
        command = ReportPayment(
            payment_id=payment_id,
            outcome=told["outcome"],
            card=CardFacts(
                psp_ref=told.get("psp_ref", ""),
                tip_minor=told.get("tip_minor", 0),
                surcharge_minor=told.get("surcharge_minor", 0),
            ),
            token=told.get("token"),
            captured=bool(told.get("captured")),
            return_id=told.get("return_id"),
        )
        found = await self._submitted(command)
        if self._random.random() < 0.1:
            self._world.count("till tells twice")
            found = await self._submitted(command)
        if isinstance(found, PaymentView):
            return found
        of_return = "return_id" in told
        if found is not Code.NOT_FOUND and (of_return or told["outcome"] != "reversed"):
            self.faults.append((payment_id, f"reporting {payment_id}: {found}"))
        return None

    async def _submitted(self, command: Command) -> PaymentView | Code:
        while True:
            try:
                return await self._hub.submit(command, PaymentView)
            except Refused as error:
                self._world.count(f"{command.operation} refused {error.problem.code}")
                if error.problem.code is not Code.IDEMPOTENCY_EXPIRED:
                    return error.problem.code
            await asyncio.sleep(self._random.uniform(300, 1_800))  # a clock is wrong: a fresh key

    async def _asked(
        self, do: str, payment: Payment, *, offline: bool = False, at: str = ""
    ) -> Told | None:
        request = {"do": do, "payment_id": payment.payment_id, "offline": offline}
        request["amount_minor"] = payment.amount_minor + payment.tip_minor
        within_s = SALE_S if do == "sale" else WORK_S
        try:
            told: Told = await self._world.network.call(
                self._process, at or self.by.terminal, request, within_s
            )
        except Lost:
            return None
        return told


def is_kept(told: Told) -> bool:
    """Whether the terminal forwards it itself."""
    return told.get("outcome") == "approved-offline" and "token" not in told


def terminal_of(view: PaymentView) -> str:
    """The machine that a payment was made at."""
    if view.driven_by == "till":
        return "terminal-" + view.device_id.partition("-")[2]
    return view.terminal_id
