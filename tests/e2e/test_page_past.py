"""What was, in a real browser: the charts of a week, outages and their reports."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.pagekit import DESKTOP, Seen, barriers, go, opened, settled, sign_in, sticking_out
from tests.e2e.richhistory import LAST_OUTAGE
from tests.e2e.richshop import rich_shop
from tests.hubparts import HubParts, hub_parts

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("page-past")]

CHARTS = ("sales", "link", "depth", "speed")


@pytest_asyncio.fixture(loop_scope="module")
async def hub(tmp_state: Path) -> AsyncIterator[HubParts]:
    async with rich_shop(tmp_state, days=2, aside=True) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def page(page: Any, hub: HubParts) -> Any:
    await sign_in(page, hub)
    return page


def chart(name: str, rest: str = "") -> str:
    return f".tchart-{name}:visible {rest}".strip()


async def test_the_charts_say_the_same_to_eyes_ears_and_as_a_table(page: Any, seen: Seen) -> None:
    for where in ("overview", "cloud"):
        await go(page, where)
        for name in CHARTS:
            await page.wait_for_selector(chart(name, ".tchart-svg"))
        says = await page.get_attribute(chart("link", ".tchart-area"), "aria-label")
        assert "of the time. Cut off once, for 35" in says
        await page.click(chart("link", "summary"))
        rows = await page.locator(chart("link", "tbody tr")).all_text_contents()
        assert any("Not reached: the internet" in row for row in rows)
        assert any("Hub off" in row for row in rows)
        await page.click(chart("depth", "summary"))
        assert await page.locator(chart("depth", "tbody tr")).count() <= 25
        assert await barriers(page) == []
        assert await sticking_out(page) == []
    assert seen.errors == []


async def test_a_day_becomes_a_week_and_stays_one_on_the_next_page(page: Any) -> None:
    await page.wait_for_selector(chart("link"))
    before = await page.get_attribute(chart("link", ".tchart-area"), "aria-label")
    await page.click("text=7 days")
    await page.wait_for_selector(chart("link", "[aria-label*='Cut off 3 times']"))
    assert before != await page.get_attribute(chart("link", ".tchart-area"), "aria-label")
    await go(page, "cloud")
    await page.wait_for_selector(chart("link", "[aria-label*='Cut off 3 times']"))
    assert await page.get_attribute("button:has-text('7 days')", "aria-pressed") == "true"


async def test_what_is_under_the_finger_is_said_and_moves_nothing(page: Any) -> None:
    area = page.locator(chart("link", ".tchart-area"))
    await area.wait_for()
    await area.scroll_into_view_if_needed()
    box = await area.bounding_box()
    await page.mouse.move(box["x"] + box["width"] - 4, box["y"] + 10)
    await page.wait_for_selector(chart("link", ".pointing :text('Not reached: the internet')"))
    assert await area.bounding_box() == box
    await page.mouse.move(0, 0)
    await page.wait_for_selector(chart("link", ":text('of the time')"))


async def test_a_new_hub_says_that_its_charts_are_still_to_come(
    browser: Any, tmp_state: Path
) -> None:
    async with hub_parts(tmp_state) as new, opened(browser, new) as page:
        await sign_in(page, new)
        await page.wait_for_selector("text=Nothing is recorded yet")
        assert await page.locator(".tchart:visible").count() == 0
        assert await page.locator("#last-outage:visible").count() == 0
        await go(page, "outages")
        await page.wait_for_selector(".empty:has-text('never cut off')")
        assert await sticking_out(page) == []
        assert await barriers(page) == []


async def test_the_last_outage_is_told_followed_to_its_report_and_put_away(
    page: Any, seen: Seen
) -> None:
    await page.wait_for_selector("#last-outage:has-text('sales are kept safely here')")
    assert "The cloud was cut off" in await page.text_content("#last-outage-title")
    await page.click("#last-outage >> text=See the report")
    await page.wait_for_selector("#page-outages h2:has-text('3 things need a person')")
    await page.go_back()
    await page.click("#last-outage >> text=Put away")
    await page.wait_for_selector("#last-outage", state="hidden")
    await page.reload()
    await page.wait_for_selector(chart("link"))
    await go(page, "outages")
    await settled(page)
    await go(page, "overview")
    await page.wait_for_selector(chart("link"))
    assert await page.is_hidden("#last-outage")
    assert seen.errors == []


async def test_a_report_names_what_needs_a_person_and_leads_there(page: Any, seen: Seen) -> None:
    await go(page, "outages")
    await page.click("tbody a >> nth=0")
    await page.wait_for_selector("text=The way to the cloud ended at: Internet")
    needs = await page.locator(".problem").evaluate_all("all => all.map(o => o.dataset.key)")
    assert needs == ["parked", "counts", "drift"]
    await page.wait_for_selector("text=A sale was voided.")
    await page.click(".problem[data-key=parked] .problem-link")
    await page.wait_for_selector("#page-cloud .parked")
    await page.go_back()
    await page.click(".problem[data-key=drift] .problem-link")
    await page.wait_for_selector("#page-stock h1")
    await go(page, "outages/01900000-0000-7000-8000-999999999999")
    await page.wait_for_selector(".trouble:has-text('no such outage')")
    assert seen.errors == []


async def test_a_report_on_paper_is_the_report_alone(page: Any, hub: HubParts) -> None:
    await go(page, f"outages/{LAST_OUTAGE}")
    await settled(page)
    await page.emulate_media(media="print")
    for gone in ("#nav", "#sign-out", "text=Print", ".back"):
        assert await page.is_hidden(gone), gone
    assert await page.is_visible("text=Corner Shop, store 367. Printed")
    assert await page.is_visible("text=Sold meanwhile")
    await page.emulate_media(media="screen")
    await page.evaluate("window.print = () => { window.wasPrinted = true; }")
    await page.click("text=Print >> visible=true")
    assert await page.evaluate("window.wasPrinted")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_outages_are_open_to_everybody_and_fit_on_a_phone(
    browser: Any, hub: HubParts, seen: Seen, scheme: str
) -> None:
    faults: list[str] = []
    async with opened(browser, hub, seen, color_scheme=scheme) as page:
        await sign_in(page, hub)
        for where in ("outages", f"outages/{LAST_OUTAGE}"):
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
