"""Real baskets through real processes, judged by the independent comparer."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(module: str, *arguments: str, timeout_s: float = 280) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def replay(base: Path, *arguments: str) -> dict[str, Any]:
    """The JSON object of an exact replay."""
    done = run("scripts.replay_shop", "--json", "--keep", str(base), *arguments)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    outcome = json.loads(done.stdout)
    assert isinstance(outcome, dict)
    return outcome


def judge(base: Path) -> subprocess.CompletedProcess[str]:
    where = ["--hub", str(base / "hub" / "hub.db"), "--oms", str(base / "oms" / "oms.db")]
    what = ["--store", "367", "--days", "7", "--seed", "e2e", "--json"]
    return run("scripts.replay_shop.compare", *what, *where)


def change(database: Path, statement: str) -> None:
    with closing(sqlite3.connect(database)) as db, db:
        assert db.execute(statement).rowcount == 1


@pytest.mark.timeout(600)
@pytest.mark.xdist_group("replay")
def test_a_week_of_real_baskets_arrives_exactly_and_the_judge_sees_one_cent(
    tmp_state: Path,
) -> None:
    base = tmp_state / "r"
    outcome = replay(base, "--days", "7", "--tills", "4", "--seed", "e2e", "--cards", "60%")
    assert (outcome["baskets"], outcome["lines"]) == (67, 697)
    assert (outcome["refused"], outcome["mismatches"], outcome["exact"]) == (0, 0, True)
    assert outcome["kills"] == 0
    cards = outcome["cards"]
    assert (cards["exact"], cards["open_minor"]) == (True, 0)
    assert cards["payments"] > 30
    assert cards["states"]["captured"] > 20
    assert outcome["sales_per_s"] > 0

    assert judge(base).returncode == 0
    one = "WHERE (sale, line_no) = (SELECT sale, line_no FROM sale_lines LIMIT 1)"
    change(base / "hub" / "hub.db", f"UPDATE sale_lines SET net_minor = net_minor + 1 {one}")
    verdict = judge(base)
    assert verdict.returncode == 1, verdict.stderr
    assert json.loads(verdict.stdout)["mismatches"] > 0


@pytest.mark.timeout(600)
@pytest.mark.xdist_group("replay")
def test_nothing_is_lost_or_doubled_when_everything_is_killed_meanwhile(tmp_state: Path) -> None:
    period = ("--days", "7", "--tills", "4", "--seed", "e2e")
    outcome = replay(tmp_state / "r", *period, "--chaos", "--kills", "3")
    assert outcome["kills_by"] == {"hub": 3, "broker": 3, "oms": 3}
    assert outcome["link_cuts"] >= 3
    assert (outcome["baskets"], outcome["refused"], outcome["mismatches"]) == (67, 0, 0)


def test_a_store_that_is_not_in_the_data_set_is_told_apart_from_a_difference() -> None:
    done = run("scripts.replay_shop", "--store", "1")
    assert (done.returncode, "no store 1" in done.stderr) == (2, True), done.stderr
