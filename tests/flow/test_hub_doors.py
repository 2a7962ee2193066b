"""Bad input at every door of a whole hub: the documented error, and not a row changed."""

from __future__ import annotations

import asyncio
import datetime as dt
import io
import json
import ssl
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from devices.kit import IdentityStore
from devices.kit.identity import request_certificate, trust_only
from hub.security.authority import Authority
from tests.support.hubbox import (
    CASHIER,
    GOODS,
    STORE,
    Box,
    open_box,
    sale_of,
)
from tests.support.rawmqtt import Raw, encoded, new_key, raw_device

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("hub-doors")]

TEA = GOODS[0]
CARD = "4111111111111111"
DAY_MS = 86_400_000


@dataclass
class Doors:
    """A hub with a signed-in till, a password till, and the clients of both."""

    box: Box
    till: IdentityStore
    other: IdentityStore
    raw: Raw


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def doors() -> AsyncIterator[Doors]:
    async with open_box() as box:
        till, other = await box.pair(name="Front"), await box.pair(auth="password")
        async with box.client(till) as hub:
            await box.stock_up(hub)
            await box.told_all()
        async with box.raw(till) as raw:
            yield Doors(box, till, other, raw)


def body_of(qty: int = 1, **changed: Any) -> dict[str, Any]:
    """A good sale as JSON, then spoilt."""
    sale = sale_of(str(uuid.uuid4()), TEA, qty).model_dump(mode="json", exclude_defaults=True)
    return {**sale, **changed}


def line(**changed: Any) -> list[dict[str, Any]]:
    return [{"code": TEA.sku, "qty": 1, "unit_price_minor": TEA.price_minor, **changed}]


def v7(year: int) -> str:
    """A UUIDv7 of another time."""
    at_ms = int(dt.datetime(year, 1, 2, tzinfo=dt.UTC).timestamp() * 1000)
    return str(uuid.UUID(int=(at_ms << 80) | (7 << 76) | (2 << 62) | 12345))


