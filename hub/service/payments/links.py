"""Payment links: what is owed is asked for through the OMS, durably, one message a link.

A link is a row of its own with states of its own.  It is leased and brought to the OMS under one
key, however often; the OMS sends one message for it.  What is paid by a link ends the receivable.
A link for what isn't owed any more (it was written off, paid in cash, taken back) is called back;
money that comes by it all the same is neither kept quietly nor sent back blindly, for the hub can't
know which of two payments the shop keeps: it is shown to people until one says what became of it.
"""

from __future__ import annotations

from typing import Any, Final

from hub.contract.oms_links import LinkPaid
from hub.contract.problems import Code, refuse
from hub.contract.receivables import SendLink, SetContact, SettleLink
from hub.domain.payments.states import PaymentEvent, PaymentState
from hub.domain.payments.tokens import SealedToken
from hub.domain.payments.work import WorkKind
from hub.service.payments import book, owing, people, refunds
from hub.service.payments.commands import Leased, ProcessorSaid
from hub.service.unit import Unit
from hub.storage import hubrow, linkrows, paymentrows, refundrows, secretrows
from hub.storage.linkrows import TRIES_MAX, LinkRow
from hub.storage.paymentrows import PaymentRow

S, E = PaymentState, PaymentEvent

WAIT_MS: Final = 10_000
WAIT_MAX_MS: Final = 15 * 60_000
GONE_TIMES: Final = 4
"""So often an OMS has to know nothing of a link before it is taken for never sent: the request that
sends it may yet arrive.  The pauses grow; these make minutes."""
OTHER_OWED: Final = "another amount is owed"
NEVER_SAID: Final = "the OMS could not say whether it was sent"
CALLED_BACK: Final = "called back: it isn't owed any more"
GONE: Final = "the OMS knows nothing of it"
NO_CONTACT: Final = "the contact was forgotten"
NO_SALE: Final = "its sale isn't here"
"""Of a hub that was put back."""
CANT_CALL_BACK: Final = "the OMS can't call it back"
OTHER_PAID: Final = "another amount was paid"
IN_THE_BOOK: Final = "what was paid by it is in the book"
_PAID: Final = frozenset({"paid", "surplus", "settled"})


# What people ask for ------------------------------------------------------------------------------


def set_contact(unit: Unit, command: SetContact) -> PaymentRow:
    """See :class:`SetContact`.  Errors: ``conflict`` for what can't be owed; those of
    :func:`people.person`."""
    row = people.payment(unit, command.payment_id)
    who = people.person(unit, row, command.approval_id)
    if command.contact is None:
        if secretrows.shred(unit.tx, row.id, owing.CONTACT):
            unit.note("payment.contact_forgotten", row.payment_id, {"by": who})
            paymentrows.add_step(unit.tx, row, owing.FORGOTTEN, row.state, who, "")
            book.changed(unit, row)
            book.mirror_again(unit, row)
        return row
    if not owing.may_be_owed(row):
        raise refuse(
            Code.CONFLICT,
            f"This payment is {row.state}: nobody has to be asked for it, so no contact is kept.",
            state=row.state,
        )
    if not owing.keep(unit, row, command.contact):
        raise refuse(
            Code.CONFLICT,
            "This hub can't seal a contact: the key for payments is missing. Put it back from the"
            " escrow first.",
        )
    unit.note("payment.contact_kept", row.payment_id, {"by": who})
    book.changed(unit, row)
    book.mirror_again(unit, row)
    return row


def send(unit: Unit, command: SendLink) -> PaymentRow:
    """See :class:`SendLink`.  Errors: ``conflict`` with the reason why none can be sent."""
    row = people.payment(unit, command.payment_id)
    who = people.person(unit, row, command.approval_id)
    why = owing.why_no_link(unit.tx, row, unit.shop.payments, unit.now_ms)
    if why:
        raise refuse(Code.CONFLICT, why, payment_id=row.payment_id, state=row.state)
    owing.add_link(unit, row, who)
    unit.note("payment.link_asked", row.payment_id, {"by": who})
    book.changed(unit, row)
    return row


def settle(unit: Unit, command: SettleLink) -> PaymentRow:
    """See :class:`SettleLink`.  Errors: ``conflict`` when there is nothing to settle."""
    row = people.payment(unit, command.payment_id)
    who = people.person(unit, row, command.approval_id)
    found = linkrows.surplus_of(unit.tx, row.id)
    if command.link_key is not None:
        named = linkrows.get(unit.tx, command.link_key)
        if (
            named is not None
            and named.payment == row.id
            and linkrows.is_settled(named, command.how)
        ):
            return row
        found = [one for one in found if one.link_key == command.link_key]
    if not found:
        raise refuse(
            Code.CONFLICT,
            "No money of a payment link waits to be seen to: read the payment again.",
            state=row.state,
        )
    one = found[0]  # another may have come since somebody looked: it stays listed
    reason = f"{command.how}: {command.reason}"[: book.DETAIL_MAX]
    linkrows.change(unit.tx, one, state="settled", reason=reason)
    about = {"by": who, "how": command.how, "reason": command.reason}
    money = {"psp_ref": one.psp_ref, "amount_minor": one.paid_minor}
    unit.note("payment.link_settled", row.payment_id, about | money)
    book.changed(unit, row)
    return row


