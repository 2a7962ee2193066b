"""kill -9 of the whole shop under load, its short form; the campaign kills hundreds of times."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
KILLS = 6


def kill(*arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    """Exit status, every line, and what was said beside."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.killing", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


@pytest.mark.timeout(600)
@pytest.mark.xdist_group("killing")
def test_every_answer_stays_true_while_hub_broker_and_cloud_are_killed() -> None:
    code, lines, errors = kill("--trials", str(KILLS), "--seed", "e2e")
    last = lines[-1]
    assert code == 0, (last.get("findings"), errors[-3000:])
    assert last["done"]
    assert last["violations"] == 0
    assert last["findings"] == []
    faults = last["faults"]
    assert all(faults[kind] >= KILLS for kind in ("hub", "broker", "oms"))
    assert all(faults.get(name, 0) > 0 for name in last["must_fire"]), faults
    assert last["figures"]["answered_sales"] > KILLS
    seen, planted = last["figures"]["controls"].split("/")
    assert seen == planted != "0"
    assert all(line["kind"] == "kill-9" and not line["done"] for line in lines[:-1])


@pytest.mark.parametrize(
    "wrong", [(), ("--trials", "1", "--seconds", "1"), ("--trials", "1", "--target", "hub,till")]
)
def test_a_wrong_command_line_is_told_in_a_sentence(wrong: tuple[str, ...]) -> None:
    code, lines, errors = kill(*wrong)
    assert (code, lines) == (2, [])
    assert "error:" in errors