BAD = {
    "truncated JSON": (b'{"sale_id": ', "validation"),
    "no UTF-8": (b'{"note": "\xff\xfe"}', "validation"),
    "an empty body": (b"", "validation"),
    "a list": (b"[1, 2]", "validation"),
    "deep nesting": (b'{"lines":' + b"[" * 50_000, "validation"),
    "deep nesting with a key inside": (
        b'{"idempotency_key":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        "validation",
    ),
    "not a number": (b'{"total_minor": NaN}', "validation"),
    "a huge number": (json.dumps(body_of(total_minor=10**40)).encode(), "validation"),
    "a number as text": (json.dumps(body_of(total_minor="89")).encode(), "validation"),
    "a fraction": (json.dumps(body_of(total_minor=89.5)).encode(), "validation"),
    "a truth value as a number": (json.dumps(body_of(lines=line(qty=True))).encode(), "validation"),
    "an unknown field": (json.dumps(body_of(discount=1)).encode(), "validation"),
    "no lines": (json.dumps(body_of(lines=[])).encode(), "validation"),
    "a negative quantity": (json.dumps(body_of(lines=line(qty=-1))).encode(), "validation"),
    "nothing of something": (json.dumps(body_of(lines=line(qty=0))).encode(), "validation"),
    "600 lines": (json.dumps(body_of(lines=line() * 600)).encode(), "validation"),
    "an unknown product": (json.dumps(body_of(lines=line(code="NOPE-1"))).encode(), "not-found"),
    "a surrogate in the text": (b'{"note": "\\ud800"}', "validation"),
    "a NUL in the code": (json.dumps(body_of(lines=line(code="a\0b"))).encode(), "validation"),
    "a card number in the note": (
        json.dumps(body_of(note=f"paid by {CARD}")).encode(),
        "card-data-refused",
    ),
    "a card number as a token": (
        json.dumps(body_of(tenders=[{"kind": "cash", "amount_minor": 89, "token": CARD}])).encode(),
        "card-data-refused",
    ),
    "another total": (json.dumps(body_of(total_minor=1)).encode(), "price-changed"),
    "more than there is": (
        json.dumps(body_of(100_000)).encode(),
        "insufficient-stock",
    ),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_sale_gets_the_documented_error_and_changes_nothing(
    doors: Doors, name: str
) -> None:
    body, code = BAD[name]
    before = doors.box.picture()
    reply = await doors.raw.ask("sale/commit", body)
    assert (reply["ok"], reply["problem"]["code"]) == (False, code), reply
    assert reply["problem"]["detail"]
    assert CARD not in json.dumps(reply)
    assert doors.box.picture() == before
    assert CARD not in doors.box.rig.hub.log.read_text()


@pytest.mark.parametrize("year", [1970, 2099])
async def test_a_device_whose_clock_is_far_off_is_told_to_set_it(doors: Doors, year: int) -> None:
    before = doors.box.picture()
    reply = await doors.raw.ask("sale/commit", body_of(), key=v7(year))
    assert reply["problem"]["code"] == "idempotency-expired"
    assert "clock" in reply["problem"]["detail"]
    assert doors.box.picture() == before


async def test_a_change_without_a_key_is_refused(doors: Doors) -> None:
    before = doors.box.picture()
    for key in (None, "short", "ä" * 10, "x" * 65):
        reply = await doors.raw.ask("sale/commit", body_of(), key=key)
        assert reply["problem"]["code"] == "validation", (key, reply)
    assert doors.box.picture() == before


async def test_an_operation_that_is_not_for_devices_does_not_exist_for_them(doors: Doors) -> None:
    before = doors.box.picture()
    for address in ("device/revoke", "pairing/open", "outbox/park", "no/such"):
        reply = await doors.raw.ask(address, {"device_id": "till-01", "reason": "mine"})
        assert reply["problem"]["code"] == "not-found", (address, reply)
    assert doors.box.picture() == before


async def test_ten_megabytes_end_the_connection_and_nothing_else(doors: Doors) -> None:
    before = doors.box.picture()
    async with doors.box.raw(doors.other) as bulky:
        await bulky.publish(f"{bulky.own}/req/sale/commit", b"x" * 10_000_000, qos=0)
        await bulky.cut()
    status = await doors.box.status()
    assert (status["broker"]["connected"], status["broker"]["restarts"]) == (True, 0)
    assert (await doors.raw.ask("staff/who-am-i", {}))["ok"]
    assert doors.box.picture() == before


async def test_ten_megabytes_over_https_are_refused(doors: Doors) -> None:
    before = doors.box.picture()
    big, kind = io.BytesIO(b"x" * 10_000_000), {"Content-Type": "application/json"}
    async with doors.box.https(doors.till.tls_context(with_certificate=False)) as http:
        try:
            async with http.post("/api/1/pair", data=big, headers=kind) as answer:
                assert answer.status == 413, await answer.text()
        except OSError:
            pass  # closed while we were still sending: as good
        async with http.get("/api/1/hello") as answer:
            assert answer.status == 200
    assert doors.box.picture() == before


async def test_a_request_in_another_devices_name_has_no_effect_and_no_answer(doors: Doors) -> None:
    before = doors.box.picture()
    victim = doors.other.load().device_id
    async with doors.box.raw(doors.other) as listening:
        await listening.subscribed.wait()
        topic = f"{doors.raw.root}/dev/{victim}/req/sale/commit"
        given: dict[str, Any] = {
            "UserProperty": [("idk", new_key())],
            "ResponseTopic": f"{doors.raw.own}/rep",
        }
        reason = await doors.raw.publish(topic, json.dumps(body_of()).encode(), **given)
        assert reason == "Not authorized"
        assert await listening.silent() == []
    assert await doors.raw.silent(0.1) == []
    assert doors.box.picture() == before


async def test_the_answer_goes_to_the_sender_whatever_response_topic_it_names(doors: Doors) -> None:
    victim = doors.other.load().device_id
    async with doors.box.raw(doors.other) as listening:
        await listening.subscribed.wait()
        await doors.raw.publish(
            f"{doors.raw.own}/req/staff/who-am-i",
            b"{}",
            ResponseTopic=f"{doors.raw.root}/dev/{victim}/rep",
            CorrelationData=b"mine",
        )
        assert (await doors.raw.reply("mine"))["ok"]
        assert await listening.silent(0.3) == []


async def test_a_device_hears_nothing_of_another(doors: Doors) -> None:
    async with doors.box.raw(doors.other) as spy:
        await spy.subscribed.wait()
        spy.client.subscribe([(f"{spy.root}/#", 1), (f"{doors.raw.own}/rep", 1), ("$SYS/#", 1)])
        assert (await doors.raw.ask("staff/who-am-i", {}))["ok"]
        await asyncio.sleep(0.3)
        heard = set()
        while not spy.inbox.empty():
            heard.add(spy.inbox.get_nowait()[0])
        assert heard <= {f"{spy.root}/hub/state"} | {f"{spy.root}/bcast/{n}" for n in ("stock",)}


async def test_card_data_in_a_fact_is_refused_and_never_written(doors: Doors) -> None:
    before = doors.box.picture()
    fact = {"journal_id": str(uuid.uuid4()), "evt_seq": 1, "occurred_at_ms": 1, "data": {"x": CARD}}
    await doors.raw.publish(f"{doors.raw.own}/evt/scan", json.dumps(fact).encode())
    reply = await doors.raw.reply(f"{fact['journal_id']}:1")
    assert reply["problem"]["code"] == "card-data-refused"
    assert doors.box.picture() == before


async def test_a_device_of_another_contract_is_told_so_until_it_is_updated(doors: Doors) -> None:
    meta = {"kind": "till", "model": "old", "firmware": "1", "capabilities": []}
    async with doors.box.raw(doors.other) as old:
        await old.say_ready("s1", **meta, contract=[2, 3])
        reply = await old.ask("staff/who-am-i", {})
        assert reply["problem"]["code"] == "unsupported-contract"
        await old.say_ready("s1", **meta, contract=[1, 2])
        assert (await old.ask("staff/who-am-i", {}))["problem"]["code"] != "unsupported-contract"


async def test_a_device_with_mqtt_3_sells_with_the_fields_in_the_body(doors: Doors) -> None:
    sign_in = {"staff_id": CASHIER[0], "pin": CASHIER[1]}
    sale = body_of()
    async with doors.box.raw(doors.other, old=True) as old:
        await old.subscribed.wait()
        for mark, address, body in (
            ("one", "staff/sign-in", sign_in),
            ("two", "sale/commit", sale),
            ("three", "sale/commit", sale),
        ):
            key = "key-of-the-sale" if address == "sale/commit" else new_key()
            text = json.dumps({**body, "idempotency_key": key, "correlation": mark}).encode()
            await old.publish(f"{old.own}/req/{address}", text)
            reply = await old.reply(mark)
            assert reply["ok"], reply
    assert doors.box.rows("SELECT count(*) FROM sales WHERE sale_id = ?", sale["sale_id"]) == [(1,)]


def certificate_of(
    doors: Doors, device_id: str, *, days: int, key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    """What the hub's own authority would have issued ``days`` before it ends, from today."""
    now_ms = int(dt.datetime.now(dt.UTC).timestamp() * 1000)
    tls = doors.box.rig.base / "hub" / "tls"
    authority = Authority.open(tls, store_name="Store", now_ms=now_ms, create=False)
    csr = request_certificate(key).public_bytes(serialization.Encoding.PEM)
    made = authority.issue_device(csr, device_id, now_ms + (days - 30) * DAY_MS, 30 * DAY_MS)
    return x509.load_pem_x509_certificate(made.certificate_pem.encode())


def context_of(
    doors: Doors, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> ssl.SSLContext:
    pem = doors.box.rig.base / "stranger.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = trust_only(doors.till.ca_path.read_text())
    context.load_cert_chain(pem)
    return context


async def outcome_of(doors: Doors, context: ssl.SSLContext) -> str:
    login = doors.box.login(doors.till, tls=context)
    async with raw_device(login, STORE, subscribe=False) as raw:
        return await raw.outcome


async def test_an_expired_certificate_is_refused_at_the_door(doors: Doors) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    device = doors.till.load().device_id
    expired = certificate_of(doors, device, days=-1, key=key)
    assert await outcome_of(doors, context_of(doors, expired, key)) != "Success"


async def test_a_certificate_of_another_authority_is_refused_at_the_door(doors: Doors) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, doors.till.load().device_id)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    assert await outcome_of(doors, context_of(doors, made, key)) != "Success"


async def test_nobody_gets_in_without_a_password_or_with_a_wrong_one(doors: Doors) -> None:
    for password in ("", "wrong", None):
        login = doors.box.login(doors.other, password=password)
        async with raw_device(login, STORE, subscribe=False) as raw:
            assert await raw.outcome != "Success"


# WebSocket --------------------------------------------------------------------------------


async def test_a_password_device_sells_over_websocket(doors: Doors) -> None:
    port = doors.box.rig.ports.https
    async with doors.box.raw(doors.other, port=port, websocket=True) as kiosk:
        person = {"staff_id": CASHIER[0], "pin": CASHIER[1]}
        assert (await kiosk.ask("staff/sign-in", person))["ok"]
        sale = body_of()
        reply = await kiosk.ask("sale/commit", sale)
        assert reply["result"]["sale_id"] == sale["sale_id"]
    await doors.box.until(lambda: sale["sale_id"] in doors.box.oms_sales())


async def test_a_device_with_a_certificate_can_not_log_in_over_websocket(doors: Doors) -> None:
    port, trust = doors.box.rig.ports.https, doors.till.tls_context(with_certificate=True)
    for password in (None, "", "guess"):
        login = doors.box.login(doors.till, port=port, websocket=True, tls=trust, password=password)
        async with raw_device(login, STORE, subscribe=False) as raw:
            assert await raw.outcome != "Success"


async def test_a_websocket_without_the_subprotocol_is_told_to_ask_for_it(doors: Doors) -> None:
    async with (
        doors.box.https(doors.till.tls_context(with_certificate=False)) as http,
        http.get("/mqtt", headers={"Connection": "Upgrade", "Upgrade": "websocket"}) as answer,
    ):
        assert answer.status == 400
        assert "mqtt" in await answer.text()


@pytest.mark.usefixtures("doors")
async def test_a_retained_request_is_not_executed_again_when_the_hub_comes_back() -> None:
    async with open_box(cloud=False) as box:
        kiosk = await box.pair(kind="kiosk")
        opened = {"basket_id": str(uuid.uuid4())}
        async with box.raw(kiosk) as raw:
            await raw.subscribed.wait()
            given: dict[str, Any] = {"UserProperty": [("idk", new_key())]}
            given["CorrelationData"] = b"once"
            topic = f"{raw.own}/req/basket/open"
            await raw.publish(topic, encoded(opened), retain=True, **given)
            assert (await raw.reply("once"))["ok"]
        await box.stop_hub()
        await box.start_hub()
        async with box.raw(kiosk) as raw:
            assert (await raw.ask("basket/list", {}))["ok"]
            assert await raw.silent(0.5) == []
