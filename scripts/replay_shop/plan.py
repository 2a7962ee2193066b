"""What one replay will sell: baskets, catalogue, opening stock.  Everything follows from the data
set, the store, the days and the seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scripts.replay_shop.baskets import first_days, read_baskets, read_products
from scripts.replay_shop.mapping import (
    MappedBasket,
    Product,
    build_catalogue,
    map_basket,
    opening_stock,
)


class NothingToSell(ValueError):
    """The data set has no baskets for this store."""


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """``days`` None: the whole year.  ``sales`` in the order of the original tickets; ``stock`` is
    SKU → base units."""

    store_id: int
    days: int | None
    seed: str
    tills: int
    catalogue: Mapping[int, Product]
    sales: tuple[MappedBasket, ...]
    stock: Mapping[str, int]

    @property
    def store(self) -> str:
        """The store's id at the hub and the cloud."""
        return str(self.store_id)

    @property
    def lines(self) -> int:
        return sum(len(sale.lines) for sale in self.sales)

    def share(self, till: int) -> tuple[MappedBasket, ...]:
        """The baskets of one till (counted from 0), in order of time."""
        return self.sales[till :: self.tills]


def load_plan(store_id: int, days: int | None, seed: str, tills: int) -> ReplayPlan:
    """Read and map; takes a second or two.  Raises NothingToSell, DatasetMissingError."""
    history = read_baskets(store_id)
    if not history:
        raise NothingToSell(f"the data set has no store {store_id}: try 367")
    facts = read_products(line.product_id for basket in history for line in basket.lines)
    catalogue = build_catalogue(history, facts)
    sales = tuple(map_basket(basket, catalogue) for basket in first_days(history, days))
    return ReplayPlan(store_id, days, seed, tills, catalogue, sales, opening_stock(sales))
