"""One virtual till: a signed-in person who sells, suspends, voids, takes back and receives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any, Literal, Protocol, TypeVar

from devices.kit import HubClient, Refused
from devices.tills.cards import CardTerminal
from devices.tills.extras import Extras, take_gift_card
from hub.contract.base import Command, Nothing, Outgoing
from hub.contract.basket import (
    AbandonBasket,
    AddLine,
    BasketLine,
    Baskets,
    BasketView,
    DiscountLine,
    GetBasket,
    ListBaskets,
    OpenBasket,
    OverridePrice,
    ResumeBasket,
    SuspendBasket,
)
from hub.contract.payments import GivePaymentUp, PaymentView, StartPayment
from hub.contract.problems import Code, Problem
from hub.contract.sale import (
    CommitReturn,
    CommitSale,
    GetSale,
    ReturnDone,
    ReturnLine,
    SaleDone,
    SaleLine,
    SaleView,
    SaleVoided,
    Tender,
    VoidSale,
)
from hub.contract.staff import (
    Approval,
    ApprovalSubject,
    RequestApproval,
    SignedIn,
    SignIn,
    SignOut,
)
from hub.contract.stock import ReceivedLine, ReceiveStock, StockBooked

R = TypeVar("R", bound=Outgoing)

Tell = Callable[..., None]
TRIES = 4
NO_EXTRAS = Extras()


@dataclass(frozen=True, slots=True)
class Person:
    """Who stands at a till."""

    staff_id: str
    pin: str


class Colleagues(Protocol):
    """Whom a till can turn to."""

    async def approve(self, asking: VirtualTill, approval_id: str) -> bool:
        """A manager decides, on another till where there is one."""

    async def deliver(self, goods: dict[str, int]) -> None:
        """More of these products (SKU → base units) come from the back room."""


class VirtualTill:
    """A till as its cashier uses it.  What is asked waits until the hub answers, however long.
    It wants paper for everything; a hub that prints no receipts sells all the same.

    With a ``terminal`` cards are taken through the hub; without one they were approved by a
    terminal that the hub knows nothing of.
    """

    def __init__(
        self,
        name: str,
        hub: HubClient,
        person: Person,
        colleagues: Colleagues,
        rng: Random,
        terminal: CardTerminal | None = None,
        extras: Extras = NO_EXTRAS,
    ) -> None:
        self.name = name
        self.hub = hub
        self.person = person
        self._colleagues = colleagues
        self._rng = rng
        self._terminal = terminal
        self._extras = extras

    # -- people --------------------------------------------------------------------------------

    async def sign_in(self) -> SignedIn:
        command = SignIn.model_validate({"staff_id": self.person.staff_id, "pin": self.person.pin})
        return await self.hub.request(command, SignedIn, until_answered=True)

    async def sign_out(self) -> None:
        await self.hub.request(SignOut(), Nothing, until_answered=True)

    # -- baskets -------------------------------------------------------------------------------

    async def open_basket(self) -> BasketView:
        return await self._ask(OpenBasket(basket_id=self.hub.ids.uuid7()), BasketView)

    async def add(self, basket: BasketView, code: str, qty: int | None) -> BasketView:
        command = AddLine(basket_id=basket.basket_id, version=basket.version, code=code, qty=qty)
        return await self._ask(command, BasketView)

    async def discount(
        self, basket: BasketView, line: BasketLine, discount_minor: int, reason: str
    ) -> BasketView:
        def command(approval_id: str | None) -> Command:
            return DiscountLine(
                basket_id=basket.basket_id,
                version=basket.version,
                line_no=line.line_no,
                discount_minor=discount_minor,
                reason=reason,
                approval_id=approval_id,
            )

        return await self._approved(self._ask, command, BasketView, _subject(basket, line), reason)

    async def override(
        self, basket: BasketView, line: BasketLine, unit_price_minor: int, reason: str
    ) -> BasketView:
        def command(approval_id: str | None) -> Command:
            return OverridePrice(
                basket_id=basket.basket_id,
                version=basket.version,
                line_no=line.line_no,
                unit_price_minor=unit_price_minor,
                reason=reason,
                approval_id=approval_id,
            )

        return await self._approved(self._ask, command, BasketView, _subject(basket, line), reason)

    async def suspend(self, basket: BasketView, label: str) -> BasketView:
        command = SuspendBasket(basket_id=basket.basket_id, version=basket.version, label=label)
        return await self._ask(command, BasketView)

    async def resume(self, basket: BasketView) -> BasketView:
        command = ResumeBasket(basket_id=basket.basket_id, version=basket.version)
        return await self._ask(command, BasketView)

    async def abandon(self, basket: BasketView) -> None:
        command = AbandonBasket(basket_id=basket.basket_id, version=basket.version)
        await self._ask(command, BasketView)

    async def tidy_up(self) -> int:
        """Give up baskets that this till left open when it was switched off; how many."""
        listed = await self.hub.request(ListBaskets(), Baskets, until_answered=True)
        mine = [
            one for one in listed.baskets if one.owner == self.hub.device_id and one.state == "open"
        ]
        for one in mine:
            query = GetBasket(basket_id=one.basket_id)
            await self.abandon(await self.hub.request(query, BasketView, until_answered=True))
        return len(mine)

    # -- money ---------------------------------------------------------------------------------

    async def sell_basket(self, basket: BasketView) -> SaleDone:
        sale_id = self.hub.ids.uuid7()
        return await self._sell(
            lambda total_minor, tenders: CommitSale(
                sale_id=sale_id,
                basket_id=basket.basket_id,
                version=basket.version,
                total_minor=total_minor,
                tenders=tenders,
                print_receipt=True,
            ),
            basket.total_minor,
        )

    async def sell_lines(self, lines: Sequence[SaleLine], total_minor: int) -> SaleDone:
        """A sale rung up here.  ``total_minor`` is this till's sum; the hub's is taken over when
        it differs, as a cashier would who reads it out anew."""
        sale_id = self.hub.ids.uuid7()
        return await self._sell(
            lambda total_minor, tenders: CommitSale(
                sale_id=sale_id,
                lines=tuple(lines),
                total_minor=total_minor,
                tenders=tenders,
                print_receipt=True,
            ),
            total_minor,
        )

    async def void(self, sale_id: str, reason: str) -> SaleVoided:
        def command(approval_id: str | None) -> Command:
            return VoidSale(
                sale_id=sale_id, reason=reason, approval_id=approval_id, print_receipt=True
            )

        subject = ApprovalSubject(sale_id=sale_id)
        return await self._approved(self._submit, command, SaleVoided, subject, reason)

    async def read_sale(self, sale_id: str) -> SaleView:
        return await self.hub.request(GetSale(sale_id=sale_id), SaleView, until_answered=True)

    async def take_back(
        self,
        sale_id: str,
        lines: Sequence[ReturnLine],
        refund_to: Literal["original", "store-credit"] = "original",
    ) -> ReturnDone:
        return_id = self.hub.ids.uuid7()

        def command(approval_id: str | None) -> Command:
            return CommitReturn(
                return_id=return_id,
                sale_id=sale_id,
                lines=tuple(lines),
                refund_to=refund_to,
                approval_id=approval_id,
                print_receipt=True,
            )

        subject = ApprovalSubject(sale_id=sale_id)
        return await self._approved(self._submit, command, ReturnDone, subject, "return")

    async def receive(self, goods: dict[str, int], reference: str) -> StockBooked:
        """Book a delivery: SKU → base units."""
        command = ReceiveStock(
            receipt_id=self.hub.ids.uuid7(),
            reference=reference,
            lines=tuple(ReceivedLine(sku=sku, qty=qty) for sku, qty in goods.items()),
        )
        return await self._submit(command, StockBooked)

    def tenders(self, total_minor: int) -> tuple[Tender, ...]:
        """Cash with change, exact cash, a card approved by its terminal, or card and cash; before
        that a gift card, where customers have some."""
        gift_minor = self._extras.pays_with_gift_card(self._rng, total_minor)
        if gift_minor and self._terminal is not None:
            payment_id = self.hub.ids.uuid7()
            gift = Tender(kind="gift_card", amount_minor=gift_minor, payment_id=payment_id)
            rest = total_minor - gift_minor
            return (gift, Tender(kind="cash", amount_minor=rest)) if rest else (gift,)
        choice = self._rng.random()
        if total_minor == 0 or choice < 0.15:
            return (Tender(kind="cash", amount_minor=total_minor),)
        if choice < 0.45:
            return (Tender(kind="cash", amount_minor=self._note(total_minor)),)
        if choice < 0.95 or total_minor < 1000:
            return (self._card(total_minor),)
        card = self._card(total_minor // 2)
        return (card, Tender(kind="cash", amount_minor=self._note(total_minor - card.amount_minor)))

    def _note(self, amount_minor: int) -> int:
        coin = self._rng.choice((100, 500, 1000, 5000))
        return -(-amount_minor // coin) * coin

    def _card(self, amount_minor: int) -> Tender:
        return Tender(
            kind="card",
            amount_minor=amount_minor,
            payment_id=self.hub.ids.uuid7(),
            last4=f"{self._rng.randrange(10_000):04d}",
            approval_code=f"{self._rng.randrange(1_000_000):06d}",
        )

    # -- asking --------------------------------------------------------------------------------

    async def _sell(
        self, command: Callable[[int, tuple[Tender, ...]], Command], total_minor: int
    ) -> SaleDone:
        """Commit; more goods are fetched when the book says there are none, the hub's total is
        taken over when it differs."""
        tenders = await self._tendered(command, total_minor)
        for left in reversed(range(TRIES)):
            try:
                return await self._submit(command(total_minor, tenders), SaleDone)
            except Refused as error:
                match error.problem:
                    case Problem(code=Code.INSUFFICIENT_STOCK, context=context) if left:
                        await self._fetch(context)
                    case Problem(code=Code.PRICE_CHANGED, context={"expected_minor": int(new)}) if (
                        left
                    ):
                        await self._give_up(tenders)
                        total_minor, tenders = new, await self._tendered(command, new)
                    case _:
                        await self._give_up(tenders)
                        raise
        raise AssertionError("the last try ends it")

    async def _tendered(
        self, command: Callable[[int, tuple[Tender, ...]], Command], total_minor: int
    ) -> tuple[Tender, ...]:
        """The tenders, cards among them taken through the hub; cash for those that come to
        nothing."""
        planned = self.tenders(total_minor)
        sale = command(total_minor, planned)
        if self._terminal is None or not isinstance(sale, CommitSale):
            return planned
        found = []
        for tender in planned:
            taken = await self._taken(self._terminal, sale, tender)
            cash = Tender(kind="cash", amount_minor=tender.amount_minor)
            found.append(tender if taken else cash)
        return tuple(found)

    async def _taken(self, terminal: CardTerminal, sale: CommitSale, tender: Tender) -> bool:
        match tender.kind:
            case "card":
                return await self._take_card(terminal, sale, tender)
            case "cash":
                return True
        token = self._rng.choice(self._extras.gift_cards)
        if await take_gift_card(self.hub, sale, tender, token):
            return True
        with suppress(Refused):  # it was never begun
            await self._give_up((tender,))
        return False

    async def _take_card(self, terminal: CardTerminal, sale: CommitSale, tender: Tender) -> bool:
        assert tender.payment_id is not None
        start = StartPayment(
            payment_id=tender.payment_id,
            sale_id=sale.sale_id,
            basket_id=sale.basket_id,
            amount_minor=tender.amount_minor,
            tip_minor=self._extras.tip_minor(self._rng, tender.amount_minor),
            terminal="own",
        )
        begun = await self._submit(start, PaymentView)
        report = terminal.take(tender.payment_id, alone_allowed=begun.offline_allowed)
        told = await self._submit(report, PaymentView)
        if not told.tenderable and report.outcome != "refused":
            await self._give_up((tender,))
        return told.tenderable

    async def _give_up(self, tenders: Sequence[Tender]) -> None:
        """Payments that aren't wanted any more."""
        for tender in tenders:
            if self._terminal is not None and tender.payment_id is not None:
                await self._submit(GivePaymentUp(payment_id=tender.payment_id), PaymentView)

    async def _fetch(self, context: dict[str, Any]) -> None:
        sku, wanted_qty = context.get("sku"), context.get("wanted_qty")
        if isinstance(sku, str) and isinstance(wanted_qty, int):
            await self._colleagues.deliver({sku: wanted_qty * 10})

    async def _approved(
        self,
        ask: Callable[[Command, type[R]], Awaitable[R]],
        command: Callable[[str | None], Command],
        expected: type[R],
        subject: ApprovalSubject,
        reason: str,
    ) -> R:
        """Ask; where a manager has to approve, get that and ask again."""
        try:
            return await ask(command(None), expected)
        except Refused as error:
            needed = error.problem.approval
            if error.problem.code is not Code.APPROVAL_REQUIRED or needed is None:
                raise
            refused = error
        approval_id = self.hub.ids.uuid7()
        subject = subject.model_copy(update={"amount_minor": needed.amount_minor})
        request = RequestApproval(
            approval_id=approval_id, permission=needed.permission, subject=subject, reason=reason
        )
        await self._ask(request, Approval)
        if not await self._colleagues.approve(self, approval_id):
            raise refused
        return await ask(command(approval_id), expected)

    async def _ask(self, command: Command, expected: type[R]) -> R:
        async def once() -> R:
            return await self.hub.request(command, expected, until_answered=True)

        return await self._signed_in(once)

    async def _submit(self, command: Command, expected: type[R]) -> R:
        async def once() -> R:
            return await self.hub.submit(command, expected)

        return await self._signed_in(once)

    async def _signed_in(self, once: Callable[[], Awaitable[R]]) -> R:
        """Sign in again when the hub has forgotten who stands here."""
        try:
            return await once()
        except Refused as error:
            if error.problem.code is not Code.UNAUTHENTICATED:
                raise
        await self.sign_in()
        return await once()


def _subject(basket: BasketView, line: BasketLine) -> ApprovalSubject:
    return ApprovalSubject(basket_id=basket.basket_id, line_no=line.line_no, sku=line.sku)
