"""What becomes of print jobs, and what people say about them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.service.handlers.printing import (
    DAY_MS,
    BeginPrint,
    EndPrint,
    ExpirePrinting,
    FailPrint,
)
from hub.service.receipts import RECEIPT_TTL_MS
from hub.storage import printrows
from tests.support.receiptshop import (
    OFFICE,
    by_page,
    doubt,
    facts,
    furnish,
    job_of,
    sell,
    state,
)
from tests.support.shop import CASHIER, Shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path, print_receipts=True)
    furnish(made)
    yield made
    made.check_laws()
    made.close()


# Begun and ended ---------------------------------------------------------------------------------


def test_a_late_end_of_an_older_attempt_changes_nothing(shop: Shop) -> None:
    job = job_of(shop, sell(shop))
    first = shop.internal(BeginPrint(job, "counter"))
    assert shop.internal(EndPrint(job, first.attempt, "not-begun", "switched off"))
    second = shop.internal(BeginPrint(job, "counter"))
    assert second.attempt == first.attempt + 1
    with shop.unchanged():
        assert not shop.internal(EndPrint(job, first.attempt, "printed"))
    assert shop.internal(EndPrint(job, second.attempt, "printed", confirmed=True))
    with shop.unchanged():
        assert not shop.internal(EndPrint(job, second.attempt, "unknown", "late"))
        assert shop.internal(BeginPrint(job, "counter")) is None
        assert not shop.internal(FailPrint(job, "late"))


def test_a_job_that_isn_t_due_isn_t_begun(shop: Shop) -> None:
    job = job_of(shop, sell(shop))
    begun = shop.internal(BeginPrint(job, "counter"))
    shop.internal(EndPrint(job, begun.attempt, "not-begun", "switched off", pause_ms=2_000))
    assert shop.internal(BeginPrint(job, "counter")) is None
    shop.clock.advance(2)
    assert shop.internal(BeginPrint(job, "counter")) is not None


def test_a_job_that_is_too_old_expires_instead_of_being_begun(shop: Shop) -> None:
    job = job_of(shop, sell(shop))
    shop.clock.advance(RECEIPT_TTL_MS / 1000)
    assert shop.internal(BeginPrint(job, "counter")) is None
    assert state(shop, job) == "expired"
    assert shop.internal(ExpirePrinting()) == 0


def test_a_printer_begins_one_job_and_doubts_what_was_never_ended(shop: Shop) -> None:
    one, other = job_of(shop, sell(shop)), job_of(shop, sell(shop))
    shop.internal(BeginPrint(one, "counter"))
    shop.internal(BeginPrint(other, "counter"))
    assert (state(shop, one), state(shop, other)) == ("ambiguous", "printing")


def test_housekeeping_expires_what_waits_and_forgets_what_ended_a_week_ago(shop: Shop) -> None:
    waits, doubtful, printed = (job_of(shop, sell(shop)) for _ in range(3))
    begun = shop.internal(BeginPrint(printed, "counter"))
    shop.internal(EndPrint(printed, begun.attempt, "printed"))
    doubt(shop, doubtful)
    shop.clock.advance(RECEIPT_TTL_MS / 1000)
    shop.housekeep()
    assert (state(shop, waits), state(shop, doubtful)) == ("expired", "ambiguous")
    shop.clock.advance(8 * DAY_MS / 1000)
    shop.housekeep()
    gone = by_page(shop, "print/get", {"job_id": printed})["problem"]
    assert gone["code"] == "not-found"
    assert state(shop, doubtful) == "expired"


def test_a_person_has_a_week_to_answer_whatever_the_wall_clock_does(shop: Shop) -> None:
    doubtful = job_of(shop, sell(shop))
    doubt(shop, doubtful)
    shop.clock.jump_wall(30 * DAY_MS / 1000)
    shop.housekeep()
    assert state(shop, doubtful) == "ambiguous"
    shop.clock.advance(6 * DAY_MS / 1000)
    shop.housekeep()
    assert state(shop, doubtful) == "ambiguous"
    shop.clock.advance(2 * DAY_MS / 1000)
    shop.housekeep()
    assert state(shop, doubtful) == "expired"


def test_what_waited_in_an_old_copy_is_asked_about_for_a_week_as_well(shop: Shop) -> None:
    waits, doubtful = (job_of(shop, sell(shop)) for _ in range(2))
    doubt(shop, doubtful)
    shop.clock.advance(30 * DAY_MS / 1000)
    shop.run("UPDATE hub SET budget_ms = ?", shop.gate.budget.budget_ms())
    shop.tx(printrows.doubt_copied)
    shop.housekeep()
    assert (state(shop, waits), state(shop, doubtful)) == ("ambiguous", "ambiguous")
    shop.clock.advance(8 * DAY_MS / 1000)
    shop.housekeep()
    assert (state(shop, waits), state(shop, doubtful)) == ("expired", "expired")


def test_a_copied_database_prints_nothing_by_itself(shop: Shop) -> None:
    job = job_of(shop, sell(shop))
    shop.tx(printrows.doubt_copied)
    assert state(shop, job) == "ambiguous"
    assert shop.internal(BeginPrint(job, "counter")) is None


# What people say ---------------------------------------------------------------------------------


def test_a_person_says_that_it_was_printed(shop: Shop) -> None:
    job = job_of(shop, sell(shop))
    doubt(shop, job)
    settled = shop.ok("till-1", "print/settle", {"job_id": job, "answer": "printed"})
    assert (settled["job"]["state"], settled["job"]["answer"]) == ("printed", "printed")
    assert shop.audited("print.settled")[0]["answer"] == "printed"


def test_a_person_has_it_printed_again_and_that_says_copy(shop: Shop) -> None:
    sale_id = sell(shop)
    job = job_of(shop, sale_id)
    doubt(shop, job)
    settled = shop.ok("till-1", "print/settle", {"job_id": job, "answer": "again"})
    again = settled["again"]
    assert (settled["job"]["state"], again["state"]) == ("cancelled", "queued")
    assert (again["of_job"], again["copy_no"]) == (job, 1)
    assert facts(shop, again["job_id"]).is_copy
    assert shop.no("till-1", "print/settle", {"job_id": job, "answer": "again"})["code"] == (
        "conflict"
    )
    more = shop.ok("till-1", "print/reprint", {"sale_id": sale_id})
    assert more["copy_no"] == 2


def test_an_answer_under_the_same_key_counts_once(shop: Shop) -> None:
    job = job_of(shop, sell(shop))
    doubt(shop, job)
    body, key = {"job_id": job, "answer": "again"}, shop.id()
    first = shop.ask("till-1", "print/settle", body, key=key)
    assert shop.ask("till-1", "print/settle", body, key=key).text == first.text
    assert shop.value("SELECT count(*) FROM print_jobs") == 2


def test_what_is_forgotten_stays_off_the_list(shop: Shop) -> None:
    job = job_of(shop, sell(shop))
    doubt(shop, job)
    listed = shop.ok("till-1", "print/list", {"state": "ambiguous"})
    assert ([one["job_id"] for one in listed["jobs"]], listed["ambiguous"]) == ([job], 1)
    shop.ok("till-1", "print/settle", {"job_id": job, "answer": "forget"})
    assert shop.ok("till-1", "print/list", {"state": "ambiguous"})["jobs"] == []
    assert shop.ok("till-1", "print/list", {"state": "all"})["jobs"][0]["state"] == "cancelled"


def test_only_what_waits_can_be_cancelled(shop: Shop) -> None:
    job = job_of(shop, sell(shop))
    shop.internal(BeginPrint(job, "counter"))
    assert shop.no("till-1", "print/cancel", {"job_id": job})["code"] == "conflict"
    other = job_of(shop, sell(shop))
    assert shop.ok("till-1", "print/cancel", {"job_id": other})["state"] == "cancelled"
    assert shop.no("till-1", "print/reprint", {"job_id": job})["code"] == "conflict"
    assert shop.ok("till-1", "print/reprint", {"job_id": other})["copy_no"] == 1


def test_whose_till_it_isn_t_needs_to_manage_the_hub(shop: Shop) -> None:
    sale_id = sell(shop)
    job = job_of(shop, sale_id)
    doubt(shop, job)
    shop.sign_in("till-3", "ben")
    for address, body in (
        ("print/settle", {"job_id": job, "answer": "again"}),
        ("print/reprint", {"sale_id": sale_id}),
        ("print/gift-receipt", {"sale_id": sale_id}),
    ):
        problem = shop.no("till-3", address, body)
        assert (problem["code"], problem["context"]) == ("forbidden", {"permission": "hub.manage"})
    copy = shop.ok("till-2", "print/reprint", {"sale_id": sale_id})
    assert copy["device_id"] == "till-2", "it is printed where it was asked for"
    shop.ok("till-2", "print/settle", {"job_id": job, "answer": "forget"})


def test_nobody_prints_again_who_isn_t_signed_in(shop: Shop) -> None:
    sale_id = sell(shop)
    shop.ok("till-1", "staff/sign-out")
    assert shop.no("till-1", "print/reprint", {"sale_id": sale_id})["code"] == "unauthenticated"


def test_the_page_prints_where_the_till_prints_and_tries_a_printer(shop: Shop) -> None:
    sale_id = sell(shop)
    copy = by_page(shop, "print/reprint", {"sale_id": sale_id})["result"]
    assert (copy["device_id"], copy["copy_no"]) == ("till-1", 1)
    shop.peripheral("printer-counter")
    tested = by_page(shop, "print/test", {"printer_id": "printer-counter"})["result"]
    assert (tested["kind"], tested["printer_id"]) == ("test-page", "printer-counter")
    assert shop.no("till-1", "print/test", {"printer_id": "printer-counter"})["code"] == (
        "not-found"
    )
    assert shop.audited("print.reprinted")[0]["copy"] == 1


def test_a_document_is_read_where_it_belongs_and_by_whoever_looks_after_the_shop(
    shop: Shop,
) -> None:
    sale_id = sell(shop)
    job = {"job_id": job_of(shop, sale_id)}
    assert shop.ok("till-1", "print/get", job)["document"]
    shop.sign_in("till-3", "ben")
    for stranger in ("till-3", "kiosk-1"):
        problem = shop.no(stranger, "print/get", job)
        assert problem["code"] == "forbidden"
        assert "hub.view" in problem["detail"]
    assert shop.ok("till-2", "print/get", job)["document"]  # mia may manage the hub
    assert by_page(shop, "print/get", job)["ok"]
    shop.ok("till-2", "staff/sign-out")
    assert shop.no("till-2", "print/get", job)["code"] == "forbidden"


def test_what_a_till_sold_it_reads_wherever_it_was_printed_again(shop: Shop) -> None:
    sale_id = sell(shop)
    copy = {"job_id": shop.ok("till-2", "print/reprint", {"sale_id": sale_id})["job_id"]}
    assert shop.ok("till-1", "print/get", copy)["document"]
    shop.sign_in("till-3", "ben")
    assert shop.no("till-3", "print/get", copy)["code"] == "forbidden"


def test_whoever_may_only_look_at_the_hub_reads_documents(shop: Shop) -> None:
    job = {"job_id": job_of(shop, sell(shop))}
    shop.staff({"cashier": CASHIER | {"hub.view": None}, "manager": OFFICE})
    shop.sign_in("till-3", "ben")
    assert shop.ok("till-3", "print/get", job)["document"]


def test_a_copy_made_later_says_what_the_original_said(shop: Shop) -> None:
    sale_id = sell(shop, tenders=[shop.card(499)])
    original = facts(shop, job_of(shop, sale_id))
    shop.taxes(standard=210_000, reduced=70_000, zero=0)
    shop.product("tea", 599)
    shop.clock.advance(40 * DAY_MS / 1000)
    shop.housekeep()
    shop.sign_in("till-1")
    copy = shop.ok("till-1", "print/reprint", {"sale_id": sale_id})
    assert facts(shop, copy["job_id"]).model_copy(update={"is_copy": False}) == original
