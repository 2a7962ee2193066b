"""What happens at a till: kinds of customers, in believable shares."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

from devices.kit import KitError, Refused
from devices.tills.assortment import Assortment, believable_qty, look_up
from devices.tills.till import VirtualTill
from hub.contract.basket import BasketView
from hub.contract.catalog import ProductView
from hub.contract.problems import Code
from hub.contract.sale import ReturnLine, SaleDone, SaleLine
from hub.domain.quantity import line_gross_minor
from hub.domain.stock import Disposition

REASONS = ("dented tin", "last day", "label said so", "regular customer", "torn packing")
_REMEMBERED = 50
_ON_BOARD = 20
_LOW_PIECES = 12
_DELIVERY_PIECES = 60


class ShelvesEmpty(KitError):
    """There is nothing that this customer could buy."""


@dataclass
class Board:
    """What the tills know in common: baskets that wait to be resumed, sales that may be undone."""

    waiting: deque[BasketView] = field(default_factory=lambda: deque(maxlen=_ON_BOARD))
    sales: deque[str] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))


class Customers:
    """Serves one customer after the other at a till."""

    def __init__(
        self,
        till: VirtualTill,
        assortment: Assortment,
        board: Board,
        deliver: Callable[[dict[str, int]], Awaitable[None]],
        rng: Random,
        tell: Callable[..., None],
    ) -> None:
        self._till = till
        self._assortment = assortment
        self._board = board
        self._deliver = deliver
        self._rng = rng
        self._tell = tell

    async def serve(self) -> None:
        """One customer, from a greeting to the receipt (or to a change of mind)."""
        kinds: tuple[tuple[Callable[[], Awaitable[None]], int], ...] = (
            (self._in_a_hurry, 42),
            (self._with_a_basket, 36),
            (self._forgot_the_purse, 6),
            (self._comes_back_with_the_purse, 8),
            (self._haggles, 3),
            (self._brings_something_back, 3),
            (self._changes_their_mind, 2),
        )
        visit = self._rng.choices([one for one, _ in kinds], [share for _, share in kinds])[0]
        try:
            await visit()
        except Refused as error:
            self._tell("refused", code=error.problem.code, detail=error.problem.detail)
            await self._till.tidy_up()

    async def _in_a_hurry(self) -> None:
        """Rung up at the till itself: look-ups, then one sale with lines."""
        lines, total_minor = [], 0
        for product in await self._scans():
            assert product.price_minor is not None
            qty = believable_qty(self._rng, product.scale)
            lines.append(SaleLine(code=product.sku, qty=qty, unit_price_minor=product.price_minor))
            total_minor += line_gross_minor(product.price_minor, qty, product.scale)
        self._sold(await self._till.sell_lines(lines, total_minor), len(lines))

    async def _with_a_basket(self) -> None:
        basket = await self._fill()
        if self._rng.random() < 0.15:
            basket = await self._discounted(basket)
        self._sold(await self._till.sell_basket(basket), len(basket.lines))

    async def _forgot_the_purse(self) -> None:
        basket = await self._fill()
        basket = await self._till.suspend(basket, self._rng.choice(("Mr Blue", "pram", "red hat")))
        self._board.waiting.append(basket)
        self._tell("suspended", basket_id=basket.basket_id)

    async def _comes_back_with_the_purse(self) -> None:
        """Any till may resume; another one may have been faster."""
        if not self._board.waiting:
            await self._in_a_hurry()
            return
        basket = await self._till.resume(self._board.waiting.popleft())
        self._tell("resumed", basket_id=basket.basket_id)
        self._sold(await self._till.sell_basket(basket), len(basket.lines))

    async def _haggles(self) -> None:
        """A price far below the list, which takes a manager."""
        basket = await self._fill()
        line = max(basket.lines, key=lambda one: one.gross_minor)
        price_minor = max(1, line.unit_price_minor * 6 // 10)
        try:
            basket = await self._till.override(basket, line, price_minor, self._rng.choice(REASONS))
            self._tell("price-override", basket_id=basket.basket_id, sku=line.sku)
        except Refused as error:
            self._tell("no-override", code=error.problem.code)
        self._sold(await self._till.sell_basket(basket), len(basket.lines))

    async def _brings_something_back(self) -> None:
        if not self._board.sales:
            await self._in_a_hurry()
            return
        sale = await self._till.read_sale(self._rng.choice(list(self._board.sales)))
        left = [line for line in sale.lines if line.qty > line.returned_qty]
        if sale.state != "completed" or not left:
            await self._in_a_hurry()
            return
        line = self._rng.choice(left)
        back = ReturnLine(
            line_no=line.line_no,
            qty=1 if line.scale == 0 else line.qty - line.returned_qty,
            disposition=self._rng.choice((Disposition.RESELLABLE, Disposition.DAMAGED)),
            reason=self._rng.choice(REASONS),
        )
        done = await self._till.take_back(sale.sale_id, (back,))
        self._tell("return", sale_id=sale.sale_id, total_minor=done.total_minor)

    async def _changes_their_mind(self) -> None:
        """Right after paying: the whole sale is voided."""
        basket = await self._fill()
        done = await self._till.sell_basket(basket)
        self._tell("sale", sale_id=done.sale_id, total_minor=done.total_minor, lines=1)
        await self._till.void(done.sale_id, "changed their mind")
        self._tell("void", sale_id=done.sale_id)

    # -- scanning ------------------------------------------------------------------------------

    async def _fill(self) -> BasketView:
        scanned = await self._scans()
        basket = await self._till.open_basket()
        for product in scanned:
            code = self._code(product)
            qty = believable_qty(self._rng, product.scale)
            basket = await self._till.add(basket, code, qty)
        return basket

    async def _scans(self) -> list[ProductView]:
        """1 to 12 products, mostly few; what is low on the shelf is ordered from the back.

        Raises ShelvesEmpty.
        """
        count = min(12, 1 + int(self._rng.expovariate(0.4)))
        found, low = [], {}
        for sku in self._assortment.some(count):
            try:
                product = await look_up(self._till.hub, sku)
            except Refused as error:
                if error.problem.code is not Code.NOT_FOUND:
                    raise
                self._assortment.forget(sku)
                continue
            if product.price_minor is None or not product.active:
                self._assortment.forget(sku)
                continue
            found.append(product)
            piece = 10**product.scale
            if product.level.counter_sellable < _LOW_PIECES * piece:
                low[sku] = _DELIVERY_PIECES * piece
        if not found:
            raise ShelvesEmpty("none of the chosen products can be sold: is there a price list?")
        if low:
            await self._deliver(low)
        return found

    def _code(self, product: ProductView) -> str:
        """The barcode, sometimes the typed SKU; of weighed goods always the SKU."""
        if product.gtin is None or product.scale or self._rng.random() < 0.2:
            return product.sku
        return product.gtin

    async def _discounted(self, basket: BasketView) -> BasketView:
        line = self._rng.choice(basket.lines)
        discount_minor = line.gross_minor // 10
        if discount_minor == 0:
            return basket
        try:
            return await self._till.discount(
                basket, line, discount_minor, self._rng.choice(REASONS)
            )
        except Refused as error:
            self._tell("no-discount", code=error.problem.code)
            return basket

    def _sold(self, done: SaleDone, lines: int) -> None:
        self._board.sales.append(done.sale_id)
        self._tell("sale", sale_id=done.sale_id, total_minor=done.total_minor, lines=lines)
