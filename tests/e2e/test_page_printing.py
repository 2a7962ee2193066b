"""The page of printing in a real browser, with real printing on a simulated printer: what nobody
knows is asked first and decided there; what waits, is cancelled, printed again; receipts shown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.pagekit import DESKTOP, Seen, barriers, go, opened, settled, sign_in, sticking_out
from tests.e2e.peripheralshop import PeripheralShop, peripheral_shop
from tests.hubparts import HubParts

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("page-printing")]

WAIT_S = 60


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PeripheralShop]:
    root: Path = tmp_path_factory.mktemp("printing")
    async with peripheral_shop(root) as made:
        yield made


@pytest.fixture
def hub(shop: PeripheralShop) -> HubParts:
    return shop.hub


async def until(there: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what the printing does by itself."""
    async with asyncio.timeout(WAIT_S):
        while not await there():
            await asyncio.sleep(0.02)


async def states(shop: PeripheralShop) -> list[str]:
    """Of all jobs, oldest first."""
    rows = await shop.hub.gate.read(
        lambda rows: rows.all("SELECT state FROM print_jobs ORDER BY id")
    )
    return [state for (state,) in rows]


async def reprinted(shop: PeripheralShop, offset: int) -> tuple[str, str]:
    """A copy of one of the last sales is queued: its receipt's number, and the job."""
    found = await shop.hub.gate.read(
        lambda rows: rows.one(
            "SELECT sale_id, receipt_no FROM sales WHERE state = 'completed' ORDER BY id DESC"
            " LIMIT 1 OFFSET ?",
            offset,
        )
    )
    assert found is not None
    async with shop.hub.technician() as (http, csrf):
        key = {"Idempotency-Key": f"page-test-{offset}"}
        body = {"sale_id": found[0]}
        async with http.post("/api/1/print/reprint", json=body, headers=csrf | key) as answer:
            assert answer.status == 200, await answer.text()
            return found[1], (await answer.json())["job_id"]


async def doubted(shop: PeripheralShop, offset: int) -> tuple[str, str]:
    """The printer loses its power while it prints one: nobody knows whether that is on paper."""
    printer = shop.printer()
    slow, printer._job_s = printer._job_s, 3600.0
    known = len(await states(shop))
    receipt_no, job_id = await reprinted(shop, offset)

    async def is_printing() -> bool:
        return (await states(shop))[known] == "printing"

    async def is_doubted() -> bool:
        return (await states(shop))[known] == "ambiguous"

    await until(is_printing)
    printer._job_s = slow
    printer.suffer("off")
    await until(is_doubted)
    return receipt_no, job_id


async def drawn(page: Any) -> None:
    """The picture of a document is there."""
    picture = page.locator(".paper-picture")
    await picture.wait_for()

    async def is_there() -> bool:
        return bool(await picture.evaluate("one => one.complete && one.naturalWidth > 300"))

    await until(is_there)


def on_paper(shop: PeripheralShop) -> list[str]:
    """Titles of what came out at the counter."""
    return [layout.title for layout in shop.printer().printed]


async def test_what_nobody_knows_is_asked_first_and_decided_by_a_press(
    page: Any, shop: PeripheralShop, seen: Seen
) -> None:
    numbers = []
    for offset in (0, 1, 2):
        numbers.append((await doubted(shop, offset))[0])
        shop.printer().suffer()
    await sign_in(page, shop.hub)
    await go(page, "printing")
    await page.wait_for_selector(".ask >> nth=2")
    first = await page.evaluate(
        "document.querySelector('#page-printing section:not([hidden])').className"
    )
    assert first == "ask-part"
    cards = [f".ask:has-text('{number}')" for number in numbers]
    for card in cards:
        text = await page.inner_text(card)
        assert "from Till at the" in text
        assert "on Receipts, counter" in text
        assert "The simulated printer lost its power while it printed." in text
        heights = await page.eval_on_selector_all(
            f"{card} .answer", "all => all.map((one) => one.getBoundingClientRect().height)"
        )
        assert len(heights) == 3
        assert min(heights) >= 56
    await page.click(f"{cards[0]} summary")
    await drawn(page)
    faults = [*await barriers(page), *await sticking_out(page)]
    assert faults == []

    await page.click(f"{cards[0]} [data-answer=printed]")
    await page.wait_for_selector(cards[0], state="detached")
    before = len(on_paper(shop))
    await page.focus(f"{cards[1]} [data-answer=again]")
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".toast:has-text('marked COPY')")
    await page.click(f"{cards[2]} [data-answer=forget]")
    await page.wait_for_selector(".ask-part", state="hidden")

    async def came_out() -> bool:
        return len(on_paper(shop)) == before + 1

    await until(came_out)
    await page.wait_for_selector(f"tr:has-text('{numbers[1]}, copy 2'):has-text('Printed')")
    await page.wait_for_selector(f"tr:has-text('{numbers[1]}, copy 1'):has-text('Printed again')")
    await page.wait_for_selector(f"tr:has-text('{numbers[2]}'):has-text('Forgotten')")
    found = await shop.hub.gate.read(
        lambda rows: rows.all("SELECT DISTINCT answer FROM print_jobs")
    )
    assert {answer for (answer,) in found} == {"", "printed", "again", "forget"}
    assert seen.errors == []


