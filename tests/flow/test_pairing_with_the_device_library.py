"""A device that knows the contract only becomes one of the shop's, and stays one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devices.kit.errors import PairingRefused, WrongHub
from devices.kit.identity import IdentityStore
from devices.kit.pairing import PairingLink, pair, renew
from hub.contract.admin import RevokeDevice
from tests.hubparts import SHELL, HubParts, hub_parts


@pytest.fixture
async def web_hub(tmp_state: Path) -> AsyncIterator[HubParts]:
    async with hub_parts(tmp_state) as running:
        yield running


async def scan(hub: HubParts, store: IdentityStore, qr: str) -> str:
    """Pair by what the QR says; the device's id."""
    link = PairingLink.parse(qr)
    identity = await pair(
        store, host=link.host, port=link.port, ca_fingerprint=link.fingerprint, code=link.code
    )
    return identity.device_id


async def test_a_device_pairs_by_the_qr_and_renews_twice(web_hub: HubParts) -> None:
    store = IdentityStore(web_hub.state / "device")
    opened = await web_hub.open_pairing(name="Front")
    assert await scan(web_hub, store, opened.qr) == "till-01"
    first = store.load()
    for _ in range(2):
        assert (await renew(store)).device_id == "till-01"
    assert store.load().ca_fingerprint == first.ca_fingerprint


async def test_a_device_pairs_with_a_password(web_hub: HubParts) -> None:
    store = IdentityStore(web_hub.state / "device")
    link = PairingLink.parse((await web_hub.open_pairing(kind="kiosk")).qr)
    identity = await pair(
        store,
        host=link.host,
        port=link.port,
        ca_fingerprint=link.fingerprint,
        code=link.code,
        auth="password",
    )
    assert (identity.username, identity.mqtt_port) == ("kiosk-01", 8883)
    assert identity.password


async def test_a_hub_with_another_authority_never_sees_the_code(web_hub: HubParts) -> None:
    store = IdentityStore(web_hub.state / "device")
    link = PairingLink.parse((await web_hub.open_pairing()).qr)
    with pytest.raises(WrongHub):
        await pair(store, host=link.host, port=link.port, ca_fingerprint="0" * 64, code=link.code)
    assert await scan(web_hub, store, (await web_hub.open_pairing()).qr) == "till-01"


async def test_a_revoked_device_is_told_to_pair_again(web_hub: HubParts) -> None:
    store = IdentityStore(web_hub.state / "device")
    await scan(web_hub, store, (await web_hub.open_pairing()).qr)
    await web_hub.gate.run(SHELL, RevokeDevice(device_id="till-01", reason="lost"))
    with pytest.raises(PairingRefused, match="Pair the device again"):
        await renew(store)
