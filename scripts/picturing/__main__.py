"""``python -m scripts.picturing``, started by ``scripts/screenshots``."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from hub.storage.rows import Rows
from scripts.picturing.papers import print_badly, print_some
from scripts.picturing.troubles import ALONE, AT_ONCE
from tests.e2e.orderingshop import give_orders
from tests.e2e.pagekit import DESKTOP, PHONE, go, opened, settled, sign_in
from tests.e2e.payingshop import a_good_day, an_offline_day, name_terminals
from tests.e2e.peripheralshop import peripheral_shop
from tests.e2e.richshop import rich_shop
from tests.hubparts import HubParts, hub_parts

CHROMIUM: Final = "/usr/bin/chromium"
DEFAULT_OUT: Final = Path(__file__).resolve().parents[2] / "var" / "screenshots"
SIZES: Final = {"phone": PHONE, "desktop": DESKTOP}
SCHEMES: Final = ("light", "dark")
PAGES: Final = (
    *("overview", "devices", "devices/till-1", "stock", "stock/A-100", "sales", "sales/SALE"),
    *("sales/basket/BASKET", "printing", "printing/JOB", "peripherals"),
    *("peripherals/printer-counter", "peripherals/+new", "cloud", "cloud/EVENT", "outages"),
    *("outages/OUTAGE", "orders", "orders/ORDER", "payments", "payments/PAYMENT"),
    *("logs", "settings", "support"),
)
TALL_MAX: Final = 6000
_ABOUT: Final = """\
Takes pictures of every page of the technician's page: on a phone and on a desktop, light and dark,
of a shop that is well and of one in which six things are wrong at once; of the overview with each
of six troubles alone; and of a new, empty shop."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a picture is taken."""

    size: str
    scheme: str


def main(argv: Sequence[str] | None = None) -> int:
    """0: all pictures are there; 1: something is missing for it."""
    parser = argparse.ArgumentParser(prog="scripts/screenshots", description=_ABOUT)
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="default: var/screenshots")
    parser.add_argument("--only", default="", help="only pages whose address begins like this")
    parser.add_argument("--size", choices=sorted(SIZES), help="only this size")
    parser.add_argument("--scheme", choices=SCHEMES, help="only light or dark")
    options = parser.parse_args(argv)
    if shutil.which(CHROMIUM) is None:
        print("screenshots: needs chromium: apt-get install chromium", file=sys.stderr)
        return 1
    looks = [
        Look(size, scheme)
        for size in SIZES
        for scheme in SCHEMES
        if options.size in {None, size} and options.scheme in {None, scheme}
    ]
    pages = [one for one in PAGES if one.startswith(options.only)]
    options.out.mkdir(parents=True, exist_ok=True)
    count = asyncio.run(_take(options.out, looks, pages))
    print(f"{count} pictures in {options.out}")
    return 0


async def _take(out: Path, looks: Sequence[Look], pages: Sequence[str]) -> int:
    from playwright.async_api import async_playwright

    async with AsyncExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pictures-")))
        for name in ("well", "ill", "new"):
            (root / name).mkdir()
        fine = await stack.enter_async_context(peripheral_shop(root / "well", days=14))
        bad = await stack.enter_async_context(peripheral_shop(root / "ill", days=14, aside=True))
        well, ill = fine.hub, bad.hub
        await give_orders(fine.hub, well=True)
        await give_orders(bad.hub)
        await print_some(fine)
        await print_badly(bad)
        for hub, day in ((fine.hub, a_good_day), (bad.hub, an_offline_day)):
            await hub.write(name_terminals)
            await hub.write(day)
        new = await stack.enter_async_context(hub_parts(root / "new"))
        playwright = await stack.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"], timeout=120_000
        )
        stack.push_async_callback(browser.close)
        for trouble in AT_ONCE:
            await trouble(ill)
        count = 0
        for look in looks:
            count += await _visit(browser, well, "healthy", look, pages, out)
            count += await _visit(browser, ill, "troubles", look, pages, out)
            count += await _visit(
                browser, new, "new", look, [one for one in pages if "/" not in one], out
            )
        if "overview" in pages:
            count += await _alone(browser, root, looks, out)
        return count


async def _alone(browser: Any, root: Path, looks: Iterable[Look], out: Path) -> int:
    """The overview with one trouble at a time."""
    count = 0
    for name, trouble in ALONE.items():
        (root / name).mkdir()
        async with rich_shop(root / name, days=2) as hub:
            await trouble(hub)
            for look in looks:
                count += await _visit(browser, hub, name, look, ["overview"], out)
    return count


async def _visit(
    browser: Any, hub: HubParts, state: str, look: Look, pages: Sequence[str], out: Path
) -> int:
    size = SIZES[look.size]
    async with opened(browser, hub, viewport=size, color_scheme=look.scheme) as page:
        count = 0
        if state == "new":
            await page.wait_for_selector("#code")
            await _shoot(page, out / f"{state}-sign-in-{look.size}-{look.scheme}.png", size)
            count += 1
        await sign_in(page, hub)
        for wanted in pages:
            where = await _filled_in(hub, wanted)
            await go(page, where)
            await settled(page)
            name = wanted.lower().replace("/", "-")
            await _shoot(page, out / f"{state}-{name}-{look.size}-{look.scheme}.png", size)
            count += 1
        return count


async def _filled_in(hub: HubParts, where: str) -> str:
    """The address with the newest sale, basket, event and so on in it."""
    for word, sql in (
        ("SALE", "SELECT sale_id FROM sales ORDER BY id DESC LIMIT 1 OFFSET 1"),
        ("BASKET", "SELECT basket_id FROM baskets WHERE state = 'open' LIMIT 1"),
        ("EVENT", "SELECT id FROM outbox WHERE stream = 'sales' ORDER BY id DESC LIMIT 1 OFFSET 1"),
        ("JOB", "SELECT job_id FROM print_jobs ORDER BY state = 'ambiguous' DESC, id LIMIT 1"),
        ("PAYMENT", "SELECT payment_id FROM payments ORDER BY state = 'recovery' DESC, id LIMIT 1"),
        ("ORDER", "SELECT order_id FROM orders ORDER BY short_lines DESC, id LIMIT 1"),
        ("OUTAGE", "SELECT outage_id FROM outages ORDER BY number DESC LIMIT 1"),
    ):
        if word in where:
            row = await hub.gate.read(partial(_first, sql))
            where = where.replace(word, str(row[0]) if row else "none")
    return where


def _first(sql: str, rows: Rows) -> tuple[Any, ...] | None:
    return rows.one(sql)


async def _shoot(page: Any, file: Path, size: dict[str, int]) -> None:
    """The whole page in one picture, with the bar of a phone at its end."""
    height = await page.evaluate("document.documentElement.scrollHeight")
    tall = {"width": size["width"], "height": max(size["height"], min(height, TALL_MAX))}
    await page.set_viewport_size(tall)
    await page.screenshot(path=file)
    await page.set_viewport_size(size)


if __name__ == "__main__":
    sys.exit(main())
