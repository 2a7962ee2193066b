"""The processor's reports: what they prove, what doesn't fit, and who looks into it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hub.app.comparing import DailyComparison
from hub.service.caller import Caller, CallerKind
from hub.service.gate import Request
from hub.storage import secretrows, settlementrows
from tests.support.gatebench import now
from tests.support.paying import PayingShop

DAY_MS = 86_400_000


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[PayingShop]:
    made = PayingShop(tmp_path)
    yield made
    made.check_laws()
    made.close()


def admin(shop: PayingShop, address: str, body: dict[str, Any]) -> dict[str, Any]:
    """What a shell on the box is answered."""
    service, operation = address.split("/")
    caller = Caller(CallerKind.CLI, "root")
    raw = json.dumps(body).encode()
    request = Request(caller, service, operation, raw, shop.id())
    reply = json.loads(now(shop.gate.answer(request)))
    assert reply["ok"], reply
    return dict(reply["result"])


def line(payment: Any = None, kind: str = "payment", **changed: Any) -> dict[str, Any]:
    """A line of a report."""
    body = {"kind": kind, "amount_minor": 499, "currency": "EUR", "at_ms": 1_763_812_800_000}
    if payment is not None:
        body |= {"payment_id": payment["payment_id"], "amount_minor": payment["amount_minor"]}
    return body | changed


def imported(shop: PayingShop, *lines: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """What came of importing these."""
    body = {"processor": "adyen", "name": "day.csv", "lines": list(lines)} | changed
    return admin(shop, "settlement/import", body)


def differences(shop: PayingShop, **changed: Any) -> dict[str, str]:
    """The kinds of differences, with their owners."""
    found = admin(shop, "settlement/reconcile", changed)
    return {one["kind"]: one["owner"] for one in found["differences"]}


def test_a_line_that_pays_out_settles_a_payment_once(shop: PayingShop) -> None:
    paid = shop.approved()
    shop.sold(paid)
    done = imported(shop, line(paid, psp_ref="psp-1"))
    assert done["verdicts"] == {"matched": 1}
    assert shop.payment(paid)["state"] == "settled"
    again = imported(shop, line(paid, psp_ref="psp-1"))
    assert (again["again"], again["verdicts"]) == (True, {"matched": 1})
    twice = imported(shop, line(paid, psp_ref="psp-1"), part=2)
    assert twice["verdicts"] == {"paid-twice": 1}
    assert differences(shop) == {"paid-twice": "processor"}


def test_a_payment_is_found_by_the_processors_name_for_it(shop: PayingShop) -> None:
    paid = shop.approved()
    shop.sold(paid)
    assert imported(shop, line(psp_ref="psp-1"))["verdicts"] == {"matched": 1}
    assert shop.payment(paid)["state"] == "settled"


def test_what_was_in_doubt_is_known_by_the_line_that_pays_it_out(shop: PayingShop) -> None:
    doubtful = shop.own()
    shop.report(doubtful, "unknown")
    stored = shop.stored(token="tok_abc")
    imported(shop, line(doubtful), line(stored))
    assert shop.payment(doubtful)["state"] == "settled"
    assert shop.payment(stored)["state"] == "settled"
    assert secretrows.get(shop.rows, shop.row(stored).id) is None
    assert shop.exposure_minor() == 0


def test_money_for_what_was_given_up_is_to_go_back(shop: PayingShop) -> None:
    payment = shop.stored(token="tok_abc")
    shop.give_up(payment)
    assert shop.payment(payment)["state"] == "voided"
    assert imported(shop, line(payment))["verdicts"] == {"given-up": 1}
    now = shop.payment(payment)
    assert (now["state"], now["void_asked"]) == ("settled", True)
    assert imported(shop, line(payment), part=2)["verdicts"] == {"paid-twice": 1}


def test_what_does_not_fit_changes_nothing_and_has_an_owner(shop: PayingShop) -> None:
    paid = shop.approved()
    shop.sold(paid)
    done = imported(
        shop,
        line(paid, amount_minor=500),
        line(paid, currency="USD"),
        line(psp_ref="never-heard"),
        line(kind="refund", psp_ref="r-1"),
        line(kind="chargeback", psp_ref="psp-1"),
        line(kind="fee"),
        line(kind="reversal", psp_ref="psp-1"),
    )
    assert done["lines"] == 7
    assert shop.payment(paid)["state"] == "authorised"
    assert differences(shop) == {
        "amount-differs": "processor",
        "currency-differs": "processor",
        "unknown-payment": "central office",
        "unknown-refund": "central office",
        "chargeback": "manager",
    }


def test_a_stand_alone_terminals_payment_is_matched_by_its_tender(shop: PayingShop) -> None:
    card = shop.card(499)
    shop.ok(
        "till-1",
        "sale/commit",
        shop.sale(
            {"code": "tea", "qty": 1, "unit_price_minor": 499}, total_minor=499, tenders=[card]
        ),
    )
    done = imported(shop, line(payment_id=card["payment_id"]))
    assert done["verdicts"] == {"stand-alone": 1}
    assert differences(shop) == {}


def test_captured_money_that_nobody_paid_out_is_told_after_days(shop: PayingShop) -> None:
    paid = shop.own()
    shop.report(paid, "approved", captured=True)
    shop.sold(paid)
    assert shop.payment(paid)["state"] == "captured"
    shop.clock.advance(4 * 86_400)
    assert differences(shop) == {}, "a shop that imports no reports isn't told so every day"
    imported(shop, line(kind="fee"))
    assert differences(shop) == {"not-paid-out": "processor"}
    assert differences(shop, unsettled_after_days=5) == {}


def test_a_terminal_that_keeps_other_payments_than_the_book_is_told(shop: PayingShop) -> None:
    shop.stored()
    for told, kinds in (
        (2, {"terminal-has-more"}),
        (0, {"terminal-has-fewer"}),
        (1, set()),
        (None, set()),
    ):
        shop.tx(partial(settlementrows.note_terminal, terminal_id="till-1", count=told, minor=None))
        assert set(differences(shop)) == kinds


def test_a_hole_in_a_terminals_numbers_is_told(shop: PayingShop) -> None:
    shop.stored()
    shop.run("UPDATE terminal_sequences SET offline_seq = 3")
    assert differences(shop) == {"sequence-gap": "technician"}
    shop.run("UPDATE terminal_sequences SET offline_seq = 1")


def test_tills_can_not_import_reports(shop: PayingShop) -> None:
    body = {"processor": "adyen", "name": "day.csv", "lines": [line(kind="fee")]}
    assert shop.no("till-1", "settlement/import", body)["code"] == "not-found"


async def test_book_terminals_and_processor_are_compared_once_a_day(
    shop: PayingShop, caplog: pytest.LogCaptureFixture
) -> None:
    daily = DailyComparison(shop.gate)
    await daily.look()
    assert shop.noted("settlement.compared") == 0, "nobody has paid by card yet"
    doubtful = shop.own()
    shop.report(doubtful, "unknown")
    shop.run("UPDATE payments SET state = 'manual'")
    shop.clock.advance(86_400)
    await daily.look()
    await daily.look()
    assert shop.noted("settlement.compared") == 1
    assert "1 manual" in caplog.text
    shop.clock.advance(86_400)
    await daily.look()
    assert shop.noted("settlement.compared") == 2
    shop.run("UPDATE payments SET state = 'unknown'")
