"""What the tills were told: contradictions are findings, levels follow from the answers."""

from __future__ import annotations

from hub.contract.sale import CommitSale, SaleDone, SaleLine, Tender
from scripts.killing import books as books_module
from scripts.killing.__main__ import must_fire
from scripts.killing.books import Books, SoldSale


def sale_id_of(number: int) -> str:
    return f"01890000-0000-7000-8000-{number:012d}"


SALE = sale_id_of(1)


def sold(sale_id: str = SALE, receipt_no: str = "R1") -> SoldSale:
    done = SaleDone(
        sale_id=sale_id,
        receipt_no=receipt_no,
        business_day="2026-01-02",
        total_minor=100,
        tax_minor=0,
        rounding_minor=0,
        change_minor=0,
        currency="EUR",
        at_ms=1,
    )
    command = CommitSale(
        sale_id=sale_id,
        lines=(SaleLine(code="A", qty=1, unit_price_minor=100),),
        total_minor=100,
        tenders=(Tender(kind="cash", amount_minor=100),),
    )
    return SoldSale(0, "key", command, done, (("A", 1),))


def test_the_same_answer_again_is_no_finding() -> None:
    books = Books()
    books.sold(sold())
    books.told_again(SALE, sold().done)
    assert not books.violations


def test_another_receipt_number_for_the_same_sale_is_a_finding() -> None:
    books = Books()
    books.sold(sold())
    books.told_again(SALE, sold(receipt_no="R2").done)
    books.sold(sold(receipt_no="R3"))
    assert books.violations == 2
    assert "R2" in books.findings[0]
    assert "R3" in books.findings[1]


def test_the_shelf_follows_from_what_was_answered() -> None:
    books = Books()
    books.received("d", (("A", 10),))
    books.sold(sold())
    books.sold(sold(sale_id_of(2)))
    books.voided(SALE)
    books.returned("r", sale_id_of(2), "A", 1, 100)
    assert books.levels == {"A": 10}


def test_only_the_latest_sales_are_kept_word_by_word() -> None:
    books = Books()
    for number in range(books_module.REPEATABLE + 2):
        books.sold(sold(sale_id_of(number)))
    kept = [sale_id for sale_id in books.order if books.sales[sale_id].command is not None]
    assert kept == books.order[2:]


def test_findings_are_counted_beyond_those_that_are_kept() -> None:
    books = Books()
    for _ in range(books_module.MAX_FINDINGS + 5):
        books.find("x")
    assert (books.violations, len(books.findings)) == (55, 50)


def test_a_long_trial_must_have_met_every_moment() -> None:
    names = must_fire(("hub", "broker", "oms"), {"hub": 100, "broker": 100, "oms": 100})
    assert {"hub-in-commit", "leftover-broker", "two-at-once", "stored-but-unanswered"} <= {*names}
    assert "leftover-broker" not in must_fire(("broker",), {"hub": 0, "broker": 9, "oms": 0})
