"""The technician's page in a real browser, phone first: the door, the frame, the devices."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from hub.contract.local import PairRequest
from hub.service.caller import HUB
from hub.service.internal import MarkPresence
from tests.e2e.pagekit import Seen, go, sign_in, sticking_out
from tests.hubparts import HubParts, hub_parts

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("status-page")]


@pytest_asyncio.fixture(loop_scope="module")
async def hub(tmp_state: Path) -> AsyncIterator[HubParts]:
    async with hub_parts(tmp_state) as running:
        yield running


async def paired(hub: HubParts, **fields: Any) -> str:
    """A device with a password; its id."""
    code = (await hub.open_pairing(**fields)).code
    reply = await hub.web.desk.pair(PairRequest(code=code, auth="password", csr=None), "")
    return reply.device_id


async def test_a_technician_signs_in_and_sees_that_all_is_well(
    page: Any, hub: HubParts, seen: Seen
) -> None:
    await page.wait_for_selector("#code")
    assert await sticking_out(page) == []
    await sign_in(page, hub)
    await page.wait_for_selector("#verdict[data-level=ok]")
    await page.wait_for_selector("#verdict-title:has-text('All is well')")
    await page.wait_for_selector("#sales-total:text-is('€0.00')")
    assert await sticking_out(page) == []
    assert all(url.startswith(hub.base) for url in seen.requests), seen.requests
    assert seen.errors == []


async def test_a_wrong_code_is_refused_and_tries_are_limited(page: Any, hub: HubParts) -> None:
    hub.web.technician.open()
    await page.fill("#code", "ZZZZ-ZZZZ")
    await page.click("#sign-in-form button")
    await page.wait_for_selector("#sign-in-error:has-text('not the technician')")
    for _ in range(5):
        await page.click("#sign-in-form button:enabled")
        await page.wait_for_selector("#sign-in-form button:enabled")
    await page.wait_for_selector("#sign-in-error:has-text('Too many tries')")
    assert await page.is_hidden("#nav")


async def test_a_device_is_paired_renamed_and_revoked_from_the_page(
    page: Any, hub: HubParts, seen: Seen
) -> None:
    await sign_in(page, hub)
    await go(page, "devices")
    await page.click("#pair")
    await page.select_option("dialog select[name=kind]", "kiosk")
    await page.fill("dialog input[name=name]", "<b>Self checkout</b>")
    await page.click("dialog button[type=submit]")
    await page.wait_for_selector("#pair-qr svg")
    assert await sticking_out(page) == []
    code = await page.text_content("#pair-code")
    await hub.web.desk.pair(PairRequest(code=code, auth="password", csr=None), "")
    await page.wait_for_selector("#pair-state:has-text('is paired')")
    await page.click("dialog >> text=Done")
    await page.wait_for_selector("dialog", state="detached")
    assert await page.text_content(".device-name") == "<b>Self checkout</b>"

    await page.click(".device-menu summary")
    await page.click(".device >> text=Rename")
    await page.fill("dialog input[name=name]", "By the door")
    await page.click("dialog button[type=submit]")
    await page.wait_for_selector(".device-name:has-text('By the door')")

    await page.click(".device >> text=Revoke >> visible=true")
    await page.fill("dialog input[name=reason]", "sold")
    await page.click("dialog button[type=submit]")
    await page.wait_for_selector(".revoked summary:has-text('1 revoked')")
    assert await page.is_visible("text=No device is paired yet.")
    assert seen.errors == []


async def test_a_device_gets_a_new_key_from_the_page(page: Any, hub: HubParts) -> None:
    device_id = await paired(hub, name="Front")
    await sign_in(page, hub)
    await go(page, "devices")
    await page.click(".device-menu summary")
    await page.click(".device >> text=New key")
    await page.click("dialog button[type=submit]")
    code = await page.text_content("#pair-code")
    reply = await hub.web.desk.pair(PairRequest(code=code, auth="password", csr=None), "")
    assert reply.device_id == device_id
    await page.wait_for_selector("#pair-state:has-text('is paired')")


async def test_changes_are_seen_without_loading_again(page: Any, hub: HubParts) -> None:
    await paired(hub, name="Front")
    await paired(hub, name="Back")
    await sign_in(page, hub)
    await hub.gate.internal(HUB, MarkPresence("till-01", "ready", "s1"))
    await page.wait_for_selector(".devices-tile .pill:has-text('Online')")
    await hub.gate.internal(HUB, MarkPresence("till-01", "lost", "s1"))
    await page.wait_for_selector(".problem[data-key=devices]:has-text('Front (till-01)')")
    assert await page.get_attribute("#verdict", "data-level") == "warning"
    assert await page.text_content(".nav-badge") == "1"
    assert await sticking_out(page) == []


async def test_a_lost_connection_is_said_and_comes_back(page: Any, hub: HubParts) -> None:
    await sign_in(page, hub)
    await page.context.set_offline(True)
    for connection in tuple(hub.web._listener._open):  # type: ignore[union-attr]
        connection.transport.abort()
    await page.wait_for_selector("#lost:not([hidden])")
    await page.context.set_offline(False)
    await page.wait_for_selector("#lost", state="hidden")


async def test_signing_out_leaves_nothing_behind(page: Any, hub: HubParts) -> None:
    await sign_in(page, hub)
    await page.click("#sign-out")
    await page.wait_for_selector("#sign-in")
    assert await page.query_selector("#verdict") is None
    await page.reload()
    await page.wait_for_selector("#sign-in")
    assert await page.is_hidden("#nav")


async def test_whoever_was_signed_out_elsewhere_is_told_and_asked_again(
    page: Any, hub: HubParts
) -> None:
    await sign_in(page, hub)
    await page.context.clear_cookies()
    await go(page, "devices")
    for connection in tuple(hub.web._listener._open):  # type: ignore[union-attr]
        connection.transport.abort()
    await page.wait_for_selector("#sign-in-error:has-text('signed out')")


async def test_the_page_is_used_by_keyboard_alone(page: Any, hub: HubParts) -> None:
    await page.wait_for_selector("#code:focus")
    await page.keyboard.type(hub.web.technician.open())
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#verdict-title")
    await page.reload()
    await page.wait_for_selector("#verdict-title")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.id") == "skip"
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "main"
    await page.focus("#nav [data-page=devices]")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#page-devices h1:focus")
    await page.focus("#pair")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("dialog select:focus")
    await page.keyboard.press("Escape")
    await page.wait_for_selector("dialog", state="detached")
    assert await page.evaluate("document.activeElement.id") == "pair"
