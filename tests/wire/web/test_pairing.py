"""Pairing and renewal over HTTPS, against a real database and a real authority."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hub.contract.admin import RevokeDevice
from hub.contract.local import PairRequest
from hub.security.authority import DeviceCertificate
from hub.security.passwords import PasswordHash, password_fits
from hub.security.renewal import proof_message
from hub.service.internal import MarkMeta
from hub.service.notices import DeviceChanged, DeviceRevoked
from hub.storage import devicerows
from tests.hubparts import SHELL, HubParts, ShiftedClock, hub_parts, new_csr

DAY_MS = 86_400_000


async def post(http: aiohttp.ClientSession, path: str, body: Any) -> tuple[int, dict[str, Any]]:
    async with http.post(path, json=body) as answer:
        return answer.status, await answer.json()


def asked(code: str, key: ec.EllipticCurvePrivateKey | None = None) -> dict[str, Any]:
    return {"code": code, "auth": "mtls", "csr": new_csr(key), "model": "T5", "firmware": "1.2"}


async def test_a_device_gets_a_certificate_of_the_hubs_authority(hub: HubParts) -> None:
    opened = await hub.open_pairing(kind="till", name="Till at the door")
    async with hub.client() as http:
        status, reply = await post(http, "/api/1/pair", asked(opened.code))
    assert status == 200
    assert reply["device_id"] == "till-01"
    assert reply["name"] == "Till at the door"
    assert reply["mqtt"]["mtls_port"] == 8884
    assert "password" not in reply
    made = x509.load_pem_x509_certificate(reply["certificate"].encode())
    made.verify_directly_issued_by(x509.load_pem_x509_certificate(reply["ca"].encode()))
    assert made.subject.rfc4514_string() == "CN=till-01"
    known = await hub.gate.read(
        lambda rows: devicerows.certificate(rows, f"{made.serial_number:x}")
    )
    assert known.device_id == "till-01"
    assert DeviceChanged("till-01") in hub.notices


async def test_a_device_without_certificates_gets_a_password_that_is_kept_as_a_hash(
    hub: HubParts,
) -> None:
    opened = await hub.open_pairing(kind="kiosk")
    async with hub.client() as http:
        status, reply = await post(
            http, "/api/1/pair", {"code": opened.code, "auth": "password", "csr": None}
        )
    assert (status, reply["username"]) == (200, "kiosk-01")
    row = await hub.gate.read(lambda rows: devicerows.get(rows, "kiosk-01"))
    assert row.password_hash.startswith("$7$")
    assert reply["password"] not in row.password_hash


async def test_codes_and_passwords_never_reach_the_disk(hub: HubParts) -> None:
    opened = await hub.open_pairing(kind="kiosk")
    async with hub.client() as http:
        _, reply = await post(
            http, "/api/1/pair", {"code": opened.code, "auth": "password", "csr": None}
        )
    kept = b"".join(path.read_bytes() for path in hub.state.glob("hub.db*"))
    plain = opened.code.replace("-", "")
    assert b"kiosk-01" in kept
    assert plain.encode() not in kept
    assert reply["password"].encode() not in kept


async def test_a_code_works_once(hub: HubParts) -> None:
    opened = await hub.open_pairing()
    async with hub.client() as http:
        assert (await post(http, "/api/1/pair", asked(opened.code)))[0] == 200
        status, problem = await post(http, "/api/1/pair", asked(opened.code))
    assert (status, problem["code"]) == (403, "forbidden")


async def test_the_same_key_finds_its_device_again_until_the_device_was_seen(
    hub: HubParts,
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    opened = await hub.open_pairing()
    async with hub.client() as http:
        _, first = await post(http, "/api/1/pair", asked(opened.code, key))
        status, again = await post(http, "/api/1/pair", asked(opened.code, key))
        assert (status, again["device_id"]) == (200, first["device_id"])
        await hub.gate.internal(SHELL, MarkMeta(first["device_id"], "T5", "1.2", "{}"))
        assert (await post(http, "/api/1/pair", asked(opened.code, key)))[0] == 403


def fits(password: str, row: devicerows.DeviceRow) -> bool:
    assert row.password_hash is not None
    return password_fits(password, PasswordHash.parse(row.password_hash))


async def test_a_password_device_whose_answer_was_lost_finds_itself_again(hub: HubParts) -> None:
    opened = await hub.open_pairing(kind="kiosk")
    body = {"code": opened.code, "auth": "password", "nonce": "0c" * 32}
    async with hub.client() as http:
        _, first = await post(http, "/api/1/pair", body)
        status, again = await post(http, "/api/1/pair", body)
        assert (status, again["device_id"]) == (200, first["device_id"])
        assert again["password"] != first["password"]
        row = await hub.gate.read(lambda rows: devicerows.get(rows, "kiosk-01"))
        assert fits(again["password"], row), "the last one told is good"
        assert not fits(first["password"], row)
        other = body | {"nonce": "0d" * 32}
        assert (await post(http, "/api/1/pair", other))[0] == 403
        mtls = asked(opened.code) | {"nonce": "0c" * 32}
        assert (await post(http, "/api/1/pair", mtls))[0] == 403
        await hub.gate.internal(SHELL, MarkMeta("kiosk-01", "K5", "1.2", "{}"))
        assert (await post(http, "/api/1/pair", body))[0] == 403, "it was seen: its code is spent"
    kept = await hub.gate.read(lambda rows: devicerows.listed(rows, 0, 9))
    assert [one.device.device_id for one in kept] == ["kiosk-01"]


async def test_five_wrong_codes_void_the_open_ones(hub: HubParts) -> None:
    opened = await hub.open_pairing()
    async with hub.client() as http:
        for _ in range(5):
            assert (await post(http, "/api/1/pair", asked("ZZZZ-ZZZZ")))[0] == 403
        assert (await post(http, "/api/1/pair", asked(opened.code)))[0] == 403


async def test_a_bad_certificate_request_costs_no_try(hub: HubParts) -> None:
    opened = await hub.open_pairing()
    bad = asked(opened.code) | {"csr": "-----BEGIN CERTIFICATE REQUEST-----\nnope"}
    async with hub.client() as http:
        for _ in range(6):
            status, problem = await post(http, "/api/1/pair", bad)
            assert (status, problem["code"]) == (422, "validation")
        assert (await post(http, "/api/1/pair", asked(opened.code)))[0] == 200


async def test_who_guesses_is_slowed_down(hub: HubParts) -> None:
    async with hub.client() as http:
        seen = [(await post(http, "/api/1/pair", asked("ZZZZ-ZZZZ")))[0] for _ in range(12)]
        async with http.post("/api/1/pair", json=asked("ZZZZ-ZZZZ")) as answer:
            assert answer.status == 429
            assert int(answer.headers["Retry-After"]) >= 1
    assert seen[0] == 403
    assert seen[-1] == 429


async def test_a_code_ends_after_ten_minutes(tmp_state: Path) -> None:
    clock = ShiftedClock()
    async with hub_parts(tmp_state, clock=clock) as hub, hub.client() as http:
        opened = await hub.open_pairing()
        clock.ahead_s = 601.0
        assert (await post(http, "/api/1/pair", asked(opened.code)))[0] == 403


async def test_numbers_are_never_given_twice_and_a_rekey_keeps_the_name(hub: HubParts) -> None:
    async with hub.client() as http:
        _, first = await post(http, "/api/1/pair", asked((await hub.open_pairing()).code))
        opened = await hub.open_pairing(rekey_device_id="till-01")
        _, again = await post(http, "/api/1/pair", asked(opened.code))
        await hub.gate.run(SHELL, RevokeDevice(device_id="till-01", reason="lost"))
        _, third = await post(http, "/api/1/pair", asked((await hub.open_pairing()).code))
    assert [one["device_id"] for one in (first, again, third)] == ["till-01", "till-01", "till-02"]
    old = x509.load_pem_x509_certificate(first["certificate"].encode())
    row = await hub.gate.read(lambda rows: devicerows.certificate(rows, f"{old.serial_number:x}"))
    assert row.revoke_reason == "superseded"
    assert DeviceRevoked("till-01") in hub.notices


async def test_no_more_than_fifty_codes_are_open(hub: HubParts) -> None:
    for _ in range(50):
        await hub.open_pairing()
    async with (
        hub.technician() as (http, headers),
        http.post("/api/1/pairing/open", json={}, headers=headers) as answer,
    ):
        assert (answer.status, (await answer.json())["code"]) == (429, "busy")


class Till:
    """A paired till that renews."""

    def __init__(self, hub: HubParts, http: aiohttp.ClientSession) -> None:
        self.hub, self.http = hub, http
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = ""

    async def pair(self) -> None:
        opened = await self.hub.open_pairing()
        _, reply = await post(self.http, "/api/1/pair", asked(opened.code, self.key))
        self.certificate = reply["certificate"]

    @property
    def serial(self) -> str:
        made = x509.load_pem_x509_certificate(self.certificate.encode())
        return f"{made.serial_number:x}"

    async def renewal(self, nonce: str | None = None) -> dict[str, Any]:
        if nonce is None:
            _, got = await post(self.http, "/api/1/renewals/nonce", None)
            nonce = got["nonce"]
        csr = new_csr()
        der = x509.load_pem_x509_csr(csr.encode()).public_bytes(serialization.Encoding.DER)
        proof = self.key.sign(proof_message(nonce, der), ec.ECDSA(hashes.SHA256()))
        return {
            "nonce": nonce,
            "certificate": self.certificate,
            "csr": csr,
            "signature": base64.b64encode(proof).decode(),
        }


@pytest.fixture
async def till(hub: HubParts) -> Any:
    async with hub.client() as http:
        made = Till(hub, http)
        await made.pair()
        yield made


@pytest.mark.parametrize("cut", ["revoked", "withdrawn", "paired-anew"])
async def test_a_key_cut_off_while_its_certificate_is_made_gets_none(
    hub: HubParts, monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    """The code is spent, the certificate is being signed in a thread: then somebody acts."""
    made: list[int] = []
    issue = hub.web.desk._issue

    async def cut_meanwhile(csr: str, device_id: str) -> DeviceCertificate:
        certificate = await issue(csr, device_id)
        made.append(certificate.serial)
        monkeypatch.setattr(hub.web.desk, "_issue", issue)
        match cut:
            case "revoked":
                await hub.gate.run(SHELL, RevokeDevice(device_id=device_id, reason="stolen"))
            case "withdrawn":
                await hub.open_pairing(rekey_device_id=device_id, cut_off=True)
            case _:
                again = await hub.open_pairing(rekey_device_id=device_id)
                await hub.web.desk.pair(PairRequest.model_validate(asked(again.code)), "")
        return certificate

    monkeypatch.setattr(hub.web.desk, "_issue", cut_meanwhile)
    opened = await hub.open_pairing(kind="till")
    async with hub.client() as http:
        status, problem = await post(http, "/api/1/pair", asked(opened.code))
    assert (status, problem["code"]) == (403, "forbidden")
    assert "open pairing" in problem["detail"]
    kept = await hub.gate.read(lambda rows: devicerows.certificate(rows, f"{made[0]:x}"))
    assert kept is None


async def test_a_certificate_is_renewed_by_proof_of_its_key(till: Till) -> None:
    status, reply = await post(till.http, "/api/1/renewals", await till.renewal())
    assert (status, reply["device_id"]) == (200, "till-01")
    assert reply["certificate"] != till.certificate


async def test_an_answer_lost_on_its_way_locks_nobody_out(till: Till) -> None:
    assert (await post(till.http, "/api/1/renewals", await till.renewal()))[0] == 200
    assert (await post(till.http, "/api/1/renewals", await till.renewal()))[0] == 200


async def test_a_certificate_that_ended_months_ago_is_renewed(till: Till) -> None:
    now_ms = till.hub.gate.clock.wall_ms()
    old = till.hub.authority.issue_device(
        new_csr(till.key), "till-01", now_ms - 300 * DAY_MS, life_ms=30 * DAY_MS
    )
    await till.hub.write(
        lambda tx: devicerows.add_certificate(tx, f"{old.serial:x}", "till-01", old.not_after_ms)
    )
    till.certificate = old.certificate_pem
    assert (await post(till.http, "/api/1/renewals", await till.renewal()))[0] == 200


async def test_a_revoked_device_renews_nothing(till: Till) -> None:
    await till.hub.gate.run(SHELL, RevokeDevice(device_id="till-01", reason="stolen"))
    status, problem = await post(till.http, "/api/1/renewals", await till.renewal())
    assert (status, problem["code"]) == (403, "forbidden")


async def test_a_certificate_the_hub_never_wrote_down_renews_nothing(till: Till) -> None:
    stray = till.hub.authority.issue_device(
        new_csr(till.key), "till-01", till.hub.gate.clock.wall_ms()
    )
    till.certificate = stray.certificate_pem
    assert (await post(till.http, "/api/1/renewals", await till.renewal()))[0] == 403


async def test_a_nonce_is_good_once_and_a_wrong_proof_is_refused(till: Till) -> None:
    used = await till.renewal()
    assert (await post(till.http, "/api/1/renewals", used))[0] == 200
    assert (await post(till.http, "/api/1/renewals", await till.renewal(used["nonce"])))[0] == 409
    forged = await till.renewal() | {"csr": new_csr()}
    assert (await post(till.http, "/api/1/renewals", forged))[0] == 403


async def test_what_a_renewal_left_behind_is_revoked_by_the_next(till: Till) -> None:
    first = till.serial
    second_key = ec.generate_private_key(ec.SECP256R1())
    renewal = await till.renewal()
    csr = new_csr(second_key)
    der = x509.load_pem_x509_csr(csr.encode()).public_bytes(serialization.Encoding.DER)
    proof = till.key.sign(proof_message(renewal["nonce"], der), ec.ECDSA(hashes.SHA256()))
    renewal |= {"csr": csr, "signature": base64.b64encode(proof).decode()}
    _, reply = await post(till.http, "/api/1/renewals", renewal)
    till.key, till.certificate = second_key, reply["certificate"]
    assert (await post(till.http, "/api/1/renewals", await till.renewal()))[0] == 200
    gone = await till.hub.gate.read(lambda rows: devicerows.certificate(rows, first))
    assert gone.revoke_reason == "superseded"
