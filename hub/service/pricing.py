"""Finding the product behind a code, and the taxes in force."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any

from hub.contract.problems import Code, refuse
from hub.domain import barcode
from hub.domain.barcode import DEFAULT_RULES, CodeRules, ScannedCode
from hub.domain.money import Rounding
from hub.domain.quantity import line_gross_minor
from hub.domain.tax import TaxMode, TaxPolicy, TaxRate, TaxScope
from hub.storage import catalogrows
from hub.storage.catalogrows import ProductRow
from hub.storage.rows import Rows

STAMPS_MAX = 256
_SCOPES = {"line": TaxScope.PER_LINE, "total": TaxScope.PER_TOTAL}


@dataclass(frozen=True, slots=True)
class Found:
    """A product and what its code said: ``scanned`` is None when the code was the SKU itself."""

    product: ProductRow
    scanned: ScannedCode | None = None

    @property
    def gtin(self) -> str | None:
        """The GTIN that was scanned, as 14 digits."""
        return self.scanned.gtin14 if self.scanned else None


def find(rows: Rows, code: str, now_ms: int, rules: CodeRules = DEFAULT_RULES) -> Found:
    """The product of a scanned or typed code.

    A SKU is tried first: it is one look-up, and a shop's own SKUs may look like anything.
    Errors: ``not-found``, ``validation``.
    """
    digits = _plain_gtin(code)
    if digits is None:
        product = catalogrows.by_sku(rows, code, now_ms)
    else:
        product = catalogrows.by_code(rows, code, digits, now_ms)
    if product is not None and (digits is None or product.sku == code):
        return Found(product)
    if product is not None:
        return Found(product, ScannedCode(kind=barcode.CodeKind.GTIN, raw=code, gtin14=digits))
    return _find_parsed(rows, code, now_ms, rules)


def _plain_gtin(code: str) -> str | None:
    """The common case of a bare GTIN, without the parser; unknown ones go through it."""
    if code.isascii() and code.isdigit() and len(code) in (8, 12, 13, 14):
        return code.zfill(14)
    return None


def _find_parsed(rows: Rows, code: str, now_ms: int, rules: CodeRules) -> Found:
    scanned = barcode.parse(code, rules)
    product = None
    if scanned.gtin14 is not None:
        product = catalogrows.by_gtin(rows, scanned.gtin14, now_ms)
    for candidate in (scanned.restricted_item, scanned.raw):
        if product is None and candidate:
            product = catalogrows.by_sku(rows, candidate, now_ms)
    if product is None:
        raise refuse(
            Code.NOT_FOUND,
            "No product here has this code: type the SKU, or ask the office to add the product.",
        )
    return Found(product, scanned)


@dataclass(frozen=True, slots=True)
class Measured:
    """What one scan puts on a line: quantity in base units and what the label takes off it."""

    qty: int
    discount_minor: int = 0


def measure(found: Found, qty: int | None, price_minor: int) -> Measured:
    """The quantity of a scanned piece: asked for, weighed (label with a weight), or derived.

    A label that carries a price is sold at exactly that price: the smallest quantity that costs at
    least as much is taken, and the difference (under one base unit's price) comes off the line.
    """
    product, scanned = found.product, found.scanned
    if qty is not None:
        return Measured(qty)
    unit = 10**product.scale
    if scanned is None or (scanned.weight_g is None and scanned.price_minor is None):
        if product.scale:
            raise refuse(
                Code.VALIDATION,
                f"{product.sku} is sold by {product.uom}: weigh it and send qty.",
                sku=product.sku,
            )
        return Measured(scanned.count or 1 if scanned else 1)
    if scanned.weight_g is not None:
        return Measured(_weight_qty(product, scanned.weight_g))
    assert scanned.price_minor is not None
    if price_minor == 0:
        raise refuse(
            Code.CONFLICT,
            f"The label carries a price, but {product.sku} costs nothing here: send qty, or ask "
            "the office to price it.",
            sku=product.sku,
        )
    label_minor = scanned.price_minor
    derived = max(1, -(-label_minor * unit // price_minor))
    off_minor = line_gross_minor(price_minor, derived, product.scale) - label_minor
    assert off_minor >= 0
    return Measured(derived, off_minor)


def check_expiry(found: Found, today: date) -> None:
    """Refuse a piece whose code says that it is past its expiry date."""
    expiry = found.scanned.expiry_date if found.scanned else None
    if expiry is not None and expiry < today:
        raise refuse(
            Code.CONFLICT,
            f"This piece of {found.product.sku} expired on {expiry.isoformat()}: take it off the "
            "shelf, it can't be sold.",
            sku=found.product.sku,
            expiry_date=expiry.isoformat(),
        )


def _weight_qty(product: ProductRow, weight_g: int) -> int:
    if product.uom != "kg":
        raise refuse(
            Code.CONFLICT,
            f"The label carries a weight, but {product.sku} is sold by {product.uom}: send qty.",
            sku=product.sku,
        )
    base_units: int = weight_g * 10**product.scale // 1000
    return max(1, base_units)


def sellable_price(product: ProductRow) -> int:
    """The price in force of a product that may be sold."""
    if not product.active:
        raise refuse(
            Code.CONFLICT, f"{product.sku} is no longer sold: take it out.", sku=product.sku
        )
    if product.price_minor is None:
        raise refuse(
            Code.CONFLICT,
            f"{product.sku} has no price in force: ask the office to price it.",
            sku=product.sku,
        )
    return product.price_minor


@dataclass(frozen=True, slots=True)
class Taxes:
    """The shop's tax policy and rates, as values and as they are written down."""

    policy: TaxPolicy
    rates: Mapping[str, TaxRate]
    policy_row: dict[str, Any]
    rate_rows: Mapping[str, dict[str, Any]]
    _stamps: dict[frozenset[str], str] = field(default_factory=dict)

    def stamp(self, codes: set[str]) -> str:
        """Policy and the rates of ``codes`` as JSON, frozen into a sale or a basket line."""
        key = frozenset(codes)
        found = self._stamps.get(key)
        if found is None:
            rates = {code: self.rate_rows.get(code) for code in sorted(codes)}
            found = json.dumps({"policy": self.policy_row, "rates": rates}, separators=(",", ":"))
            if len(self._stamps) >= STAMPS_MAX:
                self._stamps.clear()
            self._stamps[key] = found
        return found


class TaxBook:
    """The tax dataset read once per change of it, not once per sale."""

    def __init__(self) -> None:
        self._stamp: tuple[int, int] | None = None
        self._taxes: Taxes | None = None

    def taxes(self, rows: Rows, stamp: tuple[int, int] | None = None) -> Taxes:
        """The taxes in force; ``stamp`` is the tax dataset's, if it was just read.

        Errors: ``unavailable`` before the first sync.
        """
        stamp = stamp or catalogrows.tax_stamp(rows)
        if self._taxes is None or stamp != self._stamp:
            self._taxes = _read_taxes(rows)
            self._stamp = stamp
        return self._taxes


def _read_taxes(rows: Rows) -> Taxes:
    policy_row, rate_rows = catalogrows.taxes(rows)
    if policy_row is None:
        raise refuse(
            Code.UNAVAILABLE,
            "This hub has not got its taxes from the cloud yet: wait for the first sync (the status"
            " page shows it).",
        )
    return Taxes(parse_policy(policy_row), parse_rates(rate_rows), policy_row, rate_rows)


def parse_policy(row: Mapping[str, Any]) -> TaxPolicy:
    """A policy row of the tax dataset as a value."""
    return TaxPolicy(
        TaxMode(row["mode"]), _SCOPES[row["rounding_scope"]], Rounding(row["rounding"])
    )


def parse_rates(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, TaxRate]:
    """Rate rows of the tax dataset as values."""
    return {
        code: TaxRate(code, int(row["rate_ppm"]), str(row.get("name", "")))
        for code, row in rows.items()
    }


def merged(stamps: list[str]) -> str:
    """One stamp of several: the newest (last) policy, and all rates, newer ones first."""
    policy: Any = None
    rates: dict[str, Any] = {}
    for stamp in stamps:
        frozen = json.loads(stamp)
        policy = frozen["policy"]
        rates |= frozen["rates"]
    return json.dumps({"policy": policy, "rates": rates}, separators=(",", ":"))


@lru_cache(maxsize=256)
def unstamp(text: str) -> tuple[TaxPolicy, Mapping[str, TaxRate]]:
    """What :meth:`Taxes.stamp` froze; a shop has few different ones."""
    frozen = json.loads(text)
    rates = {code: row for code, row in frozen["rates"].items() if row is not None}
    return parse_policy(frozen["policy"]), parse_rates(rates)
