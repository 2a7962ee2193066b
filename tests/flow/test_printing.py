"""What is queued to be printed, what becomes of it, and what people say about it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.contract.documents import GiftFacts, ReturnFacts, SaleFacts, VoidFacts, facts_of
from hub.service.caller import Caller, CallerKind
from hub.service.gate import Request
from hub.service.handlers.printing import (
    DAY_MS,
    BeginPrint,
    EndPrint,
    ExpirePrinting,
    FailPrint,
    RecoverPrinting,
)
from hub.service.receipts import RECEIPT_TTL_MS
from hub.storage import printrows
from tests.support.gatebench import now
from tests.support.shop import CASHIER, EXCLUSIVE, MANAGER, Shop, five_cents

OFFICE: dict[str, Any] = MANAGER | dict.fromkeys(("hub.manage", "drawer.no_sale"))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path, print_receipts=True)
    furnish(made)
    yield made
    made.check_laws()
    made.close()


def furnish(shop: Shop) -> None:
    shop.staff({"cashier": CASHIER, "manager": OFFICE})
    shop.product("tea", 499, stock=50)
    shop.product("apples", 299, stock=50_000, tax_code="reduced", uom="kg", scale=3)
    shop.sign_in("till-1")
    shop.sign_in("till-2", "mia")


def tea(qty: int = 1, **changed: Any) -> dict[str, Any]:
    return {"code": "tea", "qty": qty, "unit_price_minor": 499} | changed


def sell(shop: Shop, device: str = "till-1", **changed: Any) -> str:
    """A sale with a receipt; the sale's id."""
    body = shop.sale(tea(), total_minor=499, print_receipt=True) | changed
    assert shop.ok(device, "sale/commit", body)["receipt_printed"]
    sale_id: str = body["sale_id"]
    return sale_id


def job_of(shop: Shop, subject: str, kind: str = "sale") -> str:
    job_id: str = shop.value(
        "SELECT job_id FROM print_jobs WHERE subject = ? AND kind = ? ORDER BY id DESC",
        subject,
        kind,
    )
    return job_id


def facts(shop: Shop, job_id: str) -> Any:
    return facts_of(by_page(shop, "print/get", {"job_id": job_id})["result"]["document"])


def state(shop: Shop, job_id: str) -> str:
    return str(by_page(shop, "print/get", {"job_id": job_id})["result"]["state"])


def doubt(shop: Shop, job_id: str) -> None:
    """It was under way when the hub died."""
    assert shop.internal(BeginPrint(job_id, "counter")) is not None
    assert shop.internal(RecoverPrinting()) == 1
    assert state(shop, job_id) == "ambiguous"


def by_page(shop: Shop, address: str, body: dict[str, Any]) -> dict[str, Any]:
    """Asked by a manager at the hub's page."""
    service, operation = address.split("/")
    caller = Caller(CallerKind.WEB, "page", "mia")
    text: str = now(
        shop.gate.answer(Request(caller, service, operation, json.dumps(body).encode(), shop.id()))
    )
    found: dict[str, Any] = json.loads(text)
    return found


# What is queued ----------------------------------------------------------------------------------


def test_a_receipt_states_what_was_sold_and_how_it_was_paid(tmp_path: Path) -> None:
    shop = Shop(tmp_path, print_receipts=True, cash_rounding=five_cents())
    furnish(shop)
    apples = {"code": "apples", "qty": 455, "unit_price_minor": 299}
    discount = {"discount_minor": 50, "reason": "dented"}
    total = 2 * 499 - 50 + 136
    body = shop.sale(tea(2, **discount), apples, total_minor=total, print_receipt=True)
    body["tenders"] = [shop.card(500), {"kind": "cash", "amount_minor": 1000}]
    done = shop.ok("till-1", "sale/commit", body)
    found = facts(shop, job_of(shop, body["sale_id"]))
    assert isinstance(found, SaleFacts)
    assert (found.receipt_no, found.total_minor, found.tax_minor) == (
        done["receipt_no"],
        total,
        done["tax_minor"],
    )
    assert (found.change_minor, found.rounding_minor) == (
        done["change_minor"],
        done["rounding_minor"],
    )
    assert (found.till, found.staff, found.shop) == ("till-1", "Anna", "Corner Shop")
    assert (found.business_day, found.at_ms) == (done["business_day"], done["at_ms"])
    assert (found.savings_minor, found.is_copy) == (50, False)
    assert [(one.sku, one.qty, one.net_minor, one.uom) for one in found.lines] == [
        ("tea", 2, 948, ""),
        ("apples", 455, 136, "kg"),
    ]
    assert [(one.kind, one.last4) for one in found.tenders] == [("card", "4242"), ("cash", None)]
    assert [(one.code, one.rate_ppm, one.gross_minor) for one in found.taxes] == [
        ("standard", 190_000, 948),
        ("reduced", 70_000, 136),
    ]
    assert sum(one.tax_minor for one in found.taxes) == found.tax_minor
    assert all(one.net_minor + one.tax_minor == one.gross_minor for one in found.taxes)
    shop.close()


