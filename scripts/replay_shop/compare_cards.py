"""The judge of card payments: the hub's book = what the cloud's processor did = the sales' tenders.

It imports nothing of the hub; it reads the two databases as anybody could.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from scripts.replay_shop.compare_sources import open_database

_GONE: Final = ("voided", "reversed", "refunded")
_NEVER: Final = ("refused", "abandoned")
_THERE: Final = ("captured", "settled")
_ENDED: Final = (*_GONE, *_NEVER, *_THERE, "recovery", "recovered", "written_off")


@dataclass(frozen=True, slots=True)
class CardReport:
    """Sums in minor units.  ``captured + open + voided + receivable + recovered + written_off``
    make ``taken``: every payment that a terminal approved."""

    payments: int
    taken_minor: int
    tendered_minor: int
    captured_minor: int
    open_minor: int
    voided_minor: int
    receivable_minor: int
    recovered_minor: int
    written_off_minor: int
    states: dict[str, int]
    faults: tuple[str, ...]

    @property
    def exact(self) -> bool:
        """Whether nothing differs and nothing is open."""
        return not self.faults

    def to_json(self) -> dict[str, object]:
        """As JSON values."""
        return asdict(self) | {"exact": self.exact}


def open_payments(hub_db: Path) -> int:
    """How many payments still need something that the hub does by itself."""
    with open_database(hub_db) as con:
        marks = ", ".join("?" * len(_ENDED))
        row = con.execute(
            f"SELECT count(*) FROM payments WHERE state NOT IN ({marks})", _ENDED
        ).fetchone()
    return int(row[0])


def compare_cards(store: str, hub_db: Path, oms_db: Path) -> CardReport:
    """Look at both.  The hub has to be stopped."""
    with open_database(hub_db) as hub, open_database(oms_db) as oms:
        rows = hub.execute(
            "SELECT payment_id, state, custody, amount_minor, in_sale, void_asked FROM payments"
        ).fetchall()
        faults = [*_of_tenders(hub), *_of_secrets(hub), *_of_numbers(hub)]
        faults += _of_effects(rows, _effects(oms, store))
    by_state: Counter[str] = Counter()
    count: Counter[str] = Counter()
    tendered = 0
    for _, state, _, amount, in_sale, _ in rows:
        by_state[state] += amount
        count[state] += 1
        tendered += amount if in_sale else 0
        if in_sale and state in (*_GONE, *_NEVER):
            faults.append(f"a sale was paid with a payment that is {state}")
    taken = sum(minor for state, minor in by_state.items() if state not in _NEVER)
    sums = {
        "captured": sum(by_state[state] for state in _THERE),
        "voided": sum(by_state[state] for state in _GONE),
        "receivable": by_state["recovery"],
        "recovered": by_state["recovered"],
        "written_off": by_state["written_off"],
        "open": sum(minor for state, minor in by_state.items() if state not in _ENDED),
    }
    if sum(sums.values()) != taken:
        faults.append(f"the sums {sums} don't make the {taken} that were taken")
    if sums["open"]:
        faults.append(f"{sums['open']} minor units are open after everything was drained")
    if sums["captured"] + sums["receivable"] != tendered:
        faults.append(f"{tendered} were tendered; captured and receivable are {sums}")
    return CardReport(
        payments=len(rows),
        taken_minor=taken,
        tendered_minor=tendered,
        captured_minor=sums["captured"],
        open_minor=sums["open"],
        voided_minor=sums["voided"],
        receivable_minor=sums["receivable"],
        recovered_minor=sums["recovered"],
        written_off_minor=sums["written_off"],
        states=dict(sorted(count.items())),
        faults=tuple(faults),
    )


def _of_tenders(hub: sqlite3.Connection) -> list[str]:
    """Each payment in a sale is one of its tenders, of the same amount, and the other way."""
    found = hub.execute(
        "SELECT p.payment_id, p.amount_minor - p.tip_minor - p.surcharge_minor, t.amount_minor,"
        " p.in_sale, s.sale_id = p.sale_id"
        " FROM payments p LEFT JOIN tenders t ON t.payment_id = p.payment_id"
        " LEFT JOIN sales s ON s.id = t.sale"
    )
    return [
        f"payment {name}: {amount} in the book (in a sale: {in_sale}), tendered {tendered}"
        for name, amount, tendered, in_sale, same in found
        if (tendered is not None) != bool(in_sale)
        or (tendered is not None and (tendered != amount or not same))
    ]


def _of_secrets(hub: sqlite3.Connection) -> list[str]:
    left = hub.execute("SELECT count(*) FROM payment_secrets").fetchone()[0]
    return [f"{left} tokens are kept although nothing is open"] if left else []


def _of_numbers(hub: sqlite3.Connection) -> list[str]:
    found = hub.execute(
        "SELECT terminal_id, count(*), max(offline_seq) FROM payments"
        " WHERE offline_seq IS NOT NULL GROUP BY terminal_id"
    )
    return [
        f"{terminal}: {count} payments with numbers up to {last}"
        for terminal, count, last in found
        if count != last
    ]


def _effects(oms: sqlite3.Connection, store: str) -> dict[str, Counter[str]]:
    """What really moved at the processor: payment → kind → how often, and the sum of each."""
    found: dict[str, Counter[str]] = {}
    for name, kind, amount in oms.execute(
        "SELECT payment_id, kind, amount_minor FROM payment_effects WHERE store = ?", (store,)
    ):
        one = found.setdefault(name, Counter())
        one[kind] += 1
        one[f"{kind}_minor"] += amount
    return found


def _of_effects(
    rows: list[tuple[str, str, str, int, int, int]], effects: dict[str, Counter[str]]
) -> list[str]:
    faults = [
        f"the processor charged {name}, which the hub never began"
        for name in effects.keys() - {row[0] for row in rows}
    ]
    for name, state, custody, amount, _, _ in rows:
        did = effects.get(name, Counter())
        if did["charge"] > 1 or did["capture"] > 1:
            faults.append(f"payment {name} was charged {did['charge']} times ({dict(did)})")
        kept = did["capture_minor"] - did["refund_minor"]
        due = amount if state in _THERE and custody == "hub" else 0
        if kept != due:
            faults.append(f"payment {name} is {state}: the processor keeps {kept}, not {due}")
    return faults
