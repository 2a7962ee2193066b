"""``store-hub payments``, on a hub that is stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hub.cli.program import root
from hub.clock import SystemClock
from hub.domain.payments.states import PaymentState as S
from tests.support.cardrows import add_payment, payment_id
from tests.support.shop import Shop

HOUR_MS = 3_600_000


@pytest.fixture
def call(tmp_path: Path) -> Any:
    """A shop with one payment to decide about, one stored, one charged."""
    shop = Shop(tmp_path)
    shop.clock.jump_wall(SystemClock().wall_ms() / 1000 - shop.clock.wall_ms() / 1000)
    shop.tx(lambda tx: add_payment(tx, 1, S.MANUAL, amount_minor=4799))
    shop.tx(
        lambda tx: add_payment(tx, 2, S.STORED, amount_minor=2499, in_sale=1, age_ms=HOUR_MS // 2)
    )
    shop.tx(lambda tx: add_payment(tx, 3, S.CAPTURED, amount_minor=999, in_sale=1))
    shop.close()
    config = tmp_path / "config.toml"
    config.write_text(
        '[store]\nid = "367"\ntimezone = "Europe/Berlin"\ncurrency = "EUR"\n'
        f'[paths]\nstate = "{tmp_path}"\nrun = "{tmp_path}/run"\n'
        '[cloud]\nurl = "https://oms.example"\n[payments]\nprocessor = "oms"\n'
    )

    def run(*arguments: str, good: bool = True, typed: str = "") -> Result:
        result = CliRunner().invoke(
            root, ["--config", str(config), "payments", *arguments], input=typed
        )
        assert (result.exit_code == 0) is good, result.output
        return result

    return run


def test_what_needs_a_person_comes_first_with_the_next_step(call: Any) -> None:
    lines = call("list").stdout.splitlines()
    assert "47.99 EUR" in lines[1]
    assert "manual" in lines[1]
    assert "24.99 EUR" in lines[2]
    assert "expires in 23 h" in lines[2]
    text = "\n".join(lines[3:])
    assert "Nobody could find out" in text
    assert "Next step: Look it up" in text
    found = json.loads(call("list", "--json").stdout)
    assert [one["state"] for one in found] == ["manual", "stored"]
    assert [one["state"] for one in json.loads(call("list", "--all", "--json").stdout)] == [
        *("captured", "stored", "manual"),
    ]


def test_one_payment_is_shown_with_every_step_by_the_end_of_its_id(call: Any) -> None:
    text = call("show", payment_id(2)[-8:]).stdout
    assert text.startswith("24.99 EUR, stored")
    assert "visa 4242" in text
    assert "intent -> at_terminal  (sent, by terminal-1)" in text
    assert "no answer from the processor" in text
    whole = json.loads(call("show", payment_id(1), "--json").stdout)
    assert whole["payment"]["trouble"]["kind"] == "manual"
    assert "there is no payment" in call("show", "ffffff", good=False).output


def test_the_exposure_names_caps_and_the_next_expiry(call: Any) -> None:
    text = call("exposure").stdout
    assert text.startswith("72.98 EUR of 10000.00 EUR at risk, 2 payments: clear")
    assert "The next one expires in 23 h." in text
    assert json.loads(call("exposure", "--json").stdout)["store_count"] == 2


def test_nothing_shown_names_a_token_or_a_whole_card(call: Any) -> None:
    shown = "".join(
        call(*words).stdout
        for words in (("list", "--all", "--json"), ("show", payment_id(2), "--json"))
    )
    assert "token" not in shown
    assert "hash" not in shown


def test_what_is_decided_needs_the_running_hub_and_a_person(call: Any) -> None:
    asked = ("decide", payment_id(1), "approved", "--evidence", "portal, 14:12")
    result = call(*asked, typed="1003\n246802\n", good=False)
    assert "start the hub once" in result.output
