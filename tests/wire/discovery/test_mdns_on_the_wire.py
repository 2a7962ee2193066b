"""A hub and its devices as machines on a cable: found, renamed, moved, gone."""

from __future__ import annotations

import asyncio

import pytest

from tests.wire.discovery.mdns_machines import ADVERTISEMENT, Machine

# Setting up interfaces with ip(8) takes milliseconds, and nothing else runs in this loop.
pytestmark = pytest.mark.may_block

Machines = tuple[Machine, Machine]


async def test_a_device_finds_the_hub_and_all_it_needs_to_connect(machines: Machines) -> None:
    box, device = machines
    box.up("10.99.0.1")
    device.up("10.99.0.2")
    hub = await box.start_hub()
    state = await hub.reaches("advertising")

    (found,) = await device.find(enough=1)

    assert state["instance"] == "Corner Shop"
    assert state["names"] == [
        "Corner Shop._store-hub._tcp.local",
        "Corner Shop._secure-mqtt._tcp.local",
        "Corner Shop._https._tcp.local",
    ]
    assert state["addresses"] == ["10.99.0.1"]
    assert found == {
        "name": "Corner Shop",
        "title": "Corner Shop",
        "host": "store-hub.local",
        "addresses": ["10.99.0.1"],
        "https_port": 8443,
        "mqtt_port": 8883,
        "mtls_port": 8884,
        "wss_path": "/mqtt",
        "store": "367",
        "ca_fingerprint": ADVERTISEMENT["ca_fingerprint"],
    }


async def test_avahi_on_another_machine_resolves_all_three_services(machines: Machines) -> None:
    box, device = machines
    box.up("10.99.0.1")
    device.up("10.99.0.2")
    hub = await box.start_hub(name="St. Mary's Straße No. 5")
    await hub.reaches("advertising")
    await device.start_avahi()

    ports = {}
    for service in ("_store-hub._tcp", "_secure-mqtt._tcp", "_https._tcp"):
        (resolved, *_) = await device.browse_with_avahi(service)
        ports[service] = int(resolved[8])
        assert resolved[6:8] == ["store-hub.local", "10.99.0.1"]
        if service == "_store-hub._tcp":
            assert '"txtvers=1"' in resolved[9]
            assert '"store=367"' in resolved[9]

    assert ports == {"_store-hub._tcp": 8443, "_secure-mqtt._tcp": 8883, "_https._tcp": 8443}


async def test_a_hub_beside_an_avahi_on_its_own_machine_is_found(machines: Machines) -> None:
    box, device = machines
    box.up("10.99.0.1")
    device.up("10.99.0.2")
    await box.start_avahi()
    hub = await box.start_hub()
    await hub.reaches("advertising")

    assert [found["name"] for found in await device.find(enough=1)] == ["Corner Shop"]
    assert await box.browse_with_avahi("_store-hub._tcp")


async def test_an_avahi_that_forbids_other_stacks_degrades_the_hub_until_it_goes(
    machines: Machines,
) -> None:
    box, device = machines
    box.up("10.99.0.1")
    device.up("10.99.0.2")
    await box.start_avahi(disallow_other_stacks=True)
    avahi = list(box.running)
    hub = await box.start_hub()

    degraded = await hub.reaches("degraded")
    assert "disallow-other-stacks=no" in degraded["reason"]

    for process in reversed(avahi):
        if process.returncode is None:
            process.terminate()
            await process.wait()
    await hub.reaches("advertising")
    assert len(await device.find(enough=1)) == 1


async def test_a_second_hub_of_the_same_name_renames_itself(machines: Machines) -> None:
    box, other = machines
    box.up("10.99.0.1")
    other.up("10.99.0.2")
    first = await box.start_hub()
    await first.reaches("advertising")

    second = await other.start_hub()
    # At once, as a rule; later, when the first was too busy to answer the probes.
    renamed = await second.reaches(
        "advertising", lambda state: bool(state["instance"] != "Corner Shop")
    )

    assert renamed["instance"] == "Corner Shop (2)"
    assert renamed["host"] == "store-hub-2.local"
    hubs = {hub["name"]: hub["addresses"] for hub in await box.find(enough=2)}
    assert hubs == {"Corner Shop": ["10.99.0.1"], "Corner Shop (2)": ["10.99.0.2"]}


