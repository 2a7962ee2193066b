"""A whole hub in this process: it measures its box, and mends itself when it is asked to."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub.app.hub import Hub
from hub.app.mending import remove_old
from hub.app.snapshots import take_snapshot
from hub.cli.adminclient import AdminClient, AdminRefused
from hub.clock import SystemClock, SystemIds, SystemRandomness
from hub.config import Settings
from hub.contract.health import HealthReport
from hub.contract.local import HubStatus
from hub.health.facts import GIB
from hub.logs import Recent
from hub.storage import audit

UNTIL_S = 80.0
DAY_S = 86_400


class SetClock:
    """The machine's clock; a test sets its wall clock."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self.off_ms = 0

    def wall_ms(self) -> int:
        return self._clock.wall_ms() + self.off_ms

    def monotonic_s(self) -> float:
        return self._clock.monotonic_s()


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def hub(make_settings: Callable[..., Settings], clock: SetClock) -> AsyncIterator[Hub]:
    """Its cloud is a port at which nobody listens."""
    settings = make_settings(cloud={"url": "http://127.0.0.1:9"})
    randomness = SystemRandomness()
    running = Hub(
        settings,
        clock=clock,
        ids=SystemIds(clock, randomness),
        randomness=randomness,
        recent=Recent(),
    )
    await running.start()
    try:
        yield running
    finally:
        await running.stop()


def client(hub: Hub) -> AdminClient:
    return AdminClient(hub.settings.paths.run)


async def act(hub: Hub, key: str) -> dict[str, Any]:
    done: dict[str, Any] = await asyncio.to_thread(client(hub).act, key)
    return done


async def report(hub: Hub) -> HealthReport:
    status = HubStatus.model_validate(await asyncio.to_thread(client(hub).status))
    assert status.health is not None
    return status.health


async def levels(hub: Hub) -> dict[str, str]:
    return {one.key: one.level for one in (await report(hub)).findings}


async def until(what: Callable[[], Any]) -> None:
    async with asyncio.timeout(UNTIL_S):
        while not what():
            await asyncio.sleep(0.05)


def noted(hub: Hub) -> list[tuple[str, str]]:
    rows = audit.walk(hub.gate.rows)
    return [(row.action, row.subject) for row in rows if row.action.startswith("action.")]


async def test_the_box_is_measured_and_judged(hub: Hub) -> None:
    await hub.prober.look()
    measured = hub.prober.latest()
    assert measured.disk is not None
    assert measured.disk.total_bytes > measured.disk.free_bytes > 0
    assert measured.machine is not None
    assert measured.machine.rss_bytes
    assert measured.certificates is not None
    assert measured.certificates.authority_ends_at_ms
    assert measured.certificates.crl_ends_at_ms
    found = await levels(hub)
    assert found["authority"] == found["certificate"] == found["broker"] == "ok"
    assert found["backup"] == "notice"


async def test_a_disk_at_97_percent_is_named_with_its_next_step(hub: Hub) -> None:
    await hub.prober.look("disk")
    disk = hub.prober.latest().disk
    assert disk is not None
    small = replace(disk, total_bytes=30 * GIB, free_bytes=30 * GIB * 3 // 100)

    async def measure() -> Any:
        return small

    hub.prober.replace_probe("disk", measure)
    await hub.prober.look("disk")
    one = next(one for one in (await report(hub)).findings if one.key == "disk-space")
    assert (one.level, one.action) == ("warning", "space.free")
    assert "97 % used" in one.summary
    assert one.next_step.startswith("Free space on the box")


async def test_a_backup_of_the_running_hub_is_noticed(hub: Hub) -> None:
    state = hub.settings.paths.state
    place = state.with_name(f"{state.name}-backups")
    made = await asyncio.to_thread(take_snapshot, state, place, 3, SystemClock())
    await hub.prober.look("backup")
    one = next(one for one in (await report(hub)).findings if one.key == "backup")
    assert (one.level, one.detail["place"]) == ("ok", str(made.path))


async def test_a_clock_that_jumped_is_named_and_a_technicians_word_lasts(
    hub: Hub, clock: SetClock
) -> None:
    with pytest.raises(AdminRefused, match="clock is trusted"):
        await act(hub, "clock.trust")
    clock.off_ms = 600_000
    await hub.caretaker.keep_time()
    one = next(one for one in (await report(hub)).findings if one.key == "clock")
    assert (one.level, one.action) == ("warning", "clock.trust")
    assert "the clock jumped by" in one.summary
    assert (await act(hub, "clock.trust"))["outcome"] == "done"
    await hub.caretaker.keep_time()  # which looks at the clock again
    assert (await levels(hub))["clock"] == "ok"


async def test_where_the_way_to_the_cloud_ends_is_looked_at(hub: Hub) -> None:
    await until(lambda: hub.cloud.status().state == "down")
    done = await act(hub, "link.look")
    assert "the server refuses connections" in done["text"]
    way = (await report(hub)).way
    assert [one.place for one in way] == ["lan", "router", "dns", "internet", "oms"]
    assert way[-1].state == "broken"
    assert (await act(hub, "outbox.retry"))["outcome"] == "started"
    with pytest.raises(AdminRefused, match="isn't reached"):
        await act(hub, "drift.check")


async def test_the_broker_is_started_again_and_certificates_are_renewed(hub: Hub) -> None:
    broker = hub.messaging.broker
    assert broker is not None
    before = broker.status
    assert (await act(hub, "broker.restart"))["outcome"] == "started"
    await until(lambda: broker.status.pid not in (None, before.pid) and hub.messaging.session.is_up)
    assert broker.status.restarts == before.restarts + 1
    with pytest.raises(AdminRefused, match="a moment ago"):
        await act(hub, "broker.restart")
    done = await act(hub, "certificate.renew")
    assert done["outcome"] == "done"
    assert "good for" in done["text"]
    ended = [("action.asked", "broker.restart"), ("action.ended", "broker.restart")]
    assert noted(hub) == [
        *ended,
        ("action.asked", "certificate.renew"),
        ("action.ended", "certificate.renew"),
    ]


def put_copies(state: Path, now_s: float) -> dict[str, Path]:
    """Old and young copies, as updates, restores and backups leave them."""
    names = {
        "old update": state / "hub.db.before-schema-1",
        "young update": state / "hub.db.before-schema-2",
        "old restore": state.with_name(f"{state.name}.before-restore-1"),
        "young restore": state.with_name(f"{state.name}.before-restore-2"),
    }
    for name, path in names.items():
        if "restore" in name:
            path.mkdir()
            (path / "hub.db").write_bytes(bytes(1000))
        else:
            path.write_bytes(bytes(5000))
        age_s = (40 if "old" in name else 5) * DAY_S
        os.utime(path, (now_s - age_s, now_s - age_s))
    for day in range(1, 6):
        path = state.with_name(f"{state.name}-backups") / f"2026112{day}T020000.000Z"
        path.mkdir(parents=True)
        (path / "hub.db").write_bytes(bytes(100))
        names[f"backup {day}"] = path
    return names


async def test_freeing_space_removes_what_is_old_and_keeps_what_is_needed(hub: Hub) -> None:
    assert (await act(hub, "space.free"))["outcome"] == "nothing-to-do"
    state = hub.settings.paths.state
    copies = put_copies(state, hub.gate.clock.wall_ms() / 1000)
    assert remove_old(state, hub.gate.clock.wall_ms()) == (4, 5000 + 1000 + 200, 0)
    kept = {name for name, path in copies.items() if path.exists()}
    assert kept == {"young update", "young restore", "backup 3", "backup 4", "backup 5"}
    assert (state / "hub.db").exists()
