"""The page's door in a real browser: two ways in, on a phone first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from hub.storage import staffrows
from hub.storage.rows import Tx
from tests.e2e.pagekit import DESKTOP, PHONE, Seen, barriers, opened, settled, sticking_out
from tests.hubparts import HubParts, hub_parts
from tests.wire.web.staffed import OTHER_PIN, PIN, change, hire, person

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("page-signin")]


@pytest_asyncio.fixture(loop_scope="module")
async def hub(tmp_state: Path) -> AsyncIterator[HubParts]:
    async with hub_parts(tmp_state) as running:
        await hire(running)
        yield running


async def by_pin(page: Any, staff_no: str, pin: str) -> None:
    await page.check("#way-pin", force=True)
    await page.fill("#staff-no", staff_no)
    await page.fill("#pin", pin)
    await page.click("#sign-in-form button")


async def said(page: Any, beginning: str) -> str:
    """What the form complains about, once it begins so."""
    await page.wait_for_function(
        "want => document.getElementById('sign-in-error').textContent.startsWith(want)",
        arg=beginning,
    )
    text: str = await page.text_content("#sign-in-error")
    return text


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_both_ways_fit_and_have_no_barriers(
    browser: Any, hub: HubParts, size: dict[str, int], scheme: str
) -> None:
    seen = Seen()
    async with opened(browser, hub, seen, viewport=size, color_scheme=scheme) as page:
        await page.wait_for_selector("#code")
        await settled(page)
        assert await page.evaluate(
            "[...document.querySelectorAll('.door-way')].every((one) => one.offsetWidth > 100)"
        )
        assert (await sticking_out(page), await barriers(page)) == ([], [])
        await by_pin(page, "1003", OTHER_PIN)
        await said(page, "Staff number or PIN is wrong")
        assert (await sticking_out(page), await barriers(page)) == ([], [])
        assert seen.errors == []
        assert all(url.startswith(hub.base) for url in seen.requests)


async def test_a_manager_gets_in_with_the_keypad_and_is_offered_it_again(
    browser: Any, hub: HubParts
) -> None:
    async with opened(browser, hub) as page:
        await page.check("#way-pin", force=True)
        pin = page.locator("#pin")
        assert await pin.get_attribute("type") == "password"
        assert await pin.get_attribute("inputmode") == "numeric"
        await by_pin(page, "1003", PIN)
        await page.wait_for_selector("#verdict-title")
        await page.click("#sign-out")
        await page.wait_for_selector("#staff-no")
        assert await page.is_checked("#way-pin")
        assert (await page.input_value("#staff-no"), await page.input_value("#pin")) == ("", "")
        kept = await page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})")
        assert PIN not in kept
        assert "1003" not in kept


async def test_the_keyboard_alone_is_enough(browser: Any, hub: HubParts) -> None:
    async with opened(browser, hub, viewport=DESKTOP) as page:
        await page.wait_for_selector("#code:focus")
        await page.keyboard.press("Shift+Tab")
        await page.keyboard.press("ArrowRight")
        await page.keyboard.press("Tab")
        await page.keyboard.type("1002")
        await page.keyboard.press("Tab")
        await page.keyboard.type(PIN)
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#verdict-title")


async def test_what_went_wrong_comes_with_what_to_do(browser: Any, hub: HubParts) -> None:
    async with opened(browser, hub) as page:
        await page.fill("#code", "ZZZZ-ZZZZ")
        await page.click("#sign-in-form button")
        assert "store-hub pair --technician" in await said(page, "This is not the")
        await by_pin(page, "1001", PIN)
        assert "ask central IT" in await said(page, "Your role")
        await page.check("#way-code", force=True)
        assert await page.text_content("#sign-in-error") == ""
        for _ in range(3):
            await by_pin(page, "1003", OTHER_PIN)
            await said(page, "Staff number or PIN is wrong")
            await page.wait_for_selector("#pin:focus")
            assert await page.input_value("#pin") == ""
        await by_pin(page, "1003", PIN)
        assert "wait" in await said(page, "Too many tries")


async def test_a_blocked_person_is_shown_the_door_at_once(browser: Any, hub: HubParts) -> None:
    async with opened(browser, hub) as page:
        await by_pin(page, "1003", PIN)
        await page.wait_for_selector("#verdict-title")
        await change(hub, person("1003", active=False))
        hub.web.wake()
        await page.wait_for_selector("#sign-in-form")
        assert await page.text_content("#sign-in-error")


async def test_a_sign_out_that_did_not_arrive_does_not_look_like_one(
    browser: Any, hub: HubParts
) -> None:
    async with opened(browser, hub) as page:
        await by_pin(page, "1003", PIN)
        await page.wait_for_selector("#verdict-title")
        await page.context.set_offline(True)
        await page.click("#sign-out")
        await page.wait_for_selector(".toast:has-text('reached')")
        assert await page.query_selector("#sign-in") is None
        await page.context.set_offline(False)
        await page.click("#sign-out")
        await page.wait_for_selector("#sign-in")
        assert await page.text_content("#store-sub") == ""


async def test_a_new_role_is_seen_while_somebody_is_there(browser: Any, hub: HubParts) -> None:
    async with opened(browser, hub) as page:
        await by_pin(page, "1002", PIN)
        await page.wait_for_selector("#store-sub:has-text('Viewer, looks only')")
        await change(hub, person("1002", role="manager"))
        await page.click("#store-name")
        await page.wait_for_selector("#store-sub:has-text('Manager')")


async def test_an_address_that_is_no_text_shows_a_page_all_the_same(
    browser: Any, hub: HubParts
) -> None:
    seen = Seen()
    async with opened(browser, hub, seen) as page:
        await page.evaluate("location.hash = '#/outages/%zz'")
        await by_pin(page, "1003", PIN)
        await page.wait_for_selector("#page-outages .trouble:has-text('outage')")
        assert seen.errors == []


async def test_a_manager_lets_a_person_try_again_who_was_locked_out(
    browser: Any, hub: HubParts
) -> None:
    def lock(tx: Tx) -> None:
        staffrows.set_lockout(tx, "1002", "page", 5, tx.budget_ms + 3_600_000)

    await hub.write(lock)
    async with opened(browser, hub) as page:
        await by_pin(page, "1002", PIN)
        assert "have a manager clear it" in await said(page, "Too many wrong PINs")
        await by_pin(page, "1003", PIN)
        await page.wait_for_selector("#verdict-title")
        await page.evaluate("location.hash = '#/support'")
        await page.click("#clear-lockout")
        await page.fill("dialog input[name=number]", "1002")
        await page.click("dialog button[type=submit]")
        await page.wait_for_selector(".toast:has-text('1002 is not locked out any more')")
        await settled(page)
        assert (await sticking_out(page), await barriers(page)) == ([], [])
        await page.click("#sign-out")
        await by_pin(page, "1002", PIN)
        await page.wait_for_selector("#page-support .card")
        assert await page.query_selector("#clear-lockout") is None
