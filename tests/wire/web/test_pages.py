"""The reads of the technician's pages over HTTPS: who may ask, what is refused, page after page."""

from __future__ import annotations

import asyncio
import io
import logging
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from hub.contract.pages.table import READS, PageRead
from hub.domain.payments.states import PaymentState
from hub.logs import Entry
from hub.service.handlers.history import NoteMinute
from hub.storage import devicerows, historyrows, outbox
from hub.storage.errors import StorageFull
from hub.storage.historyrows import Marks
from tests.hubparts import HubParts, ShiftedClock, hub_parts
from tests.storage.freeze import trade
from tests.support.cardrows import add_payment, payment_id
from tests.support.shop import Shop

OUTAGE = "0199f3a2-7e90-7b1d-8a4f-5c9d2e7f1a02"


def furnish(state: Path) -> None:
    shop = Shop(state)
    trade(shop)
    shop.internal(NoteMinute(shop.clock.wall_ms(), 60_000, 30_000, 7, ()))
    shop.tx(lambda tx: historyrows.begin_outage(tx, OUTAGE, 1, "dns", False, Marks()))
    shop.tx(lambda tx: add_payment(tx, 1, PaymentState.STORED, in_sale=1))
    shop.close()


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[HubParts]:
    """A hub with a short day behind it."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    await asyncio.to_thread(furnish, state)
    async with hub_parts(tmp_path) as parts:
        yield parts


def address(read: PageRead) -> str:
    """The read with something in its path."""
    filled = {
        "device_id": "till-1",
        "sale_id": "0199f3a2-7e90-7b1d-8a4f-5c9d2e7f1a02",
        "basket_id": "0199f3a2-7e90-7b1d-8a4f-5c9d2e7f1a02",
        "job_id": "0199f3a2-7e90-7b1d-8a4f-5c9d2e7f1a02",
        "payment_id": payment_id(1),
        "outbox_id": "1",
        "outage_id": OUTAGE,
        "order_id": "0199f3a2-7e90-7b1d-8a4f-5c9d2e7f1a02",
    }
    sku = "?sku=tea" if "sku" in read.query.model_fields else ""
    return read.path.format(**filled) + sku


async def get(http: ClientSession, path: str, status: int = 200) -> Any:
    async with http.get(path) as answer:
        assert answer.status == status, await answer.text()
        assert answer.headers["Cache-Control"] == "no-store"
        return await answer.json()


@pytest.mark.parametrize("read", READS, ids=lambda read: read.path)
async def test_nobody_reads_a_page_without_a_session(hub: HubParts, read: PageRead) -> None:
    async with hub.client() as http:
        assert (await get(http, address(read), 401))["code"] == "unauthenticated"


async def test_every_page_answers_a_technician_as_its_model_says(hub: HubParts) -> None:
    missing = {"/api/1/sales/{sale_id}", "/api/1/baskets/{basket_id}", "/api/1/settings"}
    missing |= {"/api/1/printing/{job_id}", "/api/1/orders/{order_id}"}
    async with hub.technician() as (http, _):
        for read in READS:
            if read.reply is None:
                continue
            if read.path in missing:
                continue
            body = await get(http, address(read))
            assert (
                read.reply.model_validate(body).model_dump(mode="json", exclude_none=True) == body
            )


async def test_what_is_asked_wrongly_is_refused(hub: HubParts) -> None:
    wrong = (
        "/api/1/devices?limit=0",
        "/api/1/devices?limit=201",
        "/api/1/devices?limit=many",
        "/api/1/devices?limit=1&limit=2",
        "/api/1/devices?colour=red",
        "/api/1/devices?cursor=made-up",
        "/api/1/devices?cursor=%00",
        "/api/1/devices/NO",
        "/api/1/devices/till-1/traffic?limit=101",
        "/api/1/products/one",
        "/api/1/products/one?sku=%20",
        "/api/1/products/ledger?sku=tea&cursor=1",
        "/api/1/products/ledger?sku=tea&cursor=99999.1",
        "/api/1/sales?day=yesterday",
        "/api/1/sales?q=%25",
        "/api/1/sales?q=001&cursor=1",
        "/api/1/sales/1",
        "/api/1/baskets?state=closed",
        "/api/1/sales/1/receipt",
        "/api/1/printing/1",
        "/api/1/printing/ended?which=lost",
        "/api/1/printing/ended?cursor=1",
        "/api/1/cloud/events?stream=gossip",
        "/api/1/cloud/events?state=waiting&cursor=1.2",
        "/api/1/cloud/events/0",
        "/api/1/logs?level=loud",
        "/api/1/logs?limit=501",
        "/api/1/support/bundle?bundle_id=..",
    )
    async with hub.technician() as (http, _):
        for path in wrong:
            problem = await get(http, path, 422)
            assert problem["code"] == "validation", path


async def test_what_isn_t_there_is_not_found(hub: HubParts) -> None:
    nothing = "0199f3a2-7e90-7b1d-8a4f-5c9d2e7f1a02"
    async with hub.technician() as (http, _):
        for path in (
            "/api/1/devices/till-99",
            "/api/1/products/one?sku=nothing",
            "/api/1/products/ledger?sku=nothing",
            f"/api/1/sales/{nothing}",
            f"/api/1/baskets/{nothing}",
            f"/api/1/sales/{nothing}/receipt",
            f"/api/1/printing/{nothing}",
            "/api/1/cloud/events/999999",
            f"/api/1/support/bundle?bundle_id={nothing}",
        ):
            assert (await get(http, path, 404))["code"] == "not-found"


async def test_a_page_is_only_read(hub: HubParts) -> None:
    async with hub.technician() as (http, csrf):
        for read in READS:
            async with http.post(address(read), json={}, headers=csrf) as answer:
                assert answer.status == 405, read.path
                assert "POST" not in answer.headers["Allow"]


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/api/1/devices", "devices"),
        ("/api/1/products", "products"),
        ("/api/1/products/ledger?sku=tea", "entries"),
        ("/api/1/days", "days"),
        ("/api/1/sales", "sales"),
        ("/api/1/sales?q=00", "sales"),
        ("/api/1/baskets", "baskets"),
        ("/api/1/cloud/events", "events"),
        ("/api/1/cloud/events?stream=sales", "events"),
        ("/api/1/cloud/events?state=waiting", "events"),
    ],
)
async def test_pages_one_by_one_are_the_whole_list(hub: HubParts, path: str, key: str) -> None:
    sign = "&" if "?" in path else "?"
    async with hub.technician() as (http, _):
        whole = await get(http, f"{path}{sign}limit=200")
        assert whole[key]
        assert "next_cursor" not in whole
        found: list[Any] = []
        cursor = ""
        while True:
            page = await get(http, f"{path}{sign}limit=1{cursor}")
            assert len(page[key]) <= 1
            found += page[key]
            if "next_cursor" not in page:
                break
            cursor = f"&cursor={page['next_cursor']}"
            assert len(found) <= len(whole[key])
    assert found == whole[key]


# Changes -----------------------------------------------------------------------------------------


async def test_a_change_needs_the_session_s_token_and_is_written_down(hub: HubParts) -> None:
    body = {"level": "debug", "logger": "hub.somewhere", "for_s": 60}
    key = {"Idempotency-Key": "a-click-1"}
    async with hub.technician() as (http, csrf):
        async with http.post("/api/1/log/level", json=body, headers=key) as answer:
            assert answer.status == 403
        assert logging.getLogger("hub.somewhere").level == logging.NOTSET
        async with http.post("/api/1/log/level", json=body, headers=csrf | key) as answer:
            assert answer.status == 200, await answer.text()
        levels = (await get(http, "/api/1/logs"))["levels"]
    assert [one["logger"] for one in levels] == ["", "hub.somewhere"]
    assert levels[1]["level"] == "debug"
    assert logging.getLogger("hub.somewhere").level == logging.DEBUG
    entry = hub.gate.rows.one("SELECT caller, subject, data FROM audit WHERE action = 'log.level'")
    assert entry is not None
    assert entry[0].startswith("web:technician-")
    assert (entry[1], entry[2]) == ("hub.somewhere", '{"for_s":60,"level":"debug"}')
    hub.web.reads.levels.close()
    assert logging.getLogger("hub.somewhere").level == logging.NOTSET


async def test_a_device_whose_key_is_withdrawn_has_to_pair_again(hub: HubParts) -> None:
    async with hub.technician() as (http, csrf):
        before = (await get(http, "/api/1/devices/till-1"))["device"]
        body = {"rekey_device_id": "till-1", "cut_off": True}
        async with http.post("/api/1/pairing/open", json=body, headers=csrf) as answer:
            assert answer.status == 200, await answer.text()
        after = (await get(http, "/api/1/devices/till-1"))["device"]
    assert after["key_withdrawn"]
    assert (after["name"], after["number"]) == (before["name"], before["number"])
    assert after["status"] == "paired"
    row = devicerows.get(hub.gate.rows, "till-1")
    assert row is not None
    assert row.password_hash is None
    assert {type(one).__name__ for one in hub.notices} >= {"DeviceRevoked", "DeviceChanged"}
    assert hub.gate.rows.one("SELECT 1 FROM audit WHERE action = 'device.key_withdrawn'")


async def test_only_telemetry_is_given_up(hub: HubParts) -> None:
    def park(tx: Any) -> list[int]:
        source = tx.one("SELECT source FROM hub")[0]
        numbers = []
        for stream in ("telemetry", "sales"):
            number = outbox.append(
                tx,
                source=source,
                stream=stream,
                event_id=f"event-{stream}",
                type_="com.storehub.test.v1",
                aggregate="till-1",
                data='{"staff_name":"Anna Berg","qty":1}',
            )
            row = outbox.get(tx, number)
            assert row is not None
            outbox.park(
                tx, row, f"marker-{stream}", "com.storehub.outbox.parked.v1", "{}", "bad: x"
            )
            numbers.append(number)
        return numbers

    telemetry, sale = await hub.write(park)
    key = "0199f3a2-7e90-7b1d-8a4f-5c9d2e7f1a9"
    async with hub.technician() as (http, csrf):
        listed = await get(http, "/api/1/cloud/parked")
        assert [one["may_give_up"] for one in listed["parked"]] == [False, False]
        assert "may have the event itself" in listed["parked"][0]["why_not"]
        early = {"outbox_id": telemetry, "reason": "till is gone"}
        headers = csrf | {"Idempotency-Key": f"{key}000"}
        async with http.post("/api/1/outbox/give-up", json=early, headers=headers) as answer:
            assert answer.status == 409, await answer.text()
        await hub.write(lambda tx: tx.run("UPDATE streams SET acked_seq = head_seq"))
        listed = await get(http, "/api/1/cloud/parked")
        assert listed["total"] == 2
        assert [one["may_give_up"] for one in listed["parked"]] == [True, False]
        whole = await get(http, f"/api/1/cloud/events/{telemetry}")
        assert whole["data"] == {"qty": 1}
        assert whole["left_out"] == ["staff_name"]
        for number, status in ((sale, 409), (telemetry, 200), (telemetry, 404)):
            body = {"outbox_id": number, "reason": "till is gone"}
            headers = csrf | {"Idempotency-Key": f"{key}{status}"}
            async with http.post("/api/1/outbox/give-up", json=body, headers=headers) as answer:
                assert answer.status == status, await answer.text()
        assert (await get(http, "/api/1/cloud/parked"))["total"] == 1
    assert hub.gate.rows.one("SELECT 1 FROM audit WHERE action = 'outbox.given_up'")


# Logs and support --------------------------------------------------------------------------------


def said(hub: HubParts, level: str, source: str, message: str, at_ms: int = 1000) -> None:
    hub.web.reads._sources.recent.lines.add(Entry(at_ms, level, source, message, "", {"n": 1}))


async def test_the_log_is_filtered_followed_and_read_back(hub: HubParts) -> None:
    for number in range(5):
        said(hub, "info", "hub.mqtt.router", f"line {number}", 1000 + number)
    said(hub, "error", "hub.mqttish", "Broken")
    async with hub.technician() as (http, _):
        assert len((await get(http, "/api/1/logs"))["lines"]) == 6
        errors = (await get(http, "/api/1/logs?level=warning"))["lines"]
        assert [one["text"] for one in errors] == ["Broken"]
        assert len((await get(http, "/api/1/logs?logger=hub.mqtt"))["lines"]) == 5
        assert len((await get(http, "/api/1/logs?text=LINE"))["lines"]) == 5
        assert len((await get(http, "/api/1/logs?since_ms=1003"))["lines"]) == 2
        first = await get(http, "/api/1/logs?limit=4")
        rest = await get(http, f"/api/1/logs?limit=4&before={first['next_before']}")
        assert [one["number"] for one in first["lines"] + rest["lines"]] == [6, 5, 4, 3, 2, 1]
        assert "next_before" not in rest
        said(hub, "info", "hub", "new")
        news = await get(http, f"/api/1/logs?after={first['newest']}")
        assert [one["text"] for one in news["lines"]] == ["new"]


async def test_the_bundle_is_what_was_shown(hub: HubParts) -> None:
    said(hub, "info", "hub", "a line")
    async with hub.technician() as (http, _):
        preview = await get(http, "/api/1/support/preview")
        said(hub, "info", "hub", "a later line")
        bundle_id = preview["bundle_id"]
        async with http.get(f"/api/1/support/bundle?bundle_id={bundle_id}") as answer:
            assert answer.content_type == "application/zip"
            assert preview["file_name"] in answer.headers["Content-Disposition"]
            raw = await answer.read()
        async with http.get("/api/1/support/bundle") as answer:
            assert answer.status == 200
            fresh = await answer.read()
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        assert {name: archive.read(name).decode() for name in archive.namelist()} == {
            one["name"]: one["text"] for one in preview["files"]
        }
    with zipfile.ZipFile(io.BytesIO(fresh)) as archive:
        assert "a later line" in archive.read("log.txt").decode()
    texts = {one["name"]: one["text"] for one in preview["files"]}
    assert texts["integrity.txt"] == "The database is whole.\n"
    actions = [row[0] for row in hub.gate.rows.all("SELECT action FROM audit ORDER BY seq")]
    assert actions.count("support.made") == 2
    assert actions.count("support.taken") == 2


async def test_a_check_that_takes_too_long_doesn_t_keep_the_bundle_away(
    hub: HubParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless(_rows: object) -> list[str]:
        raise TimeoutError("a read took longer than 5 s")

    monkeypatch.setattr("hub.storage.pages.support.integrity", endless)
    async with hub.technician() as (http, _):
        preview = await get(http, "/api/1/support/preview")
    texts = {one["name"]: one["text"] for one in preview["files"]}
    assert texts["integrity.txt"].startswith("Not known: the check takes longer")


async def test_a_full_disk_keeps_no_help_away(
    hub: HubParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = hub.gate.internal

    async def full(caller: Any, command: Any) -> Any:
        if type(command).__name__ == "NoteAccess" and command.action.startswith("support."):
            raise StorageFull("no room")
        return await real(caller, command)

    async with hub.technician() as (http, _):
        monkeypatch.setattr(hub.gate, "internal", full)
        async with http.get("/api/1/support/bundle") as answer:
            assert answer.status == 200


async def test_pages_are_read_one_at_a_time_and_the_wait_is_bounded(
    hub: HubParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.web.reads.WAIT_S", 0.05)
    async with hub.technician() as (http, _):
        await hub.web.reads._turn.acquire()
        async with http.get("/api/1/days") as answer:
            assert answer.status == 429
            assert answer.headers["Retry-After"] == "1"
        hub.web.reads._turn.release()
        assert (await get(http, "/api/1/days"))["days"]


async def test_following_the_log_alone_keeps_no_session_open(tmp_path: Path) -> None:
    clock = ShiftedClock()
    async with hub_parts(tmp_path, clock=clock, idle_s=60) as hub, hub.technician() as (http, _):
        clock.ahead_s += 40
        await get(http, "/api/1/logs?after=0")
        await get(http, "/api/1/devices/till-1/traffic")
        clock.ahead_s += 40
        assert (await get(http, "/api/1/logs?after=0", 401))["code"] == "unauthenticated"