# Leases -------------------------------------------------------------------------------------------


def lease(unit: Unit, limit: int, lease_ms: int) -> tuple[Leased, ...]:
    """Take links that are due to be brought to the OMS, those due first at the front.  A hub that
    was put back from a copy has to hear first what it told: it may not be owed any more."""
    if not unit.shop.payments.links or hubrow.get(unit.tx).fence == "restored":
        return ()
    unit.check_fence()
    end_leases(unit, unit.tx.budget_ms)
    taken = _lease_recalls(unit, limit, lease_ms)
    for link in linkrows.due(unit.tx, unit.tx.budget_ms, linkrows.LINKS_MAX):
        if len(taken) >= limit:
            break
        row = paymentrows.numbered(unit.tx, link.payment)
        assert row is not None
        contact = secretrows.get(unit.tx, row.id, owing.CONTACT)
        why = _why_not_this(unit, row, link, contact)
        if contact is None or why:
            _let_go(unit, row, link, why)
            continue
        taken.append(_lease_one(unit, row, link, contact, lease_ms))
    return tuple(taken)


def _why_not_this(unit: Unit, row: PaymentRow, link: LinkRow, contact: SealedToken | None) -> str:
    if not row.in_sale:
        return NO_SALE
    if row.state != S.RECOVERY:
        return owing.NOT_OWED
    if contact is None:
        return NO_CONTACT
    return "" if link.amount_minor == owing.owed_minor(unit.tx, row) else OTHER_OWED


def _let_go(unit: Unit, row: PaymentRow, link: LinkRow, why: str) -> None:
    """It isn't to be sent as it is; one that may have been, by a lost hub or without an answer, is
    called back before another takes its place."""
    if link.sent_at_ms is not None:
        facts = {"recall": "wanted", "tries": 0, "due_budget_ms": unit.tx.budget_ms}
        _change(unit, row, link, link.state, reason=why, **facts)
        return
    _change(unit, row, link, "dropped", reason=why)
    if why == OTHER_OWED:
        _send_another(unit, row, link.by)


def _lease_one(
    unit: Unit, row: PaymentRow, link: LinkRow, contact: SealedToken, lease_ms: int
) -> Leased:
    first_sent_at_ms = link.sent_at_ms
    link = linkrows.change(
        unit.tx,
        link,
        state="sending",
        fence=link.fence + 1,
        lease_budget_ms=unit.tx.budget_ms + lease_ms,
        sent_at_ms=unit.now_ms if first_sent_at_ms is None else first_sent_at_ms,
    )
    why = "declined" if row.decline_code else "expired"
    return _leased(WorkKind.LINK, row, link, first_sent_at_ms, reason=why, token=contact)


def _lease_recalls(unit: Unit, limit: int, lease_ms: int) -> list[Leased]:
    taken: list[Leased] = []
    for link in linkrows.to_call_back(unit.tx, unit.tx.budget_ms, linkrows.LINKS_MAX):
        if len(taken) >= limit:
            break
        row = paymentrows.numbered(unit.tx, link.payment)
        assert row is not None
        if link.sent_at_ms is None:  # it turned out that it had never left
            why = OTHER_OWED if row.state == S.RECOVERY else owing.NOT_OWED
            _change(unit, row, link, "dropped", reason=why, recall="")
            _send_another(unit, row, link.by)
            continue
        until_ms = unit.tx.budget_ms + lease_ms
        held = linkrows.change(unit.tx, link, fence=link.fence + 1, lease_budget_ms=until_ms)
        taken.append(_leased(WorkKind.UNLINK, row, held, link.sent_at_ms))
    return taken


def _leased(
    kind: WorkKind, row: PaymentRow, link: LinkRow, first_sent_at_ms: int | None, **more: Any
) -> Leased:
    return Leased(
        kind=kind,
        payment_id=row.payment_id,
        fence=link.fence,
        key=link.link_key,
        amount_minor=link.amount_minor,
        currency=row.currency,
        terminal_id=row.terminal_id,
        psp_ref="",
        terminal_ref="",
        first_sent_at_ms=first_sent_at_ms,
        **more,
    )


