"""The pages of a whole hub: what a till did is seen by a technician, and what the technician does
is felt by the till."""

from __future__ import annotations

import contextlib
import io
import json
import ssl
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from devices.kit import IdentityStore, PairingLink, pair
from tests.support.hubbox import GOODS, Box, open_box, sell
from tests.support.rawmqtt import raw_device

pytestmark = pytest.mark.may_block  # the hub is a process of its own

TEA = GOODS[0]


@contextlib.asynccontextmanager
async def technician(box: Box) -> AsyncIterator[tuple[aiohttp.ClientSession, dict[str, str]]]:
    """A signed-in client and the headers of its changes."""
    trust = ssl.create_default_context(cafile=str(box.rig.base / "hub" / "tls" / "ca-bundle.pem"))
    connector = aiohttp.TCPConnector(ssl=trust)
    jar = aiohttp.CookieJar(unsafe=True)
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(
        box.url, connector=connector, cookie_jar=jar, timeout=timeout
    ) as http:
        code = (await box.rig.admin.open_technician())["code"]
        async with http.post("/api/1/session", json={"code": code}) as answer:
            assert answer.status == 200, await answer.text()
            yield http, {"X-CSRF-Token": (await answer.json())["csrf"]}


async def get(http: aiohttp.ClientSession, path: str) -> Any:
    async with http.get(path) as answer:
        assert answer.status == 200, (path, await answer.text())
        return await answer.json()


async def post(
    http: aiohttp.ClientSession, headers: dict[str, str], path: str, body: object, key: str = ""
) -> Any:
    more = {"Idempotency-Key": key} if key else {}
    async with http.post(path, json=body, headers=headers | more) as answer:
        assert answer.status == 200, (path, await answer.text())
        return await answer.json()


async def test_what_a_till_does_is_seen_on_the_pages() -> None:
    async with open_box() as box:
        till = await box.pair(name="Front")
        device_id = till.load().device_id
        async with box.client(till) as hub:
            await box.stock_up(hub)
            sold = await sell(hub, TEA, 3)
            await box.told_all()
            async with technician(box) as (http, csrf):
                await _looks_at_the_till(http, device_id)
                await _looks_at_the_sale(http, sold.sale_id, sold.business_day)
                await _looks_at_the_link(box, http)
                await _looks_at_the_house(box, http, csrf)
        await _takes_bundles(box)


async def _looks_at_the_till(http: aiohttp.ClientSession, device_id: str) -> None:
    (listed,) = (await get(http, "/api/1/devices?q=fro"))["devices"]
    assert (listed["device_id"], listed["receipts"]) == (device_id, 1)
    page = await get(http, f"/api/1/devices/{device_id}")
    assert len(page["certificates"]) == 1
    assert not page["device"]["key_withdrawn"]
    traffic = await get(http, f"/api/1/devices/{device_id}/traffic")
    whats = [(one["what"], one["outcome"]) for one in traffic["exchanges"]]
    assert ("sale/commit", "ok") in whats
    assert ("stock/receive", "ok") in whats
    assert {"state", "meta"} <= {one["kind"] for one in traffic["exchanges"]}


async def _looks_at_the_sale(http: aiohttp.ClientSession, sale_id: str, day: str) -> None:
    page = await get(http, f"/api/1/sales?day={day}")
    assert [one["sale_id"] for one in page["sales"]] == [sale_id]
    assert page["day"]["total_minor"] == 3 * TEA.price_minor
    whole = await get(http, f"/api/1/sales/{sale_id}")
    assert (whole["told"], whole["lines"][0]["qty"]) == ("acked", 3)
    ledger = await get(http, f"/api/1/products/ledger?sku={TEA.sku}")
    first = ledger["entries"][0]
    assert (first["sellable_change"], first["sellable_after"], first["sale_id"]) == (
        -3,
        997,
        sale_id,
    )
    (product,) = (await get(http, f"/api/1/products?q={TEA.gtin}&limit=1"))["products"]
    assert (product["sku"], product["sellable"]) == (TEA.sku, 997)


