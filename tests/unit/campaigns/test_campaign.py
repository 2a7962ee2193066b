"""A campaign judges what its kinds tell: nothing passes by silence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.campaigns.kinds import KINDS, LANES, Kind, shared
from scripts.campaigns.summary import summary
from scripts.campaigns.trial import State, Trial

LAST: dict[str, Any] = {
    "kind": "x",
    "trials": 3,
    "unit": "cuts",
    "faults": {"cut": 3},
    "violations": 0,
    "note": "",
    "done": True,
    "findings": [],
    "figures": {},
    "must_fire": ["cut"],
}


async def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> Trial:
    """A kind whose program is ``code``, run to its end."""
    (tmp_path / "some_kind.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    trial = Trial(Kind("some", "a kind", "some_kind"), seconds=1)
    await trial.run(tmp_path / "log", lambda: None)
    return trial


async def test_a_kind_that_tells_of_no_fault_has_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = await told(tmp_path, monkeypatch, f"print({json.dumps(LAST)!r})")
    assert (trial.state, trial.problems, trial.trials) == (State.PASSED, [], 3)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"violations": 2}, "2 violations"),
        ({"must_fire": ["cut", "torn"]}, "never happened: torn"),
        ({"faults": {"cut": 0}}, "never happened: cut"),
        ({"trials": 0}, "not one trial"),
        ({"done": False}, "without a last word"),
    ],
)
async def test_a_kind_that_does_not_show_its_promise_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], problem: str
) -> None:
    trial = await told(tmp_path, monkeypatch, f"print({json.dumps(LAST | change)!r})")
    assert trial.state is State.FAILED
    assert problem in trial.problems[0]


@pytest.mark.parametrize("code", ["raise SystemExit(3)", "import missing_thing", ""])
async def test_a_kind_that_breaks_down_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    trial = await told(tmp_path, monkeypatch, code)
    assert trial.state is State.FAILED


async def test_a_kind_that_ends_badly_after_a_good_last_word_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = f"print({json.dumps(LAST)!r})\nraise SystemExit(1)"
    assert (await told(tmp_path, monkeypatch, code)).problems == ["ended with code 1"]


def passed(name: str, **changes: Any) -> Trial:
    """A kind that has ended well."""
    trial = Trial(KINDS[name], seconds=1, state=State.PASSED, took_s=10.0)
    trial.told = LAST | changes
    return trial


def test_a_campaign_needs_enough_seeds_and_every_mutant_caught() -> None:
    seeds = passed("simulation", trials=500)
    mutants = passed("mutants", figures={"caught": 24, "planted": 24})
    found = summary([seeds, mutants], minutes=1, took_s=60)
    assert found["ok"]
    assert (found["seeds"], found["seeds_per_s"]) == (500, 50.0)
    assert found["mutants"] == {"caught": 24, "planted": 24}

    few = summary([passed("simulation", trials=499)], minutes=1, took_s=60)
    assert not few["ok"]
    survived = passed("mutants", figures={"caught": 23, "planted": 24})
    assert not summary([survived], minutes=1, took_s=60)["ok"]
    too_few = passed("mutants", figures={"caught": 19, "planted": 19})
    assert not summary([too_few], minutes=1, took_s=60)["ok"]


def test_a_kind_that_was_never_started_is_missing() -> None:
    found = summary([Trial(KINDS["killing"], seconds=1)], minutes=1, took_s=60)
    assert found["missing"] == ["killing: did not run"]


@pytest.mark.parametrize(("optional", "state"), [(True, State.SKIPPED), (False, State.FAILED)])
async def test_only_an_optional_kind_may_be_impossible_and_the_campaign_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, optional: bool, state: State
) -> None:
    impossible = LAST | {"trials": 0, "faults": {}, "must_fire": [], "note": "skipped: no QEMU"}
    (tmp_path / "some_kind.py").write_text(f"print({json.dumps(impossible)!r})")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    trial = Trial(Kind("some", "a kind", "some_kind", optional=optional), seconds=1)
    await trial.run(tmp_path / "log", lambda: None)
    assert trial.state is state
    found = summary([trial], minutes=1, took_s=60)
    assert found["ok"] is optional
    assert found["skipped"] == ({"some": "skipped: no QEMU"} if optional else {})


def test_what_a_kind_needs_at_the_least_is_taken_from_the_others() -> None:
    kinds = [
        Kind("big", "", "", share=0.7),
        Kind("small", "", "", share=0.1, least_s=40.0),
        Kind("half", "", "", share=0.2, least_s=10.0),
    ]
    assert shared(kinds, 1000) == {"big": 700, "small": 100, "half": 200}
    assert shared(kinds, 100) == pytest.approx({"small": 40, "big": 140 / 3, "half": 40 / 3})
    assert shared(kinds, 30) == {"small": 40, "half": 10, "big": 0}


@pytest.mark.parametrize("lane", LANES)
def test_twenty_minutes_are_enough_for_every_lane(lane: tuple[Kind, ...]) -> None:
    assert sum(shared(lane, 1200).values()) == pytest.approx(1200)
