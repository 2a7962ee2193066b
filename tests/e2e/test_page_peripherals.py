"""The page of peripherals in a real browser, with simulated ones kept as the hub keeps them: how
each is, what to do, trying it, setting one up and taking it away again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from devices.peripherals.drivers.simulated_display import SimulatedDisplay
from devices.peripherals.drivers.simulated_drawer import SimulatedDrawer
from devices.peripherals.drivers.simulated_scanner import SimulatedScanner
from hub.contract.peripherals import FoundPeripheral
from hub.storage.rows import Tx
from tests.e2e.pagekit import DESKTOP, Seen, barriers, go, opened, settled, sign_in, sticking_out
from tests.e2e.peripheralshop import PeripheralShop, peripheral_shop
from tests.hubparts import HubParts
from tests.wire.web.staffed import PIN, at_the_page, stored

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("page-peripherals"),
]

WAIT_S = 60
PAGES = ("peripherals", "peripherals/printer-counter", "peripherals/scale-1", "peripherals/+new")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PeripheralShop]:
    root: Path = tmp_path_factory.mktemp("peripherals")
    async with peripheral_shop(root) as made:
        await made.hub.write(hire_a_clerk)
        async with at_the_page(made.hub, "1002"):
            pass  # The thread that looks at PINs is the shop's, not a test's.
        yield made


@pytest.fixture
def hub(shop: PeripheralShop) -> HubParts:
    return shop.hub


def hire_a_clerk(tx: Tx) -> None:
    """Somebody who may look at the hub, and no more."""
    tx.run("INSERT INTO roles VALUES (1, 'clerk', ?)", '{"hub.view": null}')
    tx.run("INSERT INTO staff VALUES (1, '1002', 'Kim', 'clerk', ?, 1)", stored(PIN))


async def until(there: Callable[[], bool] | Callable[[], Awaitable[bool]]) -> None:
    """Wait for what peripherals do by themselves."""
    async with asyncio.timeout(WAIT_S):
        while True:
            found = there()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.02)


def driver(shop: PeripheralShop, name: str) -> Any:
    post = shop.peripherals.desk.post(name)
    assert post is not None
    return post.driver


def card(name: str) -> str:
    return f"[data-peripheral='{name}']"


async def test_what_doesn_t_work_comes_first_with_what_to_do(
    page: Any, shop: PeripheralShop, seen: Seen
) -> None:
    shop.printer().suffer("cover-open")
    shop.printer("printer-office").suffer("off")
    await sign_in(page, shop.hub)
    await go(page, "peripherals")
    await page.wait_for_selector(f"li:first-child{card('printer-office')}:has-text('Lost')")
    await page.wait_for_selector(f"li:nth-child(2){card('printer-counter')}:has-text('cover open')")
    assert "5 of 6 ready" in await page.inner_text(".page-lead")
    assert "switch it on" in await page.inner_text(card("printer-office"))
    assert "Till at the door, Till at the back" in await page.inner_text(card("printer-counter"))
    await page.click(f"{card('printer-counter')} a")
    await page.wait_for_selector("text=Close the cover until it clicks")
    text = await page.inner_text("#page-peripherals")
    for said in ("simulated-printer", "80 mm", "cuts paper", "Office", "in the settings"):
        assert said in text
    assert await page.locator("text=Remove").count() == 0
    shop.printer().suffer()
    shop.printer("printer-office").suffer()
    await page.wait_for_selector("text=nothing is the matter")
    assert seen.errors == []


async def test_each_is_tried_as_its_kind_is_tried(
    page: Any, shop: PeripheralShop, seen: Seen
) -> None:
    shop.printer().suffer()
    shop.printer("printer-office").suffer()
    await sign_in(page, shop.hub)
    await go(page, "peripherals")
    await page.wait_for_selector(".page-lead:has-text('6 of 6 ready')")
    printed = shop.printer().printed
    before = len(printed)
    await page.click(f"{card('printer-counter')} >> text=Test print")
    await page.click("dialog .primary")
    await page.click(".toast-close")
    await until(lambda: len(printed) == before + 1)

    drawer = driver(shop, "drawer-counter")
    assert isinstance(drawer, SimulatedDrawer)
    await page.click(f"{card('drawer-counter')} >> text=Open drawer")
    await page.fill("dialog input[name=reason]", "testing it")
    await page.click("dialog button[type=submit]")
    await page.click(".toast:has-text('told to open') .toast-close")
    await until(lambda: drawer.opens == 1)
    noted = await shop.hub.gate.read(
        lambda rows: rows.one("SELECT data FROM audit WHERE action = 'drawer.no_sale'")
    )
    assert noted is not None
    assert "testing it" in noted[0]

    await page.click(f"{card('scale-1')} >> text=Weigh")
    await page.wait_for_selector(".live-reading:has-text('455 g')")
    await page.click("dialog >> text=Done")
    await page.click(f"{card('display-1')} >> text=Show a test text")
    await page.click("dialog .primary")
    await page.click(".toast:has-text('shows its own name') .toast-close")
    display = driver(shop, "display-1")
    assert isinstance(display, SimulatedDisplay)

    scanner = driver(shop, "scanner-1")
    assert isinstance(scanner, SimulatedScanner)
    await page.click(f"{card('scanner-1')} >> text=Read a code")
    post = shop.peripherals.desk.post("scanner-1")
    assert post is not None
    await until(lambda: bool(post.scans))
    scanner.scan(b"4006381333931", "]E0")
    await page.wait_for_selector(".live-reading:has-text('13 characters')")
    await page.keyboard.press("Escape")
    await page.wait_for_selector("dialog", state="detached")
    assert seen.errors == []


async def test_one_is_found_and_used_with_one_press_then_changed_and_removed(
    page: Any, shop: PeripheralShop, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def find(_timeout_s: float) -> tuple[FoundPeripheral, ...]:
        return (
            FoundPeripheral(title="EPSON TM-T88VI", driver="simulated-printer", address=""),
            FoundPeripheral(
                title="Office", driver="simulated-printer", address="", known_as="printer-office"
            ),
        )

    monkeypatch.setattr(shop.peripherals.counter, "find", find)
    await sign_in(page, shop.hub)
    await go(page, "peripherals")
    await page.click("#find")
    await page.wait_for_selector(".found:has-text('Office') a:has-text('set up')")
    assert await barriers(page) == []
    assert await sticking_out(page) == []
    await page.click(".found:has-text('EPSON') >> text=Use it")
    await page.wait_for_selector("h1:has-text('EPSON TM-T88VI')")
    await page.wait_for_selector(".device-head .pill:has-text('Ready')")

    await page.click(".toast-close")
    await page.click("text=Change")
    await page.wait_for_selector("h1:has-text('Change EPSON TM-T88VI')")
    await page.fill("input[name=name]", "Labels, back room")
    await page.check("text=Goods in")
    await page.click("summary:has-text('Options of this driver')")
    await page.select_option("select[name=option-width_mm]", "58")
    await page.fill("input[name=option-job_ms]", "99999999")
    await page.click("button[type=submit]")
    await page.wait_for_selector(".error:has-text('job_ms')")
    await page.fill("input[name=option-job_ms]", "10")
    await page.click("button[type=submit]")
    await page.wait_for_selector("h1:has-text('Labels, back room')")
    await page.wait_for_selector("text=58 mm")
    assert "Goods in" in await page.inner_text("#page-peripherals")
    post = shop.peripherals.desk.post("printer-1")
    assert post is not None
    assert post.entry.options == {"width_mm": 58, "job_ms": 10}
    assert post.entry.serves == ("till-3",)

    await page.click(".toast-close")
    await page.click("text=Remove")
    await page.click("dialog .danger")
    await page.wait_for_selector(".toast:has-text('is removed')")
    await page.wait_for_selector(card("printer-office"))
    await page.wait_for_selector(card("printer-1"), state="detached")
    assert seen.errors == []


async def test_fields_are_made_of_what_drivers_say_of_their_options(
    page: Any, shop: PeripheralShop
) -> None:
    said = {
        (one.key, name): text
        for one in await shop.peripherals.counter.drivers()
        for name, text in one.options.items()
    }
    read = await page.evaluate(
        "async (all) => { const { readHelp } = await import('/peripherals/options.js');"
        " return all.map((help) => { const { choices, whole, truth } = readHelp(help);"
        " return [choices, whole, truth]; }); }",
        list(said.values()),
    )
    fields = dict(zip(said, read, strict=True))
    assert fields["escpos-printer", "width_mm"] == [["58", "80"], True, False]
    assert fields["escpos-printer", "cutter"] == [["true", "false"], False, True]
    assert fields["serial-scanner", "suffix"][0] == ["cr", "lf", "crlf", "tab", "none"]
    assert fields["serial-scanner", "prefix_hex"] == [None, False, False]
    assert fields["hid-scanner", "gap_ms"] == [None, True, False]
    assert fields["simulated-printer", "faults"] == [None, False, False]
    assert fields["toledo-scale", "unit"][0] == ["kg", "lb"]


async def test_an_address_at_the_beginning_of_a_sentence_is_written_as_it_is(page: Any) -> None:
    said = await page.evaluate(
        "async (all) => { const { sentence } = await import('/kit/words.js');"
        " return all.map(sentence); }",
        ["tcp://192.0.2.7 is gone", "the printer has no paper: put in a roll", "why?", ""],
    )
    assert said == [
        "tcp://192.0.2.7 is gone.",
        "The printer has no paper: put in a roll.",
        "Why?",
        "",
    ]


async def test_one_is_set_up_by_hand_with_its_driver_s_own_fields(
    page: Any, shop: PeripheralShop, seen: Seen
) -> None:
    await sign_in(page, shop.hub)
    await go(page, "peripherals/+new")
    await page.select_option("select[name=driver]", "simulated-drawer")
    assert await page.input_value("input[name=id]") == "drawer-1"
    await page.select_option("select[name=via]", "printer-counter")
    await page.click("summary:has-text('Options of this driver')")
    await page.fill("input[name=option-closes_ms]", "0")
    await page.click("button[type=submit]")
    await page.wait_for_selector("h1:has-text('drawer-1')")
    await page.wait_for_selector("dd a:has-text('Receipts, counter')")
    post = shop.peripherals.desk.post("drawer-1")
    assert post is not None
    assert (post.entry.via, post.entry.options) == ("printer-counter", {"closes_ms": 0})
    assert seen.errors == []


async def test_whoever_only_looks_sees_all_and_is_told_who_may_more(
    page: Any, shop: PeripheralShop, seen: Seen
) -> None:
    await page.check("#way-pin")
    await page.fill("#staff-no", "1002")
    await page.fill("#pin", PIN)
    await page.click("#sign-in-form button")
    await page.wait_for_selector("#verdict-title")
    await go(page, "peripherals")
    await page.wait_for_selector(card("scale-1"))
    assert await page.locator("#page-peripherals button").count() == 0
    await page.wait_for_selector(".who-may:has-text('set up or try peripherals')")
    await go(page, "printing")
    await page.wait_for_selector(".who-may:has-text('decide about a job')")
    assert seen.errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_pages_of_peripherals_are_open_to_everybody_and_fit(
    browser: Any, shop: PeripheralShop, seen: Seen, scheme: str
) -> None:
    faults: list[str] = []
    shop.printer().suffer("near-end")
    async with opened(browser, shop.hub, seen, color_scheme=scheme) as page:
        await sign_in(page, shop.hub)
        for where in PAGES:
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