async def _looks_at_the_link(box: Box, http: aiohttp.ClientSession) -> None:
    page = await get(http, "/api/1/cloud")
    assert page["link"]["state"] == "up"
    assert {one["dataset"] for one in page["datasets"]} >= {"catalog", "prices"}
    events = await get(http, "/api/1/cloud/events?stream=sales")
    whole = await get(http, f"/api/1/cloud/events/{events['events'][0]['outbox_id']}")
    assert whole["data"]["sale_id"]
    assert "staff_id" in whole["left_out"]


async def _looks_at_the_house(box: Box, http: aiohttp.ClientSession, csrf: dict[str, str]) -> None:
    settings = await get(http, "/api/1/settings")
    shown = {one["key"]: one for one in settings["settings"]}
    assert settings["file"] == str(box.rig.config_file)
    assert shown["store.id"]["origin"].startswith(str(box.rig.config_file))
    assert shown["web.session_idle_s"]["is_default"]
    assert not any(one["value"] for one in shown.values() if one["is_secret"])
    body = {"level": "debug", "logger": "hub.somewhere", "for_s": 600}
    await post(http, csrf, "/api/1/log/level", body, "a-click-1")

    async def told() -> bool:
        logs = await get(http, "/api/1/logs?logger=hub.web.loglevels")
        return bool(logs["lines"]) and "hub.somewhere" in [one["logger"] for one in logs["levels"]]

    await box.until(told)
    await box.cli("log", "level", "debug", "--logger", "hub.elsewhere", "--minutes", "5")
    levels = (await get(http, "/api/1/logs"))["levels"]
    assert "hub.elsewhere" in [one["logger"] for one in levels]
    refused = await box.cli("outbox", "give-up", "1", "--reason", "odd", code=1)
    assert "No event is parked" in refused
    assert "--rekey" in await box.cli("pair", "--cut-off", code=1)


async def _takes_bundles(box: Box) -> None:
    target = box.rig.base / "bundle.zip"
    told = await box.cli_json("support", "--out", str(target))
    assert told["running"]
    with zipfile.ZipFile(io.BytesIO(target.read_bytes())) as archive:
        names = set(archive.namelist())
        assert json.loads(archive.read("status.json"))["store"] == box.rig.store
        assert b"# TYPE" in archive.read("metrics.txt")
    await box.stop_hub()
    told = await box.cli_json("support", "--out", str(target))
    assert not told["running"]
    with zipfile.ZipFile(io.BytesIO(target.read_bytes())) as archive:
        gone = names - set(archive.namelist())
        assert gone == {"status.json", "health.json", "metrics.txt"}
        assert archive.read("integrity.txt").startswith(b"The database is whole.")


@pytest.mark.parametrize("auth", ["mtls", "password"])
async def test_a_withdrawn_key_is_dead_at_once_and_the_device_comes_back_as_itself(
    auth: Any,
) -> None:
    async with open_box(cloud=False) as box:
        store = await box.pair(auth=auth, name="Front")
        device_id = store.load().device_id
        async with box.raw(store) as raw, technician(box) as (http, csrf):
            body = {"rekey_device_id": device_id, "cut_off": True}
            opened = await post(http, csrf, "/api/1/pairing/open", body)
            await raw.cut()
            assert await _refused(box, store)
            page = await get(http, f"/api/1/devices/{device_id}")
            assert page["device"]["key_withdrawn"]

            link = PairingLink.parse(opened["qr"])
            again = IdentityStore(box.rig.tills / "again")
            await pair(
                again,
                host="127.0.0.1",
                port=box.rig.ports.https,
                ca_fingerprint=link.fingerprint,
                code=link.code,
                auth=auth,
            )
            assert again.load().device_id == device_id
            page = await get(http, f"/api/1/devices/{device_id}")
            assert (page["device"]["key_withdrawn"], page["device"]["name"]) == (False, "Front")

            async def back() -> bool:
                return not await _refused(box, again)

            await box.until(back)
            assert await _refused(box, store)


async def _refused(box: Box, store: IdentityStore) -> bool:
    try:
        async with raw_device(box.login(store), box.rig.store) as raw:
            return await raw.outcome != "Success"
    except (OSError, TimeoutError):
        return True
