"""How the advertiser behaves when its surroundings don't: only the network's edge is played."""

from __future__ import annotations

import errno
from collections.abc import Sequence

from zeroconf.asyncio import AsyncZeroconf

from hub.discovery import (
    Advertisement,
    Advertiser,
    DiscoveryState,
    InterfaceAddress,
    Status,
)

SHOP = Advertisement(
    store="367",
    name="Corner Shop",
    host_label="store-hub",
    https_port=8443,
    mqtt_port=8883,
    mtls_port=8884,
    ca_fingerprint="ab" * 32,
)
LAN = (InterfaceAddress("eth0", 2, "10.0.0.1"),)


class NoJitter:
    """A source of randomness that makes waits as short as they get."""

    def uniform(self, low: float, high: float) -> float:
        del high
        return low * 0.0

    def token_bytes(self, count: int) -> bytes:
        return bytes(count)


async def test_a_taken_port_is_explained_and_tried_again() -> None:
    tries: list[list[str | int]] = []

    def taken(interfaces: list[str | int]) -> AsyncZeroconf:
        tries.append(interfaces)
        raise OSError(errno.EADDRINUSE, "Address already in use")

    advertiser = Advertiser(
        SHOP, randomness=NoJitter(), addresses=lambda: LAN, poll_s=0.01, make_stack=taken
    )
    async with advertiser:
        state = await advertiser.wait_for(lambda s: s.status is Status.DEGRADED)
        assert "disallow-other-stacks=no" in state.reason
        assert (state.instance, state.names, state.addresses) == ("", (), ())
        await advertiser.wait_for(lambda _: len(tries) >= 3)

    assert tries[0] == ["10.0.0.1"]
    assert advertiser.state.status is Status.STOPPED


async def test_addresses_that_cannot_be_read_degrade_instead_of_ending() -> None:
    looks = 0

    def addresses() -> Sequence[InterfaceAddress]:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        return ()

    seen: list[DiscoveryState] = []
    advertiser = Advertiser(
        SHOP, randomness=NoJitter(), addresses=addresses, poll_s=0.01, on_change=seen.append
    )
    async with advertiser:
        await advertiser.wait_for(lambda s: s.status is Status.WAITING)

    assert [state.status for state in seen] == [Status.DEGRADED, Status.WAITING, Status.STOPPED]
    assert "Cannot allocate memory" in seen[0].reason


async def test_addresses_that_keep_changing_are_used_in_the_end() -> None:
    looks = 0
    tried: list[list[str | int]] = []

    def addresses() -> Sequence[InterfaceAddress]:
        nonlocal looks
        looks += 1
        return (InterfaceAddress("eth0", 2, f"10.0.0.{looks % 200 + 1}"),)

    def taken(interfaces: list[str | int]) -> AsyncZeroconf:
        tried.append(interfaces)
        raise OSError(errno.EADDRINUSE, "Address already in use")

    advertiser = Advertiser(
        SHOP, randomness=NoJitter(), addresses=addresses, poll_s=0.001, make_stack=taken
    )
    async with advertiser:
        await advertiser.wait_for(lambda s: s.status is Status.DEGRADED)

    assert tried


async def test_stopping_before_starting_and_twice_is_harmless() -> None:
    advertiser = Advertiser(SHOP, randomness=NoJitter(), addresses=lambda: ())

    await advertiser.stop()
    await advertiser.start()
    await advertiser.stop()
    await advertiser.stop()

    assert advertiser.state.status is Status.STOPPED
