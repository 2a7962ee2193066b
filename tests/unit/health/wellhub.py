"""A hub that is well, to change one thing of."""

from __future__ import annotations

from typing import Any

from hub.contract.admin import DeviceView
from hub.contract.health import WayStep
from hub.contract.local import (
    BrokerStatus,
    CloudStatus,
    DiscoveryStatus,
    HubStatus,
    OutboxStatus,
    SalesStatus,
    StorageStatus,
)
from hub.health.facts import (
    GIB,
    Backup,
    Certificates,
    ClockSource,
    Disk,
    Facts,
    Machine,
    Measured,
)

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
    free_bytes=10 * GIB,
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
DISK = Disk(total_bytes=32 * GIB, free_bytes=10 * GIB, sync_ms=4, life_used_percent=10)
MACHINE = Machine(
    rss_bytes=120 << 20,
    available_bytes=3 * GIB,
    total_bytes=4 * GIB,
    celsius=52,
    on_mains=True,
    under_voltage=False,
)
MEASURED = Measured(
    disk=DISK,
    clock=ClockSource(synchronised=True, by="systemd-timesyncd", off_cloud_ms=120),
    machine=MACHINE,
    certificates=Certificates(NOW_MS + 7000 * DAY_MS, NOW_MS + 3600 * DAY_MS),
    backup=Backup(NOW_MS - DAY_MS // 2, "/backups/1"),
)


def device(**fields: Any) -> DeviceView:
    """A till that is connected."""
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
    """A model with some fields changed."""
    return part.model_copy(update=fields)


def way(broken: str) -> tuple[WayStep, ...]:
    """The way to the cloud, broken at one place."""
    steps = []
    state: Any = "ok"
    for place in ("lan", "router", "dns", "internet", "oms"):
        this = "broken" if place == broken else state
        steps.append(WayStep.model_validate({"place": place, "title": place, "state": this}))
        if place == broken:
            state = "unknown"
    return tuple(steps)


def facts(measured: Measured = MEASURED, /, **status: Any) -> Facts:
    """The facts of a well hub, with some fields of its status changed."""
    return Facts(
        WELL.model_copy(update=status),
        measured,
        server_certificate_ends_at_ms=NOW_MS + 100 * DAY_MS,
    )
