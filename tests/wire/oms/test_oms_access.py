"""Who may call, and how."""

from __future__ import annotations

import ssl
from dataclasses import replace

import aiohttp
import pytest

from cloud_link.check.caller import client_session
from tests.wire.oms.cloud_room import Cloud, StartCloud, problem_of


async def _token(cloud: Cloud, secret: str) -> tuple[int, str]:
    form = {
        "grant_type": "client_credentials",
        "client_id": cloud.running.secrets.client_id,
        "client_secret": secret,
    }
    async with cloud.caller.http.post(f"{cloud.running.url}/oauth/token", data=form) as got:
        body = await got.json(content_type=None)
        return got.status, body.get("access_token", body.get("code"))


async def test_client_credentials_buy_a_token_that_opens_the_store(cloud: Cloud) -> None:
    status, token = await _token(cloud, cloud.running.secrets.client_secret)
    assert status == 200
    answer = await replace(cloud.caller, token=token).get("/health")
    assert answer.status == 200
    forged = replace(cloud.caller, token=token[:-1] + ("0" if token[-1] != "0" else "1"))
    assert problem_of(await forged.get("/health")) == (401, "unauthenticated")


async def test_wrong_client_credentials_are_refused(cloud: Cloud) -> None:
    assert await _token(cloud, "guess") == (401, "unauthenticated")


async def test_a_token_is_for_its_store_only(cloud: Cloud) -> None:
    other = replace(cloud.caller, store="another-shop")
    assert problem_of(await other.get("/health")) == (403, "forbidden")


async def test_the_hubs_token_does_not_open_the_admin_calls(cloud: Cloud) -> None:
    url = f"{cloud.running.url}/sandbox/stats"
    headers = {"Authorization": f"Bearer {cloud.running.secrets.token}"}
    async with cloud.caller.http.get(url, headers=headers) as got:
        assert got.status == 401


async def test_an_unsigned_body_is_refused_where_signatures_are_asked_for(
    start_cloud: StartCloud,
) -> None:
    cloud = await start_cloud(signed=True)
    hello = cloud.bench.hello().model_dump()
    unsigned = replace(cloud.caller, signing_secret=None)
    assert problem_of(await unsigned.post("/hub-sessions", hello)) == (401, "unauthenticated")
    foreign = replace(cloud.caller, signing_secret="whsec_" + "A" * 43 + "=")
    assert problem_of(await foreign.post("/hub-sessions", hello)) == (401, "unauthenticated")
    assert (await cloud.caller.post("/hub-sessions", hello)).status == 200


async def test_a_stranger_does_not_trust_the_sandboxs_certificate(start_cloud: StartCloud) -> None:
    cloud = await start_cloud(plain_http=False)
    async with client_session(None) as http:
        stranger = replace(cloud.caller, http=http)
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await stranger.get("/health")
    assert (await cloud.caller.get("/health")).status == 200


async def test_the_certificate_passes_strict_verification(start_cloud: StartCloud) -> None:
    cloud = await start_cloud(plain_http=False)
    strict = ssl.create_default_context(cafile=cloud.running.ca)
    strict.verify_flags |= ssl.VERIFY_X509_STRICT
    async with cloud.caller.http.get(
        f"{cloud.running.url}/v1/stores/demo/health",
        headers={"Authorization": f"Bearer {cloud.caller.token}"},
        ssl=strict,
    ) as got:
        assert got.status == 200


async def test_plain_http_is_refused_beyond_loopback(start_cloud: StartCloud) -> None:
    with pytest.raises(ValueError, match="loopback only"):
        await start_cloud(bind="0.0.0.0")


async def test_secrets_are_for_the_owner_only_and_survive_a_restart(
    start_cloud: StartCloud,
) -> None:
    cloud = await start_cloud()
    assert (cloud.state / "secrets.json").stat().st_mode & 0o077 == 0
    again = await start_cloud()
    assert again.running.secrets == cloud.running.secrets


async def test_an_unknown_path_is_a_problem_too(cloud: Cloud) -> None:
    assert problem_of(await cloud.caller.get("/nonsense")) == (404, "not-found")


async def test_a_method_that_is_not_offered_gets_405_and_what_is(cloud: Cloud) -> None:
    url = f"{cloud.running.url}/v1/stores/{cloud.caller.store}/health"
    headers = {"Authorization": f"Bearer {cloud.caller.token}"}
    async with cloud.caller.http.delete(url, headers=headers) as got:
        assert (got.status, got.headers["Allow"]) == (405, "GET,HEAD")
        assert (await got.json(content_type=None))["status"] == 405


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"grant_type=client_credentials"),
        ("application/json", b"{}"),
        ("application/x-www-form-urlencoded", b"grant_type=client_credentials&client_id=\xff"),
        ("application/x-www-form-urlencoded", b"grant_type=client_credentials&client_id=a"),
        ("application/x-www-form-urlencoded", b"client_id=a&client_id=b"),
    ],
)
async def test_a_token_request_that_is_no_form_is_refused(
    cloud: Cloud, kind: str, body: bytes
) -> None:
    url = f"{cloud.running.url}/oauth/token"
    async with cloud.caller.http.post(url, data=body, headers={"Content-Type": kind}) as got:
        assert (got.status, (await got.json(content_type=None))["code"]) == (422, "validation")


async def test_changes_without_a_cursor_send_to_the_snapshot(cloud: Cloud) -> None:
    hub = await cloud.bench.new_hub()
    answer = await hub.caller.get("/datasets/catalog/changes", cursor="")
    assert problem_of(answer) == (410, "cursor-gone")


async def test_a_truth_value_is_no_contract_number(cloud: Cloud) -> None:
    hello = cloud.bench.hello().model_dump() | {"contract": [False, True]}
    assert problem_of(await cloud.caller.post("/hub-sessions", hello)) == (422, "validation")
