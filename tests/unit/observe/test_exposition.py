"""What a scrape gets, against the table and the page about it."""

from __future__ import annotations

from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from hub.clock import Clock
from hub.contract.registry import OPERATIONS
from hub.health.allchecks import all_checks
from hub.health.facts import Facts, Replica
from hub.health.report import Examiner
from hub.observe import docs
from hub.observe.exporter import Figures
from hub.observe.exposition import View, text_of
from hub.observe.table import BY_NAME, METRICS
from hub.observe.tally import Tally
from tests.fakes import FakeClock
from tests.unit.health.wellhub import DISK, MACHINE, MEASURED, NOW_MS, OUTBOX, WELL, device, of

SALE = next(iter(OPERATIONS))
FULL = replace(
    MEASURED,
    replica=Replica("file:///copy", NOW_MS - 9000, NOW_MS - 1000),
    disk=replace(DISK, sync_ms=5),
    machine=replace(MACHINE, celsius=50),
)


def tally_of(clock: Clock) -> Tally:
    tally = Tally(clock)
    tally.of_device("request", SALE, "ok", 0.004)
    tally.wrote(3, tally.now_s())
    return tally


def view(clock: Clock) -> View:
    status = of(
        WELL,
        outbox=of(OUTBOX, depth=4, streams={"sales": 4}, parked=2),
        devices=(device(), device(presence="lost"), device(status="revoked")),
        sales=of(WELL.sales, count=12, last_at_ms=NOW_MS - 5000),
    )
    report = Examiner(clock).examine(Facts(status, FULL))
    return View(
        store="367",
        version="0.1.0",
        now_ms=NOW_MS,
        started_at_ms=NOW_MS - 60_000,
        queue_depth=3,
        status=of(status, health=report),
        measured=FULL,
        oldest_at_ms={"sales": NOW_MS - 90_000},
        server_certificate_ends_at_ms=NOW_MS + 1000,
        exports={"logs": Figures(5, 1, 4096), "traces": Figures(2, 0, 0)},
        untraced=(3, 4),
    )


def values(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_every_metric_of_the_table_is_served_as_the_table_says(fake_clock: FakeClock) -> None:
    text = text_of(tally_of(fake_clock), view(fake_clock))
    served = {one.name: one for one in text_string_to_metric_families(text.decode())}
    assert served.keys() == BY_NAME.keys()
    for name, family in served.items():
        known = BY_NAME[name]
        assert family.type == known.kind
        assert family.documentation == known.help
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(known.labels), name


def test_the_pages_about_metrics_and_log_are_those_of_the_tables() -> None:
    for path, text in docs.pages().items():
        assert path.read_text() == text, "python -m hub.observe.docs --write"
    assert docs.main([]) == 0


def test_names_follow_the_conventions() -> None:
    for one in METRICS:
        assert one.name.startswith("store_hub_")
        assert not one.name.endswith(("_total", "_ms", "_mb", "_percent", "_count"))
        assert one.help.endswith(".")
        assert (one.kind != "histogram") or one.name.endswith("_seconds")


def test_figures_are_the_status_ones_in_base_units(fake_clock: FakeClock) -> None:
    seen = values(text_of(tally_of(fake_clock), view(fake_clock)))

    def of_name(name: str, **labels: str) -> float:
        return seen[(f"store_hub_{name}", tuple(sorted(labels.items())))]

    assert of_name("outbox_depth", stream="sales") == 4
    assert of_name("outbox_depth", stream="stock") == 0
    assert of_name("outbox_oldest_age_seconds", stream="sales") == 90
    assert of_name("outbox_oldest_age_seconds", stream="stock") == 0
    assert of_name("devices", presence="ready") == 1
    assert of_name("devices", presence="lost") == 1
    assert of_name("cloud_link", state="up") == 1
    assert of_name("cloud_link", state="down") == 0
    assert of_name("health_check_level", check="parked") >= 2
    assert of_name("business_day_sales") == 12
    assert of_name("last_sale_time_seconds") == (NOW_MS - 5000) / 1000
    assert of_name("requests_total", door="device", operation="/".join(SALE), outcome="ok") == 1
    assert of_name("commit_duration_seconds_bucket", le="+Inf") == 1
    checks = {dict(labels)["check"] for name, labels in seen if name.endswith("check_level")}
    assert checks == {one.key for one in all_checks()}


def test_without_a_status_the_counters_are_served_still(fake_clock: FakeClock) -> None:
    blind = replace(view(fake_clock), status=None)
    seen = values(text_of(tally_of(fake_clock), blind))
    assert seen[("store_hub_status_fresh", ())] == 0
    assert seen[("store_hub_writer_queue_depth", ())] == 3
    assert not any(name == "store_hub_broker_up" for name, _ in seen)


def test_no_name_amount_or_device_is_served(fake_clock: FakeClock) -> None:
    whole = view(fake_clock)
    assert whole.status is not None
    told = of(
        whole.status,
        store_name="CanaryShop",
        devices=(device(device_id="canary-till", name="CanaryFront"),),
        sales=of(whole.status.sales, total_minor=987_654_321),
    )
    text = text_of(tally_of(fake_clock), replace(whole, status=told)).lower()
    assert b"canary" not in text
    assert b"987654321" not in text.replace(b".", b"")
    assert b"9.87654321" not in text
