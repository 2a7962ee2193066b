"""Who stands at a virtual till: all that people do there, drawn from a seed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any, TypeVar

from devices.kit import HubClient, KitError, Refused
from devices.kit.codec import encode, operation_of
from devices.tills.assortment import believable_qty, look_up
from devices.tills.till import Person, VirtualTill
from hub.contract.base import Command, Outgoing
from hub.contract.basket import BasketView, RemoveLine
from hub.contract.catalog import ProductView
from hub.contract.problems import Code
from hub.contract.sale import (
    CommitReturn,
    CommitSale,
    ReturnLine,
    SaleDone,
    SaleLine,
    StockOverride,
    Tender,
    VoidSale,
)
from hub.contract.staff import Approval, ApprovalSubject, RequestApproval
from hub.contract.stock import (
    AdjustStock,
    CloseCount,
    CountClosed,
    CountOpened,
    OpenCount,
    StockBooked,
)
from hub.domain.quantity import line_gross_minor
from hub.domain.stock import Disposition
from tests.simulation.kernel import Process
from tests.simulation.shop.cardbox import CardWay
from tests.simulation.shop.crew import Crew, Manager
from tests.simulation.shop.moneybox import MoneyBox
from tests.simulation.shop.wallet import Job, Wallet
from tests.simulation.shop.wiretap import Wiretap

R = TypeVar("R", bound=Outgoing)
TRIES = 5
BEST_SELLERS = 6
"""Half of all customers want nothing else, so that tills meet at the same goods."""
PATIENCE_S = 90.0
REASONS = ("dented tin", "last day", "torn packing", "regular customer")


class WalkedOff(KitError):
    """Nobody waits for this answer any more; it comes all the same."""


class Cashier(VirtualTill):
    """One run of a till, as its people use it."""

    def __init__(
        self,
        process: Process,
        hub: HubClient,
        crew: Crew,
        tap: Wiretap,
        random: Random,
        by: CardWay | None = None,
    ) -> None:
        names = list(crew.people)
        staff_id = names[process.world.random(process.name).randrange(len(names))]
        manager = Manager(crew.manager)
        super().__init__(
            process.name, hub, Person(staff_id, crew.people[staff_id]), manager, random
        )
        manager.till = self
        self.random = random
        self.process = process
        self.world = process.world
        self.tap = tap
        self.board = tap.board
        self.crew = crew
        self._known: dict[str, ProductView] = {}
        wallet = Wallet(process.directory / "wallet.json")
        self.money = MoneyBox(
            process,
            hub,
            wallet,
            random,
            self._answered,
            self.sign_in,
            by or CardWay(),
            tap.board.purse,
        )
        self.money.cards.slow = lambda: self.board.slow
        self._credit = process.world.random(f"{process.name}/{process.number}/credit")

    def _answered(self, job: Job) -> None:
        self.board.done.append((self.name, job))

    # -- what the base asks ------------------------------------------------------------------

    async def _sell(
        self, command: Callable[[int, tuple[Tender, ...]], Command], total_minor: int
    ) -> SaleDone:
        """Each try is paid for anew: what is refused has its charge reversed."""
        override: StockOverride | None = None
        printed = self.random.random() < 0.3
        for _ in range(TRIES):
            draft = command(total_minor, ())
            assert isinstance(draft, CommitSale)
            job, tenders = await self._paid(total_minor, draft)
            sale = command(total_minor, tenders)
            assert isinstance(sale, CommitSale)
            sale = sale.model_copy(update={"stock_override": override, "print_receipt": printed})
            job = replace(job, body=encode(sale).decode())
            self.money.wallet.keep(job)
            try:
                done = SaleDone.model_validate(await self._patiently(self.money.finish(job)))
            except Refused as error:
                problem = error.problem
                match problem.code:
                    case Code.UNAUTHENTICATED:
                        await self.sign_in()
                    case Code.PRICE_CHANGED if "expected_minor" in problem.context:
                        self._known.clear()
                        if not problem.detail.startswith("The total"):
                            raise
                        total_minor = int(problem.context["expected_minor"])
                    case Code.INSUFFICIENT_STOCK:
                        override = await self._make_up(problem.context)
                    case Code.APPROVAL_REQUIRED if override is not None:
                        override = await self._approved_override(sale.sale_id)
                    case _:
                        raise
                continue
            self.board.sales.append(done.sale_id)
            return done
        raise WalkedOff("this sale can't be made")

    async def _paid(self, total_minor: int, sale: CommitSale) -> tuple[Job, tuple[Tender, ...]]:
        """With a gift card first, where the customer has one; the rest otherwise."""
        begun = await self.money.charge_card_of_value(total_minor, sale)
        if begun is None:
            return await self._paid_otherwise(total_minor, sale)
        job, tender = begun
        left = total_minor - tender.amount_minor
        if not left:
            return job, (tender,)
        other, tenders = await self._paid_otherwise(left, sale)
        return self.money.joined(job, other), (tender, *tenders)

    async def _paid_otherwise(
        self, total_minor: int, sale: CommitSale
    ) -> tuple[Job, tuple[Tender, ...]]:
        cash_job = Job(self.hub.new_key(), "sale", "commit")
        choice = self.random.random()
        if self.crew.by_card:
            choice = 0.45 + 0.55 * choice
        if total_minor == 0 or choice < 0.45:
            given = total_minor if choice < 0.2 else self._note(total_minor)
            return cash_job, (Tender(kind="cash", amount_minor=given),)
        by_card = total_minor if choice < 0.85 or total_minor < 200 else total_minor // 2
        charged = await self.money.charge(by_card, sale)
        if charged is None:
            self.world.count("paid in cash instead")
            return cash_job, (Tender(kind="cash", amount_minor=self._note(total_minor)),)
        job, tender = charged
        left = total_minor - by_card
        if not left:
            return job, (tender,)
        self.world.count("split tender")
        return job, (tender, Tender(kind="cash", amount_minor=self._note(left)))

    async def _make_up(self, context: dict[str, Any]) -> StockOverride | None:
        sku, wanted_qty = context.get("sku"), context.get("wanted_qty")
        if not isinstance(sku, str) or not isinstance(wanted_qty, int):
            return None
        if self.random.random() < 0.3:
            self.world.count("stock override")
            return StockOverride(reason="the customer holds it")
        await self._colleagues.deliver({sku: wanted_qty * 20})
        return None

    async def _approved_override(self, sale_id: str) -> StockOverride:
        approval_id = self.hub.ids.uuid7()
        request = RequestApproval(
            approval_id=approval_id,
            permission="stock.override",
            subject=ApprovalSubject(sale_id=sale_id),
            reason="the customer holds it",
        )
        await self._ask(request, Approval)
        await self._colleagues.approve(self, approval_id)
        return StockOverride(reason="the customer holds it", approval_id=approval_id)

    async def _submit(self, command: Command, expected: type[R]) -> R:
        async def once() -> R:
            row = operation_of(command)
            job = Job(self.hub.new_key(), *row.address, encode(command).decode())
            if isinstance(command, VoidSale | CommitReturn):
                self.money.wallet.keep(job)
                return expected.model_validate(await self._patiently(self.money.finish(job)))
            answer: R = await self._patiently(self.hub.submit(command, expected, key=job.key))
            self._answered(job)
            return answer

        return await self._signed_in(once)

    async def _patiently(self, work: Awaitable[Any]) -> Any:
        """Its outcome; a customer waits only so long, the work goes on.  Errors: WalkedOff."""

        async def run() -> Any:
            try:
                return await work
            except Refused as error:
                return error

        task = self.process.spawn(run(), f"{self.name}-job")
        patience_s = PATIENCE_S if self.random.random() < 0.5 else 3600.0
        await asyncio.wait([task], timeout=patience_s)
        if not task.done():
            self.world.count("customer left before the answer")
            raise WalkedOff("the hub took too long")
        found = task.result()
        if isinstance(found, Refused):
            raise found
        return found

    # -- customers ---------------------------------------------------------------------------

    async def serve(self) -> None:
        """One customer, or one of the staff's own jobs."""
        in_steps = (
            self._with_a_basket,
            self._suspends,
            self._resumes,
            self._changes_their_mind,
            self._haggles,
            self._counts,
            self._brings_something_back,
        )
        kinds: tuple[tuple[Callable[[], Awaitable[None]], int], ...] = (
            (self._in_a_hurry, 46),
            (self._with_a_basket, 24),
            (self._suspends, 6),
            (self._resumes, 6),
            (self._brings_something_back, 15 if self.board.purse else 5),
            (self._changes_their_mind, 4),
            (self._haggles, 2),
            (self._delivery, 3),
            (self._adjusts, 2),
            (self._counts, 4),
            (self._looks_up, 4),
        )
        if not self.crew.in_steps:
            kinds = tuple(one for one in kinds if one[0] not in in_steps)
        if self.crew.by_card:
            kinds = (
                (self._in_a_hurry, 60),
                (self._changes_their_mind, 20),
                (self._brings_something_back, 12),
            )
            if self.board.unwanted:
                kinds = ((self._changes_their_mind, 3), (self._brings_something_back, 1))
        visit = self.random.choices([one for one, _ in kinds], [share for _, share in kinds])[0]
        try:
            await visit()
        except Refused as error:
            self.world.count(f"customer refused {error.problem.code}")
        except KitError:
            self.world.count("customer left")

    async def _in_a_hurry(self) -> None:
        lines, total_minor = [], 0
        for product in await self._scans():
            assert product.price_minor is not None
            qty = believable_qty(self.random, product.scale)
            gross_minor = line_gross_minor(product.price_minor, qty, product.scale)
            off_minor = gross_minor // 10 if self.random.random() < 0.08 else 0
            lines.append(
                SaleLine(
                    code=product.sku,
                    qty=qty,
                    unit_price_minor=product.price_minor,
                    discount_minor=off_minor,
                    reason=self.random.choice(REASONS) if off_minor else None,
                )
            )
            total_minor += gross_minor - off_minor
            self.world.count("weighed line" if product.scale else "line")
        await self.sell_lines(lines, total_minor)

    async def _with_a_basket(self) -> None:
        basket = await self._fill()
        if self.random.random() < 0.2:
            line = self.random.choice(basket.lines)
            if line.gross_minor >= 20:
                basket = await self.discount(
                    basket, line, line.gross_minor // 20, self.random.choice(REASONS)
                )
                self.world.count("line discounted")
        if self.random.random() < 0.05:
            await self.abandon(basket)
            self.world.count("basket abandoned")
            return
        if self.random.random() < 0.3:
            await asyncio.sleep(self.random.uniform(5, 900))
            self.world.count("customer fetched something else")
        await self.sell_basket(basket)

    async def _suspends(self) -> None:
        basket = await self.suspend(await self._fill(), "pram")
        self.board.waiting.append((self.name, basket))
        self.world.count("basket suspended")

    async def _resumes(self) -> None:
        if not self.board.waiting:
            await self._in_a_hurry()
            return
        owner, basket = self.board.waiting.popleft()
        basket = await self.resume(basket)
        if owner != self.name:
            self.world.count("suspended basket resumed elsewhere")
        await self.sell_basket(basket)

    async def _haggles(self) -> None:
        basket = await self._fill()
        line = self.random.choice(basket.lines)
        price_minor = max(1, line.unit_price_minor * 6 // 10)
        basket = await self.override(basket, line, price_minor, self.random.choice(REASONS))
        self.world.count("price overridden")
        await self.sell_basket(basket)

    async def _brings_something_back(self) -> None:
        unwanted, sales = self.board.unwanted, self.board.sales
        if not sales:
            return
        sale_id = unwanted.popleft() if unwanted else self.random.choice(list(sales))
        sale = await self.read_sale(sale_id)
        left = [line for line in sale.lines if line.qty > line.returned_qty]
        if sale.state != "completed" or not left:
            return
        line = self.random.choice(left)
        rest = line.qty - line.returned_qty
        back = ReturnLine(
            line_no=line.line_no,
            qty=rest if line.scale else self.random.randint(1, rest),
            disposition=self.random.choice((Disposition.RESELLABLE, Disposition.DAMAGED)),
            reason=self.random.choice(REASONS),
        )
        as_credit = self.board.purse is not None and self._credit.random() < 0.5
        await self.take_back(
            sale.sale_id, (back,), refund_to="store-credit" if as_credit else "original"
        )
        if as_credit:
            self.world.count("store credit given")
        self.world.count("goods returned")

    async def _changes_their_mind(self) -> None:
        if self.board.unwanted or (self.board.sales and self.random.random() < 0.5):
            unwanted, sales = self.board.unwanted, self.board.sales
            sale_id = unwanted.popleft() if unwanted else self.random.choice(list(sales))
        else:
            sale_id = (await self.sell_basket(await self._fill())).sale_id
        await self.void(sale_id, "changed their mind")
        self.world.count("sale voided")

    # -- the staff's own work ----------------------------------------------------------------

    async def _delivery(self) -> None:
        goods = {one.sku: self.random.randint(5, 40) * 10**one.scale for one in await self._scans()}
        await self.receive(goods, "delivery")
        self.world.count("goods received")

    async def _adjusts(self) -> None:
        product = (await self._scans())[0]
        command = AdjustStock(
            adjustment_id=self.hub.ids.uuid7(),
            sku=product.sku,
            qty=self.random.choice((-2, -1, 1, 3)) * 10**product.scale,
            reason="found while tidying",
        )
        await self._submit(command, StockBooked)
        self.world.count("stock adjusted")

    async def _counts(self) -> None:
        product = (await self._scans())[0]
        count_id = self.hub.ids.uuid7()
        await self._submit(OpenCount(count_id=count_id, sku=product.sku), CountOpened)
        level = (await look_up(self.hub, product.sku)).level.sellable
        await asyncio.sleep(self.random.uniform(5, 1200))
        counted = max(0, level + self.random.choice((-1, 0, 0, 1)) * 10**product.scale)
        await self._submit(CloseCount(count_id=count_id, counted_qty=counted), CountClosed)
        self.world.count("stock counted")

    async def _looks_up(self) -> None:
        for code in self.random.sample(self.crew.codes, min(3, len(self.crew.codes))):
            await look_up(self.hub, code)

    # -- scanning ----------------------------------------------------------------------------

    async def _fill(self) -> BasketView:
        basket = await self.open_basket()
        for product in await self._scans():
            qty = believable_qty(self.random, product.scale)
            basket = await self.add(basket, product.sku, qty)
        if len(basket.lines) > 1 and self.random.random() < 0.1:
            basket = await self._without_a_line(basket)
        return basket

    async def _without_a_line(self, basket: BasketView) -> BasketView:
        command = RemoveLine(
            basket_id=basket.basket_id, version=basket.version, line_no=basket.lines[0].line_no
        )
        self.world.count("line removed")
        return await self._ask(command, BasketView)

    async def _scans(self) -> Sequence[ProductView]:
        """1 to 6 products; a price once seen is remembered for a while."""
        found: dict[str, ProductView] = {}
        count = min(6, 1 + int(self.random.expovariate(0.6)))
        if self.crew.by_card:
            count = 1
        wanted = self.crew.codes if self.random.random() < 0.5 else self.crew.codes[:BEST_SELLERS]
        for code in self.random.sample(wanted, min(count, len(wanted))):
            product = self._known.get(code)
            if product is None or self.random.random() < 0.1:
                product = self._known[code] = await look_up(self.hub, code)
            if product.price_minor is not None:
                found.setdefault(product.sku, product)
        if not found:
            raise WalkedOff("nothing of it has a price")
        return list(found.values())
