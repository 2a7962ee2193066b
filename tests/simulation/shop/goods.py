"""The shop's goods, prices, staff and secrets: what the cloud holds when the world begins."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from cloud_link.sandbox import demo
from hub.contract.oms_datasets import DatasetName

STORE = "367"
TOKEN = "a-token-of-the-simulation"
SKUS = 24
MANAGER = "900"
PINS = {staff_id: pin for staff_id, _, _, pin in demo.DEMO_STAFF}
"""Staff id → PIN: 101 and 102 are cashiers, 201 a supervisor, 900 the manager."""

_PRODUCTS = tuple(demo.products(SKUS))
PRICES = {row["sku"]: price_minor for row, price_minor in _PRODUCTS}
"""SKU → price in cents, per piece or per kilogram."""
BARCODES = {row["sku"]: str(row["barcodes"][0]) for row, _ in _PRODUCTS}
WEIGHED = frozenset(row["sku"] for row, _ in _PRODUCTS if row["uom"] == "kg")
"""Sold by the gram (scale 3)."""
OPENING_STOCK = {
    row["sku"]: (1000 if n % 5 else 60) * (1000 if row["uom"] == "kg" else 1)
    for n, (row, _) in enumerate(_PRODUCTS)
}
"""SKU → base units of the first delivery; every fifth product runs out within days."""
SCARCE_STOCK = {
    row["sku"]: (6 + n % 7) * (1000 if row["uom"] == "kg" else 1)
    for n, (row, _) in enumerate(_PRODUCTS)
}
"""The same where the goods run out within hours."""


def stored_pin(pin: str) -> str:
    """A PIN's stored form in this world; the real one is slow on purpose."""
    return "$argon2id$simulated$" + sha256(pin.encode()).hexdigest()


def verify_pin(pin: str, stored: str | None) -> bool:
    """Whether ``pin`` is the one in ``stored``."""
    return stored is not None and stored == stored_pin(pin)


def rows_of(dataset: DatasetName) -> list[dict[str, Any]]:
    """The first rows of a data set."""
    match dataset:
        case "catalog":
            return [row for row, _ in _PRODUCTS]
        case "prices":
            return [demo.price_row(row["sku"], price) for row, price in _PRODUCTS]
        case "taxes":
            return demo.tax_rows()
        case "policies":
            return demo.policy_rows()
        case "staff":
            return demo.role_rows() + [
                {
                    "kind": "staff",
                    "staff_id": staff_id,
                    "name": name,
                    "role": role,
                    "pin_hash": stored_pin(pin),
                    "active": True,
                }
                for staff_id, name, role, pin in demo.DEMO_STAFF
            ]
        case "promotions" | "customers":
            return []
