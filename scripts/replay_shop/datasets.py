"""What the cloud must know before the replay: the datasets of the shop as JSON Lines files.

One file per dataset (``catalog``, ``prices``, ``taxes``, ``staff``, ``policies``) in the row
shapes of the cloud contract.  Everything follows from the catalogue and the seed, so that two runs
with one seed write the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.replay_shop.mapping import Product

Row = dict[str, object]

TAX_CODE = "food"
TAX_RATE_PPM = 50_000
"""5%."""

MANAGER_ID = "manager"
MANAGER_PIN = "482913"

_CASHIER_MAY = (
    "sale.sell",
    "sale.discount",
    "price.override",
    "sale.void_line",
    "offline.accept",
)
_MANAGER_MAY = (
    *_CASHIER_MAY,
    "sale.void",
    "refund",
    "refund.no_receipt",
    "stock.receive",
    "stock.override",
    "stock.adjust",
    "device.pair",
    "hub.admin",
)


@dataclass(frozen=True, slots=True)
class Cashier:
    """Who signs in on a till, and the PIN to do it with (a shop of the sandbox, not a secret)."""

    staff_id: str
    name: str
    pin: str


def cashiers(count: int) -> tuple[Cashier, ...]:
    """One cashier per till."""
    return tuple(
        Cashier(f"cashier-{n}", f"Cashier {n}", f"{7300 + 37 * n:06d}") for n in range(1, count + 1)
    )


def catalog_rows(catalogue: Mapping[int, Product]) -> list[Row]:
    """One row per product; barcodes as GTIN-14."""
    return [
        {
            "sku": product.sku,
            "name": product.name,
            "barcodes": [product.gtin.zfill(14)],
            "uom": product.uom,
            "scale": product.scale,
            "tax_code": TAX_CODE,
            "category": product.category,
            "active": True,
            "age_min": None,
        }
        for product in catalogue.values()
    ]


def price_rows(catalogue: Mapping[int, Product]) -> list[Row]:
    """One price per product, in force for ever."""
    return [
        {
            "sku": product.sku,
            "price_minor": product.price_minor,
            "valid_from_ms": None,
            "valid_to_ms": None,
        }
        for product in catalogue.values()
    ]


def tax_rows() -> list[Row]:
    """Taxes are contained in the prices, so that they never change a total; one rate."""
    policy: Row = {
        "kind": "policy",
        "mode": "inclusive",
        "rounding_scope": "line",
        "rounding": "half_up",
    }
    return [
        policy,
        {"kind": "rate", "tax_code": TAX_CODE, "name": "Food", "rate_ppm": TAX_RATE_PPM},
    ]


def staff_rows(seed: str, tills: int) -> list[Row]:
    """Two roles, a manager, and a cashier per till; no permission has a maximum."""
    rows: list[Row] = [
        {"kind": "role", "role": role, "permissions": dict.fromkeys(permissions)}
        for role, permissions in (("cashier", _CASHIER_MAY), ("manager", _MANAGER_MAY))
    ]
    rows.append(_person(seed, MANAGER_ID, "Manager", "manager", MANAGER_PIN))
    rows.extend(
        _person(seed, cashier.staff_id, cashier.name, "cashier", cashier.pin)
        for cashier in cashiers(tills)
    )
    return rows


def policy_rows() -> list[Row]:
    """None: the replay sells under the hub's default policies."""
    return []


def write_datasets(
    folder: Path, catalogue: Mapping[int, Product], *, seed: str, tills: int
) -> dict[str, Path]:
    """Write every dataset into ``folder``; dataset name -> its file."""
    folder.mkdir(parents=True, exist_ok=True)
    tables: dict[str, Iterable[Row]] = {
        "catalog": catalog_rows(catalogue),
        "prices": price_rows(catalogue),
        "taxes": tax_rows(),
        "staff": staff_rows(seed, tills),
        "policies": policy_rows(),
    }
    return {name: _write(folder / f"{name}.jsonl", rows) for name, rows in tables.items()}


def _write(path: Path, rows: Iterable[Row]) -> Path:
    with path.open("w", encoding="utf-8", newline="\n") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")))
            out.write("\n")
    return path


def _person(seed: str, staff_id: str, name: str, role: str, pin: str) -> Row:
    from argon2 import PasswordHasher

    hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
    salt = hashlib.sha256(f"{seed}/pin/{staff_id}".encode()).digest()[:16]
    return {
        "kind": "staff",
        "staff_id": staff_id,
        "name": name,
        "role": role,
        "pin_hash": hasher.hash(pin, salt=salt),
        "active": True,
    }
