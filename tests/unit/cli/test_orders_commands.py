"""``store-hub orders``, on a hub that is stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hub.cli.program import root
from tests.support.ordering import order, tell
from tests.support.shop import Shop


@pytest.fixture
def call(tmp_path: Path) -> Any:
    """A shop with an order that is short, one that is whole, and one that was cancelled."""
    shop = Shop(tmp_path)
    shop.product("tea", 499, stock=5)
    tell(shop, "order.assigned", order("o-1", {"tea": 2}, promised_at_ms=1_795_330_000_000))
    tell(shop, "order.assigned", order("o-2", {"tea": 4}))
    tell(shop, "order.assigned", order("o-3", {"tea": 1}))
    tell(shop, "order.cancelled", {"order_id": "o-3", "version": 2})
    shop.close()
    config = tmp_path / "config.toml"
    config.write_text(
        '[store]\nid = "367"\ntimezone = "Europe/Berlin"\ncurrency = "EUR"\n'
        f'[paths]\nstate = "{tmp_path}"\nrun = "{tmp_path}/run"\n'
    )

    def run(*arguments: str, good: bool = True) -> Result:
        result = CliRunner().invoke(root, ["--config", str(config), "orders", *arguments])
        assert (result.exit_code == 0) is good, result.output
        return result

    return run


def test_open_orders_are_listed_by_promise(call: Any) -> None:
    found = json.loads(call("list", "--json").stdout)
    assert [one["order_id"] for one in found] == ["o-1", "o-2"]
    assert "2026-11-22" in call("list").stdout
    (short,) = json.loads(call("list", "--which", "short", "--json").stdout)
    assert short["order_id"] == "o-2"
    assert len(json.loads(call("list", "--which", "all", "--json").stdout)) == 3


def test_one_order_is_shown_by_its_number_or_id_without_whose_it_is(call: Any) -> None:
    text = call("show", "W-o-2").stdout
    assert text == call("show", "o-2").stdout
    assert text.startswith("W-o-2  (pickup): accepted; promised for -")
    assert "short  tea" in text
    assert "Ada" not in text + call("show", "o-2", "--json").stdout
    assert "there is no order" in call("show", "o-9", good=False).output
    assert "whole number" in call("show", "W-o", good=False).output
