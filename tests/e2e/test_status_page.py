"""The status page in a real browser, phone first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hub.contract.local import PairRequest
from hub.service.caller import HUB
from hub.service.internal import MarkPresence
from tests.hubparts import HubParts, hub_parts

PHONE = {"width": 360, "height": 740}


@pytest.fixture
async def hub(tmp_state: Path) -> AsyncIterator[HubParts]:
    async with hub_parts(tmp_state) as running:
        yield running


class Seen:
    """What the browser asked for and complained about."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.errors: list[str] = []

    def watch(self, page: Any) -> None:
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on(
            "console",
            lambda message: (
                self.errors.append(message.text)
                if "Content Security Policy" in message.text
                else None
            ),
        )


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
async def page(browser: Any, hub: HubParts, seen: Seen) -> AsyncIterator[Any]:
    context = await browser.new_context(
        ignore_https_errors=True, viewport=PHONE, locale="en-US", timezone_id="UTC"
    )
    opened = await context.new_page()
    opened.set_default_timeout(60_000)
    seen.watch(opened)
    await opened.goto(hub.base + "/")
    yield opened
    await context.close()


async def sign_in(page: Any, hub: HubParts) -> None:
    await page.fill("#code", hub.web.technician.open())
    await page.click("#sign-in-form button")
    await page.wait_for_selector("#board:not([hidden])")


async def fits(page: Any) -> bool:
    found = await page.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
    return bool(found)


async def test_a_technician_signs_in_and_sees_that_all_is_well(
    page: Any, hub: HubParts, seen: Seen
) -> None:
    assert await fits(page)
    await sign_in(page, hub)
    assert await page.text_content("#verdict-title") == "All is well"
    assert await page.text_content("#sales-total") == "€0.00"
    assert await fits(page)
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
    assert await page.is_hidden("#board")


async def test_a_device_is_paired_renamed_and_revoked_from_the_page(
    page: Any, hub: HubParts, seen: Seen
) -> None:
    await sign_in(page, hub)
    await page.click("#pair")
    await page.select_option("#pair-kind", "kiosk")
    await page.fill("#pair-name", "<b>Self checkout</b>")
    await page.click("#pair-form button[type=submit]")
    await page.wait_for_selector("#pair-qr svg")
    assert await fits(page)
    code = await page.text_content("#pair-code-text")
    await hub.web.desk.pair(PairRequest(code=code, auth="password", csr=None), "")
    await page.wait_for_selector("#pair-state:has-text('kiosk-01) is paired')")
    await page.click("#pair-code [data-close]")
    await page.wait_for_selector("#pair-code-text:empty", state="attached")
    assert await page.text_content(".device-name") == "<b>Self checkout</b>"

    await page.click(".device-menu summary")
    await page.click("text=Rename")
    await page.fill("#rename-name", "By the door")
    await page.click("#rename-form button[type=submit]")
    await page.wait_for_selector(".device-name:has-text('By the door')")

    await page.click("text=Revoke >> visible=true")
    await page.fill("#revoke-reason", "sold")
    await page.click("#revoke-form button[type=submit]")
    await page.wait_for_selector("#revoked-title:has-text('Revoked (1)')")
    assert await page.is_visible("#no-devices")
    assert seen.errors == []


async def test_changes_are_seen_without_loading_again(page: Any, hub: HubParts) -> None:
    opened = await hub.open_pairing(name="Front")
    await hub.web.desk.pair(PairRequest(code=opened.code, auth="password", csr=None), "")
    await sign_in(page, hub)
    await hub.gate.internal(HUB, MarkPresence("till-01", "ready", "s1"))
    await page.wait_for_selector(".device .pill:has-text('Online')")
    await hub.gate.internal(HUB, MarkPresence("till-01", "lost", "s1"))
    await page.wait_for_selector("#problems li:has-text('Front (till-01) has been lost')")
    assert await page.text_content("#verdict-title") == "Needs attention"
    assert await fits(page)


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
    await page.wait_for_selector("#sign-in:not([hidden])")
    await page.reload()
    await page.wait_for_selector("#sign-in:not([hidden])")
    assert await page.is_hidden("#board")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_text_stands_out_from_its_background(
    browser: Any, hub: HubParts, scheme: str
) -> None:
    opened = await hub.open_pairing()
    await hub.web.desk.pair(PairRequest(code=opened.code, auth="password", csr=None), "")
    hub.parts.broker_state, hub.parts.cloud_state = "backoff", "down"
    context = await browser.new_context(
        ignore_https_errors=True, viewport=PHONE, color_scheme=scheme, reduced_motion="reduce"
    )
    page = await context.new_page()
    await page.goto(hub.base + "/")
    await sign_in(page, hub)
    await page.wait_for_selector("#problems li")
    poor = await page.evaluate(CONTRAST)
    await context.close()
    assert poor == []


# WCAG 2.2, 1.4.3: at least 4.5 to 1 for text.  Backgrounds that shine through are blended.
CONTRAST = """() => {
  const parse = (text) => {
    const found = text.match(/[\\d.]+/g).map(Number);
    return found.length < 4 ? [...found, 1] : found;
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]));
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => {
      const c = v / 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const poor = [];
  for (const node of document.querySelectorAll("main *, header *")) {
    const own = [...node.childNodes].some((c) => c.nodeType === 3 && c.textContent.trim());
    if (!own || !node.checkVisibility()) continue;
    const stack = [];
    for (let at = node; at; at = at.parentElement) stack.push(at);
    let back = [255, 255, 255];
    for (const at of stack.reverse()) {
      back = over(parse(getComputedStyle(at).backgroundColor), back);
    }
    const style = getComputedStyle(node);
    const front = over([...parse(style.color).slice(0, 3), Number(style.opacity)], back);
    const [a, b] = [light(front), light(back)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) poor.push(`${node.className || node.id || node.tagName}: ${ratio.toFixed(2)}`);
  }
  return poor;
}"""