def test_where_prices_exclude_tax_the_table_adds_it(tmp_path: Path) -> None:
    shop = Shop(tmp_path, print_receipts=True, tax=EXCLUSIVE)
    furnish(shop)
    sale_id = sell(shop, total_minor=594, tenders=[{"kind": "cash", "amount_minor": 594}])
    found = facts(shop, job_of(shop, sale_id))
    assert found.prices_include_tax is False
    assert [(one.net_minor, one.tax_minor, one.gross_minor) for one in found.taxes] == [
        (499, 95, 594)
    ]
    shop.close()


def test_a_lower_price_counts_as_saved(shop: Shop) -> None:
    line = tea(2, override_price_minor=450, reason="last ones")
    sale_id = sell(
        shop,
        lines=[line],
        total_minor=900,
        tenders=[{"kind": "cash", "amount_minor": 900}],
    )
    assert facts(shop, job_of(shop, sale_id)).savings_minor == 98


def test_no_card_s_number_or_token_is_printed(shop: Shop) -> None:
    card = shop.card(499) | {"token": "tok_8a7b6c5d"}
    sale_id = sell(shop, tenders=[card])
    document = shop.value("SELECT document FROM print_jobs WHERE subject = ?", sale_id)
    assert "4242" in document
    assert "tok_8a7b6c5d" not in document
    assert card["payment_id"] not in document


def test_the_receipt_of_a_return_states_what_was_given_back(shop: Shop) -> None:
    sale_id = sell(shop, tenders=[shop.card(499)])
    back = {"line_no": 1, "qty": 1, "disposition": "quarantine", "reason": "dented"}
    return_id = shop.id()
    body = {"return_id": return_id, "sale_id": sale_id, "lines": [back], "print_receipt": True}
    done = shop.ok("till-1", "return/commit", body)
    assert done["receipt_printed"]
    found = facts(shop, job_of(shop, return_id, "return"))
    assert isinstance(found, ReturnFacts)
    assert (found.total_minor, found.tax_minor) == (499, done["tax_minor"])
    assert [(one.kind, one.amount_minor, one.last4) for one in found.refunds] == [
        ("card", 499, "4242")
    ]
    assert [(one.gross_minor, one.tax_minor) for one in found.taxes] == [(499, done["tax_minor"])]
    assert found.sale_receipt_no
    again = shop.ok("till-1", "print/reprint", {"return_id": return_id})
    copy = facts(shop, again["job_id"])
    assert copy.is_copy
    assert copy.model_copy(update={"is_copy": False}) == found


def test_a_void_prints_a_slip_and_its_copies_say_void(shop: Shop) -> None:
    sale_id = sell(shop, "till-2")
    body = {"sale_id": sale_id, "reason": "mistake", "print_receipt": True}
    assert shop.ok("till-2", "sale/void", body)["receipt_printed"]
    found = facts(shop, job_of(shop, sale_id, "void"))
    assert isinstance(found, VoidFacts)
    assert (found.reason, found.total_minor, found.staff) == ("mistake", 499, "Mia")
    assert [one.amount_minor for one in found.refunds] == [499]
    copy = shop.ok("till-2", "print/reprint", {"sale_id": sale_id})
    assert (copy["kind"], copy["copy_no"]) == ("void", 1)


def test_a_gift_receipt_has_no_price(shop: Shop) -> None:
    sale_id = sell(shop)
    job = shop.ok("till-1", "print/gift-receipt", {"sale_id": sale_id, "line_nos": [1]})
    found = facts(shop, job["job_id"])
    assert isinstance(found, GiftFacts)
    assert [one.sku for one in found.lines] == ["tea"]
    document = shop.value("SELECT document FROM print_jobs WHERE job_id = ?", job["job_id"])
    assert "minor" not in document
    problem = shop.no("till-1", "print/gift-receipt", {"sale_id": sale_id, "line_nos": [7]})
    assert problem["code"] == "not-found"


def test_a_sale_goes_on_when_the_queue_is_full(tmp_path: Path) -> None:
    shop = Shop(tmp_path, print_receipts=True, print_jobs_max=2)
    furnish(shop)
    first = sell(shop)
    sell(shop)
    body = shop.sale(tea(), total_minor=499, print_receipt=True)
    assert shop.ok("till-1", "sale/commit", body)["receipt_printed"] is False
    problem = shop.no("till-1", "print/reprint", {"sale_id": first})
    assert (problem["code"], problem["retryable"]) == ("conflict", False)
    shop.check_laws()
    shop.close()


def test_a_repeated_sale_is_queued_once(shop: Shop) -> None:
    body = shop.sale(tea(), total_minor=499, print_receipt=True)
    key = shop.id()
    first = shop.ask("till-1", "sale/commit", body, key=key)
    assert shop.ask("till-1", "sale/commit", body, key=key).text == first.text
    shop.ok("till-1", "sale/commit", body)
    assert shop.value("SELECT count(*) FROM print_jobs") == 1


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
