"""Planted bugs are found: what survives is a missing checker."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.simulation.mutants.__main__ import SEEDS, Outcome, hunted
from tests.simulation.mutants.planting import (
    ROOT,
    Mutant,
    NotPlanted,
    mutants,
    plant,
    remember,
)

pytestmark = pytest.mark.timeout(960)  # a hunt may take HUNT_S
PER_PROMISE = 2


def _some() -> list[Mutant]:
    """Two of each promise: scripts/campaign hunts them all."""
    by_promise: dict[int, list[Mutant]] = {}
    for mutant in mutants():
        by_promise.setdefault(mutant.promise, []).append(mutant)
    return [mutant for found in by_promise.values() for mutant in found[:PER_PROMISE]]


@pytest.mark.parametrize("mutant", _some(), ids=lambda one: str(one.name))
def test_a_planted_bug_is_found_within_a_hundred_seeds(mutant: Mutant, tmp_path: Path) -> None:
    outcome = hunted(mutant, SEEDS, tmp_path)
    assert not outcome.fault
    assert outcome.is_caught, f"{mutant.name} survives: {mutant.what}"


def test_every_patch_fits_this_tree() -> None:
    loose = [
        mutant.name
        for mutant in mutants()
        if subprocess.run(
            ["git", "apply", "--check", str(mutant.patch)],
            cwd=ROOT,
            capture_output=True,
            check=False,
        ).returncode
    ]
    assert loose == []


def test_planting_changes_the_copy_and_not_the_tree_itself(tmp_path: Path) -> None:
    mutant = mutants()[0]
    (changed,) = re.findall(r"^--- a/(.+)$", mutant.patch.read_text(), re.MULTILINE)
    before = (ROOT / changed).read_bytes()
    plant(mutant, tmp_path / "tree")
    assert (tmp_path / "tree" / changed).read_bytes() != before
    assert (ROOT / changed).read_bytes() == before
    assert not (tmp_path / "tree" / changed).samefile(ROOT / changed)


def test_every_promise_has_two_planted_bugs_at_least() -> None:
    found = Counter(mutant.promise for mutant in mutants())
    assert len(mutants()) >= 20
    assert all(found[promise] >= 2 for promise in range(1, 8)), found


def test_a_patch_that_does_not_fit_any_more_is_a_fault_and_no_catch(tmp_path: Path) -> None:
    patch = tmp_path / "stale.patch"
    patch.write_text(
        "Promise: 1\nWhat: nothing\n\n--- a/hub/clock.py\n+++ b/hub/clock.py\n"
        "@@ -1,2 +1,2 @@\n-a line that was never there\n+another one\n context\n"
    )
    with pytest.raises(NotPlanted, match="doesn't apply"):
        plant(Mutant("stale", 1, "nothing", patch), tmp_path / "tree")


def test_a_tree_that_can_not_sell_is_a_fault_and_no_catch(tmp_path: Path) -> None:
    patch = tmp_path / "broken.patch"
    patch.write_text(
        "Promise: 1\nWhat: nothing works\n\n--- a/hub/crashpoints.py\n+++ b/hub/crashpoints.py\n"
        '@@ -1 +1 @@\n-"""Named places at which a test may end the process; in production they do'
        ' nothing."""\n+raise ImportError("planted")\n'
    )
    outcome: Outcome = hunted(Mutant("broken", 1, "nothing works", patch), 1, tmp_path)
    assert outcome.fault
    assert not outcome.is_caught


def test_where_a_planted_bug_was_found_is_kept_for_those_that_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds = tmp_path / "seeds.json"
    seeds.write_text('{"gone": [3]}')
    monkeypatch.setattr("tests.simulation.mutants.planting.SEEDS_FILE", seeds)
    name = mutants()[0].name
    remember({name: 17, "never was": 4})
    assert json.loads(seeds.read_text()) == {name: [17]}
    assert mutants()[0].seeds == (17,)
    for found in (2, 9, 17, 5):
        remember({name: found})
    assert mutants()[0].seeds == (5, 17, 9)
