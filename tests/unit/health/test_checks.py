"""What each check says of real-looking facts: how bad, in which words, and what to do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hub.contract.health import Level
from hub.contract.local import (
    DiscoveryStatus,
    JobNamed,
    OrdersStatus,
    PaymentsStatus,
    PrintingStatus,
    RecentError,
)
from hub.health.allchecks import all_checks
from hub.health.check import Finding, grade
from hub.health.facts import GIB, MIB, Backup, Certificates, ClockSource, Facts, Measured
from hub.health.report import Examiner
from hub.health.words import ago, size
from tests.fakes import FakeClock
from tests.unit.health.wellhub import (
    BROKER,
    CLOUD,
    DAY_MS,
    DISK,
    MACHINE,
    MEASURED,
    MINUTE_MS,
    NOW_MS,
    OUTBOX,
    STORAGE,
    device,
    facts,
    of,
    way,
)

ELSEWHERE = {"replica"}
"""Checks whose troubles have a file of their own."""
CHECKS = {one.key: one for one in all_checks()}
DOWN = of(CLOUD, state="down", since_ms=NOW_MS - 12 * MINUTE_MS, detail="no route")


def measured(**parts: Any) -> Facts:
    return facts(replace(MEASURED, **parts))


def error_at(at_ms: int, level: str = "error") -> RecentError:
    return RecentError(at_ms=at_ms, level=level, source="hub.x", text="it broke")


def bad_ones(of_facts: Facts) -> dict[str, Finding]:
    found = {key: check.look(of_facts) for key, check in CHECKS.items()}
    return {key: one for key, one in found.items() if one.level not in ("ok", "unknown")}


def test_every_check_is_content_with_a_hub_that_is_well() -> None:
    found = {key: check.look(facts()) for key, check in CHECKS.items()}
    assert {key: one.level for key, one in found.items()} == dict.fromkeys(CHECKS, "ok")
    assert all(one.summary for one in found.values())


def test_a_box_that_tells_nothing_has_no_troubles_made_up() -> None:
    assert bad_ones(facts(Measured())) == {}


def test_checks_describe_themselves_and_weigh_something() -> None:
    assert len(CHECKS) >= 25
    for check in CHECKS.values():
        assert check.title
        assert check.what.endswith(".")
        assert check.weight >= 0


TROUBLES: list[tuple[Facts, str, str, str]] = [
    (facts(mode="superseded"), "standing", "critical", "Another box"),
    (
        facts(mode="superseded", superseded_at_ms=NOW_MS - 3 * 3_600_000),
        "standing",
        "critical",
        "3 h ago",
    ),
    (facts(mode="recovery"), "standing", "warning", "restored"),
    (facts(clock_suspect=True), "clock", "warning", "clock can't be trusted"),
    (
        measured(clock=ClockSource(True, "chrony", 600_000)),
        "clock",
        "warning",
        "10 min ahead of the cloud's",
    ),
    (
        measured(clock=ClockSource(True, "chrony", -600_000)),
        "clock",
        "warning",
        "10 min behind the cloud's",
    ),
    (measured(clock=ClockSource(False, "")), "clock-source", "notice", "No time server"),
    (facts(training=True), "training", "notice", "Training"),
    (facts(storage=of(STORAGE, state="stopped")), "database", "critical", "can't be written"),
    (facts(storage=of(STORAGE, free_bytes=100 * MIB)), "disk-space", "warning", "100 MiB are left"),
    (facts(storage=of(STORAGE, free_bytes=20 * MIB)), "disk-space", "critical", "20 MiB are left"),
    (measured(disk=replace(DISK, free_bytes=GIB)), "disk-space", "warning", "96 % used"),
    (measured(disk=replace(DISK, sync_ms=900)), "disk-speed", "warning", "900 ms"),
    (
        measured(disk=replace(DISK, sync_error="Input/output error")),
        "disk-speed",
        "critical",
        "Input/output error",
    ),
    (measured(disk=replace(DISK, life_used_percent=90)), "disk-wear", "warning", "90 %"),
    (facts(storage=of(STORAGE, wal_bytes=200 * MIB)), "database-log", "notice", "200 MiB"),
    (
        facts(broker=of(BROKER, state="backoff", detail="port in use")),
        "broker",
        "critical",
        "port in use",
    ),
    (
        facts(broker=of(BROKER, state="stopped", connected=False)),
        "broker",
        "critical",
        "stopped for 24 h",
    ),
    (facts(broker=of(BROKER, connected=False)), "broker", "critical", "no connection"),
    (
        facts(broker=of(BROKER, detail="it can't shed strangers")),
        "broker",
        "notice",
        "shed strangers",
    ),
    (facts(cloud=DOWN), "link", "warning", "cloud hasn't been reached for 12 min (no route)"),
    (
        facts(cloud=of(DOWN, state="connecting")),
        "link",
        "warning",
        "tried to reach the cloud for 12 min",
    ),
    (facts(cloud=of(CLOUD, state="refused", detail="401")), "link", "warning", "(401)"),
    (facts(cloud=of(CLOUD, state="superseded")), "link", "warning", "another box"),
    (facts(cloud=of(CLOUD, state="unconfigured")), "link", "notice", "No cloud"),
    (facts(cloud=of(CLOUD, drift=1)), "drift", "warning", "1 product differs"),
    (facts(cloud=of(CLOUD, drift=3)), "drift", "warning", "3 products differ between"),
    (facts(outbox=of(OUTBOX, parked=2)), "parked", "warning", "refused 2 events, which wait aside"),
    (
        facts(outbox=of(OUTBOX, depth=1, oldest_at_ms=NOW_MS - 20 * MINUTE_MS)),
        "outbox",
        "warning",
        "20 min",
    ),
    (
        facts(devices=(device(), device(device_id="b", presence="lost"))),
        "devices",
        "warning",
        "Front (b) has been lost for 5 min",
    ),
    (
        facts(devices=(device(certificate_expires_at_ms=NOW_MS + DAY_MS),)),
        "device-certificates",
        "warning",
        "ends in 24 h",
    ),
    (
        replace(facts(), server_certificate_ends_at_ms=NOW_MS + 3 * DAY_MS),
        "certificate",
        "warning",
        "ends in 3 days",
    ),
    (
        replace(facts(), server_certificate_ends_at_ms=NOW_MS - 1),
        "certificate",
        "critical",
        "has expired",
    ),
    (
        measured(certificates=Certificates(NOW_MS + 999 * DAY_MS, NOW_MS - 1)),
        "authority",
        "critical",
        "list of revoked devices has expired",
    ),
    (
        measured(certificates=Certificates(NOW_MS + 30 * DAY_MS, None)),
        "authority",
        "warning",
        "authority ends in 30 days",
    ),
    (measured(backup=Backup()), "backup", "notice", "No backup"),
    (measured(backup=Backup(NOW_MS - 3 * DAY_MS)), "backup", "notice", "3 days old"),
    (measured(backup=Backup(NOW_MS - 9 * DAY_MS)), "backup", "warning", "9 days old"),
    (measured(machine=replace(MACHINE, available_bytes=100 * MIB)), "memory", "warning", "100 MiB"),
    (measured(machine=replace(MACHINE, rss_bytes=2 * GIB)), "memory", "warning", "The hub uses"),
    (measured(machine=replace(MACHINE, celsius=90)), "temperature", "warning", "90 °C"),
    (
        measured(machine=replace(MACHINE, on_mains=False, battery_percent=60)),
        "power",
        "warning",
        "60 % are left",
    ),
    (
        measured(machine=replace(MACHINE, on_mains=False, battery_percent=9)),
        "power",
        "critical",
        "9 %",
    ),
    (
        measured(machine=replace(MACHINE, on_mains=None, under_voltage=True)),
        "power",
        "warning",
        "too little voltage",
    ),
    (
        facts(discovery=DiscoveryStatus(state="degraded", detail="port 5353")),
        "discovery",
        "notice",
        "port 5353",
    ),
    (
        facts(
            devices=(
                device(
                    conditions=("printer-paper-empty",),
                    conditions_since_ms={"printer-paper-empty": NOW_MS - MINUTE_MS},
                ),
            )
        ),
        "peripherals",
        "warning",
        "out of paper",
    ),
    (
        facts(printing=PrintingStatus(ambiguous=1, doubted_at_ms=NOW_MS - MINUTE_MS)),
        "printing",
        "warning",
        "Nobody knows whether 1 document was printed",
    ),
    (
        facts(
            printing=PrintingStatus(
                ambiguous=1,
                doubted_at_ms=NOW_MS - MINUTE_MS,
                doubted_job=JobNamed(kind="sale", title="001-000042", printer_id="printer-1"),
            )
        ),
        "printing",
        "warning",
        "1 document was printed: receipt 001-000042 at printer-1.",
    ),
    (
        facts(
            printing=PrintingStatus(failed=2, failed_job=JobNamed(kind="shelf-label", title="Tea"))
        ),
        "printing",
        "notice",
        "within the last hour, the last: shelf label Tea.",
    ),
    (
        facts(printing=PrintingStatus(waiting=3, oldest_at_ms=NOW_MS - 5 * MINUTE_MS)),
        "printing",
        "warning",
        "3 documents wait for a printer",
    ),
    (
        facts(payments=PaymentsStatus(needs={"manual": 2})),
        "payments",
        "warning",
        "Nobody knows whether 2 card payments were made",
    ),
    (
        facts(orders=OrdersStatus(open=3, short=2)),
        "orders",
        "notice",
        "Goods are missing for 2 online orders.",
    ),
    (
        facts(orders=OrdersStatus(open=3, short=1, late=1, late_since_ms=NOW_MS - 20 * MINUTE_MS)),
        "orders",
        "notice",
        "1 online order was promised by now and isn't ready, the first 20 min ago.",
    ),
    (
        facts(payments=PaymentsStatus(keyless=1)),
        "payment-keys",
        "critical",
        "missing to 1 stored card payment",
    ),
    (facts(printing=PrintingStatus(failed=2)), "printing", "notice", "could not be printed"),
    (replace(facts(), sqlite_risky=True), "version", "notice", "SQLite"),
    (facts(errors=(error_at(NOW_MS - MINUTE_MS),)), "errors", "notice", "1 error in"),
]


@pytest.mark.parametrize(("of_facts", "key", "level", "words"), TROUBLES)
def test_each_trouble_is_named_once_with_its_next_step(
    of_facts: Facts, key: str, level: str, words: str
) -> None:
    found = bad_ones(of_facts)
    assert found.keys() == {key}
    one = found[key]
    assert one.level == level
    assert words in one.summary
    assert one.summary.endswith(".")
    assert one.means.endswith(".")
    assert one.next_step.endswith(".")


@pytest.mark.parametrize(("of_facts", "key", "level", "words"), TROUBLES)
def test_each_trouble_costs_readiness_the_weight_of_its_check_and_nothing_else(
    of_facts: Facts, key: str, level: str, words: str
) -> None:
    del level, words
    weight = CHECKS[key].weight
    found = Examiner(FakeClock()).examine(of_facts).readiness
    assert found.score == 100 * (found.total_weight - weight) // found.total_weight
    assert [one.key for one in found.lost] == ([key] if weight else [])
    assert (found.score < 100) == bool(weight)


def test_there_is_a_trouble_above_for_every_check_that_weighs_something() -> None:
    told = {key for _, key, _, _ in TROUBLES}
    assert told <= CHECKS.keys()
    assert (
        CHECKS.keys() - told <= {key for key, one in CHECKS.items() if not one.weight} | ELSEWHERE
    )


def test_a_full_disk_is_told_by_the_database_and_by_the_room() -> None:
    found = bad_ones(facts(storage=of(STORAGE, state="full", free_bytes=0)))
    assert {key: one.level for key, one in found.items()} == {
        "database": "critical",
        "disk-space": "critical",
    }
    assert "disk is full" in found["database"].summary


@pytest.mark.parametrize(
    ("place", "step"),
    [
        ("lan", "network cable between this box and the router"),
        ("router", "router's power"),
        ("dns", "Switch the router off and on"),
        ("internet", "internet provider"),
        ("oms", "tell central IT"),
    ],
)
def test_where_the_way_to_the_cloud_ends_decides_the_next_step(place: str, step: str) -> None:
    (one,) = bad_ones(facts(replace(MEASURED, way=way(place)), cloud=DOWN)).values()
    assert "cloud" in one.summary
    assert step in one.next_step


@pytest.mark.parametrize(
    "of_facts",
    [
        facts(cloud=of(CLOUD, state="down", since_ms=NOW_MS - 10_000)),
        facts(broker=of(BROKER, state="starting", since_ms=NOW_MS - 5_000)),
        facts(devices=(device(presence="sleeping"), device(presence="lost", status="revoked"))),
        facts(
            cloud=of(DOWN, since_ms=NOW_MS - MINUTE_MS),
            outbox=of(OUTBOX, depth=9, oldest_at_ms=NOW_MS - DAY_MS),
        ),
        facts(errors=(error_at(NOW_MS - DAY_MS), error_at(NOW_MS, "warning"))),
        measured(disk=replace(DISK, total_bytes=1000 * GIB, free_bytes=20 * GIB)),
    ],
)
def test_what_passes_by_itself_troubles_nobody(of_facts: Facts) -> None:
    assert bad_ones(of_facts) == {}


def test_many_lost_devices_are_one_trouble_and_all_of_them_a_worse_one() -> None:
    lost = tuple(device(device_id=f"till-{n:02d}", presence="lost") for n in range(9))
    (one,) = bad_ones(facts(devices=(*lost, device(device_id="kiosk")))).values()
    assert one.level == "warning"
    assert "Front (till-00), Front (till-01), Front (till-02) and 6 more have been lost" in (
        one.summary
    )
    (all_lost,) = bad_ones(facts(devices=lost)).values()
    assert all_lost.level == "critical"
    assert "switch" in all_lost.next_step


def test_a_figure_that_hovers_at_its_threshold_does_not_flap() -> None:
    check = CHECKS["temperature"]
    before: Level = "ok"
    levels: list[str] = []
    for celsius in (81, 82, 81, 82, 80, 79, 78, 77, 76):
        hot = measured(machine=replace(MACHINE, celsius=celsius))
        before = check.look(replace(hot, before={"temperature": before})).level
        levels.append(before)
    assert levels == ["ok", *["warning"] * 6, "ok", "ok"]


def test_a_falling_figure_is_left_only_when_it_is_clearly_better() -> None:
    steps: Any = (("critical", 10.0), ("warning", 100.0))
    assert grade(99, steps, "ok", falling=True) == "warning"
    assert grade(105, steps, "warning", falling=True) == "warning"
    assert grade(111, steps, "warning", falling=True) == "ok"
    assert grade(10.5, steps, "warning", falling=True) == "warning"
    assert grade(10.5, steps, "critical", falling=True) == "critical"


@pytest.mark.parametrize(
    ("span_ms", "text"),
    [(-5, "0 s"), (89_000, "89 s"), (90_000, "1 min"), (5_400_000, "1 h"), (3 * DAY_MS, "3 days")],
)
def test_spans_read_as_people_say_them(span_ms: int, text: str) -> None:
    assert ago(span_ms) == text


def test_sizes_read_as_people_say_them() -> None:
    assert [size(n) for n in (5, 20 << 10, 20 << 20, 20 << 30)] == [
        "5 B",
        "20 KiB",
        "20 MiB",
        "20.0 GiB",
    ]
