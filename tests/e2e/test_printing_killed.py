"""Receipts counted on emulated printers while the hub is killed, the short form; the campaign and
``python -m scripts.printing`` print a thousand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.printing.__main__ import main
from scripts.rig.emulator import NotPrepared, prepare

ROOT = Path(__file__).resolve().parents[2]
JOBS = 8


def print_and_kill(*arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    """Exit status, every line, and what was said beside."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.printing", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


@pytest.fixture
def emulator() -> None:
    """The emulated printers can be run."""
    try:
        prepare()
    except (NotPrepared, subprocess.SubprocessError) as error:
        pytest.skip(f"no printers can be emulated here: {error}")


@pytest.mark.timeout(600)
@pytest.mark.xdist_group("killing")
@pytest.mark.usefixtures("emulator")
def test_each_receipt_is_printed_once_or_asked_about_while_the_hub_is_killed() -> None:
    code, lines, errors = print_and_kill("--trials", str(JOBS), "--printers", "2", "--seed", "e2e")
    last = lines[-1]
    assert code == 0, (last.get("findings"), errors[-3000:])
    assert last["done"]
    assert last["violations"] == 0
    assert last["findings"] == []
    assert all(last["faults"].get(name, 0) > 0 for name in last["must_fire"]), last["faults"]
    figures = last["figures"]
    assert figures["jobs"] >= JOBS
    assert figures["printed_once"] > 0
    assert figures["ambiguous"] <= figures["kills"] * figures["printers"]
    seen, planted = figures["controls"].split("/")
    assert seen == planted != "0"
    assert all(line["kind"] == "printing" and not line["done"] for line in lines[:-1])


@pytest.mark.parametrize(
    "wrong", [("--trials", "1", "--seconds", "1"), ("--printers", "0"), ("--trials", "many")]
)
def test_a_wrong_command_line_is_told_in_a_sentence(
    wrong: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(wrong)
    told = capsys.readouterr()
    assert (ended.value.code, told.out) == (2, "")
    assert "error:" in told.err
