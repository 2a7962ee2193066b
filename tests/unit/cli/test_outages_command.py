"""``store-hub outages``, on a hub that is stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hub.cli.program import root
from tests.support.chronicled import open_told


@pytest.fixture
def call(tmp_path: Path) -> Any:
    """A shop that was cut off twice, for the second time still; it was oversold in the first."""
    told = open_told(tmp_path)
    told.turns(False, "dns")
    told.passes(300)
    told.shop.sign_in("till-1", "mia")
    line = {"code": "tea", "qty": 30, "unit_price_minor": 499}
    sale = told.shop.sale(line, total_minor=30 * 499)
    told.shop.ok("till-1", "sale/commit", sale | {"stock_override": {"reason": "seen"}})
    told.turns(True)
    told.sends()
    told.passes(600)
    told.turns(False, "router")
    told.passes(300)
    told.shop.close()
    config = tmp_path / "config.toml"
    config.write_text(
        '[store]\nid = "367"\ntimezone = "Europe/Berlin"\ncurrency = "EUR"\n'
        f'[paths]\nstate = "{tmp_path}"\nrun = "{tmp_path}/run"\n'
    )

    def run(*arguments: str, good: bool = True) -> Result:
        result = CliRunner().invoke(root, ["--config", str(config), "outages", *arguments])
        assert (result.exit_code == 0) is good, result.output
        return result

    return run


def test_outages_are_listed_the_newest_first(call: Any) -> None:
    lines = call().stdout.splitlines()
    assert "still" in lines[1]
    assert "the shop's router" in lines[1]
    assert "the look-up of names" in lines[2]
    found = json.loads(call("--json").stdout)
    assert [(one["place"], one["sales"], one["needs_person"]) for one in found] == [
        ("router", 0, 0),
        ("dns", 1, 1),
    ]


def test_the_report_says_first_what_needs_a_person(call: Any) -> None:
    ids = [one["outage_id"] for one in json.loads(call("--json").stdout)]
    text = call(ids[1]).stdout
    assert "Outage from 2026-01-01 11:00:00 to 2026-01-01 11:05:00 (5 min)" in text
    assert text.index("Sold below zero") < text.index("1 sale for 149.70 EUR")
    assert "The cloud had everything at" in text
    assert "Nothing: nobody has to do anything." in call("last").stdout
    assert json.loads(call(ids[1], "--json").stdout)["sales"]["count"] == 1


def test_an_id_that_isn_t_there_is_said_with_the_next_step(call: Any) -> None:
    assert "store-hub outages" in call("nothing-like-it", good=False).output
    assert "give more of the id" in call("01", good=False).output
