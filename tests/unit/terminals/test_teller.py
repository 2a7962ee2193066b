"""Payments reach terminals once: doubts, absences, full disks, deaths, and what is given up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devices.peripherals.model import CardOutcome
from hub.crashpoints import CARD_CRASH_POINTS
from hub.storage import secretrows, settlementrows
from hub.storage.errors import NotStored, QueueFull
from tests.support.paying import rules
from tests.support.telling import (
    CUSTOMER,
    DECLINES,
    FAILS,
    LOST_BEFORE,
    NOT_DONE,
    OFFLINE,
    OFFLINE_TO_HUB,
    SILENT,
    STANDS_STILL,
    Act,
    CardShop,
)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[CardShop]:
    made = CardShop(tmp_path)
    yield made
    made.shop.check_laws()
    made.close()


def steps(bench: CardShop, payment: Any) -> list[str]:
    """The states that it came through."""
    return [one["after"] for one in bench.shop.payment(payment)["steps"]]


def test_a_payment_is_authorised_a_moment_after_it_was_begun(bench: CardShop) -> None:
    payment = bench.pay()
    assert bench.state(payment) == "intent"
    bench.run(1)
    row = bench.shop.row(payment)
    assert (row.state, row.last4, row.attempt) == ("authorised", "4242", 1)
    assert row.token_ref == "card:6:car"
    assert bench.terminals.sales[payment["payment_id"]] == 1


def test_what_a_dead_hub_had_not_sent_is_over_and_what_came_since_is_not(bench: CardShop) -> None:
    bench.terminals.down.add("terminal-1")
    before = bench.pay()
    bench.die()
    since = bench.pay()  # the book wasn't looked through yet
    bench.terminals.down.clear()
    bench.run(2)
    assert (bench.state(before), bench.state(since)) == ("abandoned", "authorised")


def test_a_terminal_does_one_thing_at_a_time(bench: CardShop) -> None:
    payments = [bench.pay() for _ in range(4)]
    bench.run(10)
    assert {bench.state(one) for one in payments} == {"authorised"}
    assert bench.terminals.most_at_work == 1


def test_different_terminals_work_at_once(bench: CardShop) -> None:
    bench.terminals.usual = Act(before_s=10.0)
    one, other = bench.pay(), bench.pay(device="till-2")
    bench.run(5)
    busy = {"terminal-1": one["payment_id"], "terminal-2": other["payment_id"]}
    assert bench.teller.under_way() == busy
    bench.run(10)
    assert bench.state(one) == bench.state(other) == "authorised"


@pytest.mark.parametrize(("act", "state"), [(DECLINES, "refused"), (NOT_DONE, "abandoned")])
def test_what_was_not_taken_is_over(bench: CardShop, act: Act, state: str) -> None:
    bench.terminals.acts.append(act)
    payment = bench.pay()
    bench.run(2)
    assert bench.state(payment) == state
    assert not bench.terminals.taken


@pytest.mark.parametrize("act", [SILENT, FAILS])
def test_a_doubt_is_cleared_by_asking_what_became_of_it(bench: CardShop, act: Act) -> None:
    bench.terminals.acts.append(act)
    payment = bench.pay()
    bench.run(60)
    assert bench.state(payment) == "authorised"
    assert bench.terminals.sales[payment["payment_id"]] == 1


def test_what_is_in_doubt_is_asked_after_at_once(bench: CardShop) -> None:
    bench.run(60)  # nothing was to be done for a while
    bench.terminals.acts.append(SILENT)
    payment = bench.pay()
    bench.run(2)
    assert bench.state(payment) == "authorised"


def test_that_the_terminal_knows_nothing_counts_when_it_says_so_twice(bench: CardShop) -> None:
    bench.terminals.acts.append(LOST_BEFORE)
    payment = bench.pay()
    bench.run(3)
    assert bench.state(payment) == "unknown"
    bench.run(60)
    assert bench.state(payment) == "abandoned"
    assert bench.terminals.asked[payment["payment_id"]] == 2


def test_a_doubt_waits_for_a_terminal_that_is_away(bench: CardShop) -> None:
    bench.terminals.acts.append(SILENT)
    payment = bench.pay()
    bench.run(0.15)
    bench.terminals.down.add("terminal-1")
    bench.run(300)
    assert bench.state(payment) == "unknown"
    bench.terminals.down.clear()
    bench.teller.wake()
    bench.run(30)
    assert bench.state(payment) == "authorised"


def test_a_terminal_that_stays_away_leaves_a_doubt_to_people(bench: CardShop) -> None:
    bench.terminals.acts.append(SILENT)
    payment = bench.pay()
    bench.run(0.15)
    bench.terminals.down.add("terminal-1")
    bench.run(17 * 60)
    assert bench.state(payment) == "manual"


def test_a_terminal_that_is_not_there_is_waited_for_as_long_as_a_customer_does(
    bench: CardShop,
) -> None:
    bench.terminals.down.add("terminal-1")
    late, never = bench.pay(), bench.pay()
    bench.run(bench.pace.absent_s - 3)
    assert bench.state(late) == bench.state(never) == "intent"
    bench.run(30)
    assert bench.state(late) == bench.state(never) == "abandoned"
    assert not bench.terminals.sales
    waiting = bench.pay()
    bench.run(5)
    bench.terminals.down.clear()
    bench.teller.wake()
    bench.run(2)
    assert bench.state(waiting) == "authorised"


def test_what_is_given_up_while_the_customer_pays_is_broken_off(bench: CardShop) -> None:
    bench.terminals.acts.append(CUSTOMER)
    payment = bench.pay()
    bench.run(2)
    assert bench.state(payment) == "at_terminal"
    bench.shop.give_up(payment)
    bench.run(3)
    assert bench.state(payment) == "refused"
    assert bench.terminals.cancels[payment["payment_id"]] >= 1
    assert not bench.terminals.taken


def test_what_is_approved_although_it_was_given_up_goes_back(bench: CardShop) -> None:
    bench.terminals.acts.append(Act(before_s=0.05, after_s=5.0))
    payment = bench.pay()
    bench.run(1)
    bench.shop.give_up(payment)
    bench.run(60)
    assert bench.state(payment) == "reversed"
    assert bench.terminals.taken[payment["payment_id"]] == 0


def test_a_terminal_that_stands_still_is_told_to_break_off_and_asked_later(
    bench: CardShop,
) -> None:
    bench.terminals.acts.append(STANDS_STILL)
    payment = bench.pay()
    bench.run(bench.pace.sale_s - 5)
    assert bench.state(payment) == "at_terminal"
    bench.run(30)
    assert bench.state(payment) == "refused"


def test_what_is_stored_at_the_terminal_is_asked_after_until_it_was_forwarded(
    bench: CardShop,
) -> None:
    bench.terminals.online = False
    bench.terminals.acts.append(OFFLINE)
    payment = bench.pay()
    bench.run(2)
    row = bench.shop.row(payment)
    assert (row.state, row.custody, row.offline_seq) == ("stored", "terminal", 1)
    bench.run(600)
    assert bench.state(payment) == "stored"
    bench.terminals.online = True
    bench.run(2 * 3600)
    assert bench.state(payment) == "authorised"


def test_a_token_is_sealed_before_it_is_written(bench: CardShop) -> None:
    bench.terminals.acts.append(OFFLINE_TO_HUB)
    payment = bench.pay()
    bench.run(2)
    row = bench.shop.row(payment)
    assert (row.state, row.custody) == ("stored", "hub")
    sealed = secretrows.get(bench.shop.rows, row.id)
    assert sealed is not None
    assert b"opaque-token" not in sealed.sealed


def test_a_token_that_can_not_be_kept_is_for_people(tmp_path: Path) -> None:
    bench = CardShop(tmp_path, payments=rules(processor=False, vault=None))
    bench.terminals.acts.append(OFFLINE_TO_HUB)
    payment = bench.pay()
    bench.run(2)
    assert "unknown" in steps(bench, payment)
    bench.close()


def test_a_card_s_number_instead_of_a_token_is_never_kept(bench: CardShop) -> None:
    number = b"4111111111111111"
    act = Act(CardOutcome.APPROVED_OFFLINE, token=number)
    bench.terminals.acts.append(act)
    payment = bench.pay()
    bench.run(2)
    assert "unknown" in steps(bench, payment)
    assert secretrows.get(bench.shop.rows, bench.shop.row(payment).id) is None


@pytest.mark.parametrize("error", [QueueFull("full"), NotStored("no")])
def test_an_end_that_can_not_be_written_is_written_later(bench: CardShop, error: Exception) -> None:
    bench.run(1)
    payment = bench.pay()
    bench.terminals.acts.append(Act(before_s=1.0))
    bench.run(0.5)
    bench.gate.refuses.extend([error] * 5)  # type: ignore[list-item]
    bench.run(60)
    assert bench.state(payment) == "authorised"
    assert bench.terminals.sales[payment["payment_id"]] == 1


def test_a_begin_that_can_not_be_written_asks_nothing_of_the_terminal(bench: CardShop) -> None:
    bench.run(1)
    payment = bench.pay()
    bench.gate.refuses.extend([QueueFull("full")] * 3)
    bench.run(0.5)
    assert not bench.terminals.sales
    bench.run(60)
    assert bench.state(payment) == "authorised"
    assert bench.terminals.sales[payment["payment_id"]] == 1


@pytest.mark.parametrize("point", CARD_CRASH_POINTS)
@pytest.mark.parametrize("act", [SILENT, OFFLINE, DECLINES])
def test_a_death_at_any_point_takes_no_money_twice_and_loses_none(
    bench: CardShop, point: str, act: Act
) -> None:
    bench.terminals.acts.append(act)
    bench.crash_at = (point, 0)
    payment = bench.pay()
    bench.run(120)
    assert bench.terminals.sales[payment["payment_id"]] <= 1
    taken = bench.terminals.taken.get(payment["payment_id"], 0)
    expected = {"authorised"} if taken else {"abandoned", "refused"}
    assert bench.state(payment) in expected
    if bench.deaths:
        assert bench.crash_at == ("", 0)


def test_what_terminals_keep_is_noted_now_and_then(bench: CardShop) -> None:
    bench.run(2)
    (told,) = settlementrows.terminals(bench.shop.rows)
    assert (told.terminal_id, told.stored_count, told.stored_minor) == ("terminal-1", 3, 1497)
    bench.run(bench.pace.report_s + 5)
    (again,) = settlementrows.terminals(bench.shop.rows)
    assert again.at_ms > told.at_ms


def test_a_hub_that_stops_gives_the_customer_a_moment_and_writes_what_came(
    bench: CardShop,
) -> None:
    bench.terminals.acts.extend([Act(before_s=2.0), STANDS_STILL])
    quick, slow = bench.pay(), bench.pay(device="till-2")
    bench.run(1)
    bench.stop()
    assert bench.state(quick) == "authorised"
    assert bench.state(slow) == "unknown"


def test_money_that_goes_back_at_the_terminal_goes_back_once(bench: CardShop) -> None:
    payment = bench.pay(998)
    bench.run(1)
    bench.crash_at = ("teller.work-answered", 0)
    bench.shop.give_up(payment)
    bench.run(300)
    assert bench.deaths == 1
    assert bench.state(payment) == "reversed"
    assert len(bench.terminals.back) == 1
    assert bench.terminals.taken[payment["payment_id"]] == 0
