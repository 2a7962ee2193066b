"""Four troubles at once on a real box: the overview names each with the right next step.

Nothing is pretended: the router's line is cut, the disk is full, the clock is set wrong, and a till
tells over MQTT that its printer has no paper.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from devices.kit import DeviceMeta, HubClient
from tests.e2e.ill_shop import IllShop, fill, ill_shop
from tests.e2e.pagekit import Seen, barriers, opened, sign_in, sticking_out
from tests.hubparts import HubParts

TEN_MINUTES_MS = 600_000
TROUBLES = {
    "link": (
        "the router answers, but the internet doesn't",
        "Look at the router's internet light and switch it off and on",
    ),
    "peripherals": (
        "The printer at Front (till-01) is out of paper",
        "Put a new paper roll into the printer at Front (till-01).",
    ),
    "clock": ("600 s", "Compare the box's clock with your watch and set it"),
    "disk-space": ("97 % used", "Free space on the box"),
}
"""What the card says, and what is to be done."""

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.may_block,
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("ill-shop"),
]


async def technician(shop: IllShop) -> HubParts:
    """What the page's helpers need to open it and to sign in."""
    code = (await shop.rig.admin.open_technician())["code"]
    web = SimpleNamespace(technician=SimpleNamespace(open=lambda: code))
    return cast(HubParts, SimpleNamespace(base=shop.url, web=web))


def card(key: str) -> str:
    return f".problem[data-key={key}]"


async def make_ill(shop: IllShop, till: HubClient) -> None:
    """All four."""
    fill(shop.disk, 97)
    till.tell_conditions(["printer-paper-empty"])
    shop.set_clock_wrong(TEN_MINUTES_MS)
    await shop.until(lambda found: "600 s" in found.get("clock", {}).get("summary", ""))
    shop.net.cut()


async def heal(shop: IllShop, till: HubClient) -> None:
    """And all four away again, as the page says."""
    (shop.disk / "somebodys-film.mp4").unlink()
    till.tell_conditions([])
    shop.set_clock_wrong(0)
    shop.net.mend()


def all_named(found: dict[str, dict[str, Any]]) -> bool:
    return all(what in found.get(key, {}).get("summary", "") for key, (what, _) in TROUBLES.items())


async def test_the_overview_names_four_real_troubles_and_forgets_them_when_they_are_mended(
    browser: Any,
) -> None:
    seen = Seen()
    async with ill_shop() as shop:
        store = await shop.device()
        async with HubClient(store, DeviceMeta(kind="till", model="test till")) as till:
            await shop.until(lambda found: not TROUBLES.keys() & found.keys())
            before = await shop.lost_weight()
            async with opened(browser, await technician(shop), seen) as page:
                await sign_in(page, await technician(shop))
                for key in TROUBLES:
                    assert await page.locator(card(key)).count() == 0

                await make_ill(shop, till)
                await shop.until(all_named)
                for key, (what, step) in TROUBLES.items():
                    await page.wait_for_selector(f'{card(key)} .problem-summary:has-text("{what}")')
                    assert step in await page.text_content(f"{card(key)} .problem-step")
                    assert await page.text_content(f"{card(key)} .problem-means")
                assert await page.get_attribute("#verdict", "data-level") == "warning"
                assert await sticking_out(page) == []
                assert await barriers(page) == []
                lost = await shop.lost_weight()
                assert lost.keys() - before.keys() >= TROUBLES.keys()
                assert all(lost[key] > 0 for key in TROUBLES)

                await heal(shop, till)
                await page.click(f"{card('clock')} [data-action='clock.trust']")
                await page.click("dialog .dialog-buttons button:has-text('The clock is right')")
                for key in TROUBLES:
                    await page.wait_for_selector(card(key), state="detached")
                assert not TROUBLES.keys() & (await shop.lost_weight()).keys()
    assert seen.errors == []
