"""The demo shop's data sets, the same on every start but for the salts of the PIN hashes.

Barcodes use the prefix 952, which GS1 keeps for demonstrations; weighed goods have a restricted
number 21 IIIII 00000 C (item reference, weight 0), the form a label scale prints.

Demo staff (staff id / PIN): 101 / 4711 and 102 / 2580 cashiers, 201 / 1357 supervisor,
900 / 9000 manager.  Never use them outside a demo.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hub.clock import Randomness

from .demo_products import CATEGORIES, COLOURS, FABRICS, GARMENTS, SEASONS, SIZES

Row = dict[str, Any]

CASHIER: dict[str, int | None] = {
    "sale.sell": None,
    "sale.discount": 1_000,
    "sale.void_line": None,
    "stock.count": None,
    "drawer.no_sale": None,
    "offline.accept": None,
    "price.override": 500,
    "refund": 5_000,
    "stock.receive": None,
}
SUPERVISOR: dict[str, int | None] = {
    **CASHIER,
    "sale.discount": 10_000,
    "sale.void": None,
    "price.override": 5_000,
    "refund": 50_000,
    "stock.override": None,
    "stock.adjust": None,
    "shift.close": None,
    "training": None,
    "hub.view": None,
}
MANAGER: dict[str, int | None] = {
    **dict.fromkeys(SUPERVISOR),
    "refund.no_receipt": None,
    "device.pair": None,
    "hub.admin": None,
    "hub.manage": None,
}
DEMO_STAFF = (
    ("101", "Ada Sommer", "cashier", "4711"),
    ("102", "Ben Okafor", "cashier", "2580"),
    ("201", "Chiara Rossi", "supervisor", "1357"),
    ("900", "Dana Lindqvist", "manager", "9000"),
)
POLICIES: dict[str, Any] = {
    "currency": "EUR",
    "time_zone": "Europe/Berlin",
    "shop_name": "Corner Market (demo)",
    "cash_rounding_minor": 1,
    "offline_cap_transaction_minor": 10_000,
    "offline_cap_terminal_count": 50,
    "offline_cap_terminal_minor": 200_000,
    "offline_cap_store_minor": 1_000_000,
    "return_window_days": 30,
}


def with_check_digit(digits: str) -> str:
    """GS1 modulo 10: weights 3 and 1 from the right."""
    total = sum(int(digit) * (3 if n % 2 == 0 else 1) for n, digit in enumerate(reversed(digits)))
    return digits + str(-total % 10)


def products(count: int) -> Iterator[tuple[Row, int]]:
    """``count`` catalogue rows with their prices in cents: groceries first, then garments."""
    number = 0
    for row in _groceries():
        if number == count:
            return
        number += 1
        yield _numbered(number, *row)
    while number < count:
        number += 1
        yield _numbered(number, *_garment(number))


def _groceries() -> Iterator[tuple[str, str, str, str, int, int | None]]:
    """(name, category, uom, tax code, price, age)."""
    for category, entries in CATEGORIES.items():
        for name, uom, price_minor, packs, tax_code, age_min in entries:
            if not packs:
                yield name, category, uom, tax_code, price_minor, age_min
            for step, pack in enumerate(packs):
                scaled = price_minor * (100 + 75 * step) // 100
                price = scaled if step == 0 else scaled // 10 * 10 + 9
                yield f"{name}, {pack}", category, uom, tax_code, price, age_min


def _garment(number: int) -> tuple[str, str, str, str, int, int | None]:
    rest, size = divmod(number, len(SIZES))
    rest, colour = divmod(rest, len(COLOURS))
    rest, garment = divmod(rest, len(GARMENTS))
    rest, fabric = divmod(rest, len(FABRICS))
    season = SEASONS[rest % len(SEASONS)]
    name = f"{FABRICS[fabric]} {GARMENTS[garment].lower()}, {COLOURS[colour]}, {SIZES[size]}"
    price_minor = 999 + 500 * garment + 250 * fabric
    return f"{name} ({season})", "Clothing", "each", "standard", price_minor, None


def _numbered(
    number: int,
    name: str,
    category: str,
    uom: str,
    tax_code: str,
    price_minor: int,
    age_min: int | None,
) -> tuple[Row, int]:
    weighed = uom == "kg"
    gtin13 = with_check_digit(f"21{number:05d}00000" if weighed else f"952{number:09d}")
    row = {
        "sku": f"{category[:3].upper()}-{number:06d}",
        "name": name,
        "barcodes": ["0" + gtin13],
        "uom": uom,
        "scale": 3 if weighed else 0,
        "tax_code": tax_code,
        "category": category,
        "active": True,
        "age_min": age_min,
    }
    return row, price_minor


def price_row(sku: str, price_minor: int) -> Row:
    return {"sku": sku, "price_minor": price_minor, "valid_from_ms": None, "valid_to_ms": None}


def tax_rows() -> list[Row]:
    return [
        {"kind": "policy", "mode": "inclusive", "rounding_scope": "line", "rounding": "half_up"},
        {"kind": "rate", "tax_code": "standard", "name": "19 %", "rate_ppm": 190_000},
        {"kind": "rate", "tax_code": "reduced", "name": "7 %", "rate_ppm": 70_000},
        {"kind": "rate", "tax_code": "zero", "name": "0 %", "rate_ppm": 0},
    ]


def policy_rows() -> list[Row]:
    return [{"key": key, "value": value} for key, value in POLICIES.items()]


def role_rows() -> list[Row]:
    roles = {"cashier": CASHIER, "supervisor": SUPERVISOR, "manager": MANAGER}
    return [{"kind": "role", "role": name, "permissions": row} for name, row in roles.items()]


def staff_rows(randomness: Randomness) -> list[Row]:
    """The demo staff with their PINs as argon2id (19 MiB, t=2); takes some 50 ms each."""
    from argon2 import PasswordHasher

    hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
    return [
        {
            "kind": "staff",
            "staff_id": staff_id,
            "name": name,
            "role": role,
            "pin_hash": hasher.hash(pin, salt=randomness.token_bytes(16)),
            "active": True,
        }
        for staff_id, name, role, pin in DEMO_STAFF
    ]
