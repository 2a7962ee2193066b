"""The tills of a replay: real paired devices that sell their shares, one request at a time."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from devices.kit import HubClient, Refused
from hub.clock import Clock
from hub.contract.base import Command, Nothing, Outgoing
from hub.contract.basket import AddLine, BasketView, DiscountLine, OpenBasket, OverridePrice
from hub.contract.problems import Code
from hub.contract.sale import CommitSale, SaleDone, SaleLine, Tender
from hub.contract.staff import SignedIn, SignIn, SignOut
from hub.contract.stock import ReceivedLine, ReceiveStock, StockBooked
from scripts.replay_shop.cards import CardTill, pays_by_card, says
from scripts.replay_shop.datasets import MANAGER_ID, MANAGER_PIN, Cashier
from scripts.replay_shop.mapping import MappedBasket, MappedLine, Purpose, noise, replay_uuid7

R = TypeVar("R", bound=Outgoing)

AT_HUB_EVERY = 5
"""Every so many baskets one is built line by line at the hub, the others at the till."""
BY_SKU_EVERY = 7
RECEIPT_LINES = 500
_SIGN_IN_TRIES = 3


@dataclass(frozen=True, slots=True)
class Refusal:
    """A final no to a basket."""

    basket_id: int
    code: str
    detail: str


@dataclass(slots=True)
class Progress:
    """How far all tills are; ``asking`` are the requests under way: correlation → operation."""

    total: int
    sold: int = 0
    lines: int = 0
    begun: int = 0
    refused: list[Refusal] = field(default_factory=list)
    asking: dict[int, str] = field(default_factory=dict)
    answered: int = 0
    first_s: float | None = None
    last_s: float = 0.0
    _limit: int | None = None
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def done(self) -> int:
        return self.sold + len(self.refused)

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to sell."""
        return self.done >= self.total

    @property
    def seconds(self) -> float:
        """From the first request to the last answer."""
        return 0.0 if self.first_s is None else self.last_s - self.first_s

    def allow(self, baskets: int | None) -> None:
        """Let the tills begin that many baskets in all; None: every one."""
        self._limit = baskets
        self._tell()

    async def turn(self) -> None:
        """A till begins a basket, as soon as it may."""
        await self.until(lambda: self._limit is None or self.begun < self._limit)
        self.begun += 1

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until something moved that makes it true."""
        while not true():
            self._moved.clear()
            await self._moved.wait()

    def asks(self, number: int, what: str) -> None:
        now_s = asyncio.get_running_loop().time()
        self.first_s = now_s if self.first_s is None else self.first_s
        self.asking[number] = what
        self._tell()

    def heard(self, number: int) -> None:
        self.last_s = asyncio.get_running_loop().time()
        self.asking.pop(number, None)
        self.answered += 1
        self._tell()

    def settle(self, sale: MappedBasket, refusal: Refusal | None) -> None:
        if refusal is None:
            self.sold += 1
            self.lines += len(sale.lines)
        else:
            self.refused.append(refusal)
        self._tell()

    def _tell(self) -> None:
        self._moved.set()


class ReplayTill:
    """One till; ``number`` counts from 0.  Everything asked waits until the hub answers.

    ``cards``: per cent of the baskets that are paid by a card which the hub knows of.
    """

    def __init__(
        self,
        number: int,
        hub: HubClient,
        seed: str,
        clock: Clock,
        progress: Progress,
        cards: int = 0,
    ) -> None:
        self.number = number
        self.hub = hub
        self._seed = seed
        self._clock = clock
        self._progress = progress
        self._cards = cards
        self._person: SignIn | None = None

    async def sign_in(self, staff_id: str, pin: str) -> None:
        """Sign a person in on this till."""
        self._person = SignIn.model_validate({"staff_id": staff_id, "pin": pin})
        await self.hub.request(self._person, SignedIn, until_answered=True)

    async def receive(self, stock: dict[str, int]) -> int:
        """The manager books the opening stock here; how many receipts it took."""
        await self.sign_in(MANAGER_ID, MANAGER_PIN)
        rows = [ReceivedLine(sku=sku, qty=qty) for sku, qty in stock.items()]
        receipts = range(0, len(rows), RECEIPT_LINES)
        now_ms = self._clock.wall_ms()
        for n, start in enumerate(receipts):
            command = ReceiveStock(
                receipt_id=replay_uuid7(self._seed, n, now_ms, "receive"),
                reference=f"opening stock {n + 1}",
                lines=tuple(rows[start : start + RECEIPT_LINES]),
            )
            await self.hub.submit(command, StockBooked)
        await self.hub.request(SignOut(), Nothing, until_answered=True)
        return len(receipts)

    async def shift(self, cashier: Cashier, sales: tuple[MappedBasket, ...]) -> None:
        """Sell all of ``sales``, in order."""
        await self.sign_in(cashier.staff_id, cashier.pin)
        for sale in sales:
            await self._progress.turn()
            refusal: Refusal | None = None
            try:
                await self._sell(sale)
            except Refused as error:
                refusal = Refusal(sale.basket_id, error.problem.code, error.problem.detail)
            self._progress.settle(sale, refusal)

    # -- a basket ------------------------------------------------------------------------------

    async def _sell(self, sale: MappedBasket) -> None:
        steps = _Steps(self._seed, sale, self._clock.wall_ms())
        if noise(self._seed, sale.basket_id, "key") % AT_HUB_EVERY == 0:
            basket = await self._fill(sale, steps)
            command = CommitSale(
                sale_id=steps.id("sale"),
                basket_id=basket.basket_id,
                version=basket.version,
                total_minor=sale.total_minor,
                tenders=await self._tenders(sale, steps, basket.basket_id),
            )
        else:
            command = CommitSale(
                sale_id=steps.id("sale"),
                lines=tuple(_sale_line(line, n) for n, line in enumerate(sale.lines)),
                total_minor=sale.total_minor,
                tenders=await self._tenders(sale, steps, None),
            )
        await self._ask(steps, command, SaleDone, durable=True)

    async def _tenders(
        self, sale: MappedBasket, steps: _Steps, basket_id: str | None
    ) -> tuple[Tender, ...]:
        if not pays_by_card(self._seed, sale, self._cards):
            return steps.tenders()

        async def ask(command: Command, expected: type[R]) -> R:
            return await self._ask(steps, command, expected, durable=True)

        tender = await CardTill(ask).pay(
            steps.id("payment", 99),
            steps.id("sale"),
            basket_id,
            sale.total_minor,
            says(self._seed, sale),
        )
        return (tender,)

    async def _fill(self, sale: MappedBasket, steps: _Steps) -> BasketView:
        """Build the basket at the hub: lines, then prices, then discounts."""
        basket_id = steps.id("key", 0)
        basket = await self._ask(steps, OpenBasket(basket_id=basket_id), BasketView)
        for n, line in enumerate(sale.lines):
            add = AddLine(
                basket_id=basket_id,
                version=basket.version,
                code=_code(line, n),
                qty=line.qty,
                unit_price_minor=line.unit_price_minor,
            )
            basket = await self._ask(steps, add, BasketView)
            line_no = basket.lines[-1].line_no
            if line.override_price_minor is not None:
                override = OverridePrice(
                    basket_id=basket_id,
                    version=basket.version,
                    line_no=line_no,
                    unit_price_minor=line.override_price_minor,
                    reason=line.reason or "",
                )
                basket = await self._ask(steps, override, BasketView)
            if line.discount_minor:
                discount = DiscountLine(
                    basket_id=basket_id,
                    version=basket.version,
                    line_no=line_no,
                    discount_minor=line.discount_minor,
                    reason=line.reason or "",
                )
                basket = await self._ask(steps, discount, BasketView)
        return basket

    async def _ask(
        self, steps: _Steps, command: Command, expected: type[R], *, durable: bool = False
    ) -> R:
        """One request until it is answered; a hub that forgot who is here is told again."""

        async def once() -> R:
            key = steps.key()
            self._progress.asks(self.number, f"{command.service}/{command.operation}")
            try:
                if durable:
                    return await self.hub.submit(command, expected, key=key)
                return await self.hub.request(command, expected, key=key, until_answered=True)
            finally:
                self._progress.heard(self.number)

        return await self._signed_in(once)

    async def _signed_in(self, once: Callable[[], Awaitable[R]]) -> R:
        assert self._person is not None
        for _ in range(_SIGN_IN_TRIES - 1):
            try:
                return await once()
            except Refused as error:
                if error.problem.code is not Code.UNAUTHENTICATED:
                    raise
            await self.hub.request(self._person, SignedIn, until_answered=True)
        return await once()


class _Steps:
    """The ids of one basket: made when it is first offered, the same for every repeat."""

    def __init__(self, seed: str, sale: MappedBasket, at_ms: int) -> None:
        self._seed = seed
        self._sale = sale
        self._at_ms = at_ms
        self._keys = 0

    def id(self, purpose: Purpose, n: int = 0) -> str:
        return replay_uuid7(self._seed, self._sale.basket_id, self._at_ms, purpose, n)

    def key(self) -> str:
        """The next idempotency key."""
        self._keys += 1
        return self.id("key", self._keys)

    def tenders(self) -> tuple[Tender, ...]:
        return tuple(
            self._card(tender.amount_minor, n)
            if tender.kind == "card"
            else Tender(kind="cash", amount_minor=tender.amount_minor)
            for n, tender in enumerate(self._sale.tenders)
        )

    def _card(self, amount_minor: int, n: int) -> Tender:
        payment_id = self.id("payment", n)
        digits = int.from_bytes(hashlib.sha256(payment_id.encode()).digest()[:8], "big")
        return Tender(
            kind="card",
            amount_minor=amount_minor,
            payment_id=payment_id,
            last4=f"{digits % 10_000:04d}",
            approval_code=f"A{digits // 10_000 % 100_000:05d}",
        )


def _code(line: MappedLine, n: int) -> str:
    """The barcode, now and then the typed SKU."""
    return line.sku if n % BY_SKU_EVERY == BY_SKU_EVERY - 1 else line.gtin


def _sale_line(line: MappedLine, n: int) -> SaleLine:
    return SaleLine(
        code=_code(line, n),
        qty=line.qty,
        unit_price_minor=line.unit_price_minor,
        override_price_minor=line.override_price_minor,
        discount_minor=line.discount_minor,
        reason=line.reason,
    )
