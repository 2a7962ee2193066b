"""How a replay ended, for people (a table) and for scripts (one JSON object)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scripts.replay_shop.compare import Comparison
from scripts.replay_shop.compare_cards import CardReport

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True, slots=True)
class Kills:
    """What was killed with SIGKILL, and how often a link was cut."""

    hub: int = 0
    broker: int = 0
    oms: int = 0
    link_cuts: int = 0

    @property
    def total(self) -> int:
        """Processes killed."""
        return self.hub + self.broker + self.oms


@dataclass(frozen=True, slots=True)
class Outcome:
    """One replay.  ``seconds`` is the time from the first sale's request to the last one's answer,
    ``drain_seconds`` what the cloud needed after that; ``refused`` counts baskets the hub said a
    final no to, and ``repeats`` the requests sent more than once."""

    store: int
    days: int | None
    tills: int
    seed: str
    seconds: float
    comparison: Comparison
    drain_seconds: float = 0.0
    refused: int = 0
    repeats: int = 0
    chaos: bool = False
    kills: Kills = field(default_factory=Kills)
    cards: CardReport | None = None

    @property
    def baskets(self) -> int:
        """Baskets that the hub sold."""
        return self.comparison.figure("baskets").hub_sales or 0

    @property
    def lines(self) -> int:
        """Lines that the hub sold."""
        return self.comparison.figure("lines").hub_sales or 0

    @property
    def sales_per_s(self) -> float:
        """Sales per second over the whole replay, pauses by chaos included."""
        return self.baskets / self.seconds if self.seconds > 0 else 0.0

    @property
    def exit_code(self) -> int:
        """0 only if everything was sold and every witness agrees."""
        wrong = self.refused or (self.cards is not None and not self.cards.exact)
        return 1 if wrong else self.comparison.exit_code

    def to_json(self) -> dict[str, object]:
        """One object; ``kills`` is the number of processes killed."""
        return {
            "store": self.store,
            "days": self.days,
            "tills": self.tills,
            "seed": self.seed,
            "chaos": self.chaos,
            "baskets": self.baskets,
            "lines": self.lines,
            "refused": self.refused,
            "repeats": self.repeats,
            "mismatches": self.comparison.mismatches,
            "kills": self.kills.total,
            "kills_by": {
                "hub": self.kills.hub,
                "broker": self.kills.broker,
                "oms": self.kills.oms,
            },
            "link_cuts": self.kills.link_cuts,
            "seconds": round(self.seconds, 3),
            "drain_seconds": round(self.drain_seconds, 3),
            "sales_per_s": round(self.sales_per_s, 3),
            "exact": self.exit_code == 0,
            "cards": self.cards.to_json() if self.cards else None,
            "comparison": self.comparison.to_json(),
        }


def print_json(outcome: Outcome) -> None:
    """One line on standard output."""
    print(json.dumps(outcome.to_json()))


def print_report(outcome: Outcome, console: Console) -> None:
    """The table of witnesses, what was done to the shop, the differences, and the verdict."""
    console.print(outcome.comparison.table())
    console.print(
        f"{outcome.baskets:,} baskets with {outcome.lines:,} lines on {outcome.tills} tills in"
        f" {outcome.seconds:.1f} s: {outcome.sales_per_s:.1f} sales/s;"
        f" the cloud had everything {outcome.drain_seconds:.1f} s later."
    )
    if outcome.chaos:
        kills = outcome.kills
        console.print(
            f"Killed meanwhile: the hub {kills.hub}, the broker {kills.broker}, the cloud"
            f" {kills.oms} times; {kills.link_cuts} links cut; {outcome.repeats} requests repeated."
        )
    if outcome.cards is not None:
        _print_cards(outcome.cards, console)
    for mismatch in outcome.comparison.shown:
        console.print(str(mismatch), style="red", markup=False, highlight=False)
    hidden = outcome.comparison.mismatches - len(outcome.comparison.shown)
    if hidden > 0:
        console.print(f"... and {hidden:,} more differences", style="red")
    if outcome.refused:
        console.print(f"{outcome.refused} baskets were refused", style="bold red")
    if outcome.exit_code == 0:
        console.print("Exact: to the cent and the unit.", style="bold green")
    else:
        console.print(
            f"NOT exact: {outcome.comparison.mismatches:,} differences.", style="bold red"
        )


def _print_cards(cards: CardReport, console: Console) -> None:
    """What became of the card payments."""
    states = ", ".join(f"{count} {state}" for state, count in cards.states.items())
    console.print(f"{cards.payments:,} card payments: {states}.")
    sums = (
        ("captured", cards.captured_minor),
        ("open", cards.open_minor),
        ("voided", cards.voided_minor),
        ("receivable", cards.receivable_minor),
        ("recovered", cards.recovered_minor),
        ("written off", cards.written_off_minor),
    )
    parts = " + ".join(f"{minor / 100:,.2f} {name}" for name, minor in sums)
    console.print(f"{parts} = {cards.taken_minor / 100:,.2f} taken.")
    for fault in cards.faults[:50]:
        console.print(fault, style="red", markup=False, highlight=False)
