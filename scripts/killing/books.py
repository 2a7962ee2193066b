"""What the tills were told: the truth that both databases have to agree with.

Every answer is written down when it comes.  An answer that contradicts an earlier one to the same
request is a finding at once.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from hub.contract.sale import CommitSale, SaleDone

MAX_FINDINGS = 50
REPEATABLE = 2000
"""So many of the latest sales can be repeated word by word."""


@dataclass(slots=True)
class SoldSale:
    """A sale that was answered: ``command`` under ``key`` (None once it is long ago).

    ``void``: "", "asked" or "done"; ``lines``: (SKU, units)."""

    till: int
    key: str
    command: CommitSale | None
    done: SaleDone
    lines: tuple[tuple[str, int], ...]
    void: str = ""


@dataclass(slots=True)
class Books:
    """Everything answered, in order.  ``levels`` is what that leaves on the shelf, by SKU."""

    sales: dict[str, SoldSale] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    returns: dict[str, tuple[str, int]] = field(default_factory=dict)
    receipts: set[str] = field(default_factory=set)
    facts: int = 0
    levels: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    violations: int = 0

    def find(self, what: str) -> None:
        """Write a finding down; the first 50 are kept in full."""
        self.violations += 1
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(what)

    def sold(self, sale: SoldSale) -> None:
        """The first answer to a sale."""
        sale_id = sale.done.sale_id
        known = self.sales.get(sale_id)
        if known is not None:
            self.find(f"sale {sale_id} was answered twice: {known.done} and {sale.done}")
            return
        self.sales[sale_id] = sale
        self.order.append(sale_id)
        for sku, qty in sale.lines:
            self.levels[sku] -= qty
        if len(self.order) > REPEATABLE:
            self.sales[self.order[-REPEATABLE - 1]].command = None

    def told_again(self, sale_id: str, done: SaleDone) -> None:
        """Another answer to the same request."""
        first = self.sales[sale_id].done
        if done != first:
            self.find(f"the repeat of sale {sale_id} was answered {done}, the first time {first}")

    def voided(self, sale_id: str) -> None:
        sale = self.sales[sale_id]
        sale.void = "done"
        for sku, qty in sale.lines:
            self.levels[sku] += qty

    def returned(self, return_id: str, sale_id: str, sku: str, qty: int, total_minor: int) -> None:
        if return_id in self.returns:
            self.find(f"return {return_id} was answered twice")
            return
        self.returns[return_id] = (sale_id, total_minor)
        self.levels[sku] += qty

    def received(self, receipt_id: str, lines: tuple[tuple[str, int], ...]) -> None:
        self.receipts.add(receipt_id)
        for sku, qty in lines:
            self.levels[sku] += qty

    def next_fact(self) -> int:
        """The number of the next fact; facts are numbered over all tills."""
        self.facts += 1
        return self.facts
