"""Signing in to the page, and what a stranger doesn't get."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest

from hub.contract.local import HubStatus, PairRequest
from tests.hubparts import SHELL, HubParts, ShiftedClock, hub_parts

GUARDED = (
    ("GET", "/api/1/status"),
    ("GET", "/api/1/status/stream"),
    ("GET", "/api/1/session"),
    ("DELETE", "/api/1/session"),
    ("POST", "/api/1/pairing/open"),
    ("POST", "/api/1/device/revoke"),
    ("POST", "/api/1/device/list"),
)


async def test_a_stranger_sees_who_the_hub_is_and_nothing_else(hub: HubParts) -> None:
    async with hub.client() as http:
        async with http.get("/api/1/hello") as answer:
            hello = await answer.json()
        assert hello["store"] == "367"
        assert hello["ca_fingerprint"] == hub.authority.fingerprint
        for method, path in GUARDED:
            async with http.request(method, path, json={}) as answer:
                assert answer.status == 401, path
                assert answer.content_type == "application/problem+json"


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(hub: HubParts) -> None:
    async with hub.client() as http:
        code = hub.web.technician.open()
        async with http.post("/api/1/session", json={"code": code}) as answer:
            cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-")
    for word in ("HttpOnly", "Secure", "SameSite=Strict", "Path=/"):
        assert word in cookie
    assert "Domain" not in cookie


async def test_the_technicians_code_works_once(hub: HubParts) -> None:
    code = hub.web.technician.open()
    async with hub.client() as http:
        async with http.post("/api/1/session", json={"code": code.lower()}) as answer:
            assert answer.status == 200
        async with http.post("/api/1/session", json={"code": code}) as answer:
            assert answer.status == 403


async def test_wrong_codes_are_limited_and_void_the_right_one(hub: HubParts) -> None:
    code = hub.web.technician.open()
    async with hub.client() as http:
        for _ in range(5):
            async with http.post("/api/1/session", json={"code": "ZZZZ-ZZZZ"}) as answer:
                assert answer.status == 403
        assert not hub.web.technician.is_open
        async with http.post("/api/1/session", json={"code": code}) as answer:
            assert answer.status == 429


async def test_a_change_needs_the_sessions_own_token(hub: HubParts) -> None:
    async with hub.technician() as (http, headers):
        for wrong in ({}, {"X-CSRF-Token": "x" * 43}):
            async with http.post("/api/1/pairing/open", json={}, headers=wrong) as answer:
                assert answer.status == 403
        async with http.post("/api/1/pairing/open", json={}, headers=headers) as answer:
            assert answer.status == 200


async def test_a_form_of_another_site_changes_nothing(hub: HubParts) -> None:
    form = {"kind": "till"}
    async with (
        hub.technician() as (http, headers),
        http.post("/api/1/pairing/open", data=form, headers=headers) as answer,
    ):
        assert answer.status == 422


async def test_after_signing_out_the_cookie_is_worthless(hub: HubParts) -> None:
    async with hub.technician() as (http, headers):
        cookies = {one.key: one.value for one in http.cookie_jar}
        async with http.delete("/api/1/session", headers=headers) as answer:
            assert answer.status == 204
        http.cookie_jar.update_cookies(cookies)
        async with http.get("/api/1/status") as answer:
            assert answer.status == 401


async def test_an_idle_session_ends_and_so_does_an_old_one(tmp_state: Path) -> None:
    clock = ShiftedClock()
    async with hub_parts(tmp_state, clock=clock, idle_s=900) as hub:
        async with hub.technician() as (http, _):
            clock.ahead_s += 800
            async with http.get("/api/1/session") as answer:
                assert answer.status == 200
            clock.ahead_s += 800
            async with http.get("/api/1/status") as answer:
                assert answer.status == 200
            clock.ahead_s += 200
            async with http.get("/api/1/status") as answer:
                assert answer.status == 401
        async with hub.technician() as (http, _):
            for _ in range(40):
                clock.ahead_s += 800
                async with http.get("/api/1/session") as answer:
                    status = answer.status
            assert status == 401


async def test_an_operation_of_the_page_runs_once_per_key(hub: HubParts) -> None:
    opened = await hub.open_pairing()
    await hub.web.desk.pair(PairRequest(code=opened.code, auth="password", csr=None), "")
    async with hub.technician() as (http, headers):
        keyed = headers | {"Idempotency-Key": "rename-till-0001"}
        body = {"device_id": "till-01", "name": "Front"}
        for _ in range(2):
            async with http.post("/api/1/device/rename", json=body, headers=keyed) as answer:
                assert (answer.status, await answer.json()) == (200, {})
        other = body | {"name": "Back"}
        async with http.post("/api/1/device/rename", json=other, headers=keyed) as answer:
            assert (answer.status, (await answer.json())["code"]) == (422, "idempotency-mismatch")
        async with http.post("/api/1/device/rename", json=body, headers=headers) as answer:
            assert answer.status == 422
        async with http.post("/api/1/sale/commit", json={}, headers=keyed) as answer:
            assert answer.status == 404
    audited = await hub.gate.read(lambda rows: rows.all("SELECT caller, action FROM audit"))
    assert tuple(a for _, a in audited if a == "device.rename") == ("device.rename",)
    assert any(caller.startswith("web:technician-") for caller, _ in audited)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 422),
        (b"[]", 422),
        (b'{"code": 5}', 422),
        (b'{"code": "ZZZZ-ZZZZ", "extra": 1, "csr": null}', 422),
        (b'{"code": "' + b"Z" * 300_000 + b'"}', 413),
        (b"\xff\xfe", 422),
    ],
)
async def test_bad_bodies_get_a_problem(hub: HubParts, body: bytes, status: int) -> None:
    headers = {"Content-Type": "application/json"}
    async with hub.client() as http:
        async with http.post("/api/1/pair", data=body, headers=headers) as answer:
            assert answer.status == status
            assert answer.content_type == "application/problem+json"
            problem = await answer.json()
        assert problem["detail"]
        assert problem["status"] == status


async def test_unknown_paths_and_methods_get_a_problem(hub: HubParts) -> None:
    async with hub.client() as http:
        for method, path, status in (
            ("GET", "/nope", 404),
            ("PUT", "/api/1/hello", 405),
            ("GET", "/../../etc/passwd", 404),
            ("GET", "/mqtt", 503),
        ):
            async with http.request(method, path) as answer:
                assert answer.status == status
                assert answer.content_type == "application/problem+json"


async def test_every_answer_carries_the_headers_that_protect_the_page(hub: HubParts) -> None:
    async with hub.client() as http:
        for path in ("/", "/app.js", "/api/1/hello", "/api/1/status", "/nope"):
            async with http.get(path) as answer:
                policy = answer.headers["Content-Security-Policy"]
                assert "default-src 'self'" in policy
                assert "unsafe" not in policy
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert "aiohttp" not in answer.headers["Server"]


async def test_nothing_secret_is_in_what_a_technician_sees(hub: HubParts) -> None:
    opened = await hub.open_pairing(kind="kiosk")
    reply = await hub.web.desk.pair(PairRequest(code=opened.code, auth="password", csr=None), "")
    row = await hub.gate.read(lambda rows: rows.one("SELECT password_hash FROM devices"))
    async with hub.technician() as (http, headers):
        text = ""
        async with http.get("/api/1/status") as answer:
            text += await answer.text()
        async with http.post("/api/1/device/list", json={}, headers=headers) as answer:
            text += await answer.text()
        async with http.get("/api/1/status/stream") as stream:
            text += (await stream.content.readuntil(b"\n\n")).decode()
            text += (await stream.content.readuntil(b"\n\n")).decode()
    assert "kiosk-01" in text
    for secret in (reply.password, row[0], opened.code, opened.code.replace("-", ""), "hash"):
        assert str(secret) not in text


async def test_the_stream_tells_changes_as_they_are_committed(hub: HubParts) -> None:
    async with hub.technician() as (http, _), http.get("/api/1/status/stream") as stream:
        first = await _next_status(stream)
        assert first.devices == ()
        opened = await hub.open_pairing()
        await hub.web.desk.pair(PairRequest(code=opened.code, auth="password", csr=None), "")
        async with asyncio.timeout(60):  # on a slow machine the open code is told by itself
            while not (told := await _next_status(stream)).devices:
                continue
        assert [one.device_id for one in told.devices] == ["till-01"]


async def test_the_stream_ends_with_the_session(hub: HubParts) -> None:
    async with hub.technician() as (http, headers), http.get("/api/1/status/stream") as stream:
        await _next_status(stream)
        async with http.delete("/api/1/session", headers=headers) as answer:
            assert answer.status == 204
        await hub.open_pairing()
        await hub.web.desk.pair(
            PairRequest(code=(await hub.open_pairing()).code, auth="password", csr=None), ""
        )
        rest = (await stream.content.read()).decode()
    assert "signed-out" in rest
    assert "till-01" not in rest


async def test_viewers_are_bounded(hub: HubParts) -> None:
    async with hub.technician() as (http, _):
        streams = [await http.get("/api/1/status/stream") for _ in range(21)]
        assert [one.status for one in streams] == [200] * 20 + [429]
        for one in streams:
            one.close()


async def _next_status(stream: aiohttp.ClientResponse) -> HubStatus:
    while True:
        event = (await stream.content.readuntil(b"\n\n")).decode()
        if event.startswith("event: status"):
            return HubStatus.model_validate(json.loads(event.split("data: ", 1)[1]))


async def test_a_renewed_certificate_is_used_without_a_restart(hub: HubParts) -> None:
    async with hub.client() as http, http.get("/api/1/hello"):
        pass
    now_ms = hub.gate.clock.wall_ms()
    names = ["new-name.example"]
    assert await asyncio.to_thread(hub.authority.ensure_server, "store-hub", names, [], now_ms)
    await hub.web.reload_tls()
    connector = aiohttp.TCPConnector(ssl=hub.trust())
    async with aiohttp.ClientSession(connector=connector) as http:
        url = f"{hub.base}/api/1/hello"
        async with http.get(url, server_hostname="new-name.example") as answer:
            assert answer.status == 200


async def test_the_command_line_is_named_in_the_audit_log(hub: HubParts) -> None:
    await hub.open_pairing()
    row = await hub.gate.read(lambda rows: rows.one("SELECT caller, action FROM audit"))
    assert row == (SHELL.key, "pairing.open")


async def test_the_stream_of_the_status_offers_no_post(hub: HubParts) -> None:
    async with hub.client() as http, http.post("/api/1/status/stream", json={}) as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD")
