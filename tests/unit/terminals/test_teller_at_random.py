"""Payments, deaths, absences, changes of mind: in the end the book says what the terminals did."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from hub.crashpoints import CARD_CRASH_POINTS
from hub.storage.errors import NotStored, QueueFull
from tests.support.telling import (
    APPROVES,
    CUSTOMER,
    DECLINES,
    FAILS,
    LOST_BEFORE,
    NOT_DONE,
    OFFLINE,
    SILENT,
    Act,
    CardShop,
)

ACTS = (APPROVES, SILENT, LOST_BEFORE, DECLINES, NOT_DONE, OFFLINE, FAILS, CUSTOMER)
SLOW = Act(before_s=2.0, after_s=3.0)
TAKEN = frozenset({"authorised", "captured", "settled", "stored"})
NOTHING = frozenset({"refused", "abandoned", "reversed", "voided", "refunded"})


def play(bench: CardShop, random: Random) -> list[Any]:
    """A while at the counter."""
    payments: list[Any] = []
    for _ in range(25):
        match random.randrange(8):
            case 0 | 1 | 2:
                bench.terminals.acts.append(random.choice([*ACTS, SLOW]))
                device = random.choice(["till-1", "till-2"])
                amount_minor = random.randrange(100, 3000)
                payments.append((bench.pay(amount_minor, device=device), device))
            case 3 if payments:
                bench.shop.give_up(*random.choice(payments))
            case 4:
                bench.crash_at = (random.choice(CARD_CRASH_POINTS), random.randrange(3))
            case 5:
                bench.terminals.down ^= {random.choice(["terminal-1", "terminal-2"])}
            case 6:
                bench.gate.refuses.extend(
                    random.choice([QueueFull("full"), NotStored("no")]) for _ in "12"
                )
            case _:
                bench.die()
        bench.run(random.choice([0.05, 0.5, 3.0, 20.0]))
    return payments


@pytest.mark.parametrize("seed", range(8))
def test_the_book_says_in_the_end_what_the_terminals_did(seed: int) -> None:
    random = Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        bench = CardShop(Path(folder), seed=seed)
        payments = play(bench, random)
        bench.crash_at = ("", 0)
        bench.terminals.down.clear()
        bench.terminals.acts.clear()
        bench.teller.wake()
        bench.run(2 * 3600)
        ends: Counter[str] = Counter()
        for payment, _device in payments:
            payment_id, state = payment["payment_id"], bench.state(payment)
            ends[state] += 1
            assert bench.terminals.sales[payment_id] <= 1, "it was asked for twice"
            taken_minor = bench.terminals.taken.get(payment_id, 0)
            if state in TAKEN:
                assert taken_minor == payment["amount_minor"], (state, payment_id)
            elif state in NOTHING:
                assert taken_minor == 0, (state, payment_id)
            else:
                assert state == "manual", (state, payment_id)
        assert bench.terminals.most_at_work <= 1
        bench.shop.check_laws()
        bench.close()
