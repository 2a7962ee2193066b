"""What has to hold of card payments that the hub knows of: the book, the processor, the tills."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from hub.domain.payments.exposure import Caps
from hub.domain.payments.states import EXPOSED, STORED_AWAY, PaymentState
from hub.storage.rows import Rows
from tests.simulation.shop.cardcover import TABLE, step_name
from tests.simulation.shop.cardloss import OFF, TOLD_AGAIN, CardLoss
from tests.simulation.shop.history import SALE

if TYPE_CHECKING:
    from tests.simulation.shop.scenario import Scenario

S = PaymentState
ENDS: Final = frozenset(
    {
        S.REFUSED,
        S.ABANDONED,
        S.VOIDED,
        S.CAPTURED,
        S.SETTLED,
        S.REVERSED,
        S.REFUNDED,
        S.RECOVERY,
        S.RECOVERED,
        S.WRITTEN_OFF,
    }
)
"""All that a payment may be at rest."""
OWED: Final = (S.RECOVERY, S.RECOVERED, S.WRITTEN_OFF)
WITH_MONEY: Final = (S.CAPTURED, S.SETTLED)
UNASKED: Final = (S.INTENT, S.AT_TERMINAL)
"""So long a gift card's number is needed."""


class CardChecker:
    """``during`` at any moment at which the hub is up; ``after`` once, at rest; ``owed`` are the
    payments that the hub calls receivables, or did."""

    def __init__(self, shop: Scenario) -> None:
        self._shop = shop
        self._world = shop.world
        self.loss = CardLoss(shop)

    def during(self, rows: Rows) -> None:
        """Safety."""
        self._nothing_is_charged_twice()
        self._tokens_are_shredded(rows)
        self._tokens_are_there(rows)
        self._numbers_have_no_gaps(rows)
        self._exposure_is_within_the_caps(rows)

    def presented(self, payment_id: str, boot: int) -> None:
        """The processor is asked for money by the hub's run ``boot``: on disk that has begun, for a
        sale that is written."""
        if self._shop.disk.broken:
            return
        if self.loss.is_of_a_lost_hub(boot):
            self._world.count(OFF + "presented by the lost hub")
            return
        found = self._shop.hub.read(
            lambda rows: rows.one(
                "SELECT in_sale, forwards FROM payments WHERE payment_id = ?", payment_id
            )
        )
        if found is None or not all(found):
            self._violated(f"payment {payment_id} is presented: (in a sale, presented) {found}")

    def after(self, rows: Rows) -> None:
        """Nothing is under way."""
        self.during(rows)
        self._all_have_ended(rows)
        self._processor_has_what_the_book_says(rows)
        self._goods_were_sold_for_money(rows)
        for sentence in self.loss.faults():
            self._violated(sentence)
        self._count_steps(rows)

    def owed(self) -> set[str]:
        """Payments of which nothing is kept by right."""
        return self._shop.hub.read(_owed)

    # ---------------------------------------------------------------------------------------------

    def _nothing_is_charged_twice(self) -> None:
        for one in self._shop.processor.charges():
            if one.charged > 1:
                self._violated(f"payment {one.payment_id} was charged {one.charged} times")

    def _tokens_are_shredded(self, rows: Rows) -> None:
        for payment_id, state, kind in rows.all(
            "SELECT p.payment_id, p.state, p.kind FROM payment_secrets s JOIN payments p"
            " ON p.id = s.payment"
        ):
            if state not in (STORED_AWAY if kind == "card" else UNASKED):
                self._violated(f"the token of payment {payment_id} is kept, and it is {state}")

    def _tokens_are_there(self, rows: Rows) -> None:
        """What the hub is to present it can; not what it has from the cloud, which keeps none."""
        for payment_id, state in rows.all(
            "SELECT payment_id, state FROM payments p WHERE custody = 'hub'"
            " AND state IN ('stored', 'retry_wait')"
            " AND NOT EXISTS (SELECT 1 FROM payment_secrets s WHERE s.payment = p.id)"
            f" AND NOT {TOLD_AGAIN}"
        ):
            self._violated(f"payment {payment_id} is {state}, and its token is gone")

    def _numbers_have_no_gaps(self, rows: Rows) -> None:
        for terminal, count, least, most, different in rows.all(
            "SELECT terminal_id, count(*), min(offline_seq), max(offline_seq),"
            " count(DISTINCT offline_seq) FROM payments WHERE offline_seq IS NOT NULL"
            " GROUP BY terminal_id"
        ):
            missing = most - count
            if self._shop.history.restored and missing > 0 and different == count:
                self._world.count(OFF + "numbers in no book")
                missing = max(0, missing - self.loss.missing_numbers(rows))
            if different != count or missing or least < 1:
                self._violated(f"{terminal} has {count} numbers from {least} to {most}")

    def _exposure_is_within_the_caps(self, rows: Rows) -> None:
        caps = self._shop.caps
        at_risk: Counter[str] = Counter()
        counted: Counter[str] = Counter()
        for terminal, amount, state in rows.all(
            "SELECT terminal_id, amount_minor, state FROM payments"
            " p WHERE offline_allowed = 1 AND void_asked = 0 AND kind = 'card'"
            f" AND NOT {TOLD_AGAIN}"
        ):
            if state in EXPOSED:
                at_risk[terminal] += amount
                counted[terminal] += 1
        if at_risk.total() > caps.store_minor:
            self._violated(f"{at_risk.total()} is at risk, {caps.store_minor} may be")
        for terminal, minor in at_risk.items():
            if minor > caps.terminal_minor or counted[terminal] > caps.terminal_count:
                self._violated(f"{counted[terminal]} for {minor} are at risk at {terminal}")

    def _all_have_ended(self, rows: Rows) -> None:
        by_state: Counter[str] = Counter()
        for payment_id, state, in_sale, void_asked in rows.all(
            "SELECT payment_id, state, in_sale, void_asked FROM payments ORDER BY id"
        ):
            by_state[state] += 1
            if state not in ENDS:
                self._violated(f"payment {payment_id} is {state} at rest")
            if state in WITH_MONEY and (not in_sale or void_asked):
                self._violated(
                    f"payment {payment_id} is {state}: in a sale {in_sale}, to be voided"
                    f" {void_asked}"
                )
        for state, count in by_state.items():
            self._world.counters[f"payment ended {state}"] += count

    def _processor_has_what_the_book_says(self, rows: Rows) -> None:
        for payment_id, state, amount, refunded in rows.all(
            "SELECT payment_id, state, amount_minor, refunded_minor FROM payments"
            " WHERE kind = 'card' ORDER BY id"
        ):
            charge = self._shop.processor.charge_of(payment_id)
            kept = charge.kept_minor if charge is not None else 0
            due = 0
            if state in WITH_MONEY:
                due = amount - refunded
            if kept != due:
                self._violated(
                    f"payment {payment_id} is {state}: {kept} is kept, the book says {due}"
                )
            if charge is not None and charge.state in ("pending", "authorised"):
                self._violated(f"payment {payment_id} is {state}, at the processor {charge.state}")

    def _goods_were_sold_for_money(self, rows: Rows) -> None:
        """A sale that stands was paid by what has its money, or is owed."""
        good, owed = {*WITH_MONEY, *OWED, S.REFUNDED}, _owed(rows)
        book = {row[0]: row[1:] for row in rows.all(_ALL)}
        kept = {  # of a sale that came back whole nothing is due
            row[0]
            for row in rows.all(
                "SELECT t.payment_id FROM tenders t JOIN sales s ON s.id = t.sale"
                " WHERE s.state <> 'voided' AND t.refunded_minor < t.amount_minor"
                " AND t.payment_id IS NOT NULL"
            )
        }
        for asked in self._shop.history.asked.values():
            if asked.operation != SALE or asked.result is None:
                continue
            for tender in asked.body["tenders"]:
                if tender.get("payment_id") not in kept:
                    continue
                found = book.get(tender["payment_id"])
                if tender["payment_id"] in owed:
                    continue
                if found is not None and (found[0] not in good or not found[1]):
                    self._violated(
                        f"sale {asked.body['sale_id']} was paid by payment"
                        f" {tender['payment_id']}: {found[0]}, in a sale: {found[1]}"
                    )

    def _count_steps(self, rows: Rows) -> None:
        for before, event, after, kind, count in rows.all(
            "SELECT before, event, after, kind = 'card', count(*) FROM payment_steps s"
            " JOIN payments p ON p.id = s.payment GROUP BY 1, 2, 3, 4"
        ):
            name = step_name(before, event)
            if not kind:
                name = f"gift card {before or 'new'} + {event}"
            elif TABLE.get((before, event)) != after:  # asked for, told again, taken back in
                name = f"payment {before or 'new'}: {event}"
            self._world.counters[name] += count

    def _violated(self, sentence: str) -> None:
        self._world.violated(sentence)


_ALL: Final = "SELECT payment_id, state, in_sale FROM payments"


def _owed(rows: Rows) -> set[str]:
    """Payments that are receivables, or were closed as such: what came in for those afterwards went
    back."""
    return {
        row[0]
        for row in rows.all(
            "SELECT payment_id FROM payments WHERE state IN (?, ?, ?)"
            " OR state IN ('reversed', 'refunded') AND EXISTS (SELECT 1 FROM payment_steps s"
            " WHERE s.payment = payments.id AND s.after IN ('recovered', 'written_off'))",
            *OWED,
        )
    }


def caps_of(overrides: dict[str, int]) -> Caps:
    """The caps of a run's settings."""
    names = {
        "payment_cap_minor": "payment_minor",
        "terminal_cap_count": "terminal_count",
        "terminal_cap_minor": "terminal_minor",
        "store_cap_minor": "store_minor",
    }
    return Caps(**{names[name]: value for name, value in overrides.items()})
