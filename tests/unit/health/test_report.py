"""From findings to one verdict: worst first, since when, and how ready the hub is."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub.contract.health import Level
from hub.health import checks
from hub.health.allchecks import all_checks
from hub.health.check import Check, Finding
from hub.health.facts import Facts, Measured
from hub.health.report import Examiner, Since, problems_of
from tests.fakes import FakeClock
from tests.unit.health.wellhub import (
    BROKER,
    CLOUD,
    MEASURED,
    MINUTE_MS,
    NOW_MS,
    OUTBOX,
    STORAGE,
    facts,
    of,
    way,
)


def saying(key: str, weight: int, level: Level) -> Check:
    return Check(key, key, f"{key}.", weight, lambda _: Finding(level, f"{key} is {level}."))


def test_a_hub_that_is_well_is_told_so() -> None:
    report = Examiner(FakeClock()).examine(facts())
    assert report.verdict == "ok"
    assert report.headline == "All is well: the shop sells and the cloud is reached."
    assert report.reasons == problems_of(report) == ()
    assert report.readiness.score == 100
    assert {one.key for one in report.findings} == {one.key for one in all_checks()}


def test_the_worst_comes_first_and_decides_the_verdict() -> None:
    bad = facts(
        cloud=of(CLOUD, state="down", since_ms=NOW_MS - 30 * MINUTE_MS),
        storage=of(STORAGE, state="full", free_bytes=0),
        outbox=of(OUTBOX, parked=1),
        training=True,
    )
    report = Examiner(FakeClock()).examine(bad)
    assert report.verdict == "critical"
    assert report.headline.startswith("Selling suffers: The disk is full")
    keys = [one.key for one in report.findings[:5]]
    assert keys == ["database", "disk-space", "link", "parked", "training"]
    texts = problems_of(report)
    assert len(texts) == 5
    assert "Free space" in texts[0]


def test_each_failing_check_lowers_readiness_by_its_share() -> None:
    made = (
        saying("a", 50, "ok"),
        saying("b", 30, "warning"),
        saying("c", 20, "notice"),
        saying("d", 900, "unknown"),
        saying("e", 0, "notice"),
    )
    found = Examiner(FakeClock(), made).examine(facts()).readiness
    assert (found.score, found.total_weight) == (50, 100)
    assert [(one.key, one.weight) for one in found.lost] == [("b", 30), ("c", 20)]


@pytest.mark.parametrize("check", [one for one in all_checks() if one.weight])
def test_no_fault_leaves_the_score_at_100(check: Check) -> None:
    others = [replace(one, look=lambda _: Finding("ok", "Fine.")) for one in all_checks()]
    broken = replace(check, look=lambda _: Finding("warning", "Bad."))
    made = [broken if one.key == check.key else one for one in others]
    found = Examiner(FakeClock(), made).examine(facts()).readiness
    assert found.score == 100 * (found.total_weight - check.weight) // found.total_weight < 100


def test_since_is_remembered_and_does_not_begin_anew_after_a_moment_of_peace() -> None:
    clock = FakeClock()
    examiner = Examiner(clock)
    bad, well = facts(broker=of(BROKER, connected=False)), facts(outbox=of(OUTBOX, parked=1))

    def since(of_facts: Facts) -> int | None:
        found = {one.key: one for one in examiner.examine(of_facts).findings}
        return found["parked"].since_ms

    began_ms = clock.wall_ms()
    assert since(well) == began_ms
    clock.advance(600)
    assert since(well) == began_ms
    assert since(bad) is None
    clock.advance(30)
    assert since(well) == began_ms
    assert since(bad) is None
    clock.advance(61)
    assert since(bad) is None
    assert since(well) == clock.wall_ms()


def test_an_instant_that_a_check_gives_does_not_tremble() -> None:
    examiner = Examiner(FakeClock())

    def since(given_ms: int) -> int | None:
        down = of(CLOUD, state="refused", since_ms=given_ms)
        return examiner.examine(facts(cloud=down)).findings[0].since_ms

    assert [since(NOW_MS + n) for n in (0, 1, -1, 900, 5000, 5001)] == [
        *[NOW_MS] * 4,
        *[NOW_MS + 5000] * 2,
    ]


def test_setting_the_clock_moves_since_along() -> None:
    clock = FakeClock()
    since = Since(clock)
    began_ms = since.seen("x", "bad")
    clock.advance(60)
    clock.jump_wall(3600)
    assert since.seen("x", "bad") == began_ms + 3_600_000


def test_a_check_that_fails_is_unknown_and_the_others_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(_: Facts) -> Finding:
        raise ValueError("no such figure")

    examiner = Examiner(FakeClock(), (Check("x", "X", "x.", 5, fail), saying("y", 5, "ok")))
    for _ in range(3):
        report = examiner.examine(facts())
    assert report.verdict == "ok"
    assert {one.key: one.level for one in report.findings} == {"y": "ok", "x": "unknown"}
    assert len(caplog.records) == 1


def test_the_way_is_told_only_while_the_cloud_is_not_reached() -> None:
    cut: dict[str, Any] = {"cloud": of(CLOUD, state="down", since_ms=NOW_MS - 30 * MINUTE_MS)}
    looked = replace(MEASURED, way=way("dns"))
    assert [one.state for one in Examiner(FakeClock()).examine(facts(looked, **cut)).way] == [
        "ok",
        "ok",
        "broken",
        "unknown",
        "unknown",
    ]
    assert Examiner(FakeClock()).examine(facts(looked)).way == ()


def test_adding_a_check_is_adding_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "zebra.py").write_text(
        "from hub.health.check import Check, fine\n"
        "CHECK = Check('zebra', 'Zebra', 'Zebras.', 1, lambda facts: fine('Striped.'))\n"
    )
    monkeypatch.setattr(checks, "__path__", [*checks.__path__, str(tmp_path)])
    all_checks.cache_clear()
    try:
        assert all_checks()[-1].key == "zebra"
        report = Examiner(FakeClock()).examine(facts())
        assert "Striped." in [one.summary for one in report.findings]
    finally:
        all_checks.cache_clear()
        sys.modules.pop("hub.health.checks.zebra", None)


def test_a_box_that_offers_nothing_is_judged_by_the_rest() -> None:
    report = Examiner(FakeClock()).examine(facts(Measured()))
    assert report.verdict == "ok"
    assert report.readiness.score == 100
