"""Why a person has to look at a payment, in plain words; and what a person may ask for."""

from __future__ import annotations

from typing import Final

from hub.contract.pages.payments import Act, PaymentTrouble
from hub.domain.payments.declines import code_of
from hub.domain.payments.exposure import DAY_MS, HOUR_MS
from hub.domain.payments.states import FINAL, PaymentState
from hub.domain.payments.work import Hand, Standing, next_work
from hub.storage.paymentrows import PaymentRow

NO_SALE_MS: Final = HOUR_MS // 2
"""So long after it was approved a payment should be in a sale."""
NO_ANSWER_MS: Final = DAY_MS
NOTED_MS: Final = 7 * DAY_MS
"""So long what a person has to see to elsewhere is shown: the hub can't know when that is done."""
SURCHARGED_MAX: Final = 5
"""So many of the newest surcharges that aren't allowed are shown: a wrong setting of a terminal
brings one with each payment, and they must not hide what else needs a person."""
_DECIDED: Final = frozenset({"manual", "lost", "no-answer"})
_GONE: Final = FINAL | {PaymentState.EXPIRED, PaymentState.RECOVERY, PaymentState.DECLINED}

DECLINES: Final = {
    "insufficient-funds": "not enough money on the account",
    "issuer-unavailable": "the card's bank didn't answer",
    "try-again": "the bank said to try again",
    "limit-exceeded": "the card's limit is reached",
    "authentication-needed": "the bank wants the customer to prove who they are",
    "do-not-honour": "the bank doesn't say why",
    "stolen-or-lost": "the card is reported lost or stolen",
    "invalid-card": "the card isn't valid",
    "expired-card": "the card has expired",
    "fraud": "the bank suspects fraud",
    "closed-account": "the account is closed",
    "other": "for another reason",
}
"""Why a card's bank said no, to come after a colon."""
VALUE_DECLINES: Final = {
    "expired": "its value was held for too long before the sale was written",
    "released": "its value was let go before",
    "blocked": "the gift card is blocked",
    "unknown-card": "nobody knows the gift card",
}
"""The same of whoever keeps gift cards."""


def standing(row: PaymentRow, now_ms: int) -> Standing:
    """A payment as decisions look at it."""
    return Standing(
        state=PaymentState(row.state),
        custody=row.custody,
        driven_by=row.driven_by,
        in_sale=bool(row.in_sale),
        void_asked=bool(row.void_asked),
        forwards=row.forwards,
        sent_age_ms=max(0, now_ms - row.sent_at_ms) if row.sent_at_ms else 0,
        is_value=row.is_value,
    )


def hand_of(row: PaymentRow, now_ms: int, *, processor: bool) -> Hand | None:
    """Who does what is next; None: nobody but people, or nothing is to be done."""
    work = next_work(standing(row, now_ms), processor=processor)
    return work.hand if work else None


def trouble(row: PaymentRow, now_ms: int, *, processor: bool) -> PaymentTrouble | None:
    """What is wrong with a payment; None: nothing that needs a person."""
    match PaymentState(row.state):
        case PaymentState.MANUAL:
            return _MANUAL
        case PaymentState.LOST:
            return _LOST
        case PaymentState.RECOVERY | PaymentState.EXPIRED:
            return _receivable(row)
        case PaymentState.FORWARDED if row.sent_at_ms and now_ms - row.sent_at_ms >= NO_ANSWER_MS:
            return _NO_ANSWER
        case PaymentState.STORED | PaymentState.AUTHORISED if not row.in_sale:
            if not row.void_asked and now_ms - row.changed_at_ms >= NO_SALE_MS:
                return _no_sale(row)
        case PaymentState.STORED | PaymentState.RETRY_WAIT if row.custody == "hub":
            if not processor and not row.void_asked:
                return _NOBODY_PRESENTS
        case _:
            pass
    return _give_back(row, now_ms, processor=processor)


def acts(row: PaymentRow, why: PaymentTrouble | None) -> tuple[Act, ...]:
    """What a person may ask for as it stands, with ``why`` it needs one."""
    state = PaymentState(row.state)
    found: list[Act] = []
    if why is not None and why.kind in _DECIDED:
        found.append("decide")
    if state is PaymentState.RECOVERY:
        found += ["paid", "write-off"]
    if why is not None and why.kind == "paid-twice":
        found.append("settle-link")
    if not row.in_sale and not row.void_asked and state not in _GONE:
        found.append("give-up")
    return tuple(found)


_MANUAL: Final = PaymentTrouble(
    kind="manual",
    wrong="Nobody could find out whether this payment was made.",
    means="The customer may have paid or not. It counts as at risk until somebody decides.",
    next_step="Look it up in the processor's portal or the terminal's journal by time and amount,"
    " then decide. A second person has to say the same.",
)
_LOST: Final = PaymentTrouble(
    kind="lost",
    wrong="The terminal that kept this payment is gone.",
    means="The money comes only if the terminal is found, or the processor knows the payment.",
    next_step="Look for the terminal and connect it. If it can't be found, look the payment up in"
    " the processor's portal and decide. A second person has to say the same.",
)
_NO_ANSWER: Final = PaymentTrouble(
    kind="no-answer",
    wrong="The processor took this payment over a day ago and never said what came of it.",
    means="The money may be there or not. It counts as at risk until somebody decides.",
    next_step="Look it up in the processor's portal, then decide. A second person has to say the"
    " same.",
)
_NOBODY_PRESENTS: Final = PaymentTrouble(
    kind="nobody-presents",
    wrong="The hub keeps this payment, but has no connection to a processor.",
    means="It expires if nobody presents it in time; then the shop is owed the money.",
    next_step="Set payments.processor and its key, and start the hub again.",
)

