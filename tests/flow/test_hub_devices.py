"""Devices of a whole hub come, get other keys, go, and stay away for months."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from devices.kit import IdentityStore, PairingLink, PairingRefused, pair, renew
from devices.kit.identity import request_certificate
from hub.contract.base import Nothing
from hub.contract.staff import SignOut
from hub.security.authority import Authority
from tests.support.hubbox import STORE, Box, open_box, sell
from tests.support.rawmqtt import raw_device

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("hub-devices")]

DAY_MS = 86_400_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def box() -> AsyncIterator[Box]:
    async with open_box() as opened:
        till = await opened.pair(name="Stock")
        async with opened.client(till) as hub:
            await opened.stock_up(hub)
        yield opened


async def outcome_of(box: Box, store: IdentityStore, **changed: object) -> str:
    """How a connection attempt with this identity ends."""
    async with raw_device(box.login(store, **changed), STORE, subscribe=False) as raw:
        return await raw.outcome


async def shut_out(box: Box, store: IdentityStore, **changed: object) -> None:
    """Wait until this identity is not let in any more; it must stay so."""

    async def refused() -> bool:
        return await outcome_of(box, store, **changed) != "Success"

    await box.until(refused)
    for _ in range(3):
        assert await refused()


async def offer(box: Box, link: PairingLink, code: str, folder: Path) -> IdentityStore:
    store = IdentityStore(folder)
    await pair(store, host=link.host, port=link.port, ca_fingerprint=link.fingerprint, code=code)
    return store


# Pairing codes -----------------------------------------------------------------------------------


async def test_a_code_works_once(box: Box) -> None:
    link = PairingLink.parse(await box.rig.admin.open_pairing())
    await offer(box, link, link.code, box.rig.tills / "once")
    with pytest.raises(PairingRefused) as refused:
        await offer(box, link, link.code, box.rig.tills / "twice")
    assert refused.value.problem.code == "forbidden"


async def test_five_wrong_tries_void_an_open_code(box: Box) -> None:
    link = PairingLink.parse(await box.rig.admin.open_pairing())
    for _ in range(5):
        with pytest.raises(PairingRefused):
            await offer(box, link, "22222222", box.rig.tills / "guess")
    with pytest.raises(PairingRefused):
        await offer(box, link, link.code, box.rig.tills / "guess")


# Other keys, and none ----------------------------------------------------------------------------


async def test_a_renamed_device_stays_connected(box: Box) -> None:
    store = await box.pair(name="Old name")
    device = store.load().device_id
    async with box.client(store) as hub:
        await box.cli("devices", "rename", device, "New name")
        await sell(hub)
        assert hub.session.connections == 1
    listed = {one["device_id"]: one["name"] for one in await box.cli_json("devices", "list")}
    assert listed[device] == "New name"


@pytest.mark.parametrize("auth", ["mtls", "password"])
async def test_a_revoked_device_is_cut_off_within_seconds_and_never_comes_back(
    box: Box, auth: str
) -> None:
    store = await box.pair(auth="password" if auth == "password" else "mtls")
    device = store.load().device_id
    async with box.raw(store) as raw:
        await raw.say_ready("s1", kind="till", model="x", firmware="1", contract=[1, 1])
        await box.cli("devices", "revoke", device, "--reason", "stolen", "--yes")
        await raw.cut()
    await shut_out(box, store)
    listed = {one["device_id"]: one["status"] for one in await box.cli_json("devices", "list")}
    assert listed[device] == "revoked"


async def test_a_revoked_certificate_is_on_the_revocation_list_at_once(box: Box) -> None:
    store = await box.pair()
    _, certificate = store.current()
    crl_file = box.rig.base / "hub" / "tls" / "crl.pem"
    await box.cli("devices", "revoke", store.load().device_id, "--reason", "lost", "--yes")

    def listed() -> bool:
        text = crl_file.read_bytes()
        lists = text.split(b"-----END X509 CRL-----\n")[:-1]
        crls = [x509.load_pem_x509_crl(one + b"-----END X509 CRL-----\n") for one in lists]
        number = certificate.serial_number
        return any(crl.get_revoked_certificate_by_serial_number(number) for crl in crls)

    await box.until(listed)


@pytest.mark.parametrize(
    ("before", "after"),
    [("mtls", "mtls"), ("password", "password"), ("mtls", "password"), ("password", "mtls")],
)
async def test_a_device_with_a_new_key_works_and_the_old_key_does_not(
    box: Box, before: str, after: str
) -> None:
    old = await box.pair(auth="password" if before == "password" else "mtls")
    device = old.load().device_id
    async with box.raw(old) as raw:
        opened = await box.cli_json("pair", "--rekey", device)
        link = PairingLink.parse(opened["qr"])
        new = IdentityStore(box.rig.tills / f"{device}-again")
        identity = await pair(
            new,
            host=link.host,
            port=link.port,
            ca_fingerprint=link.fingerprint,
            code=link.code,
            auth="password" if after == "password" else "mtls",
        )
        assert identity.device_id == device
        await raw.cut()
    await shut_out(box, old)
    async with box.client(new) as hub:
        await sell(hub)
    await shut_out(box, old)


async def test_a_device_that_was_away_for_months_renews_by_its_key(box: Box) -> None:
    store = await box.pair(name="Seasonal")
    device = store.load().device_id
    await expire(box, store, device, days_ago=200)
    assert await outcome_of(box, store) != "Success"
    await renew(store)
    async with box.client(store) as hub:
        await sell(hub)


async def test_a_device_that_was_away_for_years_has_to_pair_again(box: Box) -> None:
    store = await box.pair(name="Forgotten")
    await expire(box, store, store.load().device_id, days_ago=400)
    with pytest.raises(PairingRefused) as refused:
        await renew(store)
    assert refused.value.problem.code == "forbidden"
    assert "Pair" in refused.value.problem.detail


async def expire(box: Box, store: IdentityStore, device: str, *, days_ago: int) -> None:
    """Give the device a certificate of its hub that ended then, and have the hub know it."""
    now_ms = int(dt.datetime.now(dt.UTC).timestamp() * 1000)
    tls = box.rig.base / "hub" / "tls"
    authority = Authority.open(tls, store_name="Store", now_ms=now_ms, create=False)
    key = ec.generate_private_key(ec.SECP256R1())
    csr = request_certificate(key).public_bytes(serialization.Encoding.PEM)
    made = authority.issue_device(csr, device, now_ms - (days_ago + 30) * DAY_MS, 30 * DAY_MS)
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    store.pem_path.write_bytes(text + made.certificate_pem.encode())
    box.write(
        "INSERT INTO certificates (serial, device_id, issued_at_ms, expires_at_ms)"
        " VALUES (?, ?, ?, ?)",
        f"{made.serial:x}",
        device,
        now_ms - (days_ago + 30) * DAY_MS,
        made.not_after_ms,
    )


async def test_renewing_again_and_again_revokes_what_is_older_than_the_last_two(box: Box) -> None:
    store = await box.pair(name="Renewer")
    first = IdentityStore(box.rig.tills / "first-copy")
    copy_identity(store, first)
    for _ in range(3):
        await renew(store)
    await shut_out(box, first)
    async with box.client(store) as hub:
        await sell(hub)


def copy_identity(store: IdentityStore, target: IdentityStore) -> None:
    target.folder.mkdir(mode=0o700)
    for path in store.folder.iterdir():
        if path.is_file():
            (target.folder / path.name).write_bytes(path.read_bytes())


# The hub's own certificates ----------------------------------------------------------------------


async def served(box: Box, context: ssl.SSLContext, port: int) -> int:
    """The serial number of the certificate that a port serves."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return int(x509.load_der_x509_certificate(der).serial_number)


