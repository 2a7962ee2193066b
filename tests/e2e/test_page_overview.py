"""The overview in a real browser: what is wrong, what to do, and doing it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from hub.contract.local import PairRequest, RecentError
from hub.contract.problems import Code, refuse
from hub.health.facts import GIB, ClockSource, Disk
from hub.health.mending import Action, Done
from hub.service.caller import HUB, Caller
from hub.service.internal import MarkPresence
from scripts.picturing.troubles import CUT_AT_THE_INTERNET
from tests.e2e.pagekit import Seen, barriers, go, opened, sign_in, sticking_out
from tests.hubparts import SHOP, HubParts, hub_parts

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("page-overview")]

NEARLY_FULL = Disk(total_bytes=100 * GIB, free_bytes=3 * GIB)


class Mending:
    """Actions that only count; ``refuses`` makes them fail."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.refuses = False

    def actions(self) -> list[Action]:
        return [
            Action("space.free", "Free space", "Removes old copies.", "Remove now?", self.run),
            Action("link.look", "Look", "Looks where it ends.", "", self.run, pause_s=0.0),
        ]

    async def run(self, caller: Caller) -> Done:
        if self.refuses:
            raise refuse(Code.CONFLICT, "There is nothing to remove.")
        self.done.append(caller.key)
        return Done("done", "700 MiB were freed.")


@pytest.fixture
def mending() -> Mending:
    return Mending()


@pytest_asyncio.fixture(loop_scope="module")
async def hub(tmp_state: Path, mending: Mending) -> AsyncIterator[HubParts]:
    async with hub_parts(tmp_state, actions=mending.actions()) as running:
        yield running


def card(key: str) -> str:
    return f".problem[data-key={key}]"


async def test_the_overview_names_what_is_wrong_with_the_right_next_step(
    page: Any, hub: HubParts, seen: Seen
) -> None:
    for name in ("Front", "Back"):
        code = (await hub.open_pairing(name=name)).code
        await hub.web.desk.pair(PairRequest(code=code, auth="password", csr=None), "")
    await hub.gate.internal(HUB, MarkPresence("till-01", "lost", "s1"))
    hub.parts.cloud_state = "down"
    hub.measured.value = replace(
        hub.measured.value,
        disk=NEARLY_FULL,
        clock=ClockSource(synchronised=True, off_cloud_ms=600_000),
        way=CUT_AT_THE_INTERNET,
    )
    await sign_in(page, hub)
    for key, what, step in (
        ("link", "the internet doesn't", "switch it off and on"),
        ("clock", "10 min ahead", "Set the box's clock"),
        ("disk-space", "97 % used", "Free space on the box"),
        ("devices", "Front (till-01)", "power and network"),
    ):
        await page.wait_for_selector(f'{card(key)} .problem-summary:has-text("{what}")')
        assert step in await page.text_content(f"{card(key)} .problem-step")
        assert await page.text_content(f"{card(key)} .problem-means")
    assert await page.get_attribute("#verdict", "data-level") == "warning"
    assert "4 things" in await page.text_content("#verdict-title")
    assert await page.locator(".reasons button").count() == 4
    states = await page.locator(".way-step").evaluate_all("all => all.map(o => o.dataset.state)")
    assert states == ["ok", "ok", "ok", "broken", "unknown"]
    assert "doesn" in await page.text_content(card("link"))
    lost = await page.text_content(".lost-list")
    assert "Clock" in lost
    assert "Room on the disk" in lost
    assert await sticking_out(page) == []
    assert await barriers(page) == []
    assert seen.errors == []


async def test_long_names_and_words_without_end_fit_on_the_smallest_phone(
    browser: Any, tmp_state: Path
) -> None:
    endless = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenfabrik"
    shop = replace(SHOP, name=f"{endless} 3")
    async with hub_parts(tmp_state, shop=shop) as hub:
        for number in range(8):
            code = (await hub.open_pairing(kind="kiosk", name=f"{endless[:50]}{number}")).code
            await hub.web.desk.pair(PairRequest(code=code, auth="password", csr=None), "")
            await hub.gate.internal(HUB, MarkPresence(f"kiosk-{number + 1:02}", "lost", "s1"))
        hub.parts.cloud_state = "refused"
        hub.parts.recent = [
            RecentError(at_ms=1, level="error", source="hub", text=endless * 3),
        ]
        async with opened(browser, hub, viewport={"width": 320, "height": 640}) as page:
            await sign_in(page, hub)
            await page.wait_for_selector(card("devices"))
            assert await sticking_out(page) == []
            await go(page, "devices")
            assert await sticking_out(page) == []
            await page.click(".device-menu summary >> nth=0")
            await page.click("text=Revoke >> visible=true")
            assert await sticking_out(page) == []


async def test_a_mended_thing_leaves_the_page_by_itself(page: Any, hub: HubParts) -> None:
    hub.measured.value = replace(hub.measured.value, disk=NEARLY_FULL)
    await sign_in(page, hub)
    await page.wait_for_selector(card("disk-space"))
    hub.measured.value = replace(hub.measured.value, disk=None)
    await page.wait_for_selector(card("disk-space"), state="detached")
    await page.wait_for_selector("#verdict[data-level=ok]")


async def test_the_hub_mends_it_once_the_question_is_answered_with_yes(
    page: Any, hub: HubParts, mending: Mending, seen: Seen
) -> None:
    hub.measured.value = replace(hub.measured.value, disk=NEARLY_FULL)
    await sign_in(page, hub)
    await page.click(f"{card('disk-space')} [data-action='space.free']")
    await page.wait_for_selector("dialog:has-text('Remove now?')")
    assert await barriers(page) == []
    await page.click("dialog >> text=Not now")
    await page.wait_for_selector("dialog", state="detached")
    assert mending.done == []

    await page.click(f"{card('disk-space')} [data-action='space.free']")
    await page.click("dialog .dialog-buttons button:has-text('Free space')")
    await page.wait_for_selector(".mend-outcome:has-text('700 MiB were freed.')")
    await page.wait_for_selector(".toast:has-text('700 MiB were freed.')")
    assert len(mending.done) == 1
    assert await barriers(page) == []
    assert seen.errors == []


async def test_what_the_hub_refuses_to_do_is_said_and_can_be_tried_again(
    page: Any, hub: HubParts, mending: Mending
) -> None:
    hub.measured.value = replace(hub.measured.value, way=CUT_AT_THE_INTERNET)
    hub.parts.cloud_state = "down"
    mending.refuses = True
    await sign_in(page, hub)
    button = f"{card('link')} [data-action='link.look']"
    await page.click(button)
    await page.wait_for_selector(".mend-outcome[data-tone=bad]:has-text('nothing to remove')")
    mending.refuses = False
    await page.click(f"{button}:enabled")
    await page.wait_for_selector(".mend-outcome[data-tone=good]")
    assert len(mending.done) == 1


async def test_what_somebody_opened_stays_open_while_the_picture_changes(
    page: Any, hub: HubParts
) -> None:
    hub.measured.value = replace(hub.measured.value, disk=NEARLY_FULL)
    await sign_in(page, hub)
    await page.click(f"{card('disk-space')} .fold summary")
    await page.focus(f"{card('disk-space')} .fold summary")
    hub.parts.cloud_state = "refused"
    await page.wait_for_selector(card("link"))
    assert await page.get_attribute(f"{card('disk-space')} .fold", "open") is not None
    assert await page.evaluate("document.activeElement.tagName") == "SUMMARY"
