"""Presence, as the broker's retained states tell it, and what the cloud hears of it."""

from __future__ import annotations

import json

import pytest

from hub.contract.local import PairRequest
from hub.contract.problems import Refusal
from hub.service.caller import HUB, Caller, CallerKind
from hub.service.handlers.devices import KeepPairing
from hub.service.handlers.presence import MarkSilentLost
from hub.service.internal import MarkPresence
from hub.storage import devicerows
from tests.hubparts import HubParts


async def paired(hub: HubParts) -> str:
    opened = await hub.open_pairing()
    request = PairRequest(code=opened.code, auth="password", csr=None)
    return (await hub.web.desk.pair(request, "")).device_id


async def presence(hub: HubParts, device_id: str) -> str:
    row = await hub.gate.read(lambda rows: devicerows.get(rows, device_id))
    assert row is not None
    return str(row.presence)


async def told(hub: HubParts) -> list[str]:
    rows = await hub.gate.read(
        lambda rows: rows.all("SELECT data FROM outbox WHERE stream = 'telemetry' ORDER BY id")
    )
    return [json.loads(row[0])["state"] for row in rows]


async def test_a_late_last_will_does_not_mark_a_newer_connection_lost(hub: HubParts) -> None:
    device_id = await paired(hub)
    await hub.gate.internal(HUB, MarkPresence(device_id, "ready", "s1"))
    await hub.gate.internal(HUB, MarkPresence(device_id, "ready", "s2"))
    assert not await hub.gate.internal(HUB, MarkPresence(device_id, "lost", "s1"))
    assert await presence(hub, device_id) == "ready"
    assert await hub.gate.internal(HUB, MarkPresence(device_id, "lost", "s2"))
    assert await presence(hub, device_id) == "lost"


async def test_the_cloud_hears_of_ready_and_lost_once_each(hub: HubParts) -> None:
    device_id = await paired(hub)
    for state in ("init", "ready", "ready", "sleeping", "lost", "lost"):
        await hub.gate.internal(HUB, MarkPresence(device_id, state, "s1"))
    assert await told(hub) == ["ready", "lost"]


async def test_who_never_came_back_after_a_crash_is_lost(hub: HubParts) -> None:
    stayed, gone = await paired(hub), await paired(hub)
    for device_id in (stayed, gone):
        await hub.gate.internal(HUB, MarkPresence(device_id, "ready", "s1"))
    since_ms = hub.gate.clock.wall_ms() + 60_000
    await hub.write(
        lambda tx: tx.run(
            "UPDATE devices SET last_seen_at_ms = ? WHERE device_id = ?", since_ms, stayed
        )
    )
    assert await hub.gate.internal(HUB, MarkSilentLost(since_ms)) == 1
    assert (await presence(hub, stayed), await presence(hub, gone)) == ("ready", "lost")


async def test_an_unknown_device_leaves_no_trace(hub: HubParts) -> None:
    assert not await hub.gate.internal(HUB, MarkPresence("till-99", "ready", "s1"))
    assert await told(hub) == []


async def test_a_device_cannot_open_pairing(hub: HubParts) -> None:
    command = KeepPairing("p", "sha256$00$00", "till", "", None)
    with pytest.raises(Refusal, match="forbidden"):
        await hub.gate.internal(Caller(CallerKind.DEVICE, "till-01"), command)
