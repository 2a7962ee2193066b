"""Card numbers typed wherever something can be typed: none is found on any disk or wire afterwards.

The fields come from the contract's own models, so a new field is tried by itself.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
import zstandard

from devices.kit import IdentityStore, Refused
from hub.contract.publish import local_samples, oms_samples, samples
from hub.contract.registry import Door
from hub.contract.sale import SaleDone, Tender
from hub.contract.stock import AdjustStock, StockBooked
from tests.support.canaries import (
    CANARIES,
    PANS,
    bodies,
    found_in,
    planted,
    seen_in,
    tapped_box,
    texts_of,
    turn,
)
from tests.support.hubbox import GOODS, MANAGER, Box, sale_of, sell, sign_in
from tests.support.rawmqtt import Raw, raw_device

Next = Callable[[], str]


@pytest.mark.parametrize("canary", CANARIES)
def test_the_search_finds_what_it_looks_for(canary: str) -> None:
    text = json.dumps({"note": f"x {canary} y"}).encode()
    assert seen_in(b"\0\1" + text)
    assert seen_in(b"junk" + gzip.compress(text) + b"tail")
    assert seen_in(b"junk" + zstandard.compress(text * 20))
    assert seen_in(f"é {canary}".encode())
    if canary in PANS:
        assert seen_in(base64.b64encode(b"ab" + canary.encode() + b"c"))
    assert not seen_in(b"411111******1111 4111-1111 5555 5555 555")


SAYING = ("look-up", "resolve")
"""Operations that say what a code is, also of one that is none: without repeating it."""


async def plant_requests(raw: Raw, canary: Next) -> int:
    """Every text of every command of a device; keys and topics, too."""
    asked = 0
    for (service, operation), body in bodies(Door.DEVICE):
        for path in ("", *("/".join(map(str, one)) for one in texts_of(body)), "(a name)"):
            found = [made for where, made in planted(body, canary()) if where == path]
            for made in found[:1]:
                reply = await raw.ask(f"{service}/{operation}", made)
                assert not reply["ok"] or operation in SAYING, (service, operation, path)
                assert not seen_in(json.dumps(reply, ensure_ascii=False).encode()), (path, reply)
                asked += 1
    for pan in CANARIES:
        key = pan if pan.isascii() and len(pan) <= 64 else PANS[0]
        reply = await raw.ask("stock/levels", {"skus": ["a"]}, key=key)
        reply = await raw.ask("staff/sign-out", {}, key=key)
        assert reply["problem"]["code"] == "card-data-refused"
    return asked


async def plant_messages(raw: Raw, canary: Next) -> None:
    """Facts, states, metas, and everything around a payload."""
    mark = 0
    for _ in CANARIES:
        mark += 1
        fact = {**samples.ENVELOPES["Fact"], "evt_seq": mark, "data": {"a": [{"b": canary()}]}}
        await raw.publish(f"{raw.own}/evt/scan", json.dumps(fact).encode())
        correlation = f"{samples.JOURNAL}:{mark}"
        reply = await raw.reply(correlation)
        assert reply["problem"]["code"] == "card-data-refused"
    for name in (*PANS, "4111-1111-1111-1111"):
        mark += 1
        fact = {**samples.ENVELOPES["Fact"], "evt_seq": mark, "data": {}}
        await raw.publish(f"{raw.own}/evt/{name}", json.dumps(fact).encode())
        assert not (await raw.reply(f"{samples.JOURNAL}:{mark}"))["ok"]
        await raw.publish(f"{raw.root}/dev/{name}/evt/scan", b"{}")
        await raw.publish(f"{raw.own}/req/{name}/{name}", b"{}", CorrelationData=name.encode())
    for topic, example in (("state", "DeviceState"), ("meta", "DeviceMeta")):
        for where, made in planted(samples.ENVELOPES[example], canary()):
            del where
            text = json.dumps(made).encode()
            await raw.publish(f"{raw.own}/{topic}", text, retain=True, ContentType=canary())
    session = {"state": "ready", "session": PANS[0]}
    await raw.publish(f"{raw.own}/state", json.dumps(session).encode(), retain=True)
    meta = {"kind": "till", "model": PANS[1]}
    await raw.publish(f"{raw.own}/meta", json.dumps(meta).encode(), retain=True)


async def plant_names(box: Box, store: IdentityStore) -> None:
    """Client ids, user names and passwords of strangers."""
    for name in (*PANS, "4111 1111 1111 1111", "4111-1111-1111-1111"):
        login = box.login(store, device_id=name, password=name)
        async with raw_device(login, box.rig.store) as raw:
            assert await raw.outcome != "Success"


async def plant_web(box: Box, store: IdentityStore, canary: Next) -> None:
    """Paths, queries, headers, forms and the signed-in page's operations."""
    opened = await box.rig.admin.open_technician()
    async with box.https(store.tls_context(with_certificate=False)) as http:
        for pan in PANS:
            for path in (f"/{pan}", f"/api/1/hello?card={pan}", f"/api/1/{pan}/{pan}"):
                headers = {"X-Card": pan, "User-Agent": pan, "Referer": f"https://x/{pan}"}
                async with http.get(path, headers=headers) as got:
                    await got.read()
        for path, example in (
            (
                "/api/1/pair",
                {**local_samples.REQUESTS["PairRequest"], "model": "m", "firmware": "f"},
            ),
            ("/api/1/renewals", local_samples.REQUESTS["RenewalRequest"]),
        ):
            for _, made in planted(example, canary()):
                async with http.post(path, json=made) as got:
                    assert got.status >= 400
                    assert not seen_in(await got.read()), path
        async with http.post("/api/1/session", json={"code": opened["code"]}) as got:
            page = await got.json()
            assert got.status == 200, page
            cookie = got.cookies
        head = {"X-CSRF-Token": page["csrf"], "Cookie": cookie.output(header="", attrs=[]).strip()}
        for (service, operation), body in (
            *bodies(Door.ADMIN),
            (("pairing", "open"), {"name": "n"}),
        ):
            for _, made in planted(body, canary()):
                headers = {**head, "Idempotency-Key": "key-00000001"}
                async with http.post(
                    f"/api/1/{service}/{operation}", json=made, headers=headers
                ) as got:
                    assert got.status >= 400 or operation in SAYING, (service, operation, made)
                    assert not seen_in(await got.read()), (service, operation)
            headers = {**head, "Idempotency-Key": PANS[0]}
            async with http.post(
                f"/api/1/{service}/{operation}", json=body, headers=headers
            ) as got:
                assert not seen_in(await got.read())


