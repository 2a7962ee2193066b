"""How a real ticket becomes one of our sales.  The rules: docs/replay-mapping.md.

Pure: no I/O, no clock, no randomness.  All money is integer cents, all quantities integer base
units (``scale`` decimal places of ``uom``).
"""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from scripts.replay_shop.baskets import ProductFacts, RealBasket, RealLine

DEMO_PREFIX = "952"
"""The GS1 prefix kept for demonstrations: it never names goods on sale anywhere."""

FUEL_SCALE = 3
"""The data set counts petrol in thousandths of a gallon."""

BULK_ABOVE = 100
"""A fuel product with a line of more units than this is sold by measure, any other by piece."""

REASON = "price on the original ticket"
"""Why a line deviates from the catalogue: goes with every discount and override."""

_NOTES_MINOR = (500, 1000, 2000, 5000, 10000)

TenderKind = Literal["cash", "card"]
Purpose = Literal["sale", "payment", "receive", "key"]


@dataclass(frozen=True, slots=True)
class Product:
    """A row of the replay's catalogue; ``price_minor`` is for one whole ``uom``."""

    sku: str
    gtin: str
    name: str
    category: str
    uom: str
    scale: int
    price_minor: int


@dataclass(frozen=True, slots=True)
class MappedLine:
    """One line to sell: ``net = extend(override or unit price, qty) - discount``, exactly.

    ``unit_price_minor`` is always the catalogue's price; ``override_price_minor`` replaces it only
    where the customer paid more than the catalogue says.  ``discount_minor`` is never negative.
    """

    sku: str
    gtin: str
    qty: int
    scale: int
    unit_price_minor: int
    override_price_minor: int | None
    discount_minor: int
    net_minor: int

    @property
    def reason(self) -> str | None:
        """The reason to give, None where the line is sold at the catalogue's price."""
        deviates = self.discount_minor > 0 or self.override_price_minor is not None
        return REASON if deviates else None


@dataclass(frozen=True, slots=True)
class Tender:
    """A payment as handed over; only cash may exceed the total, the rest of it is change."""

    kind: TenderKind
    amount_minor: int


@dataclass(frozen=True, slots=True)
class MappedBasket:
    """One sale; the tenders sum to ``total_minor + change_minor`` and none of them is zero."""

    basket_id: int
    lines: tuple[MappedLine, ...]
    total_minor: int
    tenders: tuple[Tender, ...]

    @property
    def change_minor(self) -> int:
        """Cash to give back."""
        return sum(tender.amount_minor for tender in self.tenders) - self.total_minor


def extend_minor(price_minor: int, qty: int, scale: int) -> int:
    """Price of ``qty`` base units, rounded half up to a cent where the scale leaves a fraction."""
    unit = int(10**scale)
    return (2 * price_minor * qty + unit) // (2 * unit)


def gross_minor(line: RealLine) -> int:
    """The shelf value of a real line: what the shop received plus what the shop gave away."""
    return line.sales_minor + line.retail_discount_minor + line.coupon_match_minor


def mapped_qty(line: RealLine) -> int:
    """Base units sold; a line of quantity 0 counts as one unit."""
    return line.quantity if line.quantity > 0 else 1


def gtin13(product_id: int) -> str:
    """A valid GTIN-13 in the demonstration range, one for each product id below 10^9."""
    if not 0 <= product_id < 10**9:
        raise ValueError(f"product id {product_id} does not fit the nine digits of a GTIN")
    body = f"{DEMO_PREFIX}{product_id:09d}"
    odd = sum(int(digit) for digit in body[0::2])
    even = sum(int(digit) for digit in body[1::2])
    return body + str(-(odd + 3 * even) % 10)


