"""The page of online orders in a real browser: what is open and missing, one order with its steps,
on a phone and on a desktop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from hub.service.handlers import collect
from tests.e2e.orderingshop import GONE, SHORT, give_orders
from tests.e2e.pagekit import DESKTOP, PHONE, Seen, barriers, go, opened, sign_in, sticking_out
from tests.e2e.richshop import rich_shop
from tests.hubparts import HubParts

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("page-orders")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HubParts]:
    root: Path = tmp_path_factory.mktemp("orders")
    async with rich_shop(root, days=1, handlers=collect) as made:
        await give_orders(made)
        yield made


async def numbers(page: Any) -> list[str]:
    found: list[str] = await page.locator("#page-orders tbody td.main a").all_inner_texts()
    return found


async def test_open_orders_come_first_and_what_is_missing_is_found(
    page: Any, hub: HubParts, seen: Seen
) -> None:
    await sign_in(page, hub)
    await page.wait_for_selector(".problem[data-key=orders]:has-text('promised by now')")
    await page.wait_for_selector(".orders-tile:has-text('Look at them')")
    await go(page, "orders")
    await page.wait_for_selector("text=W-1047")
    in_order = (1042, 1045, 1043, 1044, 1047, 1046, 1041)
    assert await numbers(page) == [f"W-{n}" for n in in_order]
    await page.select_option("#orders-which", "short")
    await page.wait_for_selector("tr:has-text('W-1042')", state="detached")
    assert await numbers(page) == ["W-1043"]
    await page.select_option("#orders-which", "all")
    await page.fill("input[type=search]", "W-1046")
    await page.wait_for_selector("tr:has-text('W-1042')", state="detached")
    await page.wait_for_selector("tr:has-text('Sent')")
    assert "Ada" not in await page.inner_text("main")
    assert seen.errors == []


async def test_one_order_says_what_is_missing_and_what_to_do(
    page: Any, hub: HubParts, seen: Seen
) -> None:
    await sign_in(page, hub)
    await go(page, f"orders/{SHORT}")
    await page.wait_for_selector("h1:has-text('Order W-1043')")
    text = await page.inner_text("#page-orders")
    for words in (
        *(
            "Goods are missing for 2 lines.",
            "What to do: Count the products",
            "not in the catalogue",
        ),
        *("Taken in", "Goods missing", "A-105, X-900"),
    ):
        assert words in text
    await page.click("text=Coffee, whole beans, 500 g")
    await page.wait_for_selector("#page-stock a:has-text('W-1043')")
    await page.click("#page-stock a:has-text('W-1043')")
    await page.wait_for_selector("h1:has-text('Order W-1043')")
    await go(page, f"orders/{GONE}")
    await page.wait_for_selector("text=Handed over, as the cloud says")
    assert seen.errors == []


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
async def test_nothing_sticks_out_and_nobody_is_kept_out(
    browser: Any, hub: HubParts, seen: Seen, size: dict[str, int]
) -> None:
    async with opened(browser, hub, seen, viewport=size) as page:
        await sign_in(page, hub)
        for place in ("orders", f"orders/{SHORT}"):
            await go(page, place)
            await page.wait_for_selector("td a" if place == "orders" else ".steps")
            faults = [*await barriers(page), *await sticking_out(page)]
            assert faults == []
    assert seen.errors == []
