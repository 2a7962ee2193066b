"""The demo shop."""

from __future__ import annotations

from itertools import islice

import biip
import pytest
from argon2 import PasswordHasher

from cloud_link.sandbox import demo
from cloud_link.sandbox.datasets import check_row
from hub.clock import SystemRandomness


def test_the_products_are_valid_unique_and_the_same_every_time() -> None:
    rows = list(demo.products(3000))
    assert rows == list(demo.products(3000))
    assert len({row["sku"] for row, _ in rows}) == len({row["name"] for row, _ in rows}) == 3000
    assert len({row["barcodes"][0] for row, _ in rows}) == 3000
    for row, price_minor in rows:
        check_row("catalog", row)
        check_row("prices", demo.price_row(row["sku"], price_minor))


def test_the_first_300_are_a_grocers_with_weighed_goods() -> None:
    rows = [row for row, _ in demo.products(300)]
    assert len({row["category"] for row in rows}) >= 10
    assert sum(row["uom"] == "kg" and row["scale"] == 3 for row in rows) >= 12
    assert any(row["age_min"] == 18 for row in rows)


def test_200_000_products_have_200_000_names() -> None:
    names = {row["name"] for row, _ in demo.products(200_000)}
    assert len(names) == 200_000


@pytest.mark.parametrize("n", range(0, 300, 7))
def test_the_barcodes_scan(n: int) -> None:
    ((row, _),) = islice(demo.products(300), n, n + 1)
    found = biip.parse(row["barcodes"][0][1:])
    assert found.gtin is not None or found.upc is not None


def test_the_demo_staff_sign_in_with_the_pins_written_down() -> None:
    rows = {row["staff_id"]: row for row in demo.staff_rows(SystemRandomness())}
    for staff_id, _, _, pin in demo.DEMO_STAFF:
        check_row("staff", rows[staff_id])
        assert PasswordHasher().verify(rows[staff_id]["pin_hash"], pin)
        assert pin in str(demo.__doc__)


def test_the_other_rows_are_valid() -> None:
    for row in demo.tax_rows():
        check_row("taxes", row)
    for row in demo.role_rows():
        check_row("staff", row)
    for row in demo.policy_rows():
        check_row("policies", row)