async def test_what_waits_says_which_printer_stops_and_can_be_taken_back_and_printed_again(
    page: Any, shop: PeripheralShop, seen: Seen
) -> None:
    shop.printer().suffer("paper-empty")
    shop.printer("printer-office").suffer("paper-empty")
    number, job_id = await reprinted(shop, 3)
    await sign_in(page, shop.hub)
    await go(page, "printing")
    row = f"tr:has-text('{number}')"
    await page.wait_for_selector(".stoppers:has-text('Receipts, counter: Printer out of paper')")
    await page.click(f"{row} >> text=Don't print")
    await page.click("dialog .danger")
    await page.wait_for_selector(f"{row}:has-text('Cancelled')")
    await page.select_option("#ended-which", "cancelled")
    await page.wait_for_selector(row)
    await page.click(f"{row} a")
    await page.wait_for_selector("#page-printing h1:has-text('Receipt')")
    await drawn(page)
    await page.click("summary:has-text('In letters')")
    assert number in await page.inner_text(".paper-text")
    shop.printer().suffer()
    shop.printer("printer-office").suffer()
    before = len(on_paper(shop))
    await page.click("text=Print a copy")
    await page.click("dialog .primary")

    async def came_out() -> bool:
        return len(on_paper(shop)) == before + 1

    await until(came_out)
    assert seen.errors == []
    assert job_id in page.url


async def test_a_receipt_is_shown_on_a_page_of_its_own_and_printed_again(
    page: Any, shop: PeripheralShop, seen: Seen
) -> None:
    shop.printer().suffer()
    await sign_in(page, shop.hub)
    await go(page, "sales")
    await page.click("#page-sales tbody tr:not(:has-text('Voided')) a >> nth=0")
    await page.wait_for_selector("#receipt-buttons")
    number = (await page.inner_text("#page-sales h1")).removeprefix("Receipt ")
    async with page.context.expect_page() as opening:
        await page.click("text=Show receipt")
    receipt = await opening.value
    await receipt.wait_for_selector(f"main:has-text('{number}')")
    assert "COPY" in await receipt.inner_text("main")
    assert (
        await receipt.evaluate("getComputedStyle(document.querySelector('main')).maxWidth")
        != "none"
    )
    await receipt.emulate_media(media="print")
    shadow = await receipt.evaluate("getComputedStyle(document.querySelector('main')).boxShadow")
    assert shadow == "none"
    await receipt.close()
    before = len(on_paper(shop))
    await page.click("#receipt-buttons button")
    await page.click("dialog .primary")

    async def came_out() -> bool:
        return len(on_paper(shop)) == before + 1

    await until(came_out)
    assert seen.errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_pages_of_printing_are_open_to_everybody_and_fit(
    browser: Any, shop: PeripheralShop, seen: Seen, scheme: str
) -> None:
    faults: list[str] = []
    _, job_id = await doubted(shop, 4 if scheme == "light" else 5)
    async with opened(browser, shop.hub, seen, color_scheme=scheme) as page:
        await sign_in(page, shop.hub)
        for where in ("printing", f"printing/{job_id}"):
            await go(page, where)
            await settled(page)
            faults += [f"{where}: {one}" for one in await barriers(page)]
            faults += [f"{where}: {one}" for one in await sticking_out(page)]
            await page.set_viewport_size(DESKTOP)
            faults += [f"{where}, desktop: {one}" for one in await sticking_out(page)]
            await page.set_viewport_size({"width": 360, "height": 740})
    shop.printer().suffer()
    assert faults == []
    assert seen.errors == []
    assert all(url.startswith(shop.hub.base) for url in seen.requests), seen.requests


async def test_a_shelf_label_is_printed_from_the_product_s_page(
    page: Any, shop: PeripheralShop, seen: Seen
) -> None:
    shop.printer("printer-office").suffer()
    (sku,) = await shop.hub.gate.read(
        lambda rows: rows.one(
            "SELECT p.sku FROM products p JOIN prices r ON r.sku = p.sku WHERE p.active = 1 LIMIT 1"
        )
    )
    before = len(shop.printer("printer-office").printed)
    await sign_in(page, shop.hub)
    await go(page, f"stock/{sku}")
    await page.click("text=Print shelf label")
    await page.fill("dialog [name=copies]", "2")
    await page.select_option("dialog [name=printer]", "printer-office")
    faults = [*await barriers(page), *await sticking_out(page)]
    await page.click("dialog [type=submit]")
    await page.wait_for_selector(".toast:has-text('On its way to the printer')")
    place = await page.locator(".toast").bounding_box()
    assert place["y"] + place["height"] < 740 / 2, "buttons below would be covered"

    async def came_out() -> bool:
        return len(shop.printer("printer-office").printed) == before + 2

    await until(came_out)
    assert sku in shop.printer("printer-office").printed[-1].title
    assert faults == []
    assert seen.errors == []
