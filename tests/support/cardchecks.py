"""What holds of card payments after every step, and what has to be so when all is cleared up."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

from hub.domain.payments.exposure import Caps
from hub.domain.payments.states import (
    EXPOSED,
    FINAL,
    STORED_AWAY,
    TRANSITIONS,
    PaymentEvent,
    PaymentState,
)
from hub.storage import paymentrows
from hub.storage.paymentrows import PaymentRow
from tests.support.cardworld import WorstProcessor
from tests.support.payingwork import WorkingShop

S = PaymentState
CAPS: Final = Caps(payment_minor=2000, terminal_count=4, terminal_minor=4000, store_minor=6000)
MONEY: Final = (S.AUTHORISED, S.CAPTURED, S.SETTLED)
NO_MONEY: Final = (*(FINAL - {S.SETTLED, S.REFUNDED}), S.RECOVERY)


def asked_minor(row: PaymentRow) -> int:
    """What its terminal was asked for."""
    return row.amount_minor - row.surcharge_minor


class CardChecks:
    """``seen`` are the payments at the last check, newest first."""

    shop: WorkingShop
    processor: WorstProcessor
    payments: list[dict[str, Any]]
    sales: dict[str, int]
    seen: list[PaymentRow]

    def rows(self) -> list[PaymentRow]:
        """All payments as they were at the last check, newest first."""
        return self.seen

    # What holds always -----------------------------------------------------------------------

    def nothing_is_taken_twice(self) -> None:
        for name, account in self.processor.accounts.items():
            assert len(account.standing()) <= 1, (name, account)
            assert self.processor.captures.get(name, 0) <= 1, (name, account)
            assert account.net_minor() >= 0, (name, account)

    def tokens_are_kept_where_they_are_needed_and_nowhere_else(self) -> None:
        kept = {number for (number,) in self.shop.all("SELECT payment FROM payment_secrets")}
        for row in self.rows():
            if row.state not in STORED_AWAY:
                assert row.id not in kept, row
            elif row.custody == "hub":
                assert row.id in kept, row

    def what_is_risked_stays_within_the_caps(self) -> None:
        """But for what a terminal adds, which nobody knows before."""
        found = [one for one in self.rows() if one.state in EXPOSED and one.offline_allowed]
        assert sum(map(asked_minor, found)) <= CAPS.store_minor, found
        for terminal in {one.terminal_id for one in found}:
            here = [asked_minor(one) for one in found if one.terminal_id == terminal]
            assert len(here) <= CAPS.terminal_count
            assert sum(here) <= CAPS.terminal_minor
        told = paymentrows.at_risk(self.shop.rows) if found else None
        assert told is None or told.minor >= sum(one.amount_minor for one in found)

    def refunds_add_up(self) -> None:
        sums = {
            number: (done, wanted)
            for number, done, wanted in self.shop.all(
                "SELECT payment, sum(CASE state WHEN 'done' THEN amount_minor ELSE 0 END),"
                " sum(CASE state WHEN 'refused' THEN 0 ELSE amount_minor END)"
                " FROM payment_refunds GROUP BY payment"
            )
        }
        for row in self.rows():
            done, wanted = sums.get(row.id, (0, 0))
            assert wanted <= row.amount_minor
            assert done <= row.refunded_minor <= row.amount_minor, row
            assert (row.state == S.REFUNDED) == (row.refunded_minor == row.amount_minor), row

    def every_step_is_one_of_the_table(self) -> None:
        for row in self.rows()[:2]:
            steps = paymentrows.steps(self.shop.rows, row.id)
            assert [one.n for one in steps] == list(range(1, len(steps) + 1))
            assert steps[-1].after == row.state
            for before, step in pairwise(steps):
                assert step.before == before.after
                if step.before != step.after:
                    way = (PaymentState(step.before), PaymentEvent(step.event))
                    assert TRANSITIONS[way] == step.after

    def nothing_rests_where_it_only_passes(self) -> None:
        assert not {S.DECLINED, S.EXPIRED} & {PaymentState(one.state) for one in self.rows()}

    # In the end ---------------------------------------------------------------------------------

    def compare(self) -> None:
        """Nothing is open, and what the book says of the money the processor says, too."""
        for row in self.rows()[:40]:
            account = self.processor.account(row.payment_id)
            about = (row, account, self.shop.steps({"payment_id": row.payment_id}))
            assert row.state in (*NO_MONEY, *MONEY, S.REFUNDED), about
            if row.state in (S.CAPTURED, S.SETTLED):
                assert not row.void_asked, about
                assert account.net_minor() == row.amount_minor - row.refunded_minor, about
            elif row.state == S.AUTHORISED:
                raise AssertionError(about)
            else:
                assert account.net_minor() == 0, about
                assert not account.standing() or row.state == S.REFUNDED, about
            if row.in_sale and not row.void_asked:
                assert row.state not in (S.VOIDED, S.ABANDONED, S.REFUSED, S.REVERSED), about
        tenders = self.shop.value(
            "SELECT coalesce(sum(amount_minor - surcharge_minor), 0) FROM payments"
            " WHERE in_sale = 1"
        )
        sold = sum(one["amount_minor"] for one in self.payments if one["sale_id"] in self.sales)
        assert tenders == sold
