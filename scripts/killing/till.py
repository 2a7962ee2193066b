"""A till that sells without pause: sales, voids, returns, deliveries and facts, all journalled."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from cloud_link.sandbox import demo
from devices.kit import HubClient, Refused
from hub.clock import SystemRandomness
from hub.contract.base import Command, Outgoing
from hub.contract.basket import AddLine, BasketView, OpenBasket
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
from hub.contract.staff import SignedIn, SignIn
from hub.contract.stock import ReceivedLine, ReceiveStock, StockBooked
from hub.domain.stock import Disposition
from scripts.killing.books import Books, SoldSale
from scripts.killing.floor import Floor

R = TypeVar("R", bound=Outgoing)

SKUS = 40
SHELF = 1_000_000
_PAUSE_MAX_S = 0.3
_THINK_S = 0.1
_MINE_MAX = 40
_WORK = {"sale": 70, "basket": 8, "void": 6, "return": 6, "receive": 3, "fact": 7}
_MANAGER = demo.DEMO_STAFF[-1]


@dataclass(frozen=True, slots=True)
class Goods:
    """A product sold by the piece."""

    sku: str
    price_minor: int


GOODS = tuple(
    Goods(row["sku"], price_minor)
    for row, price_minor in demo.products(SKUS)
    if row["scale"] == 0 and row["age_min"] is None
)


class ShortPauses(SystemRandomness):
    """Jitter from the short end only: a till comes back within a third of a second, as if the
    outages were minutes apart and its back-off had been reset each time."""

    def uniform(self, low: float, high: float) -> float:
        return super().uniform(low, max(low, min(high, low + _PAUSE_MAX_S)))


class BusyTill:
    """One till; ``number`` counts from 0.  What it asks waits until it is answered."""

    def __init__(
        self,
        number: int,
        hub: HubClient,
        floor: Floor,
        books: Books,
        seen: Counter[str],
        rng: Random,
    ) -> None:
        self.number = number
        self.hub = hub
        self._floor = floor
        self._books = books
        self._seen = seen
        self._rng = rng
        self._mine: list[str] = []

    async def open(self, shelf: int = 0) -> None:
        """Sign the manager in; with ``shelf`` put that many of everything on it."""
        person = SignIn.model_validate({"staff_id": _MANAGER[0], "pin": _MANAGER[3]})
        await self.hub.request(person, SignedIn, until_answered=True)
        if shelf:
            await self._receive([(one.sku, shelf) for one in GOODS])

    async def work(self) -> None:
        """Until the floor closes."""
        kinds, weights = list(_WORK), list(_WORK.values())
        while await self._floor.begin():
            (kind,) = self._rng.choices(kinds, weights)
            try:
                await self._one(kind)
            except Refused as error:
                problem = error.problem
                self._books.find(f"a {kind} was refused: {problem.code}: {problem.detail}")
            finally:
                self._floor.end()
            await asyncio.sleep(self._rng.uniform(0, _THINK_S))

    async def look(self, sale: SoldSale, *, repeat: bool) -> None:
        """Ask for an answered sale: by its key again, or by its id.  The answers must agree."""
        done = sale.done
        try:
            if repeat and sale.command is not None:
                again = await self.hub.request(
                    sale.command, SaleDone, key=sale.key, until_answered=True
                )
                self._books.told_again(done.sale_id, again)
                self._seen["repeat-by-key"] += 1
                return
            before = sale.void
            view = await self.hub.request(
                GetSale(sale_id=done.sale_id), SaleView, until_answered=True
            )
        except Refused as error:
            self._books.find(f"sale {done.sale_id} was answered, now: {error.problem.detail}")
            return
        self._seen["look-up"] += 1
        told = (view.receipt_no, view.total_minor, view.at_ms)
        if told != (done.receipt_no, done.total_minor, done.at_ms):
            self._books.find(f"sale {done.sale_id} is shown as {told}, was answered {done}")
        allowed = {"completed"} if not sale.void else {"completed", "voided"}
        if view.state not in ({"voided"} if before == "done" else allowed):
            self._books.find(f"sale {done.sale_id} is {view.state}, its void is {sale.void!r}")

    # -- work ----------------------------------------------------------------------------------

    async def _one(self, kind: str) -> None:
        match kind:
            case "basket":
                await self._sell_basket()
            case "void" if self._mine:
                await self._void(self._mine.pop())
            case "return" if self._mine:
                await self._return(self._mine.pop())
            case "receive":
                await self._receive([(self._rng.choice(GOODS).sku, self._rng.randint(1, 20))])
            case "fact":
                await self.hub.fact("scan", {"n": self._books.next_fact()})
            case _:
                await self._sell_lines()

    async def _sell_lines(self) -> None:
        picked = [(one, self._rng.randint(1, 2)) for one in self._rng.choices(GOODS, k=2)]
        total = sum(one.price_minor * qty for one, qty in picked)
        lines = tuple(
            SaleLine(code=one.sku, qty=qty, unit_price_minor=one.price_minor) for one, qty in picked
        )
        command = CommitSale(
            sale_id=self.hub.ids.uuid7(),
            lines=lines,
            total_minor=total,
            tenders=(self._tender(total),),
        )
        await self._sell(command, tuple((one.sku, qty) for one, qty in picked))

    async def _sell_basket(self) -> None:
        """Built at the hub line by line; such a sale has the basket's version in it."""
        goods = self._rng.choice(GOODS)
        basket_id = self.hub.ids.uuid7()
        basket = await self._ask(OpenBasket(basket_id=basket_id), BasketView)
        add = AddLine(basket_id=basket_id, version=basket.version, code=goods.sku, qty=1)
        basket = await self._ask(add, BasketView)
        command = CommitSale(
            sale_id=self.hub.ids.uuid7(),
            basket_id=basket_id,
            version=basket.version,
            total_minor=goods.price_minor,
            tenders=(self._tender(goods.price_minor),),
        )
        await self._sell(command, ((goods.sku, 1),))

    async def _sell(self, command: CommitSale, lines: tuple[tuple[str, int], ...]) -> None:
        key = self.hub.new_key()
        done = await self._submit(command, SaleDone, key)
        if done.sale_id != command.sale_id:
            self._books.find(f"sale {command.sale_id} was answered as {done.sale_id}")
            return
        self._books.sold(SoldSale(self.number, key, command, done, lines))
        self._mine = [*self._mine[-_MINE_MAX:], command.sale_id]

    async def _void(self, sale_id: str) -> None:
        self._books.sales[sale_id].void = "asked"
        command = VoidSale(sale_id=sale_id, reason="customer changed their mind")
        await self._submit(command, SaleVoided, self.hub.new_key())
        self._books.voided(sale_id)

    async def _return(self, sale_id: str) -> None:
        sku, _ = self._books.sales[sale_id].lines[0]
        line = ReturnLine(line_no=1, qty=1, disposition=Disposition.RESELLABLE, reason="too small")
        command = CommitReturn(return_id=self.hub.ids.uuid7(), sale_id=sale_id, lines=(line,))
        done = await self._submit(command, ReturnDone, self.hub.new_key())
        self._books.returned(done.return_id, sale_id, sku, 1, done.total_minor)

    async def _receive(self, goods: list[tuple[str, int]]) -> None:
        command = ReceiveStock(
            receipt_id=self.hub.ids.uuid7(),
            reference="delivery",
            lines=tuple(ReceivedLine(sku=sku, qty=qty) for sku, qty in goods),
        )
        await self._submit(command, StockBooked, self.hub.new_key())
        self._books.received(command.receipt_id, tuple(goods))

    # -- asking --------------------------------------------------------------------------------

    async def _submit(self, command: Command, expected: type[R], key: str) -> R:
        self._floor.asks(key, f"{command.service}/{command.operation}")
        try:
            done = await self.hub.submit(command, expected, key=key)
        finally:
            asked = self._floor.heard(key)
        if asked.killed_at_ms is not None and isinstance(done, SaleDone):
            stored = done.at_ms <= asked.killed_at_ms
            self._seen["stored-but-unanswered" if stored else "not-yet-stored"] += 1
        return done

    async def _ask(self, command: Command, expected: type[R]) -> R:
        key = self.hub.new_key()
        self._floor.asks(key, f"{command.service}/{command.operation}")
        try:
            return await self.hub.request(command, expected, key=key, until_answered=True)
        finally:
            self._floor.heard(key)

    def _tender(self, total_minor: int) -> Tender:
        if self._rng.random() < 0.5:
            return Tender(kind="cash", amount_minor=total_minor)
        return Tender(
            kind="card",
            amount_minor=total_minor,
            payment_id=self.hub.ids.uuid7(),
            last4=f"{self._rng.randrange(10_000):04d}",
            approval_code="A1",
        )
