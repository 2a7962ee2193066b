"""What the browser tests of the page share: a phone, signing in, looking for faults."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

import pytest

from tests.hubparts import HubParts

PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 800}
WAIT_MS = 60_000


@dataclass
class Seen:
    """What the browser asked for and complained about."""

    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def watch(self, page: Any) -> None:
        """Listen to a page from here on."""
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: self._console(message.text))

    def _console(self, text: str) -> None:
        if "Content Security Policy" in text:
            self.errors.append(text)


@asynccontextmanager
async def opened(
    browser: Any, hub: HubParts, seen: Seen | None = None, **options: Any
) -> AsyncIterator[Any]:
    """The page as a phone shows it, not signed in; ``options`` as for a browser's context."""
    wanted = {"viewport": PHONE, "locale": "en-US", "timezone_id": "UTC"} | options
    context = await browser.new_context(ignore_https_errors=True, reduced_motion="reduce", **wanted)
    page = await context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.wait_for_selector = _telling(page)
    if seen is not None:
        seen.watch(page)
    await page.goto(hub.base + "/")
    try:
        yield page
    finally:
        await context.close()


def _telling(page: Any) -> Callable[..., Awaitable[Any]]:
    """Its ``wait_for_selector``; in vain, the failure tells what a person would read there."""
    wait = page.wait_for_selector

    async def wait_or_tell(*wanted: Any, **options: Any) -> Any:
        try:
            return await wait(*wanted, **options)
        except Exception as error:
            error.add_note(f"The page says:\n{await page.inner_text('body')}")
            raise

    return wait_or_tell


async def sign_in(page: Any, hub: HubParts) -> None:
    """With a fresh code; afterwards the overview is there."""
    await page.fill("#code", hub.web.technician.open())
    await page.click("#sign-in-form button")
    await page.wait_for_selector("#verdict-title")


async def go(page: Any, where: str) -> None:
    """To a page by its address (``devices``, ``stock/0001``), as a link would."""
    await page.evaluate("where => { location.hash = '#/' + where; }", where)
    await page.wait_for_selector(f"#page-{where.split('/', maxsplit=1)[0]} h1")


async def settled(page: Any) -> None:
    """Everything that was asked for is shown."""
    await page.wait_for_selector("main:not(:has(.waiting))")
    await page.evaluate(_DRAWN)


async def sticking_out(page: Any) -> list[str]:
    """What makes the page scroll sideways, or is cut off where it stands; empty when all fits."""
    found: list[str] = await page.evaluate(_STICKING_OUT)
    return found


@cache
def _axe() -> str:
    """axe-core, as the package brings it; the test is skipped where it isn't installed."""
    pytest.importorskip("axe_playwright_python")
    return resources.files("axe_playwright_python").joinpath("axe.min.js").read_text()


async def barriers(page: Any) -> list[str]:
    """What axe-core finds that is serious or critical, and where."""
    if await page.evaluate("typeof axe === 'undefined'"):  # once until it is loaded again
        await page.evaluate(_axe())
    found = await page.evaluate(
        "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"
    )
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"]
    ]


_DRAWN = """() => Promise.all([
  document.fonts.ready,
  ...[...document.images].filter((one) => one.checkVisibility())
    .map((one) => one.decode().catch(() => {})),
]).then(() => new Promise(requestAnimationFrame))"""

_STICKING_OUT = """() => {
  const root = document.documentElement;
  const found = [];
  if (root.scrollWidth > root.clientWidth) found.push(`page: ${root.scrollWidth}`);
  for (const node of document.querySelectorAll("main *, header *, nav *, dialog *")) {
    if (!node.checkVisibility() || node.closest("svg, .visually-hidden, .skip, thead")) continue;
    const name = node.id || node.className || node.tagName;
    const box = node.getBoundingClientRect();
    const out = box.right > root.clientWidth + 1 || box.left < -1;
    if (box.width && out) found.push(`out: ${name}`);
    const style = getComputedStyle(node);
    const hides = style.overflowX === "hidden" || style.overflowX === "clip";
    if (hides && style.webkitLineClamp === "none" && node.scrollWidth > node.clientWidth + 1) {
      found.push(`cut: ${name}`);
    }
  }
  return found;
}"""
