"""Every page of a shop with a history, in a real browser: nobody is shut out, nothing is cut off,
nothing comes from elsewhere; and the ways a technician takes through them."""

from __future__ import annotations

import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.pagekit import DESKTOP, Seen, barriers, go, opened, settled, sign_in, sticking_out
from tests.e2e.richshop import rich_shop
from tests.hubparts import HubParts

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("page-pages")]

PAGES = (
    *("overview", "devices", "devices/till-1", "stock", "stock/A-100", "sales", "cloud", "logs"),
    *("orders", "settings", "support"),
)


@pytest_asyncio.fixture(loop_scope="module")
async def hub(tmp_state: Path) -> AsyncIterator[HubParts]:
    async with rich_shop(tmp_state, days=3, aside=True) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def page(page: Any, hub: HubParts) -> Any:
    await sign_in(page, hub)
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_page_is_open_to_everybody_and_fits_on_a_phone(
    browser: Any, hub: HubParts, seen: Seen, scheme: str
) -> None:
    faults: list[str] = []
    async with opened(browser, hub, seen, color_scheme=scheme) as page:
        await sign_in(page, hub)
        for where in PAGES:
            await go(page, where)
            await settled(page)
            faults += [f"{where}: {one}" for one in await barriers(page)]
            faults += [f"{where}: {one}" for one in await sticking_out(page)]
            await page.set_viewport_size(DESKTOP)
            faults += [f"{where}, desktop: {one}" for one in await sticking_out(page)]
            await page.set_viewport_size({"width": 360, "height": 740})
    assert faults == []
    assert seen.errors == []
    assert all(url.startswith(hub.base) for url in seen.requests), seen.requests


async def test_a_product_is_found_and_followed_to_the_sale_that_moved_it(
    page: Any, seen: Seen
) -> None:
    await go(page, "stock")
    await page.fill("input[type=search]", "coffee")
    await page.wait_for_selector("#page-stock tbody tr:only-child:has-text('Coffee')")
    await page.fill("input[type=search]", "no such thing")
    await page.wait_for_selector(".empty:has-text('Nothing fits')")
    await page.fill("input[type=search]", "black")
    await page.click("#page-stock tbody a:has-text('Black tea')")
    await page.wait_for_selector("h1:has-text('Black tea')")
    await page.wait_for_selector("text=Hub and cloud differ")
    await page.click("tbody tr:has-text('Return') a")
    await page.wait_for_selector("h1:has-text('Receipt')")
    await page.wait_for_selector("text=back on the shelf")
    await page.click(".back a")
    await page.wait_for_selector("#page-sales h1:has-text('Sales')")
    assert seen.errors == []


async def test_a_receipt_is_found_and_the_days_are_drawn(page: Any, seen: Seen) -> None:
    await go(page, "sales")
    await page.wait_for_selector(".chart-bar >> nth=2", state="attached")
    label = await page.get_attribute(".chart-area", "aria-label")
    assert " days; the best was " in label
    await page.fill("input[type=search]", "001-000001")
    await page.wait_for_selector("#page-sales tbody tr:only-child:has-text('001-000001')")
    await page.click("text=Basket of till-2")
    await page.wait_for_selector("h1:has-text('Basket of till-2')")
    await page.wait_for_selector("text=Coffee")
    await page.go_back()
    await page.fill("input[type=search]", "hello?")
    await page.wait_for_selector(".empty:has-text('Nothing fits')")
    assert seen.errors == []


async def test_what_the_cloud_refused_is_sent_again(page: Any, hub: HubParts, seen: Seen) -> None:
    await go(page, "cloud")
    await page.click(".parked a")
    await page.wait_for_selector("pre:has-text('sale_id')")
    await page.click(".back a")
    await page.click(".parked >> text=Send again")
    await page.wait_for_selector(".toast:has-text('sent again')")
    await page.wait_for_selector(".parked", state="detached")
    await page.click("summary:has-text('Messages to the cloud')")
    await page.wait_for_selector("details[open] tbody tr")
    assert (await hub.status.fresh()).outbox.parked == 0
    assert seen.errors == []


