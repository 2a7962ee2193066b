"""The page of card payments: what is at risk, what needs a person, one with all its steps."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import Final

from hub.contract.local import PaymentsStatus
from hub.contract.pages.payments import (
    LISTED_MAX,
    AllPaymentsPage,
    AllPaymentsQuery,
    PaymentCounts,
    PaymentOnPage,
    PaymentQuery,
    PaymentsPage,
    PaymentsQuery,
    PaymentTrouble,
    PaymentWhole,
    PaymentWord,
    RefundSeen,
)
from hub.contract.problems import Code, refuse
from hub.contract.receivables import LinkSeen
from hub.service.gate import ReadUnit
from hub.service.pages import dotted, numbers, paymentmeter, paymentwords
from hub.service.pages.paymentmeter import Moment
from hub.service.payments import owing, refunds
from hub.service.payments.tillrefunds import GIVEN_OTHERWISE
from hub.service.shop import Shop
from hub.storage import linkrows, refundrows, secretrows, wordrows
from hub.storage.linkrows import LinkRow
from hub.storage.pages import LAST
from hub.storage.pages import payments as rows_of
from hub.storage.pages.payments import PaymentHead
from hub.storage.paymentrows import PaymentRow
from hub.storage.rows import Rows

ASKED: Final = ("manual", "lost", "recovery", "expired", "forwarded")
"""States that may need a person."""
MOVING: Final = (
    *("intent", "at_terminal", "unknown", "stored", "void_pending", "forwarding"),
    *("forward_unknown", "forwarded", "declined", "retry_wait"),
)
"""States in which something is still to happen by itself."""
AT_PROCESSOR: Final = ("forwarding", "forward_unknown", "forwarded")


def overview(unit: ReadUnit, _query: PaymentsQuery) -> PaymentsPage:
    """What is at risk, what is under way, and what needs a person."""
    at = _now(unit)
    asked = people(at)
    sums = rows_of.open_sums(at.rows)
    moving = rows_of.in_states(at.rows, MOVING, LISTED_MAX)
    known = {head.row.id for head, _ in asked}
    owed = sums.get("recovery")
    return PaymentsPage(
        exposure=paymentmeter.exposure(at),
        counts=PaymentCounts(
            open=sum(sums[state].payments for state in MOVING if state in sums),
            people=len(asked),
            receivable=owed.payments if owed else 0,
            receivable_minor=owed.minor if owed else 0,
            at_processor=sum(sums[state].payments for state in AT_PROCESSOR if state in sums),
        ),
        people=tuple(_view(head, at, why) for head, why in asked),
        open=tuple(_view(head, at) for head in moving if head.row.id not in known),
        processor=at.processor,
        newest=rows_of.newest(at.rows),
        changed_at_ms=max((head.row.changed_at_ms for head in moving), default=0),
    )


def people(at: Moment) -> list[tuple[PaymentHead, PaymentTrouble]]:
    """Payments that need a person, oldest first; at most 100."""
    rows = at.rows
    found: dict[int, tuple[PaymentHead, PaymentTrouble]] = {}
    for head in chain(
        rows_of.in_states(rows, ASKED, LISTED_MAX),
        rows_of.without_sale(rows, at.now_ms - paymentwords.NO_SALE_MS, LISTED_MAX),
        rows_of.to_give_back(rows, LISTED_MAX),
        () if at.processor else rows_of.in_states(rows, ("stored", "retry_wait"), LISTED_MAX),
    ):
        why = paymentwords.trouble(head.row, at.now_ms, processor=at.processor)
        if why is not None:
            found[head.row.id] = head, why
    for head, why in _shown(at):
        found.setdefault(head.row.id, (head, why))
    for head in rows_of.paid_twice(rows, LISTED_MAX):
        found[head.row.id] = head, paymentwords.PAID_TWICE
    return [found[number] for number in sorted(found)][:LISTED_MAX]


def _shown(at: Moment) -> list[tuple[PaymentHead, PaymentTrouble]]:
    """What people are shown for a while, as they see to it elsewhere."""
    since_ms = at.now_ms - paymentwords.NOTED_MS
    noted = rows_of.noted(at.rows, since_ms, LISTED_MAX)
    surcharged = rows_of.surcharged(at.rows, since_ms, paymentwords.SURCHARGED_MAX)
    return [(head, _of_noted(action, head)) for action, head in noted] + [
        (head, paymentwords.SURCHARGED) for head in surcharged
    ]


def _of_noted(action: str, head: PaymentHead) -> PaymentTrouble:
    why = paymentwords.NOTED[action]
    apart = why.kind == "give-back" and head.row.state == "recovered"
    return paymentwords.PAID_APART if apart else why


def status(rows: Rows, shop: Shop, now_ms: int, budget_ms: int) -> PaymentsStatus:
    """The same in figures, for whoever watches the hub."""
    at = paymentmeter.moment(rows, shop, now_ms, budget_ms)
    risk, sums, waits = paymentmeter.exposure(at), rows_of.open_sums(rows), rows_of.kept(rows)
    asked = people(at)
    owed = sums.get("recovery")
    keys = shop.payments.vault.key_ids if shop.payments.vault is not None else ()
    return PaymentsStatus(
        meter=risk.meter,
        bars=risk.bars,
        currency=shop.currency,
        exposed=risk.store_count,
        exposure_minor=risk.store_minor,
        cap_minor=risk.store_cap_minor,
        oldest_age_ms=risk.oldest_age_ms,
        warn_age_ms=risk.warn_age_ms,
        stop_age_ms=risk.stop_age_ms,
        next_expiry_in_ms=risk.next_expiry_in_ms,
        states={state: one.payments for state, one in sorted(sums.items())},
        needs=dict(sorted(Counter(why.kind for _, why in asked).items())),
        since_ms=min((head.row.changed_at_ms for head, _ in asked), default=None),
        receivable_minor=owed.minor if owed else 0,
        waiting=waits.waiting,
        waiting_since_ms=waits.waiting_since_ms,
        sealed=waits.sealed,
        vault=shop.payments.vault is not None,
        keyless=secretrows.not_under_any(rows, keys, "token"),
        keyless_contacts=secretrows.not_under_any(rows, keys, "contact"),
        processor=at.processor,
    )


def listed(unit: ReadUnit, query: AllPaymentsQuery) -> AllPaymentsPage:
    """Payments, begun last first."""
    (before,) = numbers(query.cursor, (LAST,))
    heads, more = rows_of.listed(unit.rows, query.which, before, query.limit)
    at = _now(unit)
    return AllPaymentsPage(
        payments=tuple(_view(head, at) for head in heads),
        next_cursor=None if more is None else dotted(more),
    )


def of_sale(unit: ReadUnit, sale_id: str) -> tuple[PaymentOnPage, ...]:
    """The payments begun for a sale, oldest first."""
    heads = rows_of.of_sale(unit.rows, sale_id)
    at = _now(unit) if heads else None
    return tuple(_view(head, at) for head in heads) if at else ()


def one(unit: ReadUnit, query: PaymentQuery) -> PaymentWhole:
    """A payment with what happened to it.  Errors: ``not-found``."""
    head = rows_of.one(unit.rows, query.payment_id)
    if head is None:
        raise refuse(Code.NOT_FOUND, "This hub has no such payment.")
    at = _now(unit)
    why = paymentwords.trouble(head.row, at.now_ms, processor=at.processor)
    if linkrows.surplus_of(unit.rows, head.row.id):
        why = paymentwords.PAID_TWICE
    if why is None:
        why = next((why for other, why in _shown(at) if other.row.id == head.row.id), None)
    if why is None and rows_of.is_surcharged(head.row):
        why = paymentwords.SURCHARGED
    me = unit.caller.staff_id
    return PaymentWhole(
        payment=_view(head, at, why, steps=True),
        words=tuple(
            PaymentWord(
                at_ms=word.at_ms,
                outcome=word.outcome,
                evidence=word.evidence,
                yours=me is not None and word.staff_id == me,
            )
            for word in wordrows.of_payment(unit.rows, head.row.id)
        ),
        refunds=tuple(
            RefundSeen(
                at_ms=refund.made_at_ms,
                changed_at_ms=refund.changed_at_ms,
                refund_id=refund.refund_id,
                amount_minor=refund.amount_minor,
                state=refund.state,
                reason=refund.reason,
                giver=refund.giver,
            )
            for refund in rows_of.refunds(unit.rows, head.row.id)
        ),
        links=tuple(map(_link, linkrows.of_payment(unit.rows, head.row.id))),
        contact=_contact(unit, head.row) if unit.caller.is_manager else "",
    )


_LINK_RECALLS = {
    ("sent", "wanted"): "calling-back",
    ("unknown", "wanted"): "calling-back",
    ("wanted", "wanted"): "calling-back",
    ("dropped", "done"): "called-back",
}


def _link(row: LinkRow) -> LinkSeen:
    return LinkSeen(
        at_ms=row.made_at_ms,
        changed_at_ms=row.changed_at_ms,
        link_key=row.link_key,
        amount_minor=row.paid_minor or row.amount_minor,
        state=_LINK_RECALLS.get((row.state, row.recall), row.state),
        by=row.by,
        url=row.url,
        expires_at_ms=row.expires_at_ms,
        psp_ref=row.psp_ref,
        reason=row.reason,
    )


def _contact(unit: ReadUnit, row: PaymentRow) -> str:
    sealed = secretrows.get(unit.rows, row.id, owing.CONTACT)
    return owing.masked(row, sealed, unit.shop.payments)


def _now(unit: ReadUnit) -> Moment:
    return paymentmeter.moment(unit.rows, unit.shop, unit.now_ms, unit.budget_ms)


def _view(
    head: PaymentHead, at: Moment, why: PaymentTrouble | None = None, *, steps: bool = False
) -> PaymentOnPage:
    known = dict(at.tells.payment(head.row, steps=steps))
    if why is not None:
        known["waits_for"] = "person"
    row, why_not = head.row, ""
    acts = paymentwords.acts(row, why)
    there = row.state in GIVEN_OTHERWISE or refunds.is_short(row)
    if steps and there and (left := refundrows.unsettled(at.rows, row.id)):
        acts += ("settle-refund",)
        known |= {"refund_id": left[0].refund_id, "refund_minor": left[0].amount_minor}
    if "settle-link" in acts and (surplus := linkrows.surplus_of(at.rows, row.id)):
        known |= {"link_key": surplus[0].link_key, "link_minor": surplus[0].paid_minor}
    if row.state == "recovery":
        why_not = owing.why_no_link(at.rows, row, at.shop.payments, at.now_ms)
        acts += ("contact",) if why_not else ("send-link", "contact")
    elif steps and owing.may_be_owed(row):
        acts += ("contact",)
    return PaymentOnPage(
        **known,
        device_name=head.device_name,
        terminal_name=head.terminal_name,
        receipt_no=head.receipt_no,
        sale_known=bool(head.receipt_no),
        psp_ref=head.row.psp_ref,
        stored_at_ms=head.row.stored_at_ms,
        trouble=why,
        acts=acts,
        link_why_not=why_not,
    )
