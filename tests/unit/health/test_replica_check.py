"""What the page says about the replica."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hub.contract.health import Level
from hub.health.check import Finding
from hub.health.checks.replica import CHECK
from hub.health.facts import Replica
from tests.unit.health.wellhub import MEASURED, MINUTE_MS, NOW_MS, facts

HOUR_MS = 60 * MINUTE_MS


def found(before: Level = "ok", **fields: Any) -> Finding:
    replica = Replica("s3://bucket/367", since_ms=NOW_MS - 12 * HOUR_MS, **fields)
    of = facts(replace(MEASURED, replica=replica))
    return CHECK.look(replace(of, before={"replica": before}))


def test_a_hub_without_a_replica_is_well() -> None:
    assert CHECK.look(facts()).level == "ok"


@pytest.mark.parametrize(
    ("behind_ms", "level"),
    [
        (500, "ok"),
        (MINUTE_MS, "ok"),
        (3 * MINUTE_MS, "notice"),
        (5 * HOUR_MS, "notice"),
        (7 * HOUR_MS, "warning"),
        (-5000, "ok"),
    ],
)
def test_how_far_it_is_behind_decides(behind_ms: int, level: Level) -> None:
    assert found(synced_at_ms=NOW_MS - behind_ms).level == level


def test_why_it_is_behind_is_told_with_what_it_means_and_the_next_step() -> None:
    one = found(synced_at_ms=NOW_MS - 10 * MINUTE_MS, error="no route to host")
    assert one.summary == "The replica is 10 min behind. no route to host"
    assert "the last 10 min" in one.means
    assert "server" in one.next_step


def test_one_that_never_worked_is_behind_since_the_start() -> None:
    one = found(error="access denied")
    assert one.level == "warning"
    assert one.summary.startswith("Nothing was replicated since the hub started 12 h ago")


def test_a_replica_without_its_keys_is_told() -> None:
    one = found(synced_at_ms=NOW_MS, keys_escrowed=False)
    assert one.level == "notice"
    assert "escrow export" in one.next_step
