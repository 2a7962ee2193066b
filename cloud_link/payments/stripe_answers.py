"""What Stripe's answers mean: payment intents, refunds and errors.

Source: Stripe's API reference (PaymentIntent ``status``, Refund ``status``, error ``type`` and
``code``) and its list of decline codes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from hub.domain.payments.declines import DeclineCode
from hub.service.payments.commands import ProcessorSaid

REASON_CHARS: Final = 200
_D = DeclineCode

DECLINES: Final[dict[str, DeclineCode]] = {
    "approve_with_id": _D.TRY_AGAIN,
    "authentication_not_handled": _D.AUTHENTICATION_NEEDED,
    "authentication_required": _D.AUTHENTICATION_NEEDED,
    "call_issuer": _D.DO_NOT_HONOUR,
    "card_not_supported": _D.INVALID_CARD,
    "card_velocity_exceeded": _D.LIMIT_EXCEEDED,
    "currency_not_supported": _D.INVALID_CARD,
    "do_not_honor": _D.DO_NOT_HONOUR,
    "do_not_try_again": _D.FRAUD,
    "expired_card": _D.EXPIRED_CARD,
    "fraudulent": _D.FRAUD,
    "generic_decline": _D.DO_NOT_HONOUR,
    "incorrect_number": _D.INVALID_CARD,
    "incorrect_pin": _D.AUTHENTICATION_NEEDED,
    "insufficient_funds": _D.INSUFFICIENT_FUNDS,
    "invalid_account": _D.CLOSED_ACCOUNT,
    "invalid_amount": _D.LIMIT_EXCEEDED,
    "invalid_expiry_month": _D.INVALID_CARD,
    "invalid_expiry_year": _D.INVALID_CARD,
    "invalid_number": _D.INVALID_CARD,
    "issuer_not_available": _D.ISSUER_UNAVAILABLE,
    "lost_card": _D.STOLEN_OR_LOST,
    "merchant_blacklist": _D.FRAUD,
    "new_account_information_available": _D.CLOSED_ACCOUNT,
    "no_action_taken": _D.TRY_AGAIN,
    "not_permitted": _D.DO_NOT_HONOUR,
    "offline_pin_required": _D.AUTHENTICATION_NEEDED,
    "online_or_offline_pin_required": _D.AUTHENTICATION_NEEDED,
    "pickup_card": _D.STOLEN_OR_LOST,
    "pin_try_exceeded": _D.AUTHENTICATION_NEEDED,
    "processing_error": _D.TRY_AGAIN,
    "reenter_transaction": _D.TRY_AGAIN,
    "restricted_card": _D.STOLEN_OR_LOST,
    "revocation_of_all_authorizations": _D.FRAUD,
    "revocation_of_authorization": _D.FRAUD,
    "security_violation": _D.FRAUD,
    "service_not_allowed": _D.DO_NOT_HONOUR,
    "stolen_card": _D.STOLEN_OR_LOST,
    "stop_payment_order": _D.FRAUD,
    "testmode_decline": _D.OTHER,
    "transaction_not_allowed": _D.DO_NOT_HONOUR,
    "try_again_later": _D.TRY_AGAIN,
    "withdrawal_count_limit_exceeded": _D.LIMIT_EXCEEDED,
    # Codes of errors that come without a decline code.
    "card_declined": _D.DO_NOT_HONOUR,
    "card_decline_rate_limit_exceeded": _D.LIMIT_EXCEEDED,
    "payment_intent_authentication_failure": _D.AUTHENTICATION_NEEDED,
}
_RANK: Final = ("captured", "approved", "acked", "refunded", "reversed", "declined")
"""Of several intents for one payment, the one that says most of the money."""
_SECRETS: Final = re.compile(r"\b(?:pm|card|src|tok|sk|rk|cus)_[A-Za-z0-9_*]+")


def masked(text: str) -> str:
    """Stripe names payment methods and keys in its messages; nobody keeps those."""
    return _SECRETS.sub("…", text)[:REASON_CHARS]


def decline_code(error: dict[str, Any]) -> DeclineCode:
    """Of an error or ``last_payment_error``."""
    found = DECLINES.get(str(error.get("decline_code") or ""))
    return found or DECLINES.get(str(error.get("code") or ""), _D.OTHER)


def intent_said(intent: dict[str, Any]) -> ProcessorSaid:
    """How a payment intent stands.  ``latest_charge`` tells of refunds only where it is expanded;
    the caller asks for that."""
    psp_ref = str(intent.get("id") or "")
    match intent.get("status"):
        case "requires_capture":
            taken_minor = _minor(intent, "amount_capturable", "amount")
            return ProcessorSaid(
                "approved",
                psp_ref=psp_ref,
                approval_code=_approval(intent),
                approved_minor=taken_minor,
            )
        case "succeeded":
            charge = intent.get("latest_charge")
            whole = isinstance(charge, dict) and charge.get("refunded") is True
            outcome: Any = "refunded" if whole else "captured"
            taken_minor = _minor(intent, "amount_received", "amount")
            return ProcessorSaid(
                outcome,
                psp_ref=psp_ref,
                approval_code=_approval(intent),
                approved_minor=taken_minor,
            )
        case "processing":
            return ProcessorSaid("acked", psp_ref=psp_ref)
        case "canceled":
            return ProcessorSaid("reversed", psp_ref=psp_ref)
        case "requires_payment_method":
            error = intent.get("last_payment_error") or {}
            reason = masked(str(error.get("message") or "declined"))
            return ProcessorSaid("declined", reason, psp_ref=psp_ref, code=decline_code(error))
        case "requires_action" | "requires_confirmation":
            why = "the customer would have to authenticate"
            code = _D.AUTHENTICATION_NEEDED
            return ProcessorSaid("declined", why, psp_ref=psp_ref, code=code)
        case other:
            return ProcessorSaid("unknown", f"a payment intent that is {str(other)[:40]}")


def _minor(intent: dict[str, Any], *names: str) -> int | None:
    """The first of these amounts that is told; a tip that was given at a reader is in each."""
    found = (intent.get(name) for name in names)
    return next((one for one in found if type(one) is int and one > 0), None)


def _approval(intent: dict[str, Any]) -> str:
    charge = intent.get("latest_charge")
    details = charge.get("payment_method_details") if isinstance(charge, dict) else None
    card = details.get("card") if isinstance(details, dict) else None
    code = card.get("authorization_code") if isinstance(card, dict) else None
    return str(code or "")[:32]


def best_of(intents: Iterable[dict[str, Any]], key: str) -> ProcessorSaid:
    """What became of a payment that has these intents.  A decline of another charge than ``key``
    isn't this one's."""
    found = [(one, intent_said(one)) for one in intents]
    if any(said.outcome == "unknown" for _, said in found):
        return next(said for _, said in found if said.outcome == "unknown")
    said_of = [
        said
        for one, said in found
        if said.outcome != "declined" or not key or metadata(one).get("key", key) == key
    ]
    if not said_of:
        return ProcessorSaid("not-found", "only earlier charges are known, and were declined")
    said_of.sort(key=lambda said: _RANK.index(said.outcome))
    best, alive = said_of[0], [s for s in said_of if s.outcome in ("captured", "approved", "acked")]
    if len(alive) > 1:
        others = ", ".join(said.psp_ref for said in alive if said is not best)
        return replace(best, reason=f"more than one payment intent stands: {others}"[:REASON_CHARS])
    return best


def metadata(found: dict[str, Any]) -> dict[str, str]:
    """The metadata of an object; empty where there is none."""
    told = found.get("metadata")
    return told if isinstance(told, dict) else {}


def refund_said(refund: dict[str, Any]) -> ProcessorSaid:
    """How a refund stands."""
    psp_ref = str(refund.get("id") or "")
    match refund.get("status"):
        case "succeeded":
            return ProcessorSaid("refunded", psp_ref=psp_ref)
        case "pending" | "requires_action":
            return ProcessorSaid("acked", psp_ref=psp_ref)
        case "failed" | "canceled":
            why = str(refund.get("failure_reason") or refund["status"])[:REASON_CHARS]
            return ProcessorSaid("declined", why, psp_ref=psp_ref)
        case other:
            return ProcessorSaid("unknown", f"a refund that is {str(other)[:40]}")


def failure_said(status: int, error: dict[str, Any], wait_ms: int) -> ProcessorSaid:
    """What an answer of 400 or more means for what was asked.

    ``not-sent`` only where Stripe says that it did nothing: the request was not valid, the key not
    accepted, the rate limit reached.  A key that is in use or was used for something else tells
    nothing of what that did; 5xx never does.
    """
    reason = masked(f"{status}: {error.get('message') or error.get('code') or 'no reason given'}")
    code, kind = str(error.get("code") or ""), str(error.get("type") or "")
    if status == 402:
        intent = error.get("payment_intent")
        psp_ref = str(intent.get("id") or "") if isinstance(intent, dict) else ""
        return ProcessorSaid("declined", reason, psp_ref=psp_ref, code=decline_code(error))
    if kind == "idempotency_error" or status in (408, 409) or status >= 500:
        return ProcessorSaid("unknown", reason, not_before_ms=wait_ms)
    if code == "resource_missing" and error.get("param") == "payment_method":
        return ProcessorSaid("declined", reason, code=_D.INVALID_CARD)
    if status in (400, 401, 403, 404, 405, 413, 429):
        let_in = status not in (401, 403, 429)  # else it has said nothing of a payment
        return ProcessorSaid("not-sent", reason, not_before_ms=wait_ms, reached=let_in)
    return ProcessorSaid("unknown", reason, not_before_ms=wait_ms)
