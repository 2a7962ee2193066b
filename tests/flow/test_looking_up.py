"""The short way of a look-up says what the long one says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hub.contract.catalog import LookUp, ProductView
from hub.service.books import Books
from hub.service.caller import Caller, CallerKind
from hub.service.gate import ReadUnit
from hub.service.handlers import catalog
from tests.support.shop import Shop

CODE = "4006381333931"


@pytest.fixture
def shop(tmp_path: Path) -> Any:
    made = Shop(tmp_path)
    made.product("tea", 499, stock=20, gtin=CODE)
    made.product("0012345678905", 99, gtin="4012345678901")
    yield made
    made.close()


def both_ways(shop: Shop, code: str) -> tuple[Any, Any]:
    unit = ReadUnit(
        shop.rows,
        Caller(CallerKind.DEVICE, "till-1"),
        shop.rules,
        Books(shop.rules.currency),
        shop.clock.wall_ms(),
        0,
    )
    short = catalog.look_up(unit, LookUp(code=code))
    long = catalog._look_closer(unit, LookUp(code=code))
    assert isinstance(short, str)
    assert ProductView.model_validate_json(short) == long
    return json.loads(short), json.loads(long.model_dump_json(exclude_none=True))


@pytest.mark.parametrize("code", [CODE, f"0{CODE}", "0012345678905", "4012345678901"])
def test_a_product_is_the_same_both_ways(shop: Shop, code: str) -> None:
    short, long = both_ways(shop, code)
    assert short == long
    assert list(short) == list(long)
    assert list(short["level"]) == list(long["level"])


@pytest.mark.parametrize(
    "change",
    [
        """UPDATE products SET name = 'Käse "öl" \\ \t 🧀', category = '"', age_min = 18""",
        "UPDATE products SET active = 0, safety_qty = 7",
        "DELETE FROM prices",
        "UPDATE prices SET valid_from_ms = 9000000000000",
        "DELETE FROM datasets WHERE dataset = 'prices'",
        "UPDATE stock SET sellable = 5, reserved = 2, held = 4, allotted = 1, staged = 3",
        "UPDATE stock SET sellable = -5, last_seq = 12",
        "DELETE FROM stock",
    ],
)
def test_whatever_is_stored_is_the_same_both_ways(shop: Shop, change: str) -> None:
    shop.run("PRAGMA foreign_keys = OFF")
    shop.run(change)
    short, long = both_ways(shop, CODE)
    assert short == long


def test_a_product_that_never_moved_has_no_safety_stock_either_way(shop: Shop) -> None:
    shop.product("new", 250, gtin="5901234123457")
    shop.run("UPDATE products SET safety_qty = 7")
    shop.run("DELETE FROM stock WHERE sku_id IN (SELECT id FROM skus WHERE sku = 'new')")
    short, long = both_ways(shop, "5901234123457")
    assert short == long


def test_the_levels_that_are_announced_are_those_that_are_answered(shop: Shop) -> None:
    shop.run("UPDATE stock SET sellable = 5, reserved = 2, held = 4, allotted = 1, last_seq = 3")
    skus = ["tea", "unknown"]
    announced = json.loads(catalog.levels_json(shop.rows, skus))
    assert announced == [one.model_dump() for one in catalog.levels_of(shop.rows, skus)]
