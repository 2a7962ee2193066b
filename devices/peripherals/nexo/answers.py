"""What a terminal answers, as the hub understands it (nexo Retailer, Sale to POI 3.0).

Whatever isn't certain is ``unknown``: the transaction is asked about later.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from devices.peripherals.model import CardAnswer, CardOutcome, Charge, TerminalReport
from devices.peripherals.nexo.requests import REF_PARTED, minor

REASON_MAX: Final = 200
TOKEN_MAX: Final = 4096
EXTRA_MAX: Final = 32_768
REFUSED: Final = frozenset(
    {
        "Aborted",
        "Cancel",
        "DeviceOut",
        "InsertedCard",
        "InvalidCard",
        "PaymentRestriction",
        "Refusal",
        "UnreachableHost",
        "WrongPin",
    }
)
"""Error conditions of a payment that came to its end: nothing was taken."""
NOT_BEGUN: Final = frozenset(
    {"Busy", "LoggedOut", "MessageFormat", "NotAllowed", "UnavailableDevice", "UnavailableService"}
)
"""Error conditions of a request that was not taken up."""
FEES_BESIDE: Final = "the terminal tells fees that the card was not charged"
"""nexo's fees may be the shop's: what the card is charged is what was authorised."""
_REF = re.compile(r"[!-~]{1,100}")
_CODE = re.compile(r"[A-Za-z0-9]{1,12}")
_NOT_SCHEME = re.compile(r"[^a-z0-9 _-]")
_LAST4 = re.compile(r"([0-9]{4})[^0-9]*$")


@dataclass(frozen=True, slots=True)
class Condition:
    """A response's result, and with a failure its cause."""

    result: str
    error: str
    extra: Mapping[str, str]

    @property
    def reason(self) -> str:
        """In words, as far as the terminal says something."""
        told = [self.error or self.result, self.extra.get("refusalReason", "")]
        told.append(self.extra.get("message", ""))
        return _plain(": ".join(dict.fromkeys(filter(None, told))))


def condition_of(body: Mapping[str, Any]) -> Condition:
    """Of any response."""
    said = _part(body, "Response")
    return Condition(_text(said.get("Result")), _text(said.get("ErrorCondition")), extra_of(said))


def extra_of(said: Mapping[str, Any]) -> dict[str, str]:
    """``AdditionalResponse``: a query string, or base64 of JSON with ``additionalData``."""
    text = _text(said.get("AdditionalResponse"))[:EXTRA_MAX]
    if not text:
        return {}
    try:
        found = json.loads(base64.b64decode(text, validate=True))
        flat = found.get("additionalData", found)
        return {str(key): value for key, value in flat.items() if isinstance(value, str)}
    except (binascii.Error, ValueError, AttributeError, RecursionError):
        pass
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=500))
    except ValueError:
        return {}


def of_payment(
    body: Mapping[str, Any], charge: Charge | None, *, keep_token: bool, asked_minor: int = 0
) -> CardAnswer:
    """A PaymentResponse.  ``charge``: what was asked for, where that is known: an answer about
    another amount is ``unknown``, for people to look at.  ``asked_minor``: the same of one that is
    looked up, which may hold what was added there already."""
    condition = condition_of(body)
    facts = _facts(body, condition)
    if condition.result == "Failure":
        return _failed(condition, facts)
    if condition.result not in ("Success", "Partial"):
        return CardAnswer(CardOutcome.UNKNOWN, "the terminal's answer has no result")
    result = _part(body, "PaymentResult")
    told = _part(result, "AmountsResp")
    # What is asked for names no tip and no surcharge: those that come back were added there.
    currency = charge.currency if charge is not None else _text(told.get("Currency"))
    tip_minor = _extra_minor(told, "TipAmount", currency)
    surcharge_minor = _surcharge_minor(told, condition, currency)
    reason = ""
    if charge is not None or asked_minor:
        given = minor(told.get("AuthorizedAmount"), currency)
        base_minor = charge.amount_minor if charge is not None else asked_minor
        if charge is None and given == base_minor:
            tip_minor = surcharge_minor = 0  # it holds them, or the card wasn't charged them
        if given == base_minor + tip_minor and surcharge_minor and not _is_named(told, condition):
            surcharge_minor, reason = 0, FEES_BESIDE
        whole_minor = base_minor + tip_minor + surcharge_minor
        same = (given, _text(told.get("Currency")) or currency) == (whole_minor, currency)
        if condition.result == "Partial" or not same:
            why = "the terminal approved another amount than the one asked for"
            return CardAnswer(CardOutcome.UNKNOWN, f"{why}: look at its journal", **facts)
    elif condition.result == "Partial":
        return CardAnswer(CardOutcome.UNKNOWN, "the terminal approved a part only", **facts)
    card = _part(_part(result, "PaymentInstrumentData"), "CardData")
    token = _text(_part(card, "PaymentToken").get("TokenValue"))
    names = (_text(card.get("PaymentAccountRef")), condition.extra.get("alias", ""), token)
    offline = result.get("OnlineFlag") is False or condition.extra.get("offline") == "true"
    kept = offline and keep_token and 0 < len(token.encode()) <= TOKEN_MAX
    return CardAnswer(
        CardOutcome.APPROVED_OFFLINE if offline else CardOutcome.APPROVED,
        reason,
        card=next(filter(None, names), ""),
        token=token.encode() if kept else None,
        tip_minor=tip_minor,
        surcharge_minor=surcharge_minor,
        **facts,
    )


