"""``store-hub status``: what a shell on the box reads."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from hub.cli import adminclient, root
from hub.health.facts import Facts
from hub.health.report import Examiner
from tests.fakes import FakeClock
from tests.unit.health.wellhub import (
    BROKER,
    CLOUD,
    MEASURED,
    MINUTE_MS,
    NOW_MS,
    OUTBOX,
    facts,
    of,
    way,
)


def say(monkeypatch: pytest.MonkeyPatch, given: Facts) -> dict[str, Any]:
    report = Examiner(FakeClock(NOW_MS)).examine(given)
    status = given.status.model_copy(update={"health": report})
    told: dict[str, Any] = json.loads(status.model_dump_json(exclude_none=True))
    monkeypatch.setattr(adminclient, "hub_status", lambda: told)
    return told


def test_a_hub_that_is_well_takes_two_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, facts())
    done = CliRunner().invoke(root, ["status"])
    assert done.exit_code == 0
    assert done.output.splitlines() == [
        "OK  All is well: the shop sells and the cloud is reached.",
        "  Corner Shop (367), readiness 100 of 100",
    ]


def test_each_problem_comes_with_its_next_step_and_what_mends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cut = of(CLOUD, state="down", since_ms=NOW_MS - 12 * MINUTE_MS, detail="\x1b[31mno route")
    measured = type(MEASURED)(way=way("internet"))
    say(monkeypatch, facts(measured, cloud=cut, outbox=of(OUTBOX, parked=2)))
    done = CliRunner().invoke(root, ["status"])
    assert done.exit_code == 1
    assert done.output.startswith("WARNING  The shop sells; 2 things need somebody.")
    assert "(for 12 min)" in done.output
    assert "Next step: Look at the router's internet light" in done.output
    assert "Or: store-hub mend parked.resend" in done.output
    assert "\x1b" not in done.output


def test_what_stops_selling_has_an_exit_code_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    told = say(monkeypatch, facts(broker=of(BROKER, connected=False)))
    done = CliRunner().invoke(root, ["status", "--json"])
    assert done.exit_code == 2
    assert json.loads(done.output) == told


def test_all_checks_are_shown_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    told = say(monkeypatch, facts())
    done = CliRunner().invoke(root, ["status", "--all"])
    for one in told["health"]["findings"]:
        assert f"{one['title']}: {one['summary']}" in done.output


def test_the_actions_are_listed_and_done(monkeypatch: pytest.MonkeyPatch) -> None:
    class Client:
        def actions(self) -> Any:
            row = {"key": "a.b", "what": "Mends.", "why_not": ""}
            return {"actions": [row, row | {"key": "c.d", "why_not": "Not here."}]}

        def act(self, key: str) -> Any:
            return {"key": key, "outcome": "done", "text": "It is mended.", "at_ms": 1}

    monkeypatch.setattr(adminclient, "admin_client", Client)
    listed = CliRunner().invoke(root, ["mend"]).output
    assert "a.b" in listed
    assert "possible" in listed
    assert "Not here." in listed
    assert CliRunner().invoke(root, ["mend", "a.b"]).output == "It is mended.\n"
    as_json = CliRunner().invoke(root, ["mend", "a.b", "--json"]).output
    assert json.loads(as_json)["outcome"] == "done"