@pytest.mark.may_leak  # the module's hub, started again
async def test_a_renewed_server_certificate_is_served_after_the_next_start(box: Box) -> None:
    store = await box.pair()
    context = store.tls_context(with_certificate=False)
    ports = (box.rig.ports.https, box.rig.ports.password)
    before = [await served(box, context, port) for port in ports]
    assert before[0] == before[1]
    async with box.client(store) as hub:
        await box.stop_hub()
        (box.rig.base / "hub" / "tls" / "hub.crt").unlink()
        await box.start_hub()
        after = [await served(box, context, port) for port in ports]
        assert after[0] == after[1] != before[0]
        await hub.request(SignOut(), Nothing, until_answered=True)


@pytest.mark.may_leak  # the module's hub, started again
async def test_devices_come_back_by_themselves_over_a_change_of_the_authority(box: Box) -> None:
    """The CA's next generation is made while the hub is stopped; certificates of the old one stay
    good, and a renewal brings the new bundle."""
    store, kiosk = await box.pair(), await box.pair(auth="password")
    async with box.client(store) as hub, box.client(kiosk) as other:
        await box.stop_hub()
        now_ms = int(dt.datetime.now(dt.UTC).timestamp() * 1000)
        tls = box.rig.base / "hub" / "tls"
        authority = Authority.open(tls, store_name="Store", now_ms=now_ms, create=False)
        await asyncio.to_thread(authority.roll_over, [], now_ms)
        await box.start_hub()
        await sell(hub)
        await sell(other)
        await renew(store)
        await hub.session.renewed("test")
        await sell(hub)
    fresh = await box.pair(name="After the change")
    async with box.client(fresh) as hub:
        await sell(hub)
    assert fresh.load().ca_fingerprint != kiosk.load().ca_fingerprint
    assert fresh.ca_path.read_text() == store.ca_path.read_text() != kiosk.ca_path.read_text()