def _extra_minor(told: Mapping[str, Any], name: str, currency: str) -> int:
    return max(0, minor(told[name], currency) or 0) if name in told else 0


def _surcharge_minor(told: Mapping[str, Any], condition: Condition, currency: str) -> int:
    """What was added for paying by card: in the makers' own words (``surchargeAmount`` in minor
    units, ``SurchargeAmount`` beside the others), or as nexo's sum of fees."""
    if named := condition.extra.get("surchargeAmount", ""):
        return _whole(named) or 0
    name = "SurchargeAmount" if "SurchargeAmount" in told else "TotalFeesAmount"
    return _extra_minor(told, name, currency)


def _is_named(told: Mapping[str, Any], condition: Condition) -> bool:
    return bool(condition.extra.get("surchargeAmount")) or "SurchargeAmount" in told


def of_reversal(body: Mapping[str, Any]) -> CardAnswer:
    """A ReversalResponse."""
    condition = condition_of(body)
    facts = _facts(body, condition)
    match condition.result, condition.error:
        case "Success", _:
            return CardAnswer(CardOutcome.APPROVED, **facts)
        case "Failure", "NotFound":
            return CardAnswer(CardOutcome.NOT_DONE, condition.reason, **facts)
        case "Failure", error if error in NOT_BEGUN or error in ("InProgress", "UnreachableHost"):
            # It is tried again: money that is to go back has to.
            return CardAnswer(CardOutcome.UNKNOWN, condition.reason, **facts)
        case "Failure", error if error in REFUSED:
            return CardAnswer(CardOutcome.REFUSED, condition.reason, **facts)
        case _:
            return CardAnswer(CardOutcome.UNKNOWN, condition.reason, **facts)


def of_status(
    body: Mapping[str, Any],
    service: str,
    *,
    keep_token: bool,
    charge: Charge | None = None,
    asked_minor: int = 0,
) -> CardAnswer:
    """A TransactionStatusResponse about the message ``service``; see :func:`of_payment`."""
    condition = condition_of(body)
    if condition.result != "Success":
        if condition.error == "NotFound":
            return CardAnswer(CardOutcome.NOT_DONE, "the terminal knows nothing of it")
        return CardAnswer(CardOutcome.UNKNOWN, condition.reason or "the terminal can't say")
    repeated = _part(body, "RepeatedMessageResponse")
    if _part(repeated, "MessageHeader").get("ServiceID") != service:
        return CardAnswer(CardOutcome.UNKNOWN, "the terminal told of another transaction")
    match _part(repeated, "RepeatedResponseMessageBody"):
        case {"PaymentResponse": dict(found)}:
            return of_payment(found, charge, keep_token=keep_token, asked_minor=asked_minor)
        case {"ReversalResponse": dict(found)}:
            return of_reversal(found)
        case _:
            return CardAnswer(CardOutcome.UNKNOWN, "the terminal's answer has no transaction in it")


def of_diagnosis(body: Mapping[str, Any]) -> tuple[TerminalReport, str]:
    """A DiagnosisResponse, and its firmware."""
    condition = condition_of(body)
    hosts = body.get("HostStatus")
    reached = [
        one.get("IsReachableFlag") is True
        for one in (hosts if isinstance(hosts, list) else [])
        if isinstance(one, dict)
    ]
    linked = _part(body, "POIStatus").get("CommunicationOKFlag")
    online = any(reached) if reached else (linked if isinstance(linked, bool) else None)
    return (
        TerminalReport(
            stored_count=_whole(condition.extra.get("unconfirmedBatchCount", "")),
            stored_minor=_whole(condition.extra.get("unconfirmedBatchMinor", "")),
            online=online,
        ),
        _plain(condition.extra.get("firmwareVersion", ""))[:64],
    )


def _failed(condition: Condition, facts: dict[str, Any]) -> CardAnswer:
    match condition.error:
        case error if error in REFUSED:
            return CardAnswer(CardOutcome.REFUSED, condition.reason, **facts)
        case error if error in NOT_BEGUN:
            return CardAnswer(CardOutcome.NOT_DONE, condition.reason)
        case _:
            return CardAnswer(CardOutcome.UNKNOWN, condition.reason, **facts)


def _facts(body: Mapping[str, Any], condition: Condition) -> dict[str, Any]:
    """What may be kept: never more of a card than its last four digits."""
    result = _part(body, "PaymentResult")
    acquirer = _part(result, "PaymentAcquirerData")
    card = _part(_part(result, "PaymentInstrumentData"), "CardData")
    own = _part(_part(body, "POIData"), "POITransactionID")
    transaction_id = _text(own.get("TransactionID")).strip()
    ref = REF_PARTED.join(filter(None, (transaction_id, _text(own.get("TimeStamp")))))
    host = _text(_part(acquirer, "AcquirerTransactionID").get("TransactionID"))
    psp_ref = host or condition.extra.get("pspReference", "") or transaction_id.partition(".")[2]
    last4 = _LAST4.search(_text(card.get("MaskedPan")))
    code = _text(acquirer.get("ApprovalCode"))
    return {
        "last4": last4[1] if last4 else "",
        "scheme": _NOT_SCHEME.sub("", _text(card.get("PaymentBrand")).lower())[:20],
        "approval_code": code if _CODE.fullmatch(code) else "",
        "psp_ref": psp_ref if _REF.fullmatch(psp_ref) else "",
        "terminal_ref": ref if _REF.fullmatch(ref) else "",
    }


def _part(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = body.get(name)
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None


def _plain(text: str) -> str:
    return "".join(char for char in text if char.isprintable())[:REASON_MAX]
