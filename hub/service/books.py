"""What handlers look up again and again and that changes seldom."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

from hub.domain.barcode import (
    DEFAULT_RULES,
    CodeRules,
    MeasureKind,
    RestrictedRule,
    ScannedCode,
)
from hub.domain.errors import DomainError
from hub.domain.money import currency_exponent
from hub.service import pricing
from hub.service.pricing import Found, TaxBook, Taxes
from hub.storage import catalogrows
from hub.storage.rows import Rows

log = logging.getLogger(__name__)

BARCODE_POLICY = "barcode.restricted"
"""Policy whose value lists the shop's rules for restricted numbers: objects with ``prefix``,
``item`` and ``measure`` (pairs of positions), ``kind`` (weight, price, count), ``decimals`` and
``verifier_at``."""


NO_STAMP = (0, 0)
FOUND_MAX = 4096
NEVER_MS = 1 << 62


@dataclass(slots=True)
class Books:
    """The tax book, the code rules, and the products that were asked for last; each is read again
    when its dataset has changed."""

    currency: str
    taxes: TaxBook = field(default_factory=TaxBook)
    _stamp: tuple[int, int] | None = None
    _rules: CodeRules = DEFAULT_RULES
    _stamps: dict[str, tuple[int, int]] = field(default_factory=dict)
    _found: dict[str, tuple[int, int, Found]] = field(default_factory=dict)

    def code_rules(self, rows: Rows) -> CodeRules:
        """How this shop reads its codes."""
        return self._code_rules(rows, catalogrows.policy_stamp(rows))

    def opened(self, rows: Rows, now_ms: int) -> Shelf:
        """The taxes and products as they are in this transaction: one look-up if nothing has
        changed since the last time.  Errors: ``unavailable`` before the first sync."""
        stamps = catalogrows.stamps(rows)
        if stamps != self._stamps:
            self._found.clear()
            self._stamps = stamps
        return Shelf(
            rows,
            now_ms,
            self.taxes.taxes(rows, stamps.get("taxes", NO_STAMP)),
            self._code_rules(rows, stamps.get("policies", NO_STAMP)),
            self._found,
        )

    def _code_rules(self, rows: Rows, stamp: tuple[int, int]) -> CodeRules:
        if stamp != self._stamp:
            self._rules = CodeRules(
                restricted=_restricted(catalogrows.policy(rows, BARCODE_POLICY)),
                currency_exponent=currency_exponent(self.currency),
            )
            self._stamp = stamp
        return self._rules


@dataclass(slots=True)
class Shelf:
    """What is for sale in one transaction.  ``known`` keeps products by code, each with the
    instants between which its price is the one in force; the oldest goes at the bound."""

    rows: Rows
    now_ms: int
    taxes: Taxes
    rules: CodeRules
    known: dict[str, tuple[int, int, Found]]

    def find(self, code: str) -> Found:
        """See :func:`hub.service.pricing.find`."""
        kept = self.known.get(code)
        if kept is not None and kept[0] <= self.now_ms < kept[1]:
            return kept[2]
        found = pricing.find(self.rows, code, self.now_ms, self.rules)
        if found.scanned is None or _says_no_more(found.scanned):
            until_ms = catalogrows.price_changes_at_ms(self.rows, found.product.sku, self.now_ms)
            if len(self.known) >= FOUND_MAX:
                del self.known[next(iter(self.known))]
            self.known[code] = (self.now_ms, until_ms or NEVER_MS, found)
        return found


def _says_no_more(scanned: ScannedCode) -> bool:
    """Whether a code only names its product: labels with weights and dates hardly come again."""
    return not any(
        (
            scanned.weight_g,
            scanned.price_minor,
            scanned.count,
            scanned.lot,
            scanned.serial,
            scanned.expiry_date,
            scanned.best_before_date,
        )
    )


def _restricted(value: Any) -> tuple[RestrictedRule, ...]:
    """The rules in a policy's value.  A wrong one is left out: the labels it is about are unknown
    then, and everything else is sold."""
    if not isinstance(value, list):
        return ()
    found = []
    for number, rule in enumerate(value, start=1):
        try:
            found.append(_rule(rule))
        except (AttributeError, LookupError, TypeError, ValueError, DomainError) as wrong:
            log.error("rule %d of policy %s is left out: %r", number, BARCODE_POLICY, wrong)
    return tuple(found)


def _rule(rule: Any) -> RestrictedRule:
    verifier_at = rule.get("verifier_at")
    return RestrictedRule(
        prefix=str(rule["prefix"]),
        item=(int(rule["item"][0]), int(rule["item"][1])),
        measure=(int(rule["measure"][0]), int(rule["measure"][1])),
        kind=MeasureKind(rule["kind"]),
        decimals=int(rule.get("decimals", 0)),
        verifier_at=None if verifier_at is None else int(verifier_at),
    )
