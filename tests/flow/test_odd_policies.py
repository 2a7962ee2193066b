"""What the office writes wrongly into a policy costs what it is about, not the shop's sales."""

from __future__ import annotations

from typing import Any

import pytest

from tests.flow.test_baskets import labelled
from tests.support.shop import Shop

RULE: dict[str, Any] = {"prefix": "28", "item": [2, 7], "measure": [7, 12], "kind": "weight"}
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