def modal_price_minor(lines: Iterable[RealLine], scale: int) -> int:
    """The commonest gross price of one ``uom``, in cents, at least 1.

    One line, one vote.  Lines with a quantity and an exact price in cents vote first; failing
    those, the rounded (half up) prices of lines with a quantity; failing those, the gross value
    of lines without one.  By measure (scale > 0) exact and rounded prices vote together.  A tie
    goes to the higher price.
    """
    exact: Counter[int] = Counter()
    rounded: Counter[int] = Counter()
    without: Counter[int] = Counter()
    unit = int(10**scale)
    for line in lines:
        gross = gross_minor(line)
        if gross <= 0:
            continue
        if line.quantity <= 0:
            without[gross] += 1
            continue
        price, rest = divmod(gross * unit, line.quantity)
        if rest == 0:
            exact[price] += 1
        else:
            rounded[(2 * gross * unit + line.quantity) // (2 * line.quantity)] += 1
    votes = rounded + exact if scale else exact or rounded or without
    if not votes:
        return 1
    return max(1, max(votes, key=lambda price: (votes[price], price)))


def build_catalogue(
    history: Sequence[RealBasket], facts: Mapping[int, ProductFacts]
) -> dict[int, Product]:
    """The catalogue of a store, from all that it ever sold, by product id in ascending order."""
    sold: dict[int, list[RealLine]] = {}
    for basket in history:
        for line in basket.lines:
            sold.setdefault(line.product_id, []).append(line)
    catalogue: dict[int, Product] = {}
    for product_id in sorted(sold):
        known = facts.get(product_id)
        scale = FUEL_SCALE if is_measured(known, sold[product_id]) else 0
        catalogue[product_id] = Product(
            sku=str(product_id),
            gtin=gtin13(product_id),
            name=product_name(product_id, known),
            category=_category(known),
            uom="gal" if scale else "each",
            scale=scale,
            price_minor=modal_price_minor(sold[product_id], scale),
        )
    return catalogue


def is_measured(facts: ProductFacts | None, lines: Iterable[RealLine]) -> bool:
    """Petrol is the only thing in the data set that is sold by measure.

    Some petrol is rung up by amount, as one piece at whatever it came to: that stays a piece.
    """
    if facts is None or not facts.kind.startswith("GASOLINE"):
        return False
    return any(line.quantity > BULK_ABOVE for line in lines)


def product_name(product_id: int, facts: ProductFacts | None) -> str:
    """A name fit for a receipt, at most 60 characters."""
    if facts is None:
        return f"Counter Item {product_id}"
    words = facts.kind or facts.category or facts.department or "Counter Item"
    parts = [_nice(words)]
    if facts.package_size:
        parts.append(facts.package_size.strip().lower())
    if facts.brand == "Private":
        parts.insert(0, "Own Brand")
    return " ".join(" ".join(parts).split())[:60].rstrip()


def _nice(shouted: str) -> str:
    """``BREAD:ITALIAN/FRENCH`` -> ``Bread Italian / French``."""
    spaced = shouted.replace(":", " ").replace("/", " / ").replace(" - ", " ")
    if spaced.count("(") != spaced.count(")"):
        spaced = spaced.replace("(", " ").replace(")", " ")
    return " ".join(word.capitalize() for word in spaced.split())


def _category(facts: ProductFacts | None) -> str:
    if facts is None or not facts.department:
        return "other"
    letters = "".join(char if char.isalnum() else "-" for char in facts.department.lower())
    return "-".join(part for part in letters.split("-") if part) or "other"


def map_line(line: RealLine, product: Product) -> MappedLine:
    """One real line -> one line to sell.  Net is the data set's ``sales_value`` to the cent."""
    qty, net = mapped_qty(line), line.sales_minor
    override: int | None = None
    gross = extend_minor(product.price_minor, qty, product.scale)
    if net > gross:
        override = _price_reaching(net, qty, product.scale)
        gross = extend_minor(override, qty, product.scale)
    return MappedLine(
        sku=product.sku,
        gtin=product.gtin,
        qty=qty,
        scale=product.scale,
        unit_price_minor=product.price_minor,
        override_price_minor=override,
        discount_minor=gross - net,
        net_minor=net,
    )


def _price_reaching(net: int, qty: int, scale: int) -> int:
    """The lowest price whose extension is at least ``net``."""
    price = net * int(10**scale) // qty
    while extend_minor(price, qty, scale) < net:
        price += 1
    while price > 1 and extend_minor(price - 1, qty, scale) >= net:
        price -= 1
    return price


def map_basket(basket: RealBasket, catalogue: Mapping[int, Product]) -> MappedBasket:
    """One real ticket -> one sale with its payments."""
    lines = tuple(map_line(line, catalogue[line.product_id]) for line in basket.lines)
    total = sum(line.net_minor for line in lines)
    return MappedBasket(
        basket_id=basket.basket_id,
        lines=lines,
        total_minor=total,
        tenders=plan_tenders(basket.basket_id, total),
    )


def plan_tenders(basket_id: int, total_minor: int) -> tuple[Tender, ...]:
    """50% card, 30% cash with change, 15% exact cash, 5% both; nothing at all for a total of 0.

    The choice hangs on a hash of the basket id only, so that every run pays the same way.
    """
    if total_minor <= 0:
        return ()
    choice = int.from_bytes(_digest("tender", basket_id)[:4], "big") % 100
    if choice < 50:
        return (Tender("card", total_minor),)
    if choice < 80:
        return (Tender("cash", _handed_over(total_minor)),)
    if choice < 95 or total_minor < 2:
        return (Tender("cash", total_minor),)
    cash = total_minor // 3 or 1
    return (Tender("cash", cash), Tender("card", total_minor - cash))


def _handed_over(total_minor: int) -> int:
    for note in _NOTES_MINOR:
        if note >= total_minor:
            return note
    return -(-total_minor // 2000) * 2000


def opening_stock(sales: Iterable[MappedBasket]) -> dict[str, int]:
    """Base units to receive per SKU before the first sale: all that will be sold, plus a margin.

    The margin is a tenth, at least 10 whole ``uom``: sales in flight hold goods for a while.
    """
    sold: Counter[str] = Counter()
    scales: dict[str, int] = {}
    for sale in sales:
        for line in sale.lines:
            sold[line.sku] += line.qty
            scales[line.sku] = line.scale
    return {
        sku: sold[sku] + max(10 * int(10 ** scales[sku]), sold[sku] // 10)
        for sku in sorted(sold, key=int)
    }


def noise(seed: str, basket_id: int, purpose: Purpose, n: int = 0) -> int:
    """The 74 bits behind the time in the UUIDv7 of a basket; equal seeds give equal bits."""
    return int.from_bytes(_digest(f"{seed}/{purpose}/{n}", basket_id), "big") >> (256 - 74)


def replay_uuid7(seed: str, basket_id: int, wall_ms: int, purpose: Purpose, n: int = 0) -> str:
    """A UUIDv7 that names one thing of one basket in one run.

    Shape (RFC 9562, 5.7): 48 bits of ``wall_ms``, the version, 12 bits, the variant, 62 bits.
    The caller says the time once and keeps the id for every repeat.
    """
    bits = noise(seed, basket_id, purpose, n)
    high, low = bits >> 62, bits & ((1 << 62) - 1)
    stamp = wall_ms & ((1 << 48) - 1)
    return str(uuid.UUID(int=stamp << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low))


def _digest(label: str, basket_id: int) -> bytes:
    return hashlib.sha256(f"{label}/{basket_id}".encode()).digest()
