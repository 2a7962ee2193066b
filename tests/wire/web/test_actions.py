"""Mending from the page: who may, what is written down, and what the status says of troubles."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hub.cli.adminclient import AdminClient, AdminRefused
from hub.contract.health import HealthFinding, HealthReport
from hub.contract.local import HubStatus
from hub.contract.problems import Code, refuse
from hub.health.facts import GIB, ClockSource, Disk, Measured
from hub.health.mending import Action, ActionDesk, Done
from hub.service.caller import Caller
from hub.storage import audit, hubrow
from hub.storage.audit import AuditRow
from hub.storage.errors import StorageFull
from tests.hubparts import SHELL, HubParts, ShiftedClock, hub_parts
from tests.unit.health.wellhub import way


@dataclass
class Tools:
    """Actions that a test watches."""

    callers: list[str] = field(default_factory=list)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def works(self, caller: Caller) -> Done:
        self.callers.append(caller.key)
        return Done("done", "It is mended.")

    async def waits(self, caller: Caller) -> Done:
        self.callers.append(caller.key)
        await self.go.wait()
        return Done("started", "It goes on.")

    async def refuses(self, _caller: Caller) -> Done:
        raise refuse(Code.UNAVAILABLE, "The part is gone: call central IT.")

    async def breaks(self, _caller: Caller) -> Done:
        raise OSError("no such thing")

    def actions(self) -> list[Action]:
        return [
            Action("a.works", "Mend", "Mends it.", "Mend it?", self.works, pause_s=60.0),
            Action("a.waits", "Wait", "Takes long.", "Wait?", self.waits, disturbs=True),
            Action("a.refuses", "Refuse", "Refuses.", "Refuse?", self.refuses),
            Action("a.breaks", "Break", "Breaks.", "Break?", self.breaks),
            Action(
                "a.never", "Never", "Never can.", "Try?", self.works, why_not=lambda: "Not here."
            ),
        ]


@pytest.fixture
def tools() -> Tools:
    return Tools()


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock()


@pytest.fixture
async def hub(tmp_state: Path, tools: Tools, clock: ShiftedClock) -> AsyncIterator[HubParts]:
    async with hub_parts(tmp_state, actions=tools.actions(), clock=clock) as running:
        yield running


async def post(hub: HubParts, key: str, **options: Any) -> tuple[int, dict[str, Any]]:
    async with hub.technician() as (http, headers):
        options = {"headers": headers} | options
        async with http.post(f"/api/1/actions/{key}", **options) as answer:
            return answer.status, await answer.json()


def entries(hub: HubParts) -> list[AuditRow]:
    return [row for row in audit.walk(hub.gate.rows) if row.action.startswith("action.")]


async def test_the_actions_are_listed_for_whoever_is_signed_in(hub: HubParts) -> None:
    async with hub.client() as http, http.get("/api/1/actions") as answer:
        assert answer.status == 401
    async with hub.technician() as (http, _), http.get("/api/1/actions") as answer:
        listed = (await answer.json())["actions"]
    assert [one["key"] for one in listed] == [
        "a.works",
        "a.waits",
        "a.refuses",
        "a.breaks",
        "a.never",
    ]
    assert listed[1]["disturbs"] is True
    assert (listed[4]["available"], listed[4]["why_not"]) == (False, "Not here.")


async def test_an_action_is_done_and_written_down_with_who_and_what_came_of_it(
    hub: HubParts, tools: Tools
) -> None:
    status, done = await post(hub, "a.works")
    assert (status, done["outcome"], done["text"]) == (200, "done", "It is mended.")
    (caller,) = tools.callers
    assert caller.startswith("web:technician-")
    asked, ended = entries(hub)
    assert (asked.caller, asked.action, asked.subject) == (caller, "action.asked", "a.works")
    assert (ended.caller, ended.action, ended.subject) == (caller, "action.ended", "a.works")
    assert json.loads(ended.data) == {"outcome": "done", "text": "It is mended."}
    assert abs(ended.at_ms - done["at_ms"]) < 60_000


async def test_without_the_sessions_token_nothing_is_done(hub: HubParts, tools: Tools) -> None:
    assert (await post(hub, "a.works", headers={}))[0] == 403
    async with hub.client() as http, http.post("/api/1/actions/a.works") as answer:
        assert answer.status == 401
    assert tools.callers == []
    assert entries(hub) == []


@pytest.mark.parametrize(
    ("key", "status", "code", "words"),
    [
        ("a.never", 409, "conflict", "Not here."),
        ("b.unknown", 404, "not-found", "a.works"),
        ("a.refuses", 503, "unavailable", "call central IT"),
    ],
)
async def test_what_cannot_be_done_is_refused_in_words(
    hub: HubParts, key: str, status: int, code: str, words: str
) -> None:
    found, problem = await post(hub, key)
    assert (found, problem["code"]) == (status, code)
    assert words in problem["detail"]


async def test_what_fails_is_written_down_too(hub: HubParts) -> None:
    assert (await post(hub, "a.breaks"))[0] == 503
    _, ended = entries(hub)
    assert json.loads(ended.data) == {"outcome": "failed", "text": "no such thing"}


async def test_one_action_at_a_time_and_none_too_soon_again(
    hub: HubParts, tools: Tools, clock: ShiftedClock
) -> None:
    async with hub.technician() as (http, headers):

        async def act(key: str) -> tuple[int, str | None]:
            async with http.post(f"/api/1/actions/{key}", headers=headers) as answer:
                return answer.status, answer.headers.get("Retry-After")

        long = asyncio.create_task(act("a.waits"))
        async with asyncio.timeout(60):
            while not tools.callers:
                await asyncio.sleep(0.01)
        assert await act("a.works") == (429, "2")
        tools.go.set()
        assert (await long)[0] == 200
        assert (await act("a.works"))[0] == 200
        status, retry_after = await act("a.works")
        assert status == 429
        assert retry_after is not None
        assert int(retry_after) <= 60
        clock.ahead_s += 61
        assert (await act("a.works"))[0] == 200


async def test_a_shell_on_the_box_may_too(hub: HubParts, tools: Tools) -> None:
    client = AdminClient(hub.run)
    listed = await asyncio.to_thread(client.actions)
    assert len(listed["actions"]) == 5
    done = await asyncio.to_thread(client.act, "a.works")
    assert done["outcome"] == "done"
    assert tools.callers[0].startswith("cli:uid-")
    with pytest.raises(AdminRefused, match="Not here"):
        await asyncio.to_thread(client.act, "a.never")


async def health(hub: HubParts) -> HealthReport:
    async with hub.technician() as (http, _), http.get("/api/1/status") as answer:
        found = HubStatus.model_validate(await answer.json()).health
    assert found is not None
    return found


async def test_a_hub_that_is_well_says_so_in_its_status(hub: HubParts) -> None:
    report = await health(hub)
    assert report.verdict == "ok"
    assert report.readiness.score == 100


async def test_internet_cut_clock_off_and_disk_nearly_full_are_each_named_with_the_next_step(
    hub: HubParts,
) -> None:
    hub.parts.cloud_state = "down"
    hub.measured.value = Measured(
        disk=Disk(total_bytes=32 * GIB, free_bytes=GIB, sync_ms=5),
        clock=ClockSource(synchronised=False, off_cloud_ms=600_000),
        way=way("internet"),
    )
    doubt = "the clock is 600 s off the cloud's"
    await hub.write(lambda tx: hubrow.keep_time(tx, trusted_wall_ms=None, suspect=doubt))
    report = await health(hub)
    found: dict[str, HealthFinding] = {one.key: one for one in report.findings}
    for key, words, step, action in (
        ("link", "the internet doesn't", "router's internet light", "link.look"),
        ("clock", doubt, "Compare the box's clock with your watch", "clock.trust"),
        ("disk-space", "96 % used", "Free space on the box", "space.free"),
    ):
        one = found[key]
        assert one.level == "warning"
        assert words in one.summary
        assert step in one.next_step
        assert one.action == action
        assert one.since_ms is not None
        assert one.means
    assert report.verdict == "warning"
    assert report.headline == "The shop sells; 3 things need somebody."
    assert [one.state for one in report.way] == ["ok", "ok", "ok", "broken", "unknown"]
    lost = {one.key: one.weight for one in report.readiness.lost}
    # A clock in doubt bars cards without the processor.
    assert lost.keys() == {"link", "clock", "clock-source", "disk-space", "payments"}
    total = report.readiness.total_weight
    assert report.readiness.score == 100 * (total - sum(lost.values())) // total


async def test_since_stands_still_while_the_trouble_lasts(
    hub: HubParts, clock: ShiftedClock
) -> None:
    hub.measured.value = Measured(disk=Disk(total_bytes=32 * GIB, free_bytes=GIB))
    first = await health(hub)
    clock.ahead_s += 120  # the page asks again later
    second = await health(hub)
    assert first.findings[0].key == second.findings[0].key == "disk-space"
    assert first.verdict == second.verdict == "warning"
    assert first.since_ms is not None


async def test_what_makes_room_is_done_also_when_nothing_can_be_written(
    tmp_state: Path, tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    makes_room = Action(
        "c.room", "Free", "Frees.", "Free?", tools.works, needs_room=False, pause_s=0.0
    )
    needs_room = Action("c.other", "Other", "Other.", "Other?", tools.works)
    async with hub_parts(tmp_state, actions=[makes_room, needs_room]) as hub:

        async def full(*_: Any) -> Any:
            raise StorageFull("the disk is full")

        desk = ActionDesk(hub.gate, [makes_room, needs_room])
        monkeypatch.setattr(hub.gate, "internal", full)
        with pytest.raises(StorageFull):
            await desk.run(SHELL, "c.other")
        assert tools.callers == []
        assert (await desk.run(SHELL, "c.room")).outcome == "done"
    assert tools.callers == [SHELL.key]
