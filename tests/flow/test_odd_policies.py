"""What the office writes wrongly costs what it is about, not the shop's sales."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub.contract.oms_datasets import Change
from hub.service.caller import CLOUD
from hub.service.handlers.datasets import (
    ApplyChanges,
    BadRow,
    apply_changes,
    read_lines,
    shape_changes,
)
from tests.flow.test_baskets import labelled
from tests.support.shop import Shop

RULE: dict[str, Any] = {"prefix": "28", "item": [2, 7], "measure": [7, 12], "kind": "weight"}
RATE = {"rate_ppm": 50_000, "name": "half"}
GOOD = RULE | {"prefix": "29", "decimals": 3}


@pytest.mark.parametrize(
    "wrong",
    [
        1,
        None,
        "28",
        {"prefix": "28"},
        RULE | {"item": [1]},
        RULE | {"measure": [7, 300]},
        RULE | {"measure": {"from": 7}},
        RULE | {"kind": "colour"},
        RULE | {"decimals": "three"},
        RULE | {"decimals": -1},
        RULE | {"decimals": 10**9},
        RULE | {"decimals": None},
        RULE | {"verifier_at": 99},
        RULE | {"verifier_at": "six"},
        RULE | {"prefix": None},
    ],
)
def test_a_wrong_rule_for_labels_is_left_out_and_the_shop_sells_on(shop: Shop, wrong: Any) -> None:
    shop.policy("barcode.restricted", [wrong, GOOD])
    shop.product("12345", 1999, stock=20_000, uom="kg", scale=3)

    shop.sell("till-1", "tea", 1, 499)

    assert (
        shop.no("till-1", "catalog/look-up", {"code": labelled("281234500455")})["code"]
        == "not-found"
    )
    assert shop.ok("till-1", "catalog/look-up", {"code": labelled("291234500455")})["qty"] == 455


@pytest.mark.parametrize("op", ["upsert", "delete"])
def test_a_rate_without_its_code_does_not_take_the_tax_policy_away(shop: Shop, op: str) -> None:
    change = Change.model_validate({"op": op, "row": {"kind": "rate", "tax_code": "", **RATE}})
    good = Change.model_validate({"op": "upsert", "row": {"kind": "rate", "tax_code": "x", **RATE}})
    shaped = shape_changes(shop.rows, "taxes", 1, [change, good])
    page = ApplyChanges("taxes", 1, shaped.removed, shaped.written, 2, "c2")
    assert shop.tx(lambda tx: apply_changes(shop.gate._unit(tx, CLOUD), page))
    assert len(shaped.bad) == 1
    shop.sell("till-1", "tea", 1, 499)


def test_a_snapshot_of_taxes_with_a_rate_without_its_code_is_refused() -> None:
    line = json.dumps({"kind": "rate", "tax_code": "", **RATE}).encode()
    with pytest.raises(BadRow, match="chunk 0, line 1: a rate without its tax_code"):
        read_lines("taxes", line, where="chunk 0")
