"""What holds of the book of card payments at every instant; see :mod:`tests.support.laws`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hub.domain.payments.states import STORED_AWAY, TRANSITIONS
from hub.storage.rows import Rows

Law = Callable[[Rows], Iterator[str]]
_STEPS = frozenset(
    (str(before), str(event), str(after)) for (before, event), after in TRANSITIONS.items()
)
_TOLD = "EXISTS (SELECT 1 FROM payment_steps t WHERE t.payment = p.id AND t.event = 'told')"
"""It came back from the cloud: some of its steps are not known."""


def steps_lead_to_the_state(rows: Rows) -> Iterator[str]:
    """Each step is one of the table's and begins where the one before ended."""
    at: dict[int, str] = {}
    for number, event, before, after in rows.all(
        "SELECT payment, event, before, after FROM payment_steps ORDER BY payment, n"
    ):
        if event != "told" and before != at.get(number, ""):
            yield f"a step of payment {number} begins elsewhere: {event} at {before}"
        known = (before, event, after) in _STEPS or before == after or event in ("begun", "told")
        if not known:
            yield f"the table has no such step: {event} from {before} to {after}"
        at[number] = after
    for number, state in rows.all("SELECT id, state FROM payments"):
        if at.get(number) != state:
            yield f"payment {number} is {state}, and its last step led to {at.get(number)}"


def offline_numbers_have_no_gaps(rows: Rows) -> Iterator[str]:
    """Per terminal, unless some came back from the cloud."""
    for row in rows.all(
        "SELECT p.terminal_id, count(*) + coalesce(s.forgotten, 0), max(p.offline_seq),"
        " s.offline_seq FROM payments p"
        " LEFT JOIN terminal_sequences s ON s.terminal_id = p.terminal_id"
        f" WHERE p.offline_seq IS NOT NULL GROUP BY p.terminal_id HAVING NOT max({_TOLD})"
    ):
        _, count, highest, given = row
        if not (count == given and highest <= given):
            yield f"the offline numbers of a terminal have gaps: {row}"


def tokens_are_kept_no_longer_than_needed(rows: Rows) -> Iterator[str]:
    """Sealed, of payments that the hub is still to present, or to ask an issuer for."""
    for row in rows.all(
        "SELECT p.payment_id, p.state, p.custody, p.kind FROM payment_secrets s"
        " JOIN payments p ON p.id = s.payment"
    ):
        needed = STORED_AWAY if row[3] == "card" else ("intent", "at_terminal")
        if row[1] not in needed or row[2] != "hub":
            yield f"a token is kept that nobody needs: {row}"


def payments_and_tenders_agree(rows: Rows) -> Iterator[str]:
    """What a sale was paid with is in it, of the same amount; what is in a sale paid it."""
    for row in rows.all(
        "SELECT p.payment_id, p.state, p.in_sale, p.sale_id, s.sale_id FROM payments p"
        " LEFT JOIN tenders t ON t.payment_id = p.payment_id LEFT JOIN sales s ON s.id = t.sale"
        " WHERE (p.in_sale = 1) <> (s.sale_id IS p.sale_id AND t.amount_minor IS"
        " p.amount_minor - p.tip_minor - p.surcharge_minor)"
    ):
        yield f"a payment and its tender disagree: {row}"
    for row in rows.all(
        "SELECT p.payment_id, p.state FROM payments p JOIN sales s ON s.sale_id = p.sale_id"
        " WHERE p.in_sale = 1 AND s.state = 'voided' AND p.void_asked = 0 AND p.state NOT IN"
        " ('voided', 'reversed', 'refunded', 'refused', 'abandoned')"
    ):
        yield f"the sale of a payment is voided, and nobody takes it back: {row}"


def no_more_is_given_back_than_was_taken(rows: Rows) -> Iterator[str]:
    """Refunds wanted, under way and done, and what was counted."""
    for row in rows.all(
        "SELECT p.payment_id, p.amount_minor, p.refunded_minor,"
        " (SELECT coalesce(sum(r.amount_minor), 0) FROM payment_refunds r"
        " WHERE r.payment = p.id AND r.state <> 'refused') AS wanted FROM payments p"
        " WHERE max(p.refunded_minor, wanted) > p.amount_minor"
    ):
        yield f"more of a payment goes back than was taken: {row}"


def allotments_say_what_was_spent(rows: Rows) -> Iterator[str]:
    """In the present epoch an account has spent what its payments took that weren't let go again
    (what a copy has lost of an older one comes back as payments only); and all figures keep within
    what was granted."""
    for row in rows.all(
        "SELECT a.account, a.granted_minor, a.returned_minor, a.spent_minor,"
        " (SELECT coalesce(sum(p.amount_minor), 0) FROM payments p WHERE p.account = a.account"
        " AND p.account_epoch = a.epoch AND p.state <> 'reversed') AS took FROM value_accounts a"
        " WHERE a.spent_minor <> took AND a.epoch = (SELECT epoch FROM hub)"
        " OR a.granted_minor < a.returned_minor + a.spent_minor"
    ):
        yield f"an allotment and its payments disagree: {row}"


CARDS: tuple[Law, ...] = (
    steps_lead_to_the_state,
    offline_numbers_have_no_gaps,
    tokens_are_kept_no_longer_than_needed,
    payments_and_tenders_agree,
    no_more_is_given_back_than_was_taken,
    allotments_say_what_was_spent,
)