async def plant_pairing(box: Box, canary: Next) -> None:
    """A device that says a number as its model, with a code that is right."""
    from devices.kit import PairingLink
    from devices.kit.errors import PairingRefused
    from devices.kit.pairing import pair

    link = PairingLink.parse(await box.rig.admin.open_pairing("", "scanner"))
    store = IdentityStore(box.rig.base / "strangers")
    for field in ("model", "firmware"):
        given: dict[str, Any] = {field: PANS[2]}
        with pytest.raises(PairingRefused):
            await pair(
                store,
                host=link.host,
                port=link.port,
                ca_fingerprint=link.fingerprint,
                code=link.code,
                auth="password",
                **given,
            )
    del canary


async def plant_kit(box: Box, store: IdentityStore, canary: Next) -> None:
    """The device library: refused before its journal has it."""
    async with box.client(store, None) as hub:
        await sign_in(hub, MANAGER)
        await box.stock_up(hub)
        await sell(hub)
        for _ in CANARIES:
            sale = sale_of(hub.ids.uuid7())
            tender = Tender(kind="cash", amount_minor=sale.total_minor, token=canary())
            for bad in (
                sale.model_copy(update={"note": canary()}),
                sale.model_copy(update={"tenders": (tender,)}),
            ):
                with pytest.raises(Refused, match="card-data-refused"):
                    await hub.submit(bad, SaleDone)
            adjust = AdjustStock(
                adjustment_id=hub.ids.uuid7(), sku=GOODS[0].sku, qty=1, reason=canary()
            )
            with pytest.raises(Refused, match="card-data-refused"):
                await hub.submit(adjust, StockBooked)
            with pytest.raises(Refused, match="card-data-refused"):
                await hub.fact("scan", {"text": canary()})


