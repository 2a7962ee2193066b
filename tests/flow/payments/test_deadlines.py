"""What time and starts do to payments: deadlines, doubts that nobody cleared, books put back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.domain.payments.work import Hand, WorkKind
from hub.storage import hubrow
from tests.support.payingwork import HOUR_MS, MINUTE_MS, TOKEN, WorkingShop

CHARGE, LOOK_UP, CAPTURE = WorkKind.CHARGE, WorkKind.LOOK_UP, WorkKind.CAPTURE


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[WorkingShop]:
    made = WorkingShop(tmp_path)
    yield made
    made.check_laws()
    made.close()


# Deadlines ---------------------------------------------------------------------------------------


def test_a_payment_nobody_could_present_in_a_day_is_a_receivable(shop: WorkingShop) -> None:
    payment = shop.kept()
    shop.wait(24 * HOUR_MS - 1)
    assert shop.expire() == 0
    shop.wait(1)
    assert shop.work() == ()
    assert shop.row(payment).state == "recovery"
    assert shop.told(payment) == ["stored", "expired"]
    assert not shop.has_token(payment)


def test_housekeeping_looks_at_the_deadlines(shop: WorkingShop) -> None:
    payment = shop.kept()
    unsold = shop.stored(token=TOKEN[::-1])
    shop.wait(24 * HOUR_MS)
    shop.housekeep()
    assert shop.row(payment).state == "recovery"
    assert shop.row(unsold).state == "voided"


def test_while_the_clock_is_not_trusted_the_hub_s_own_time_counts(shop: WorkingShop) -> None:
    payment = shop.kept()
    shop.tx(lambda tx: hubrow.keep_time(tx, trusted_wall_ms=None, suspect="jump"))
    shop.run("UPDATE payments SET stored_at_ms = stored_at_ms - ?", 30 * HOUR_MS)
    shop.expire()
    assert shop.row(payment).state == "stored"
    shop.run("UPDATE hub SET clock_suspect = ''")
    shop.expire()
    assert shop.row(payment).state == "recovery"


def test_money_for_a_sale_that_is_never_written_goes_back_after_a_day(shop: WorkingShop) -> None:
    payment = shop.approved()
    taken = shop.own()
    shop.report(taken, "approved", captured=True)
    shop.wait(24 * HOUR_MS - 1)
    shop.expire()
    assert shop.work() == ()
    shop.wait(1)
    shop.expire()
    found = {one.payment_id: one.kind for one in shop.work()}
    assert found == {
        payment["payment_id"]: WorkKind.REVERSE,
        taken["payment_id"]: WorkKind.REFUND,
    }


def test_what_a_terminal_keeps_and_never_told_is_for_people_after_a_day(
    shop: WorkingShop,
) -> None:
    payment = shop.stored()
    shop.sold(payment)
    shop.wait(24 * HOUR_MS)
    shop.expire()
    assert shop.row(payment).state == "lost"
    assert shop.exposure_minor() == 499
    assert shop.learn(payment, "declined")
    assert shop.row(payment).state == "recovery"


def test_what_was_never_brought_to_its_terminal_is_let_go(shop: WorkingShop) -> None:
    payment = shop.start()
    shop.wait(10 * MINUTE_MS)
    shop.expire()
    assert shop.row(payment).state == "abandoned"


def test_a_till_that_never_tells_leaves_a_doubt_that_people_end(shop: WorkingShop) -> None:
    payment = shop.own()
    shop.wait(10 * MINUTE_MS)
    shop.expire()
    assert shop.row(payment).state == "unknown"
    shop.wait(15 * MINUTE_MS)
    shop.expire()
    assert shop.row(payment).state == "manual"
    assert shop.report(payment, "approved")["state"] == "authorised"


# Starts and copies -------------------------------------------------------------------------------


def test_at_a_start_what_was_on_its_way_is_in_doubt_and_what_was_not_sent_is_let_go(
    shop: WorkingShop,
) -> None:
    on_its_way = shop.kept()
    work = shop.next()
    intent = shop.start(device="till-2")
    asked = shop.start()
    shop.begin(asked)
    own = shop.own(device="till-2")
    assert shop.recover() == 2
    states = [shop.row(one).state for one in (on_its_way, intent, asked, own)]
    assert states == ["forward_unknown", "abandoned", "unknown", "at_terminal"]
    assert not shop.say(work, "not-sent")
    assert shop.next().kind is LOOK_UP
    assert shop.next(Hand.TERMINAL).kind is WorkKind.ASK
    assert shop.recover() == 1


def test_in_books_put_back_from_a_copy_everything_that_waits_is_looked_up_first(
    shop: WorkingShop,
) -> None:
    back = shop.captured()
    shop.sign_in("till-1", "mia")
    shop.ok("till-1", "sale/void", {"sale_id": back["sale_id"], "reason": "mistake"})
    shop.work()
    kept = shop.kept()
    intent = shop.start(device="till-2")
    source = shop.value("SELECT max(id) FROM sources")
    shop.tx(lambda tx: hubrow.set_fork(tx, source, "restored", ""))
    shop.recover()
    assert [shop.row(one).state for one in (kept, intent)] == ["forward_unknown", "unknown"]
    assert [one.state for one in shop.refunds(back)] == ["unknown"]
    assert {one.kind for one in shop.work()} == {LOOK_UP}
