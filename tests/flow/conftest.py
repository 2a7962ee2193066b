"""A shop that sells tea, apples and more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.support.copies import Copies
from tests.support.shop import Shop

if TYPE_CHECKING:
    from devices.kit import IdentityStore
    from tests.support.hubbox import Box


@pytest.fixture
def make_shop(tmp_path: Path) -> Iterator[Callable[..., Shop]]:
    """Shops of the test's own making."""
    made: list[Shop] = []

    def make(**how: Any) -> Shop:
        directory = tmp_path / str(len(made))
        directory.mkdir()
        shop = Shop(directory, **how)
        made.append(shop)
        stocked(shop)
        return shop

    yield make
    for shop in made:
        shop.check_laws()
        shop.close()


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    """A shop with tea (20), milk (10), apples by weight, and anna at till-1, ben at till-2."""
    return make_shop()


def stocked(shop: Shop) -> None:
    """Goods on the shelf and people at the tills."""
    shop.product("tea", 499, stock=20, gtin="4006381333931")
    shop.product("milk", 129, stock=10, tax_code="reduced")
    shop.product("apples", 299, stock=20_000, tax_code="reduced", uom="kg", scale=3)
    shop.product("gift", 0, stock=100, tax_code="zero")
    shop.product("rare", 1000, stock=1)
    shop.sign_in("till-1", "anna")
    shop.sign_in("till-2", "ben")


@pytest.fixture
def copies(tmp_path: Path) -> Iterator[Copies]:
    found = Copies(tmp_path)
    yield found
    for shop in found.made:
        shop.check_laws()
        shop.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tills(box: Box) -> list[IdentityStore]:
    """Two tills, paired with the module's ``box``, and goods on the shelf."""
    stores = [await box.pair(name=name) for name in ("Front", "Back")]
    async with box.client(stores[0]) as hub:
        await box.stock_up(hub)
    return stores


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def till(box: Box) -> IdentityStore:
    """One till, paired with the module's ``box``, and goods on the shelf."""
    store = await box.pair(name="Front")
    async with box.client(store) as hub:
        await box.stock_up(hub)
    return store