def end_leases(unit: Unit, before_budget_ms: int) -> int:
    """Whoever brought these had time enough: they are brought again, under the same key."""
    found = linkrows.overdue(unit.tx, before_budget_ms)
    for one in found:
        facts = {"fence": one.fence + 1, "lease_budget_ms": 0, "due_budget_ms": unit.tx.budget_ms}
        linkrows.change(unit.tx, one, state="unknown", **facts)
    return len(found)


def end(unit: Unit, work: Leased, said: ProcessorSaid) -> bool:
    """Take in what the OMS said to a leased link; False when the fence isn't the current one."""
    link = linkrows.get(unit.tx, work.key)
    if link is None or link.fence != work.fence:
        return False
    row = paymentrows.numbered(unit.tx, link.payment)
    assert row is not None
    if work.kind is WorkKind.UNLINK:
        _end_recall(unit, row, link, said)
        return True
    if link.state != "sending":
        return False
    match said.outcome:
        case "sent":
            facts: dict[str, Any] = {"url": said.url, "expires_at_ms": said.expires_at_ms}
            _change(unit, row, link, "sent", reason=said.reason, **facts)
        case "captured":
            _paid(unit, row, link, said.psp_ref, work.amount_minor)
        case "declined" | "not-found":
            _change(unit, row, link, "refused", reason=said.reason, recall="")
        case "not-sent":
            first = {"sent_at_ms": None} if work.first_sent_at_ms is None else {}
            due_ms = _due(unit, link, said)
            _change(unit, row, link, "wanted", reason=said.reason, due_budget_ms=due_ms, **first)
        case _ if (tries := link.tries + said.reached) >= TRIES_MAX:
            _change(unit, row, link, "refused", reason=NEVER_SAID, tries=tries)
        case _:
            facts = {"due_budget_ms": _due(unit, link, said), "tries": tries}
            _change(unit, row, link, "unknown", reason=said.reason, **facts)
    return True


def _end_recall(unit: Unit, row: PaymentRow, link: LinkRow, said: ProcessorSaid) -> None:
    """Called back; paid before that, which is money as any that comes by a link; or it can't be:
    then it stands until it runs out."""
    tries = link.tries + (said.outcome != "not-sent" and said.reached)
    unheard_of = said.outcome == "not-found" and link.state != "sent"  # else it calls none back
    match said.outcome:
        case "captured":
            link = linkrows.change(unit.tx, link, recall="refused")
            _paid(unit, row, link, said.psp_ref, link.amount_minor)
        case "reversed":
            _change(unit, row, link, "dropped", reason=CALLED_BACK, recall="done")
            about = {"amount_minor": link.amount_minor, "state": row.state}
            unit.note("payment.link_called_back", row.payment_id, about)
            _send_another(unit, row, link.by)
        case "not-found" if unheard_of and tries >= GONE_TIMES:
            _change(unit, row, link, "dropped", reason=said.reason or GONE, recall="refused")
            _send_another(unit, row, link.by)
        case _ if tries < TRIES_MAX and (unheard_of or said.outcome in ("not-sent", "unknown")):
            due_ms = _due(unit, link, said)
            facts: dict[str, Any] = {"tries": tries, "due_budget_ms": due_ms}
            _change(unit, row, link, link.state, reason=said.reason, **facts)
        case _:
            stands = link.state if link.state in ("sent", "refused") else "dropped"
            reason = said.reason or CANT_CALL_BACK
            _change(unit, row, link, stands, reason=reason, recall="refused")


def _send_another(unit: Unit, row: PaymentRow, by: str) -> None:
    """In the place of one that asked for more than is owed by now."""
    if not owing.why_no_link(unit.tx, row, unit.shop.payments, unit.now_ms):
        owing.add_link(unit, row, by)


def _due(unit: Unit, link: LinkRow, said: ProcessorSaid) -> int:
    """Each answer moves the fence on, so that the pauses grow with it."""
    wait_ms = min(WAIT_MS << min(link.fence, 12), WAIT_MAX_MS)
    return unit.tx.budget_ms + max(wait_ms, said.not_before_ms)


def _change(
    unit: Unit, row: PaymentRow, link: LinkRow, state: str, *, reason: str = "", **facts: Any
) -> None:
    linkrows.change(
        unit.tx,
        link,
        state=state,
        fence=link.fence + 1,
        lease_budget_ms=0,
        reason=reason[: book.DETAIL_MAX],
        **facts,
    )
    book.changed(unit, row)


# Paid ---------------------------------------------------------------------------------------------