async def plant_cloud(box: Box, canary: Next) -> None:
    """What the cloud sends down: names in data sets, and commands."""
    row = {**oms_samples.ROWS["CatalogRow"], "tax_code": "standard", "barcodes": []}
    rows = [
        {**row, "sku": f"CARD-{number}", "name": f"Voucher {one}", "category": one[:100]}
        for number, one in enumerate(CANARIES)
    ]
    await box.rig.oms_admin._call("POST", "datasets/catalog/rows", {"rows": rows})
    policies = [{"key": f"p{n}", "value": {"a": [one, 1]}} for n, one in enumerate(CANARIES)]
    await box.rig.oms_admin._call("POST", "datasets/policies/rows", {"rows": policies})
    for data in ({"key": "a", "value": canary()}, {canary(): 1}, {"note": [canary()]}):
        for kind in ("config.changed", "order.assigned", "device.revoked", "count.requested"):
            await box.rig.oms_admin._call("POST", "commands", {"type": kind, "data": data})
    arrived = "SELECT count(*) FROM products WHERE sku LIKE 'CARD-%'"
    await box.until(lambda: box.rows(arrived) == [(len(rows),)])
    done = "SELECT count(*) FROM audit WHERE action = 'cloud.command_failed'"
    await box.until(lambda: box.rows(done) == [(12,)])


async def plant_settings(box: Box) -> None:
    """The settings' texts; what the command line says doesn't repeat it."""
    for pan in PANS:
        for key in ("store.name", "broker.bind", "store.id"):
            said = await box.cli("--set", f"{key}={pan}", "config", "check", code=78)
            assert not seen_in(said.encode()), said


async def test_no_card_number_is_found_on_any_disk_or_wire() -> None:
    canary = turn()
    async with tapped_box() as (box, tap):
        till, tablet = await box.pair(), await box.pair(auth="password")
        async with box.raw(till) as raw:
            staff, pin = MANAGER
            assert (await raw.ask("staff/sign-in", {"staff_id": staff, "pin": pin}))["ok"]
            assert await plant_requests(raw, canary) > 100
            await plant_messages(raw, canary)
        await plant_kit(box, till, canary)
        await plant_names(box, tablet)
        await plant_web(box, till, canary)
        await plant_pairing(box, canary)
        async with box.raw(till) as raw:  # what came before is through by now
            assert (await raw.ask("staff/who-am-i", {}))["ok"]
        await box.told_all()
        crossed = bytes(tap.up)
        assert b"/events" in crossed
        assert not seen_in(crossed), "crossed to the cloud"
        assert not await asyncio.to_thread(found_in, box.rig.base / "oms"), "kept by the cloud"
        await plant_cloud(box, canary)
        assert not await asyncio.to_thread(found_in, box.rig.base / "hub"), "while it runs"
        await box.stop_hub()
        await box.cli("backup", "make", str(box.rig.base / "copy"))
        for folder in ("hub", "tills", "copy", "strangers"):
            assert not await asyncio.to_thread(found_in, box.rig.base / folder), folder
        assert not await asyncio.to_thread(found_in, box.rig.base / "logs"), "logged"
        assert b"Voucher ****************" in (box.rig.base / "hub" / "hub.db").read_bytes()
        assert not seen_in(bytes(tap.up))
