"""What handlers look up again and again and that changes seldom."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hub.domain.barcode import DEFAULT_RULES, CodeRules, MeasureKind, RestrictedRule
from hub.domain.money import currency_exponent
from hub.service.pricing import TaxBook
from hub.storage import catalogrows
from hub.storage.rows import Rows

BARCODE_POLICY = "barcode.restricted"
"""Policy whose value lists the shop's rules for restricted numbers: objects with ``prefix``,
``item`` and ``measure`` (pairs of positions), ``kind`` (weight, price, count), ``decimals`` and
``verifier_at``."""


@dataclass(slots=True)
class Books:
    """The tax book and the code rules; each is read again when its dataset has changed."""

    currency: str
    taxes: TaxBook = field(default_factory=TaxBook)
    _stamp: tuple[int, int] | None = None
    _rules: CodeRules = DEFAULT_RULES

    def code_rules(self, rows: Rows) -> CodeRules:
        """How this shop reads its codes."""
        stamp = catalogrows.policy_stamp(rows)
        if stamp != self._stamp:
            self._rules = CodeRules(
                restricted=_restricted(catalogrows.policy(rows, BARCODE_POLICY)),
                currency_exponent=currency_exponent(self.currency),
            )
            self._stamp = stamp
        return self._rules


def _restricted(value: Any) -> tuple[RestrictedRule, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(
        RestrictedRule(
            prefix=str(rule["prefix"]),
            item=(int(rule["item"][0]), int(rule["item"][1])),
            measure=(int(rule["measure"][0]), int(rule["measure"][1])),
            kind=MeasureKind(rule["kind"]),
            decimals=int(rule.get("decimals", 0)),
            verifier_at=rule.get("verifier_at"),
        )
        for rule in value
    )