def paid(unit: Unit, told: LinkPaid) -> bool | None:
    """Take in that a link was paid; whether that changes anything, None for a payment that isn't
    here.  A hub that was put back from a copy may not know the link: the payment's id tells.

    Errors: ``ValueError`` for a link of another payment.
    """
    row = paymentrows.get(unit.tx, told.payment_id)
    if row is None:
        about = {"psp_ref": told.psp_ref, "amount_minor": told.amount_minor}
        unit.note("payment.link_paid_unknown", told.payment_id, about)
        return None
    link = linkrows.get(unit.tx, told.key)
    if link is not None and link.payment != row.id:
        raise ValueError("this link is of another payment")
    by_instant = f"{told.key}@{told.at_ms}"  # stands in for a reference that the cloud doesn't give
    known = linkrows.paid_by(unit.tx, row.id, told.psp_ref)
    known = known or linkrows.paid_by(unit.tx, row.id, by_instant)
    if not told.psp_ref:
        told = told.model_copy(update={"psp_ref": by_instant})
    if known is None and link is not None and link.state in _PAID and not link.psp_ref:
        known = link  # the OMS called it paid when it was asked, and gave no reference
    if known is not None:
        return _paid_again(unit, row, known, told)
    if link is not None and link.state in _PAID:
        link = None  # the customer has paid by it once more
    key = told.key if linkrows.get(unit.tx, told.key) is None else f"{told.key}:{told.psp_ref}"
    link = link or linkrows.add(unit.tx, key, row.id, told.amount_minor, "cloud")
    _paid(unit, row, link, told.psp_ref, told.amount_minor)
    return True


def _paid_again(unit: Unit, row: PaymentRow, link: LinkRow, told: LinkPaid) -> bool:
    """The cloud's word on what is noted as paid; how much it was is the cloud's to say."""
    if (link.psp_ref, link.paid_minor) == (told.psp_ref, told.amount_minor):
        return False
    if link.state == "paid" and link.paid_minor not in (0, told.amount_minor):
        _surplus(unit, row, link, told.psp_ref, told.amount_minor, OTHER_PAID)
        return True
    linkrows.change(unit.tx, link, psp_ref=told.psp_ref, paid_minor=told.amount_minor)
    return False


def _paid(unit: Unit, row: PaymentRow, link: LinkRow, psp_ref: str, paid_minor: int) -> None:
    known = linkrows.paid_by(unit.tx, row.id, psp_ref)
    if known is not None and known.id != link.id:  # a hub that was put back was told of it
        _change(unit, row, link, "dropped", reason=IN_THE_BOOK)
        return
    facts: dict[str, Any] = {"psp_ref": psp_ref, "paid_minor": paid_minor}
    if row.state == S.RECOVERY and paid_minor == owing.owed_minor(unit.tx, row):
        _change(unit, row, link, "paid", **facts)
        about = {"psp_ref": psp_ref, "amount_minor": paid_minor}
        unit.note("payment.paid_by_link", row.payment_id, about)
        detail = f"{owing.BY_LINK} {psp_ref}".strip()
        reason = detail[: book.DETAIL_MAX]
        row = book.move(unit, row, E.PAID_OTHERWISE, owing.BY_LINK, detail, reason=reason)
        _take_off(unit, row)
        return
    if _is_in_the_book(unit, row, psp_ref):
        _change(unit, row, link, "paid", **facts)
        return
    why = OTHER_OWED if row.state == S.RECOVERY else f"the payment is {row.state}"
    _surplus(unit, row, link, psp_ref, paid_minor, why)


def _is_in_the_book(unit: Unit, row: PaymentRow, psp_ref: str) -> bool:
    """Whether this very money came as the payment's own before: told as its outcome, paid out."""
    if not psp_ref or row.state not in (S.AUTHORISED, S.CAPTURED, S.SETTLED, S.REFUNDED):
        return False
    paid_out = f"{book.PAID_OUT}: {psp_ref}"  # told to a hub that was put back, too
    steps = paymentrows.steps(unit.tx, row.id)
    return row.psp_ref == psp_ref or any(one.detail == paid_out for one in steps)


def _take_off(unit: Unit, row: PaymentRow) -> None:
    """What came back before was not asked for by the link: nobody has to give it back besides."""
    for refund in refundrows.of_payment(unit.tx, row.id):
        if refund.state in ("wanted", "unknown", "refused") and not refundrows.is_otherwise(refund):
            row = refunds.take_off(unit, row, refund)


def _surplus(
    unit: Unit, row: PaymentRow, link: LinkRow, psp_ref: str, paid_minor: int, why: str
) -> None:
    facts: dict[str, Any] = {"psp_ref": psp_ref, "paid_minor": paid_minor}
    _change(unit, row, link, "surplus", reason=why, **facts)
    about = {"psp_ref": psp_ref, "amount_minor": paid_minor, "state": row.state}
    unit.note("payment.link_surplus", row.payment_id, about)
