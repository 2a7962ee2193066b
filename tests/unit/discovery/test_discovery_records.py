"""Names and records, without a network."""

from __future__ import annotations

from dataclasses import replace

import pytest
from zeroconf import RecordUpdate, Zeroconf
from zeroconf.const import _CLASS_IN, _TYPE_SRV

from hub.contract.discovery import SERVICES, HubTxt
from hub.discovery.addresses import InterfaceAddress, announced_ips, stack_interfaces
from hub.discovery.publication import ConflictWatch
from hub.discovery.records import Advertisement, build_services, host_name, instance_label

SHOP = Advertisement(
    store="367",
    name="Corner Shop",
    host_label="store-hub",
    https_port=8443,
    mqtt_port=8883,
    mtls_port=8884,
    ca_fingerprint="ab" * 32,
)


@pytest.mark.parametrize(
    ("name", "number", "expected"),
    [
        ("Corner Shop", 1, "Corner Shop"),
        ("Corner Shop", 2, "Corner Shop (2)"),
        ("  Corner \n\x00 Shop ", 3, "Corner Shop (3)"),
        ("St. Mary's No. 5.", 1, "St Mary's No 5"),
        ("shop.example", 1, "shop-example"),
        ("...", 1, "Store Hub"),
        ("x" * 80, 1, "x" * 63),
        ("x" * 80, 12, "x" * 58 + " (12)"),
        ("ü" * 40, 1, "ü" * 31),
        ("ü" * 40, 2, "ü" * 29 + " (2)"),
    ],
)
def test_a_label_is_readable_unique_by_number_and_fits(
    name: str, number: int, expected: str
) -> None:
    label = instance_label(name, number)

    assert label == expected
    assert len(label.encode()) <= 63


def test_host_names_count_up() -> None:
    assert [host_name("store-hub", n) for n in (1, 2)] == ["store-hub.local.", "store-hub-2.local."]


def test_one_name_announces_the_hub_its_broker_and_its_page() -> None:
    services = build_services(
        SHOP, instance="Corner Shop", host="store-hub.local.", ips=["10.0.0.1", "fd00::1"]
    )

    assert tuple(service.type for service in services) == SERVICES
    assert [service.port for service in services] == [8443, 8883, 8443]
    assert {service.server for service in services} == {"store-hub.local."}
    assert services[0].parsed_addresses() == ["10.0.0.1", "fd00::1"]
    assert list(services[0].properties.items()) == [
        (b"txtvers", b"1"),
        (b"store", b"367"),
        (b"name", b"Corner Shop"),
        (b"mqtt", b"8883"),
        (b"mtls", b"8884"),
        (b"wss", b"/mqtt"),
        (b"fp", b"ab" * 32),
    ]


def test_what_is_announced_is_read_back() -> None:
    txt = SHOP.txt()

    read = HubTxt.parse({k.upper().encode(): v.encode() for k, v in txt.properties().items()})

    assert read == txt


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"txtvers", b"2"),
        (b"txtvers", None),
        (b"store", b""),
        (b"name", b"\xff"),
        (b"mqtt", b"0"),
        (b"mtls", b"65536"),
        (b"mtls", "\u0663".encode()),
        (b"mtls", b"9" * 200),
        (b"wss", b"mqtt"),
        (b"fp", None),
    ],
)
def test_a_record_that_is_not_ours_is_refused_with_the_key_named(
    key: bytes, value: bytes | None
) -> None:
    properties: dict[bytes, bytes | None] = {
        k.encode(): v.encode() for k, v in SHOP.txt().properties().items()
    }
    properties[key] = value

    with pytest.raises(ValueError, match=key.decode()):
        HubTxt.parse(properties)


def test_a_name_too_long_for_its_record_is_cut_between_characters() -> None:
    assert len(replace(SHOP, name="ü" * 300).txt().properties()["name"].encode()) == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"host_label": "Store Hub"},
        {"host_label": "-hub"},
        {"host_label": "x" * 61},
        {"https_port": 0},
        {"mqtt_port": 65536},
        {"ca_fingerprint": "x" * 260},
    ],
)
def test_what_cannot_be_announced_is_refused_at_once(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"host_label|port|fp"):
        replace(SHOP, **changes)  # type: ignore[arg-type]


def test_link_local_addresses_are_told_only_where_there_is_no_other() -> None:
    addresses = [
        InterfaceAddress("eth0", 2, "10.0.0.1"),
        InterfaceAddress("eth0", 2, "fe80::1"),
        InterfaceAddress("eth1", 3, "169.254.7.7"),
        InterfaceAddress("eth1", 3, "fe80::2"),
    ]

    assert announced_ips(addresses) == ("10.0.0.1", "169.254.7.7", "fe80::2")
    assert stack_interfaces(addresses) == ["10.0.0.1", "169.254.7.7", 2, 3]


@pytest.mark.parametrize(
    ("server", "port", "ttl", "contested", "lost"),
    [
        ("STORE-HUB.local.", 8443, 120, False, False),
        ("zebra.local.", 8443, 120, True, True),
        ("aardvark.local.", 8443, 120, True, False),
        ("aardvark.local.", 8444, 120, True, True),
        ("zebra.local.", 8443, 0, False, False),
    ],
)
def test_the_greater_record_keeps_a_contested_name(
    server: str, port: int, ttl: int, contested: bool, lost: bool
) -> None:
    from zeroconf import DNSService  # type: ignore[attr-defined]

    services = build_services(SHOP, instance="Corner Shop", host="store-hub.local.", ips=())
    watch = ConflictWatch(services)
    name = "corner shop._store-hub._tcp.local."
    record = DNSService(name, _TYPE_SRV, _CLASS_IN, ttl, 0, 0, port, server)

    watch.async_update_records(Zeroconf.__new__(Zeroconf), 0.0, [RecordUpdate(record)])

    assert (watch.contested.is_set(), watch.lost) == (contested, lost)
