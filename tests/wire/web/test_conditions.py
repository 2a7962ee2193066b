"""What a device says is the matter: kept, shown while it is there, told to the cloud."""

from __future__ import annotations

import json
from typing import Any

from hub.contract.local import PairRequest
from hub.service import conditions
from hub.service.caller import HUB
from hub.service.internal import MarkPresence
from hub.storage.pages import devices as pages
from tests.hubparts import HubParts

PAPER, DRAWER, SCALE = "printer-paper-empty", "drawer-open", "scale-offline"


async def paired(hub: HubParts) -> str:
    opened = await hub.open_pairing()
    request = PairRequest(code=opened.code, auth="password", csr=None)
    return (await hub.web.desk.pair(request, "")).device_id


async def mark(
    hub: HubParts, device: str, state: str, *told: str, session: str = "s1", silent: bool = False
) -> bool:
    conditions = None if silent else told
    return bool(await hub.gate.internal(HUB, MarkPresence(device, state, session, conditions)))


async def shown(hub: HubParts, device: str) -> dict[str, int]:
    """Since when what holds, as the devices' page and the status say alike."""
    page = await hub.gate.read(lambda rows: pages.one(rows, 0, device))
    assert page is not None
    on_page = conditions.shown(page.presence, page.conditions)
    (view,) = (one for one in (await hub.status.fresh()).devices if one.device_id == device)
    assert (tuple(on_page), on_page) == (view.conditions, view.conditions_since_ms)
    return on_page


async def told(hub: HubParts) -> list[tuple[str, Any]]:
    rows = await hub.gate.read(
        lambda rows: rows.all("SELECT data FROM outbox WHERE stream = 'telemetry' ORDER BY id")
    )
    data = [json.loads(row[0]) for row in rows]
    return [(one["state"], one.get("conditions")) for one in data]


async def test_what_a_device_tells_is_shown_until_it_tells_otherwise(hub: HubParts) -> None:
    device = await paired(hub)
    assert await mark(hub, device, "ready", PAPER)
    assert list(await shown(hub, device)) == [PAPER]
    assert not await mark(hub, device, "ready", PAPER)
    assert await mark(hub, device, "ready", PAPER, DRAWER)
    assert list(await shown(hub, device)) == [PAPER, DRAWER]
    assert await mark(hub, device, "sleeping", DRAWER)
    assert list(await shown(hub, device)) == [DRAWER]
    assert await mark(hub, device, "ready", silent=True)
    assert await shown(hub, device) == {}


async def test_while_a_device_is_away_nobody_knows_and_then_it_is_since_before(
    hub: HubParts,
) -> None:
    device = await paired(hub)
    await mark(hub, device, "ready", PAPER)
    long_ago = json.dumps({PAPER: 5})
    await hub.write(lambda tx: tx.run("UPDATE devices SET conditions = ? WHERE 1 = ?", long_ago, 1))
    for state in ("lost", "disconnected", "init"):
        await mark(hub, device, state, silent=True)
        assert await shown(hub, device) == {}
    assert await mark(hub, device, "ready", PAPER, DRAWER, session="s2")
    held = await shown(hub, device)
    assert held[PAPER] == 5
    assert held[DRAWER] > 5


async def test_a_late_last_will_leaves_what_the_newer_connection_told(hub: HubParts) -> None:
    device = await paired(hub)
    await mark(hub, device, "ready", session="s1")
    await mark(hub, device, "ready", PAPER, session="s2")
    assert not await mark(hub, device, "lost", silent=True, session="s1")
    assert list(await shown(hub, device)) == [PAPER]


async def test_the_cloud_hears_of_each_change_and_not_of_repeats(hub: HubParts) -> None:
    device = await paired(hub)
    await mark(hub, device, "ready", silent=True)
    for conditions_told in ((PAPER,), (PAPER,), (PAPER, SCALE), (), ()):
        await mark(hub, device, "ready", *conditions_told)
    await mark(hub, device, "lost", silent=True)
    assert await told(hub) == [
        ("ready", []),
        ("ready", [PAPER]),
        ("ready", [PAPER, SCALE]),
        ("ready", []),
        ("lost", None),
    ]


async def test_a_drawer_that_opens_with_every_sale_is_no_news_for_the_cloud(hub: HubParts) -> None:
    device = await paired(hub)
    await mark(hub, device, "ready", PAPER)
    for conditions_told in ((PAPER, DRAWER), (PAPER,), (PAPER, DRAWER)):
        assert await mark(hub, device, "ready", *conditions_told)
    assert list(await shown(hub, device)) == [PAPER, DRAWER]
    assert await mark(hub, device, "ready", DRAWER)
    assert await told(hub) == [("ready", [PAPER]), ("ready", [])]


async def test_the_page_names_the_printer_without_paper(hub: HubParts) -> None:
    device = await paired(hub)
    await mark(hub, device, "ready", PAPER)
    health = (await hub.status.fresh()).health
    assert health is not None
    (found,) = (one for one in health.findings if one.key == "peripherals")
    assert found.level == "warning"
    assert "out of paper" in found.summary
    assert [one.key for one in health.readiness.lost] == ["peripherals"]
    async with hub.technician() as (http, _), http.get(f"/api/1/devices/{device}") as answer:
        page = (await answer.json())["device"]
    assert page["conditions"] == [PAPER]
    assert page["conditions_since_ms"].keys() == {PAPER}