async def test_two_hubs_that_claimed_one_name_apart_settle_who_keeps_it_once_joined(
    machines: Machines,
) -> None:
    box, other = machines
    other.isolate()
    box.up("10.99.0.1")
    other.up("10.99.0.2")
    loser = await box.start_hub(host_label="hub-a")
    winner = await other.start_hub(host_label="hub-b")
    for hub in (loser, winner):
        assert (await hub.reaches("advertising"))["instance"] == "Corner Shop"

    other.join()

    # "hub-b" is the greater of the two records, so "hub-a" gives way (RFC 6762, section 8.2).
    renamed = await loser.reaches(
        "advertising", lambda state: bool(state["instance"] != "Corner Shop")
    )
    assert renamed["instance"] == "Corner Shop (2)"
    hubs = {hub["name"]: hub["addresses"] for hub in await box.find(enough=2, timeout_s=60)}
    assert hubs == {"Corner Shop": ["10.99.0.2"], "Corner Shop (2)": ["10.99.0.1"]}
    assert winner.states[-1]["instance"] == "Corner Shop"


async def test_two_hubs_switched_on_at_the_same_moment_end_up_with_two_names(
    machines: Machines,
) -> None:
    box, other = machines
    box.up("10.99.0.1")
    other.up("10.99.0.2")
    first, second = await asyncio.gather(
        box.start_hub(host_label="hub-a"), other.start_hub(host_label="hub-b")
    )
    await asyncio.gather(first.reaches("advertising"), second.reaches("advertising"))

    found = await box.find(enough=2, timeout_s=60)

    assert {hub["name"] for hub in found} == {"Corner Shop", "Corner Shop (2)"}
    assert {hub["host"] for hub in found} == {"hub-a.local", "hub-b.local"}


async def test_a_box_started_before_its_network_is_found_once_the_network_is_there(
    machines: Machines,
) -> None:
    box, device = machines
    hub = await box.start_hub()
    waiting = await hub.reaches("waiting")
    assert "no network interface has an address" in waiting["reason"]

    device.up("10.99.0.2")
    box.up("10.99.0.1")

    await hub.reaches("advertising")
    assert [found["addresses"] for found in await device.find(enough=1)] == [["10.99.0.1"]]


async def test_a_new_address_reaches_devices_and_the_old_one_is_forgotten(
    machines: Machines,
) -> None:
    box, device = machines
    box.up("10.99.0.1")
    device.up("10.99.0.2")
    hub = await box.start_hub()
    await hub.reaches("advertising")

    box.ip("address", "del", "10.99.0.1/24", "dev", "eth0")
    box.ip("address", "add", "10.99.0.7/24", "dev", "eth0")

    await hub.reaches("advertising", lambda state: state["addresses"] == ["10.99.0.7"])
    assert [found["addresses"] for found in await device.find(enough=1)] == [["10.99.0.7"]]


async def test_a_pulled_cable_is_noticed_and_a_plugged_one_announced_again(
    machines: Machines,
) -> None:
    box, device = machines
    box.up("10.99.0.1")
    device.up("10.99.0.2")
    hub = await box.start_hub()
    await hub.reaches("advertising")

    box.pull_out()
    await hub.reaches("waiting")
    box.plug_in()

    await hub.reaches("advertising")
    assert len(await device.find(enough=1)) == 1


async def test_a_stopped_hub_says_goodbye_and_vanishes_from_caches(machines: Machines) -> None:
    box, device = machines
    box.up("10.99.0.1")
    device.up("10.99.0.2")
    hub = await box.start_hub()
    await hub.reaches("advertising")
    await device.start_avahi()
    assert await device.browse_with_avahi("_store-hub._tcp")

    await hub.stop()

    # avahi forgets a record one second after its goodbye (RFC 6762, section 10.1).
    for _ in range(150):
        if not await device.browse_with_avahi("_store-hub._tcp"):
            break
        await asyncio.sleep(0.2)
    else:
        raise AssertionError("the hub's services are still in avahi's cache")
    assert hub.process.returncode == 0
