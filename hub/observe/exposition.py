"""From tally, status and measurements to Prometheus' text (version 0.0.4).

The text is made by ``prometheus_client``; its own counters aren't used: they take a lock for every
increment, and counting here is part of a sale's way.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, get_args

from hub.contract.envelope import DevicePresence
from hub.contract.health import Level
from hub.contract.local import HubStatus, PaymentsStatus
from hub.contract.oms_envelope import STREAMS
from hub.contract.pages.payments import PaymentTrouble
from hub.domain.payments.exposure import OfflineBar
from hub.domain.payments.states import FINAL, PaymentState
from hub.health.facts import NOTHING_MEASURED, Measured
from hub.observe.exporter import Figures
from hub.observe.table import BY_NAME, METRICS
from hub.observe.tally import Tally

if TYPE_CHECKING:
    from prometheus_client.core import Metric as Family

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
MODES: Final = ("online", "offline", "recovery", "superseded")
LINK_STATES: Final = ("unconfigured", "connecting", "up", "down", "refused", "superseded")
PHASES: Final = ("claiming", "ready", "lost", "refused")
PRINTING: Final = ("waiting", "printing", "ambiguous", "failed")
PAYMENTS: Final = tuple(
    one.value for one in PaymentState if one not in FINAL and one is not PaymentState.CAPTURED
)
NEEDS: Final = get_args(PaymentTrouble.model_fields["kind"].annotation)
BARS: Final = tuple(one.value for one in OfflineBar if one is not OfflineBar.NOT_PERMITTED)
PRESENCES: Final = (*(one.value for one in DevicePresence), "unknown")
LEVELS: Final[Mapping[Level, int]] = {
    "unknown": -1,
    "ok": 0,
    "notice": 1,
    "warning": 2,
    "critical": 3,
}
Series = Iterable[tuple[tuple[str, ...], float]]


@dataclass(frozen=True, slots=True)
class View:
    """One moment.  ``status`` is None when it couldn't be read; ``oldest_at_ms`` is when the oldest
    waiting event of a stream was written."""

    store: str
    version: str
    now_ms: int
    started_at_ms: int
    queue_depth: int
    status: HubStatus | None = None
    measured: Measured = NOTHING_MEASURED
    oldest_at_ms: Mapping[str, int] = field(default_factory=dict)
    server_certificate_ends_at_ms: int | None = None
    log_problems: int = 0
    log_lost: int = 0
    exports: Mapping[str, Figures] = field(default_factory=dict)
    untraced: tuple[int, int] | None = None


def text_of(tally: Tally, view: View) -> bytes:
    """The whole answer, in the order of the table."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.registry import Collector

    class Once(Collector):
        def collect(self) -> Iterator[Family]:
            return families(tally, view)

    registry = CollectorRegistry()
    registry.register(Once())
    return generate_latest(registry)


def families(tally: Tally, view: View) -> Iterator[Family]:
    """All metrics that have a value now."""
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    values = _values(tally, view)
    strange = values.keys() - BY_NAME.keys()
    assert not strange, f"metrics without an entry in the table: {strange}"
    for one in METRICS:
        if one.kind == "histogram":
            spans = HistogramMetricFamily(one.name, one.help, labels=one.labels)
            if one.labels:
                for operation, each in tuple(tally.durations.items()):
                    spans.add_metric([operation], each.cumulated(), each.sum_s)
            else:
                spans.add_metric([], tally.commits.cumulated(), tally.commits.sum_s)
            yield spans
            continue
        made = CounterMetricFamily if one.kind == "counter" else GaugeMetricFamily
        family = made(one.name, one.help, labels=one.labels)
        found = tuple(values.get(one.name, ()))
        for labels, value in found:
            family.add_metric(labels, value)
        if found:
            yield family


def _values(tally: Tally, view: View) -> dict[str, Series]:
    found: dict[str, Series] = {
        **_counted(tally, view),
        **_measured(view),
        **(_told(view.status, view) if view.status is not None else {}),
    }
    return {f"store_hub_{name}": series for name, series in found.items()}


def _one(value: float | None) -> Series:
    return () if value is None else (((), float(value)),)


def _at(ms: int | None) -> Series:
    return _one(None if ms is None else ms / 1000)


def _state(now: str, states: Iterable[str]) -> Series:
    return tuple(((one,), float(one == now)) for one in states)


def _counted(tally: Tally, view: View) -> dict[str, Series]:
    from hub.storage import sqlite

    info = (view.store, view.version, platform.python_version(), sqlite.version())
    return {
        "build_info": ((info, 1.0),),
        "start_time_seconds": _at(view.started_at_ms),
        "status_fresh": _one(view.status is not None),
        "sales_written": _one(tally.sales_written),
        "requests": tuple((key, float(count)) for key, count in tuple(tally.requests.items())),
        "payment_changes": tuple(((key,), float(n)) for key, n in tuple(tally.paid.items())),
        "payment_forwards": tuple(((key,), float(n)) for key, n in tuple(tally.forwards.items())),
        "committed_requests": _one(tally.committed),
        "writer_queue_depth": _one(view.queue_depth),
        "log_problems": _one(view.log_problems),
        "log_lost": _one(view.log_lost),
        **_exported(view),
    }


