"""The judge of a replay's card payments sees what is wrong."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from scripts.replay_shop.cards import Says, pays_by_card, says
from scripts.replay_shop.compare_cards import compare_cards, open_payments
from scripts.replay_shop.mapping import MappedBasket

HUB = """
CREATE TABLE payments (payment_id, sale_id, state, custody, amount_minor, in_sale, void_asked,
    terminal_id, offline_seq, tip_minor DEFAULT 0, surcharge_minor DEFAULT 0);
CREATE TABLE payment_secrets (payment);
CREATE TABLE sales (id, sale_id);
CREATE TABLE tenders (sale, payment_id, amount_minor);
INSERT INTO payments (payment_id, sale_id, state, custody, amount_minor, in_sale, void_asked,
    terminal_id, offline_seq) VALUES
    ('a', 's1', 'captured', 'hub', 100, 1, 0, 't', 1),
    ('b', 's2', 'captured', 'terminal', 200, 1, 0, 't', NULL),
    ('c', 's3', 'recovery', 'hub', 50, 1, 0, 't', 2),
    ('d', 's4', 'voided', 'hub', 70, 0, 1, 't', 3),
    ('e', 's5', 'refused', 'terminal', 30, 0, 0, 't', NULL);
INSERT INTO sales VALUES (1, 's1'), (2, 's2'), (3, 's3'), (4, 's4');
INSERT INTO tenders VALUES (1, 'a', 100), (2, 'b', 200), (3, 'c', 50), (4, NULL, 70);
"""
OMS = """
CREATE TABLE payment_effects (n INTEGER PRIMARY KEY, store, payment_id, kind, amount_minor);
INSERT INTO payment_effects (store, payment_id, kind, amount_minor) VALUES
    ('1', 'a', 'charge', 100), ('1', 'a', 'capture', 100);
"""

MOVED = "INSERT INTO payment_effects (store, payment_id, kind, amount_minor) VALUES"
SOLD_VOIDED = """
UPDATE payments SET in_sale = 1 WHERE payment_id = 'd';
UPDATE tenders SET payment_id = 'd' WHERE sale = 4;
"""


@pytest.fixture
def databases(tmp_path: Path) -> tuple[Path, Path]:
    for name, script in (("hub.db", HUB), ("oms.db", OMS)):
        con = sqlite3.connect(tmp_path / name)
        con.executescript(script)
        con.close()
    return tmp_path / "hub.db", tmp_path / "oms.db"


def judged(databases: tuple[Path, Path], hub: str = "", oms: str = "") -> tuple[str, ...]:
    """What is wrong after these changes."""
    for path, script in zip(databases, (hub, oms), strict=True):
        con = sqlite3.connect(path)
        con.executescript(script)
        con.close()
    return compare_cards("1", *databases).faults


def test_what_agrees_is_exact(databases: tuple[Path, Path]) -> None:
    report = compare_cards("1", *databases)
    assert report.exact, report.faults
    assert (report.taken_minor, report.tendered_minor) == (420, 350)
    assert (report.captured_minor, report.receivable_minor, report.voided_minor) == (300, 50, 70)
    assert open_payments(databases[0]) == 0
    assert report.to_json()["exact"] is True


@pytest.mark.parametrize(
    ("hub", "oms", "why"),
    [
        (
            "",
            MOVED + " ('1', 'a', 'charge', 100)",
            "charged 2 times",
        ),
        ("", "DELETE FROM payment_effects", "keeps 0, not 100"),
        (
            "",
            MOVED + " ('1', 'd', 'capture', 70)",
            "keeps 70, not 0",
        ),
        (
            "",
            MOVED + " ('1', 'x', 'charge', 5)",
            "never began",
        ),
        ("UPDATE payments SET state = 'stored' WHERE payment_id = 'a'", "", "are open"),
        ("UPDATE payments SET in_sale = 0 WHERE payment_id = 'b'", "", "tendered 200"),
        ("UPDATE tenders SET amount_minor = 99 WHERE payment_id = 'a'", "", "tendered 99"),
        ("UPDATE payments SET offline_seq = 5 WHERE payment_id = 'd'", "", "numbers up to 5"),
        ("INSERT INTO payment_secrets VALUES (1)", "", "1 tokens are kept"),
        (
            SOLD_VOIDED,
            "",
            "a payment that is voided",
        ),
    ],
)
def test_what_differs_is_found(databases: tuple[Path, Path], hub: str, oms: str, why: str) -> None:
    faults = judged(databases, hub, oms)
    assert any(why in fault for fault in faults), faults


def test_baskets_are_paid_in_every_way_and_always_the_same_one() -> None:
    baskets = [MappedBasket(n, (), 100, ()) for n in range(500)]
    by_card = [one for one in baskets if pays_by_card("1", one, 60)]
    assert 230 < len(by_card) < 370
    assert {says("1", one) for one in by_card} == set(Says)
    assert not any(pays_by_card("1", one, 0) for one in baskets)
    assert all(pays_by_card("1", one, 100) for one in baskets)
    assert not pays_by_card("1", MappedBasket(1, (), 0, ()), 100)
