"""A drill and support bundles with a real cloud over TLS: cut for good, back by itself, and pieces
that arrive once whatever happens on the way."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cloud_link.bundles import Bundle
from cloud_link.transport import AiohttpTransport, HttpReply, HttpRequest
from hub.contract.oms_remote import MAX_BUNDLE_BYTES, MAX_PIECE_BYTES
from hub.service.handlers.remote import next_support
from hub.storage import drillrows
from tests.flow.cloud.cloudshop import HubSide, Oms, hub_side, oms_process

SIZE = 3 * MAX_PIECE_BYTES + 17


class Made:
    """Makes bundles, each another one."""

    def __init__(self, size: int = SIZE) -> None:
        self.size = size
        self.bundles: list[Bundle] = []

    async def __call__(self) -> Bundle:
        made = Bundle(f"bundle-{len(self.bundles)}.zip", os.urandom(self.size))
        self.bundles.append(made)
        return made


@pytest.fixture
async def tls_oms(tmp_path: Path) -> AsyncIterator[Oms]:
    async with oms_process(tmp_path / "oms", plain=False) as running:
        yield running


def over_tls(oms: Oms) -> Any:
    return oms.settings(ca_file=Path(oms.ready["ca"]))


async def command(oms: Oms, kind: str, data: Any = None, **more: Any) -> str:
    sent = await asked(oms, "POST", "/sandbox/commands", {"type": kind, "data": data or {}} | more)
    return str(sent["id"])


async def asked(oms: Oms, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """As :meth:`Oms.ask`, over TLS."""
    from scripts.rig.talk import OmsAdmin

    admin = OmsAdmin(oms.url, oms.ready["ca"], oms.ready["admin_token"])
    return await admin._call(method, path.removeprefix("/sandbox/"), body)


async def outcome(hub: HubSide, oms: Oms, command_id: str) -> tuple[str, str]:
    """What the cloud was told of a command."""
    async with asyncio.timeout(80):
        while True:
            found = (await asked(oms, "GET", "/sandbox/commands"))["commands"]
            one = next(row for row in found if row["id"] == command_id)
            if one["outcome"]:
                return one["outcome"], one["why"]
            await asyncio.sleep(0.1)


async def bundles(oms: Oms) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await asked(oms, "GET", "/sandbox/support"))["bundles"]
    return found


async def test_no_request_leaves_while_the_link_is_held_and_all_is_told_afterwards(
    tmp_path: Path, tls_oms: Oms, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    real = AiohttpTransport.send

    async def send(self: AiohttpTransport, request: HttpRequest) -> HttpReply:
        sent.append(request.url)
        return await real(self, request)

    monkeypatch.setattr(AiohttpTransport, "send", send)
    async with hub_side(tmp_path / "hub", over_tls(tls_oms)) as hub:
        await hub.synced()
        goods = await hub.stock_up()
        await hub.drained()
        await hub.link.hold("a drill")
        before = len(sent)
        for sku, price in goods[:3]:
            await hub.sell(sku, price)
        await hub.link.retry()
        hub.link.check_drift()
        hub.link.sync_dataset("prices")
        await hub.link.hold("a drill")
        await asyncio.sleep(1.0)  # 25 s of the link's own time
        assert len(sent) == before
        status = hub.link.status()
        assert (status.state, status.detail, hub.waiting) == ("down", "a drill", 3)
        hub.link.release()
        hub.link.release()
        await hub.drained()
        await hub.until(lambda: hub.link.up)
        sold = (await asked(tls_oms, "GET", "/sandbox/sales"))["sales"]
        assert len(sold) == 3


async def test_a_held_link_stays_cut_over_a_start(tmp_path: Path, tls_oms: Oms) -> None:
    async with hub_side(tmp_path / "hub", over_tls(tls_oms), start=False) as hub:
        await hub.link.hold("a drill")
        await hub.link.start()
        assert hub.link.status().state == "down"
        hub.link.release()
        await hub.until(lambda: hub.link.up)


async def test_a_drill_of_the_cloud_is_written_down_with_the_cursor(
    tmp_path: Path, tls_oms: Oms
) -> None:
    async with hub_side(tmp_path / "hub", over_tls(tls_oms)) as hub:
        await hub.until(lambda: hub.link.up)
        await asked(tls_oms, "POST", "/sandbox/misbehave", {"duplicate_commands": True, "seed": 1})
        first = await command(tls_oms, "drill.requested", {"minutes": 1, "asked_by": "it/anna"})
        assert await outcome(hub, tls_oms, first) == ("done", "")
        second = await command(tls_oms, "drill.requested", {"minutes": 1})
        assert await outcome(hub, tls_oms, second) == ("failed", "A drill is running already.")
        row = drillrows.running(hub.gate.rows)
        assert row is not None
        assert row.command_id == first


async def test_limits_that_the_cloud_sets_are_in_force_with_the_next_session(
    tmp_path: Path, tls_oms: Oms
) -> None:
    settings = over_tls(tls_oms)
    async with hub_side(tmp_path / "hub", settings) as hub:
        await hub.synced()
        goods = await hub.stock_up()
        await hub.link.adopt(settings.model_copy(update={"batch_events": 1}))
        for sku, price in goods[:5]:
            await hub.sell(sku, price)
        await hub.drained()
        assert hub.link.parts is not None
        assert hub.link.parts.uplink.requests >= 5


async def test_a_bundle_arrives_whole_and_once_through_a_bad_line(
    tmp_path: Path, tls_oms: Oms
) -> None:
    made = Made()
    async with hub_side(tmp_path / "hub", over_tls(tls_oms), make_bundle=made) as hub:
        await hub.until(lambda: hub.link.up)
        trouble = {"lose_reply_rate": 0.3, "error_rate": 0.2, "duplicate_commands": True, "seed": 5}
        await asked(tls_oms, "POST", "/sandbox/misbehave", trouble)
        command_id = await command(tls_oms, "support.requested", {"reason": "slow"})
        assert await outcome(hub, tls_oms, command_id) == ("done", "")
        (kept,) = await bundles(tls_oms)
        assert kept["complete"]
        assert kept["total_bytes"] == SIZE
        assert kept["sha256"] in [hashlib.sha256(one.content).hexdigest() for one in made.bundles]
        assert next_support(hub.gate.rows) is None


async def test_a_hub_that_was_killed_while_sending_sends_another_bundle(
    tmp_path: Path, tls_oms: Oms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first life ends after two pieces, as if by the power."""
    made, posts = Made(), 0
    real = AiohttpTransport.send
    gone = asyncio.Event()

    async def send(self: AiohttpTransport, request: HttpRequest) -> HttpReply:
        nonlocal posts
        if request.url.endswith("/support-bundles"):
            posts += 1
            if posts == 3:
                gone.set()
                await asyncio.Event().wait()
        return await real(self, request)

    monkeypatch.setattr(AiohttpTransport, "send", send)
    async with hub_side(tmp_path / "hub", over_tls(tls_oms), make_bundle=made) as hub:
        await hub.until(lambda: hub.link.up)
        command_id = await command(tls_oms, "support.requested")
        await asyncio.wait_for(gone.wait(), 60)
    assert [one["complete"] for one in await bundles(tls_oms)] == [0]
    async with hub_side(tmp_path / "hub", over_tls(tls_oms), make_bundle=made) as hub:
        assert await outcome(hub, tls_oms, command_id) == ("done", "")
    (kept,) = await bundles(tls_oms)
    assert kept["sha256"] == hashlib.sha256(made.bundles[1].content).hexdigest()
    assert len(made.bundles) == 2


@pytest.mark.parametrize(
    ("size", "why"), [(MAX_BUNDLE_BYTES + 1, "more than"), (0, "makes no support bundles")]
)
async def test_what_cannot_be_sent_is_told(
    tmp_path: Path, tls_oms: Oms, size: int, why: str
) -> None:
    async with hub_side(tmp_path / "hub", over_tls(tls_oms), make_bundle=Made(size)) as hub:
        await hub.until(lambda: hub.link.up)
        command_id = await command(tls_oms, "support.requested")
        ended, said = await outcome(hub, tls_oms, command_id)
        assert ended == "failed"
        assert why in said
        assert await bundles(tls_oms) == []


async def test_a_bundle_that_fails_to_be_made_is_tried_again(tmp_path: Path, tls_oms: Oms) -> None:
    made, tries = Made(100), 0

    async def make() -> Bundle:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise TimeoutError("the database is busy")
        return await made()

    async with hub_side(tmp_path / "hub", over_tls(tls_oms), make_bundle=make) as hub:
        await hub.until(lambda: hub.link.up)
        command_id = await command(tls_oms, "support.requested")
        assert await outcome(hub, tls_oms, command_id) == ("done", "")
