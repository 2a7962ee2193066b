"""Pairing and renewal over real TLS, against a hub's door written for the purpose."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from devices.kit import (
    HubUnreachable,
    IdentityDamaged,
    IdentityStore,
    NotPaired,
    PairingFailed,
    PairingRefused,
    WrongHub,
    pair,
    renew,
)
from hub.contract.problems import Code, problem
from tests.wire.kit.store_bench import TestAuthority, free_port, pem

CODE = "ABCD2345"


class PairingDoor:
    """``/api/1`` of a hub as far as a device needs it."""

    def __init__(self, authority: TestAuthority, presented: TestAuthority) -> None:
        self.authority = authority
        self.presented = presented
        self.port = free_port()
        self.asked: list[dict[str, Any]] = []
        self.days = 396.0
        self.contract = [1, 1]
        self.lose_answers = 0

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/api/1/ca", self._ca)
        app.router.add_get("/api/1/hello", self._hello)
        app.router.add_post("/api/1/pair", self._pair)
        app.router.add_post("/api/1/renewals/nonce", self._nonce)
        app.router.add_post("/api/1/renewals", self._renew)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls = self.presented.folder
        context.load_cert_chain(tls / "server.pem", tls / "server.key")
        await web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=context).start()

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _ca(self, _: web.Request) -> web.Response:
        return web.Response(text=pem(self.authority.certificate))

    async def _hello(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "store": "367",
                "name": "Shop",
                "version": "1",
                "contract": self.contract,
                "ca_fingerprint": self.authority.fingerprint,
                "time_ms": 1_767_261_600_000,
            }
        )

    async def _pair(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked.append(body)
        if self.lose_answers:
            self.lose_answers -= 1
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if body["code"] != CODE:
            refused = problem(Code.FORBIDDEN, "This code is not open. Make a new one.")
            return web.json_response(refused.model_dump(mode="json"), status=403)
        return web.json_response(self._reply(body.get("csr"), body.get("auth", "mtls")))

    async def _nonce(self, _: web.Request) -> web.Response:
        return web.json_response({"nonce": "n-1", "expires_in_s": 300})

    async def _renew(self, request: web.Request) -> web.Response:
        body = await request.json()
        old = x509.load_pem_x509_certificate(body["certificate"].encode())
        csr = x509.load_pem_x509_csr(body["csr"].encode())
        der = csr.public_bytes(serialization.Encoding.DER)
        message = b"store-hub certificate renewal v1\0" + body["nonce"].encode() + der
        key = old.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        key.verify(base64.b64decode(body["signature"]), message, ec.ECDSA(hashes.SHA256()))
        return web.json_response(self._reply(body["csr"], "mtls"))

    def _reply(self, csr: str | None, auth: str) -> dict[str, Any]:
        reply: dict[str, Any] = {
            "device_id": "till-1",
            "name": "Till 1",
            "kind": "till",
            "store": "367",
            "auth": auth,
            "ca": pem(self.authority.certificate),
            "mqtt": {"host": "127.0.0.1", "password_port": 8883, "mtls_port": 8884},
            "new_in_a_later_version": True,
        }
        if auth == "password":
            return reply | {"username": "till-1", "password": "secret"}
        assert csr is not None
        key = x509.load_pem_x509_csr(csr.encode()).public_key()
        return reply | {"certificate": pem(self.authority.issue(key, "till-1", self.days))}


@pytest.fixture
def authority(tmp_path: Path) -> TestAuthority:
    return TestAuthority(tmp_path / "tls")


@pytest.fixture
async def door(authority: TestAuthority) -> AsyncIterator[PairingDoor]:
    it = PairingDoor(authority, authority)
    await it.start()
    yield it
    await it.stop()


@pytest.fixture
def store(tmp_path: Path) -> IdentityStore:
    return IdentityStore(tmp_path / "device")


async def test_a_device_pairs_and_keeps_its_key_to_itself(
    door: PairingDoor, store: IdentityStore
) -> None:
    identity = await pair(
        store,
        host="127.0.0.1",
        port=door.port,
        ca_fingerprint=door.authority.fingerprint.upper(),
        code=CODE,
        model="Tablet 7",
    )
    assert (identity.device_id, identity.mqtt_port, identity.auth) == ("till-1", 8884, "mtls")
    assert await asyncio.to_thread(store.load) == identity
    assert {path.name for path in store.folder.iterdir()} == {
        "device.pem",
        "ca.pem",
        "pairing.json",
    }
    assert store.pem_path.stat().st_mode & 0o777 == 0o600
    assert store.folder.stat().st_mode & 0o777 == 0o700
    assert "PRIVATE" not in str(door.asked)
    assert door.asked[0]["model"] == "Tablet 7"


async def test_a_device_without_certificates_gets_a_password(
    door: PairingDoor, store: IdentityStore
) -> None:
    identity = await pair(
        store,
        host="127.0.0.1",
        port=door.port,
        ca_fingerprint=door.authority.fingerprint,
        code=CODE,
        auth="password",
    )
    assert (identity.username, identity.password, identity.mqtt_port) == ("till-1", "secret", 8883)
    assert door.asked[0].get("csr") is None
    assert not store.pem_path.exists()


async def test_the_code_is_never_told_to_another_ca(
    tmp_path: Path, authority: TestAuthority, store: IdentityStore
) -> None:
    """Someone in between shows the right CA but can't have its server's key."""
    impostor = PairingDoor(authority, TestAuthority(tmp_path / "evil", "evil CA"))
    await impostor.start()
    try:
        for fingerprint in (authority.fingerprint, impostor.presented.fingerprint):
            with pytest.raises(WrongHub):
                await pair(
                    store,
                    host="127.0.0.1",
                    port=impostor.port,
                    ca_fingerprint=fingerprint,
                    code=CODE,
                )
    finally:
        await impostor.stop()
    assert impostor.asked == []
    assert not store.paired


async def test_a_refused_code_says_why(door: PairingDoor, store: IdentityStore) -> None:
    with pytest.raises(PairingRefused, match="Make a new one"):
        await pair(
            store,
            host="127.0.0.1",
            port=door.port,
            ca_fingerprint=door.authority.fingerprint,
            code="WRONG234",
        )
    with pytest.raises(NotPaired):
        store.load()


async def test_a_lost_answer_is_asked_for_again_with_the_same_key(
    door: PairingDoor, store: IdentityStore
) -> None:
    door.lose_answers = 1
    for expected in (HubUnreachable, None):
        call = pair(
            store,
            host="127.0.0.1",
            port=door.port,
            ca_fingerprint=door.authority.fingerprint,
            code=CODE,
        )
        if expected is None:
            await call
        else:
            with pytest.raises(expected):
                await call
    keys = [x509.load_pem_x509_csr(one["csr"].encode()).public_key() for one in door.asked]
    assert keys[0] == keys[1]


async def test_a_password_device_asks_again_under_the_same_nonce(
    door: PairingDoor, store: IdentityStore, tmp_path: Path
) -> None:
    door.lose_answers = 1

    async def ask(into: IdentityStore) -> None:
        await pair(
            into,
            host="127.0.0.1",
            port=door.port,
            ca_fingerprint=door.authority.fingerprint,
            code=CODE,
            auth="password",
        )

    with pytest.raises(HubUnreachable):
        await ask(store)
    await ask(store)
    await ask(store)  # paired anew: another pairing
    await ask(IdentityStore(tmp_path / "another device"))
    first, again, anew, other = (one["nonce"] for one in door.asked)
    assert first == again
    assert len({first, anew, other}) == 3
    assert all("csr" not in one for one in door.asked)


async def test_a_hub_of_another_time_is_named(door: PairingDoor, store: IdentityStore) -> None:
    door.contract = [7, 9]
    with pytest.raises(PairingFailed, match="update the older"):
        await pair(
            store,
            host="127.0.0.1",
            port=door.port,
            ca_fingerprint=door.authority.fingerprint,
            code=CODE,
        )
    assert door.asked == []


async def test_nobody_there_is_said(authority: TestAuthority, store: IdentityStore) -> None:
    with pytest.raises(HubUnreachable):
        await pair(
            store,
            host="127.0.0.1",
            port=free_port(),
            ca_fingerprint=authority.fingerprint,
            code=CODE,
        )


async def test_an_expired_certificate_is_renewed_by_proof_of_its_key(
    door: PairingDoor, store: IdentityStore
) -> None:
    door.days = -10
    old = await pair(
        store,
        host="127.0.0.1",
        port=door.port,
        ca_fingerprint=door.authority.fingerprint,
        code=CODE,
    )
    old_key, _ = store.current()
    door.days = 396
    new = await renew(store)
    new_key, certificate = store.current()
    assert new.device_id == old.device_id
    assert new_key.public_key() != old_key.public_key()
    assert new_key.public_key() == certificate.public_key()
    assert not new.renewal_due(new.certificate_since_ms)
    assert await asyncio.to_thread(store.load) == new


async def test_renewal_is_due_when_a_third_of_the_life_is_left(
    door: PairingDoor, store: IdentityStore
) -> None:
    identity = await pair(
        store,
        host="127.0.0.1",
        port=door.port,
        ca_fingerprint=door.authority.fingerprint,
        code=CODE,
    )
    until_ms = identity.certificate_until_ms
    assert until_ms is not None
    life_ms = until_ms - identity.certificate_since_ms
    assert not identity.renewal_due(until_ms - min(life_ms, 397 * 86_400_000) // 3 - 1)
    assert identity.renewal_due(until_ms - min(life_ms, 397 * 86_400_000) // 3 + 1)


async def test_a_damaged_folder_says_so(door: PairingDoor, store: IdentityStore) -> None:
    await pair(
        store,
        host="127.0.0.1",
        port=door.port,
        ca_fingerprint=door.authority.fingerprint,
        code=CODE,
    )
    whole = store.pem_path.read_bytes()
    for broken in (b"", whole[:300], whole.replace(b"A", b"B")):
        store.pem_path.write_bytes(broken)
        with pytest.raises(IdentityDamaged, match="pair this device again"):
            store.load()
    store.pem_path.write_bytes(whole)
    (store.folder / "pairing.json").write_text("{}")
    with pytest.raises(IdentityDamaged):
        store.load()
