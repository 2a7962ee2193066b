"""Every metric that is served: the one place where it is named, explained and bounded.

Names follow Prometheus' conventions (https://prometheus.io/docs/practices/naming/): base units,
``_total`` for counters.  No goods, no people, no device by name, and no amount of money but what
the shop risks on cards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Metric:
    """``name`` without the suffixes that a kind adds; ``series``: how many there are at most."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    series: str = "1"

    @property
    def served_as(self) -> str:
        """The name that a query uses; of a histogram without ``_bucket``, ``_sum``, ``_count``."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


def _of(
    kind: Kind, name: str, text: str, labels: tuple[str, ...] = (), series: str = "1"
) -> Metric:
    return Metric(f"store_hub_{name}", kind, text, labels, series)


METRICS: Final = (
    # The hub itself.
    _of(
        "gauge",
        "build_info",
        "Always 1; which version of the hub runs for which shop, on which Python and SQLite.",
        ("store", "version", "python", "sqlite"),
    ),
    _of("gauge", "start_time_seconds", "When the hub started (Unix time)."),
    _of(
        "gauge",
        "status_fresh",
        "1 when the status could be read for this answer; 0 when the database did not answer in"
        " time: then only counters are served.",
    ),
    _of("gauge", "training", "1 in training mode, where sales are not real."),
    _of(
        "gauge",
        "mode",
        "1 for the mode the hub is in, 0 for the others: online, offline, recovery, superseded.",
        ("mode",),
        "4",
    ),
    # Selling.
    _of("gauge", "business_day_sales", "Sales of the shop's current business day, less voided."),
    _of("gauge", "business_day_voided_sales", "Voided sales of the current business day."),
    _of("gauge", "sales_per_minute", "Sales a minute, over the last five."),
    _of("gauge", "last_sale_time_seconds", "When the last sale of the day was made (Unix time)."),
    _of("counter", "sales_written", "Sales, returns and voids committed since the start."),
    _of(
        "counter",
        "requests",
        "Answered requests by the door they came through (device, web, cli), operation (service/"
        "operation, fact, unknown) and outcome (ok, or the code of the problem).",
        ("door", "operation", "outcome"),
        "doors x operations x outcomes that happened; all are of the contract",
    ),
    _of(
        "histogram",
        "request_duration_seconds",
        "From taking a request to handing its answer on.",
        ("operation",),
        "operations that happened x 15",
    ),
    # Storage.
    _of(
        "histogram",
        "commit_duration_seconds",
        "One transaction of the writer, from BEGIN until COMMIT has it on disk.",
        (),
        "14",
    ),
    _of("counter", "committed_requests", "Requests that the writer's transactions carried."),
    _of("gauge", "writer_queue_depth", "Requests taken in and not yet answered by the writer."),
    _of("gauge", "storage_ok", "1 while sales can be written; 0 when full or stopped."),
    _of("gauge", "database_bytes", "Size of the database's file."),
    _of("gauge", "wal_bytes", "Size of the database's write-ahead log."),
    _of("gauge", "disk_free_bytes", "Free where the hub's state lies."),
    _of("gauge", "disk_size_bytes", "Size of the disk where the hub's state lies."),
    _of("gauge", "disk_sync_seconds", "How long the disk took to keep a few bytes; a median."),
    _of("gauge", "disk_life_used_ratio", "Used share of the disk's life, where it tells."),
    _of("gauge", "backup_time_seconds", "When the last known backup was made (Unix time)."),
    _of(
        "gauge",
        "replica_synced_time_seconds",
        "When the replica last had everything, or since when it is tried (Unix time).",
    ),
    # The cloud.
    _of(
        "gauge",
        "outbox_depth",
        "Events that wait for the cloud, by stream.",
        ("stream",),
        "5, one of each stream of the contract",
    ),
    _of(
        "gauge",
        "outbox_oldest_age_seconds",
        "Age of the oldest event that waits, by stream; 0 when none waits.",
        ("stream",),
        "5, one of each stream of the contract",
    ),
    _of("gauge", "outbox_parked", "Events that the cloud refused and a person has to look at."),
    _of(
        "gauge",
        "cloud_link",
        "1 for the link's state, 0 for the others: unconfigured, connecting, up, down, refused,"
        " superseded.",
        ("state",),
        "6",
    ),
    _of("gauge", "cloud_link_since_seconds", "Since when the link is in its state (Unix time)."),
    _of("gauge", "stock_drift_products", "Products whose stock differs from the cloud's."),
    # Devices and broker.
    _of(
        "gauge",
        "devices",
        "Paired devices by presence: init, ready, sleeping, disconnected, lost, unknown.",
        ("presence",),
        "6",
    ),
    _of(
        "gauge",
        "peripherals",
        "What hangs on the hub's own box, by phase: claiming, ready, lost, refused.",
        ("phase",),
        "4",
    ),
    _of(
        "gauge",
        "print_jobs",
        "Print jobs without an end by state: waiting, printing, ambiguous; failed ones of the last"
        " hour.",
        ("state",),
        "4",
    ),
    _of(
        "gauge",
        "orders",
        "Online orders: open; of these short (goods are missing) and late (promised by now, not"
        " ready).",
        ("which",),
        "3",
    ),
    # Card payments.
    _of(
        "gauge",
        "payments",
        "Card payments by state, of those that are not final; authorised ones only until a sale has"
        " them.",
        ("state",),
        "15",
    ),
    _of(
        "gauge",
        "payments_need_person",
        "Card payments that a person has to look at, by what is wrong: manual, lost, receivable,"
        " no-sale, no-answer, nobody-presents, give-back, twice, paid-twice, given-twice,"
        " surcharge (the last few).",
        ("kind",),
        "10",
    ),
    _of(
        "gauge",
        "payment_exposure_minor",
        "What the shop risks on cards that the processor has not approved, in minor units of its"
        " currency.",
    ),
    _of("gauge", "payment_exposure_ratio", "The same as a share of the shop's cap."),
    _of(
        "gauge",
        "payment_oldest_age_seconds",
        "Age of the oldest payment at risk; 0 when none is.",
    ),
    _of(
        "gauge",
        "payments_waiting",
        "Payments that the hub keeps, is to present, and has no outcome of.",
    ),
    _of(
        "gauge",
        "payment_offline_barred",
        "1 for each reason why nothing more is accepted offline: store-cap, terminal-cap,"
        " terminal-count, payment-cap, too-old, clock-suspect, switched-off.",
        ("reason",),
        "7",
    ),
    _of(
        "counter",
        "payment_changes",
        "Card payments that went into a state since the start; each change counts.",
        ("state",),
        "24",
    ),
    _of(
        "counter",
        "payment_forwards",
        "What came of payments on their way to the processor, since the start: authorised,"
        " declined, forwarded (taken over, no outcome yet), forward_unknown, voided, manual, lost;"
        " stored or void_pending: it was not sent.",
        ("outcome",),
        "9",
    ),
    _of("gauge", "broker_up", "1 while the hub has a session with its broker."),
    _of("counter", "broker_restarts", "Restarts of the broker since the hub started."),
    _of("gauge", "discovery_announced", "1 while the hub is announced by mDNS."),
    # Health.
    _of("gauge", "readiness_score_ratio", "Readiness to stand alone: 1 is all checks passed."),
    _of(
        "gauge",
        "health_check_level",
        "What each check found: 0 ok, 1 notice, 2 warning, 3 critical, -1 can't tell.",
        ("check",),
        "one of each check",
    ),
    _of(
        "gauge",
        "certificate_expiry_time_seconds",
        "When what is named ends (Unix time): server, authority, revocation-list.",
        ("certificate",),
        "3",
    ),
    _of("gauge", "clock_trusted", "1 while the wall clock is trusted."),
    _of("gauge", "clock_offset_seconds", "The wall clock less the cloud's, when last compared."),
    _of("gauge", "process_resident_memory_bytes", "Memory of the hub's own process."),
    _of("gauge", "machine_memory_available_bytes", "Memory that the box has left."),
    _of("gauge", "machine_temperature_celsius", "How hot the box is, where it tells."),
    _of("counter", "log_problems", "Warnings and errors logged since the start."),
    _of(
        "counter",
        "otlp_sent",
        "What the collector took: log messages (log.otlp_url), spans (traces.otlp_url).",
        ("signal",),
        "2: logs, traces",
    ),
    _of(
        "counter",
        "otlp_dropped",
        "Log messages and spans not sent: the spool was full, the disk refused, or the collector"
        " did.",
        ("signal",),
        "2: logs, traces",
    ),
    _of(
        "gauge",
        "otlp_spool_bytes",
        "What waits on disk to be sent to the collector.",
        ("signal",),
        "2: logs, traces",
    ),
    _of(
        "counter",
        "traces_bounded",
        "Requests and sendings that are not traced though they were to be (rate: more than"
        " traces.max_per_s), or without their event's arrival (events: too many wait).",
        ("bound",),
        "2: rate, events",
    ),
    _of(
        "counter",
        "log_lost",
        "Log messages not written: more than log.max_per_s, or a journal that did not read.",
    ),
)
BY_NAME: Final = {one.name: one for one in METRICS}
assert len(BY_NAME) == len(METRICS), "two metrics share a name"
