"""The outage drill and the roles, in a real browser: who may start it, what the page says before,
while it runs and afterwards; and what somebody sees who may only look."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from hub.app.drill import DrillDesk
from hub.contract.local import CloudStatus
from hub.health.mending import Action
from hub.service.caller import HUB
from hub.service.internal import MarkPresence
from hub.storage import drillrows, historyrows
from hub.storage.historyrows import Marks
from hub.storage.rows import Tx
from tests.e2e.pagekit import Seen, barriers, go, settled, sign_in, sticking_out
from tests.e2e.richshop import pretended_actions, rich_shop
from tests.hubparts import HubParts
from tests.wire.web.staffed import PIN, stored

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("page-drill")]

DRILL = "01900000-0000-7000-8000-00000000d111"
START = "[data-action='drill.start']:visible"


class Link:
    """A link to the cloud that is cut when it is told to."""

    def __init__(self) -> None:
        self.hub: HubParts | None = None

    def status(self) -> CloudStatus:
        assert self.hub is not None
        return self.hub.parts.cloud()

    async def hold(self, why: str) -> None:
        assert self.hub is not None
        self.hub.parts.cloud_state = "down"

    def release(self) -> None:
        assert self.hub is not None
        self.hub.parts.cloud_state = "up"


class Drills:
    """The hub's own actions of the drill, for a hub that is made after its actions."""

    def __init__(self) -> None:
        self.link = Link()
        self._desk: DrillDesk | None = None

    def actions(self) -> list[Action]:
        return [self._late(index) for index in range(2)]

    def of(self, hub: HubParts) -> None:
        self.link.hub = hub
        self._desk = DrillDesk(hub.gate, self.link, clock=hub.gate.clock)

    def _late(self, index: int) -> Action:
        unmade: Any = None
        action = DrillDesk(unmade, self.link, clock=unmade).actions()[index]

        def now() -> Action:
            assert self._desk is not None
            return self._desk.actions()[index]

        return Action(
            *(action.key, action.title, action.what, action.confirm),
            lambda caller: now().run(caller),
            why_not=lambda: now().why_not(),
        )


@pytest_asyncio.fixture(loop_scope="module")
async def hub(tmp_state: Path) -> AsyncIterator[HubParts]:
    drills = Drills()
    actions = [one for one in pretended_actions() if not one.key.startswith("drill.")]
    async with rich_shop(tmp_state, days=2, actions=actions + drills.actions()) as running:
        drills.of(running)
        yield running


async def end_the_outage(hub: HubParts) -> None:
    """As the hub writes it down once the cloud is reached again."""
    now_ms = hub.gate.clock.wall_ms()

    def work(tx: Tx) -> None:
        historyrows.begin_outage(tx, DRILL, now_ms - 5000, "unknown", True, Marks())
        row = historyrows.open_outage(tx)
        assert row is not None
        historyrows.end_outage(tx, row, row.began_at_ms, now_ms, historyrows.now_marks(tx))

    await hub.write(work)


def hire_a_clerk(tx: Tx) -> None:
    """Somebody who may look at the hub, and no more."""
    tx.run("INSERT INTO roles VALUES (1, 'clerk', ?)", '{"hub.view": null}')
    tx.run("INSERT INTO staff VALUES (1, '1002', 'Kim', 'clerk', ?, 1)", stored(PIN))


async def test_a_drill_is_explained_started_seen_everywhere_and_ended(
    page: Any, hub: HubParts, seen: Seen
) -> None:
    await sign_in(page, hub)
    await page.click(START)
    await page.wait_for_selector("dialog:has-text('Selling goes on')")
    assert await barriers(page) == []
    assert await sticking_out(page) == []
    await page.click("dialog >> text=Not now")
    assert hub.parts.cloud_state == "up"

    await page.click(START)
    await page.click("dialog >> text=Cut the cloud off now")
    await page.wait_for_selector("#drill:has-text('Selling goes on')")
    assert hub.parts.cloud_state == "down"
    await page.wait_for_selector(".problem[data-key=link]:has-text('A drill runs')")
    for where in ("overview", "outages", "devices", "settings"):
        await go(page, where)
        await settled(page)
        assert await page.is_visible("#drill >> text=End now"), where
        assert await sticking_out(page) == [], where
    assert await barriers(page) == []
    assert ":" in await page.text_content(".drill-left")

    await page.click("#drill >> text=End now")
    await page.wait_for_selector("#drill:has-text('The drill is over')")
    assert hub.parts.cloud_state == "up"
    assert await hub.gate.read(drillrows.running) is None
    await end_the_outage(hub)
    await page.wait_for_selector(f"#drill a[href='#/outages/{DRILL}']")
    await page.click("#drill >> text=See its report")
    await page.wait_for_selector("h1:has-text('Drill')")
    await page.click("#drill >> text=Close")
    assert await page.is_hidden("#drill")
    await go(page, "outages")
    await page.wait_for_selector(".drill-offer:has-text('ended a moment ago')")
    assert seen.errors == []


async def test_who_only_looks_sees_everything_and_is_offered_nothing(
    page: Any, hub: HubParts, seen: Seen
) -> None:
    await hub.write(hire_a_clerk)
    await page.check("#way-pin", force=True)
    await page.fill("#staff-no", "1002")
    await page.fill("#pin", PIN)
    await page.click("#sign-in-form button")
    await page.wait_for_selector("#verdict-title")
    assert "Viewer, looks only" in await page.text_content("#store-sub")
    assert await page.locator(START).count() == 0
    await page.wait_for_selector(".drill-offer:has-text('start a drill, sign in')")
    for where in ("devices", "devices/till-1", "cloud", "logs", "outages", "stock", "sales"):
        await go(page, where)
        await settled(page)
        for name in ("Pair a device", "Manage", "Rename", "Revoke", "Send now", "Log more", "Cut"):
            offered = page.locator(f"main :is(button, summary):visible:text-is('{name}')")
            assert await offered.count() == 0, (where, name)
        assert await sticking_out(page) == [], where
        assert await barriers(page) == [], where
    await go(page, "support")
    await page.wait_for_selector("text=Save the file")
    assert seen.errors == []


async def test_what_a_device_tells_of_its_printer_is_seen_with_what_to_do(
    page: Any, hub: HubParts
) -> None:
    told = ("printer-paper-empty", "drawer-open")
    await hub.gate.internal(HUB, MarkPresence("till-1", "ready", "s1", told))
    await sign_in(page, hub)
    await go(page, "devices")
    await page.wait_for_selector(".device:first-child[data-device=till-1] .conditions")
    for words in ("Printer out of paper", "Cash drawer open"):
        assert await page.is_visible(f"[data-device=till-1] >> text={words}")
    assert await sticking_out(page) == []
    assert await barriers(page) == []
    await page.click(".device-name a >> nth=0")
    await page.wait_for_selector(".condition-notes:has-text('Put in a new paper roll')")
    assert await sticking_out(page) == []
    assert await barriers(page) == []