_TWICE: Final = PaymentTrouble(
    kind="twice",
    wrong="The processor told two different references for this one payment.",
    means="The customer may have been charged twice.",
    next_step="Compare both references in the audit log (store-hub audit list) with the processor's"
    " portal, and give one of them back there. This stays here for a week.",
)
_NOT_GIVEN_BACK: Final = PaymentTrouble(
    kind="give-back",
    wrong="Money of this payment couldn't be given back to the card.",
    means="The customer waits for their money.",
    next_step="Give it back in the processor's portal, at the terminal, or in cash, and say so"
    " here: then nobody gives it once more. This stays here for a week at most; store-hub"
    " settlement report lists it for longer.",
)
PAID_APART: Final = PaymentTrouble(
    kind="give-back",
    wrong="Goods came back before this payment was paid in another way.",
    means="If the customer has paid for them, too, they wait for that money.",
    next_step="Ask whoever took the money how much it was. Give back what was too much, and say"
    " here that it was seen to.",
)
PAID_TWICE: Final = PaymentTrouble(
    kind="paid-twice",
    wrong="The customer has paid by the payment link, but not what was owed: it was paid otherwise,"
    " written off or taken back before, or is of another amount.",
    means="The shop has money that may be the customer's.",
    next_step="Look both up. Give the link's money back in the OMS by its reference, or keep it and"
    " say for what; then say here what was done.",
)
SURCHARGED: Final = PaymentTrouble(
    kind="surcharge",
    wrong="The terminal added a surcharge that this shop doesn't allow, or not so high.",
    means="The customer has paid it. For this card it may be against the law.",
    next_step="Have surcharges switched off in the terminal's settings, or, where the law lets the"
    " shop take them, set payments.surcharge_max_percent. Ask whoever answers for it whether the"
    " customers get it back: store-hub settlement report lists the last 200. The last few stay"
    " here for a week.",
)
_GIVEN_TWICE: Final = PaymentTrouble(
    kind="given-twice",
    wrong="Money of this payment went back twice: somebody gave it in another way, and the till's"
    " terminal gave it back to the card, too.",
    means="The customer has it twice, and the shop is short of it.",
    next_step="Look up who gave it (store-hub audit list) and whether both went out. Ask the"
    " customer for one of them, or book it as a loss. This stays here for a week; store-hub"
    " settlement report lists it for longer.",
)
NOTED: Final = {
    "payment.two_refs": _TWICE,
    "payment.refund_refused": _NOT_GIVEN_BACK,
    "payment.refund_given_twice": _GIVEN_TWICE,
}
"""By the entry of the audit log that tells of it."""


def _declined(row: PaymentRow) -> str:
    if row.is_value:
        return VALUE_DECLINES.get(row.decline_code, DECLINES["other"])
    return DECLINES[code_of(row.decline_code).value]


def _receivable(row: PaymentRow) -> PaymentTrouble:
    why = "It expired before it could be presented."
    if row.decline_code:
        why = f"The card was declined later: {_declined(row)}."
    elif row.state == PaymentState.RECOVERY and row.reason:
        why = f"Its money doesn't come: {row.reason.rstrip('.')}."
    return PaymentTrouble(
        kind="receivable",
        wrong=why,
        means="The customer has the goods, the shop has no money yet.",
        next_step="Ask the customer to pay: by a payment link where an address is known, or in"
        " another way, and mark it paid."
        " Otherwise write it off; that takes two people.",
    )


def _no_sale(row: PaymentRow) -> PaymentTrouble:
    stored = row.state == PaymentState.STORED
    return PaymentTrouble(
        kind="no-sale",
        wrong=("Accepted offline" if stored else "Approved") + ", but no sale was made with it.",
        means="It isn't presented while there is no sale."
        if stored
        else "The customer's money is held for nothing. A day after it began it is let go.",
        next_step="Finish the sale at the till, or give the payment up; then nothing is charged.",
    )


def _give_back(row: PaymentRow, now_ms: int, *, processor: bool) -> PaymentTrouble | None:
    there = {PaymentState.AUTHORISED, PaymentState.CAPTURED, PaymentState.SETTLED}
    if not row.void_asked or row.state not in there:
        return None
    if hand_of(row, now_ms, processor=processor) is not None:
        return None
    return PaymentTrouble(
        kind="give-back",
        wrong="This money has to go back to the customer, and the hub can't send it.",
        means="The customer has paid for nothing.",
        next_step="Give it back at the till's terminal or in the processor's portal.",
    )