def _exported(view: View) -> dict[str, Series]:
    exports = view.exports.items()
    rate, events = view.untraced if view.untraced is not None else (0, 0)
    untraced: Series = ((("rate",), float(rate)), (("events",), float(events)))
    return {
        "otlp_sent": tuple(((key,), float(one.sent)) for key, one in exports),
        "otlp_dropped": tuple(((key,), float(one.dropped)) for key, one in exports),
        "otlp_spool_bytes": tuple(((key,), float(one.spool_bytes)) for key, one in exports),
        "traces_bounded": () if view.untraced is None else untraced,
    }


def _measured(view: View) -> dict[str, Series]:
    found: dict[str, Series] = {}
    disk, machine, clock = view.measured.disk, view.measured.machine, view.measured.clock
    if disk is not None:
        used = disk.life_used_percent
        found["disk_size_bytes"] = _one(disk.total_bytes)
        found["disk_sync_seconds"] = _at(disk.sync_ms)
        found["disk_life_used_ratio"] = _one(None if used is None else used / 100)
    if machine is not None:
        found["process_resident_memory_bytes"] = _one(machine.rss_bytes)
        found["machine_memory_available_bytes"] = _one(machine.available_bytes)
        found["machine_temperature_celsius"] = _one(machine.celsius)
    if clock is not None:
        found["clock_offset_seconds"] = _at(clock.off_cloud_ms)
    if view.measured.backup is not None:
        found["backup_time_seconds"] = _at(view.measured.backup.made_at_ms)
    if (replica := view.measured.replica) is not None:
        found["replica_synced_time_seconds"] = _at(replica.synced_at_ms or replica.since_ms)
    ends = view.measured.certificates
    certificates = {
        "server": view.server_certificate_ends_at_ms,
        "authority": ends.authority_ends_at_ms if ends else None,
        "revocation-list": ends.crl_ends_at_ms if ends else None,
    }
    found["certificate_expiry_time_seconds"] = tuple(
        ((name,), ms / 1000) for name, ms in certificates.items() if ms is not None
    )
    return found


def _paid(now: PaymentsStatus) -> dict[str, Series]:
    share = now.exposure_minor / now.cap_minor if now.cap_minor else float(now.exposure_minor > 0)
    return {
        "payments": tuple(((one,), float(now.states.get(one, 0))) for one in PAYMENTS),
        "payments_need_person": tuple(((one,), float(now.needs.get(one, 0))) for one in NEEDS),
        "payment_exposure_minor": _one(now.exposure_minor),
        "payment_exposure_ratio": _one(share),
        "payment_oldest_age_seconds": _one(now.oldest_age_ms / 1000),
        "payments_waiting": _one(now.waiting),
        "payment_offline_barred": tuple(((one,), float(one in now.bars)) for one in BARS),
    }


def _told(status: HubStatus, view: View) -> dict[str, Series]:
    report, storage = status.health, status.storage
    waiting, oldest = status.outbox.streams, view.oldest_at_ms
    paired = [one for one in status.devices if one.status == "paired"]
    here = Counter(one.presence for one in paired if one.auth != "hub")
    phases = Counter(one.phase for one in status.peripherals)
    found: dict[str, Series] = {
        "training": _one(status.training),
        "mode": _state(status.mode, MODES),
        "orders": tuple(
            ((which,), float(getattr(status.orders, which))) for which in ("open", "short", "late")
        ),
        "business_day_sales": _one(status.sales.count),
        "business_day_voided_sales": _one(status.sales.voided),
        "sales_per_minute": _one(status.sales.per_minute),
        "last_sale_time_seconds": _at(status.sales.last_at_ms),
        "storage_ok": _one(storage.state == "ok"),
        "database_bytes": _one(storage.database_bytes),
        "wal_bytes": _one(storage.wal_bytes),
        "disk_free_bytes": _one(storage.free_bytes),
        "outbox_depth": tuple(((one,), float(waiting.get(one, 0))) for one in STREAMS),
        "outbox_oldest_age_seconds": tuple(
            ((one,), max(0.0, (view.now_ms - oldest.get(one, view.now_ms)) / 1000))
            for one in STREAMS
        ),
        "outbox_parked": _one(status.outbox.parked),
        "cloud_link": _state(status.cloud.state, LINK_STATES),
        "cloud_link_since_seconds": _at(status.cloud.since_ms),
        "stock_drift_products": _one(status.cloud.drift),
        "devices": tuple(((one,), float(here[one])) for one in PRESENCES),
        "peripherals": tuple(((one,), float(phases[one])) for one in PHASES),
        "print_jobs": tuple(((one,), float(getattr(status.printing, one))) for one in PRINTING),
        **_paid(status.payments),
        "broker_up": _one(status.broker.connected),
        "broker_restarts": _one(status.broker.restarts),
        "discovery_announced": _one(status.discovery.state == "announced"),
        "clock_trusted": _one(not status.clock_suspect),
    }
    if report is not None:
        found["readiness_score_ratio"] = _one(report.readiness.score / 100)
        found["health_check_level"] = tuple(
            ((one.key,), float(LEVELS[one.level]))
            for one in sorted(report.findings, key=lambda one: one.key)
        )
    return found