async def test_only_what_is_not_about_money_or_goods_can_be_given_up(
    page: Any, hub: HubParts, seen: Seen
) -> None:
    found = await hub.gate.read(
        lambda rows: rows.one("SELECT min(id) FROM outbox WHERE stream = 'telemetry'")
    )
    assert found is not None
    async with hub.technician() as (http, headers):
        body = {"outbox_id": found[0], "reason": "try it"}
        async with http.post(
            "/api/1/outbox/park", json=body, headers=headers | {"Idempotency-Key": "page-test-1"}
        ) as answer:
            assert answer.status == 200, await answer.text()
    taken = "UPDATE streams SET acked_seq = head_seq WHERE stream = 'telemetry'"
    await hub.write(lambda tx: tx.run(taken))  # the cloud has the note in its place
    await go(page, "cloud")
    sale, state = ".parked:has-text('Sale voided')", ".parked:has-text('State of a device')"
    await page.wait_for_selector(sale)
    assert await page.locator(f"{sale} >> text=Give up").count() == 0
    await page.click(f"{state} >> text=Give up")
    await page.fill("dialog input[name=reason]", "old news")
    await page.click("dialog button[type=submit]")
    await page.wait_for_selector(".toast:has-text('given up')")
    await page.wait_for_selector(state, state="detached")
    assert seen.errors == []


async def test_a_lost_device_is_cut_off_at_once_when_it_gets_a_new_key(page: Any) -> None:
    await go(page, "devices/till-2")
    await page.click("text=New key")
    await page.select_option("dialog select[name=cut]", "yes")
    await page.click("dialog button[type=submit]")
    await page.wait_for_selector("#pair-qr svg")
    await page.click("dialog >> text=Done")
    await page.reload()
    await page.wait_for_selector(".trouble:has-text('no valid key any more')")


async def test_the_log_is_filtered_and_made_to_say_more(page: Any, seen: Seen) -> None:
    await go(page, "logs")
    await page.wait_for_selector(".log-line >> nth=3")
    await page.select_option("select", "error")
    await page.wait_for_selector(".log-line:only-child:has-text('TLS handshake')")
    await page.fill("input[type=search]", "nothing like it")
    await page.wait_for_selector(".empty")
    await page.click("text=Log more")
    await page.fill("dialog input[name=logger]", "hub.web")
    await page.click("dialog button[type=submit]")
    await page.wait_for_selector("text=hub.web is logged from debug until")
    assert seen.errors == []


async def test_settings_are_found_and_explained(page: Any) -> None:
    await go(page, "settings")
    await page.check("text=Only those that were set")
    await page.wait_for_selector(".setting:visible:has-text('currency')")
    await page.fill("input[type=search]", "time zone")
    await page.wait_for_selector(".setting:has-text('ISO 4217')", state="hidden")
    assert await page.is_visible(".setting:has-text('Europe/Berlin')")


async def test_the_support_bundle_is_shown_and_saved_as_shown(page: Any, tmp_path: Path) -> None:
    await go(page, "support")
    await page.click("summary:has-text('The devices')")
    await page.wait_for_selector("details[open] pre:has-text('till-1')")
    async with page.expect_download() as saving:
        await page.click("text=Save the file")
    download = await saving.value
    file = tmp_path / download.suggested_filename
    await download.save_as(file)
    with zipfile.ZipFile(file) as bundle:
        assert "devices.json" in " ".join(bundle.namelist())


async def test_a_device_is_watched_while_it_talks(page: Any, seen: Seen) -> None:
    await go(page, "devices")
    await page.click(".device-name a:has-text('Till at the door')")
    await page.wait_for_selector("text=basket/add-line")
    await page.wait_for_selector(".pill:has-text('conflict')")
    await page.wait_for_selector(".chart-line", state="attached")
    await page.click("text=Rename")
    await page.fill("dialog input[name=name]", "Till by the window")
    await page.click("dialog button[type=submit]")
    await page.wait_for_selector("h1:has-text('Till by the window')")
    assert seen.errors == []
