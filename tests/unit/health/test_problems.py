"""Which sentences a status deserves, and in which order."""

from __future__ import annotations

from typing import Any

import pytest

from hub.contract.admin import DeviceView
from hub.contract.local import (
    BrokerStatus,
    CloudStatus,
    DiscoveryStatus,
    HubStatus,
    OutboxStatus,
    SalesStatus,
    StorageStatus,
)
from hub.health.problems import ago, find_problems

NOW_MS = 1_780_000_000_000
MINUTE_MS = 60_000
DAY_MS = 86_400_000

BROKER = BrokerStatus(
    mode="managed", state="running", since_ms=NOW_MS - DAY_MS, restarts=1, connected=True
)
CLOUD = CloudStatus(state="up", since_ms=NOW_MS - DAY_MS, url="https://oms.example")
STORAGE = StorageStatus(
    state="ok",
    queue_depth=0,
    database_bytes=1,
    wal_bytes=1,
    free_bytes=10 << 30,
    sqlite_version="3",
)
OUTBOX = OutboxStatus(depth=0, oldest_at_ms=None, parked=0)
WELL = HubStatus(
    store="367",
    store_name="Corner Shop",
    hub_id="h",
    version="0.1.0",
    mode="online",
    training=False,
    started_at_ms=NOW_MS - DAY_MS,
    time_ms=NOW_MS,
    incarnation="1",
    epoch=1,
    seq=1,
    safe_seq=1,
    clock_suspect=False,
    sales=SalesStatus(
        business_day="2026-05-28",
        count=0,
        total_minor=0,
        voided=0,
        returned_minor=0,
        currency="EUR",
    ),
    devices=(),
    outbox=OUTBOX,
    cloud=CLOUD,
    broker=BROKER,
    discovery=DiscoveryStatus(state="announced"),
    storage=STORAGE,
    errors=(),
)


def device(**fields: Any) -> DeviceView:
    base = {
        "device_id": "till-01",
        "name": "Front",
        "kind": "till",
        "auth": "mtls",
        "status": "paired",
        "presence": "ready",
        "paired_at_ms": NOW_MS - DAY_MS,
        "last_seen_at_ms": NOW_MS - 5 * MINUTE_MS,
    }
    return DeviceView.model_validate(base | fields)


def of(part: Any, **fields: Any) -> Any:
    return part.model_copy(update=fields)


def test_a_hub_that_is_well_has_no_problems() -> None:
    assert find_problems(WELL, server_certificate_expires_at_ms=NOW_MS + 100 * DAY_MS) == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mode": "superseded"}, "Another box"),
        ({"mode": "superseded", "superseded_at_ms": NOW_MS - 3 * 3_600_000}, "3 h ago"),
        ({"mode": "superseded"}, "switch this one off"),
        ({"mode": "recovery"}, "restored"),
        ({"clock_suspect": True}, "clock"),
        ({"training": True}, "Training"),
        ({"storage": of(STORAGE, state="full")}, "disk is full"),
        ({"storage": of(STORAGE, state="stopped")}, "can't be written"),
        ({"storage": of(STORAGE, free_bytes=100 << 20)}, "100 MiB"),
        ({"broker": of(BROKER, state="backoff", detail="port in use")}, "port in use"),
        ({"broker": of(BROKER, state="stopped", connected=False)}, "stopped"),
        ({"broker": of(BROKER, connected=False)}, "no connection"),
        ({"cloud": of(CLOUD, state="down", since_ms=NOW_MS - 12 * MINUTE_MS)}, "12 min"),
        ({"cloud": of(CLOUD, state="refused", detail="401")}, "(401)"),
        ({"cloud": of(CLOUD, state="unconfigured")}, "No cloud"),
        ({"cloud": of(CLOUD, drift=1)}, "1 product differs"),
        ({"outbox": of(OUTBOX, parked=2)}, "2 events, which wait aside"),
        ({"outbox": of(OUTBOX, depth=1, oldest_at_ms=NOW_MS - 20 * MINUTE_MS)}, "20 min"),
        ({"devices": (device(presence="lost"),)}, "Front (till-01) has been lost for 5 min"),
        ({"devices": (device(certificate_expires_at_ms=NOW_MS + DAY_MS),)}, "ends in 24 h"),
        ({"discovery": DiscoveryStatus(state="degraded", detail="port 5353")}, "port 5353"),
    ],
)
def test_each_trouble_is_said_in_one_sentence(change: dict[str, Any], words: str) -> None:
    (sentence,) = find_problems(WELL.model_copy(update=change))
    assert words in sentence


@pytest.mark.parametrize(
    "change",
    [
        {"cloud": of(CLOUD, state="down", since_ms=NOW_MS - 10_000)},
        {"broker": of(BROKER, state="starting", since_ms=NOW_MS - 5_000)},
        {"devices": (device(presence="sleeping"), device(presence="lost", status="revoked"))},
    ],
)
def test_what_passes_by_itself_troubles_nobody(change: dict[str, Any]) -> None:
    assert find_problems(WELL.model_copy(update=change)) == ()


def test_the_worst_comes_first_and_many_devices_are_counted() -> None:
    lost = tuple(device(device_id=f"till-{n:02d}", presence="lost") for n in range(9))
    found = find_problems(
        WELL.model_copy(
            update={
                "devices": lost,
                "cloud": of(CLOUD, state="down"),
                "storage": of(STORAGE, state="full"),
            }
        )
    )
    assert "disk" in found[0]
    assert "cloud" in found[1]
    assert found[-1] == "6 more devices are lost."
    assert len(found) == 6


def test_the_hubs_own_certificate_is_watched() -> None:
    for left_ms, words in ((3 * DAY_MS, "ends in 3 days"), (-1, "has expired")):
        (sentence,) = find_problems(WELL, server_certificate_expires_at_ms=NOW_MS + left_ms)
        assert words in sentence


@pytest.mark.parametrize(
    ("span_ms", "text"),
    [(-5, "0 s"), (89_000, "89 s"), (90_000, "1 min"), (5_400_000, "1 h"), (3 * DAY_MS, "3 days")],
)
def test_spans_read_as_people_say_them(span_ms: int, text: str) -> None:
    assert ago(span_ms) == text
