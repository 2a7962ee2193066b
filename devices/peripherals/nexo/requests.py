"""What a terminal is asked, as messages of the nexo Retailer protocol (Sale to POI, 3.0).

A message's ``ServiceID`` has ten characters at most and names it towards the terminal for days: it
is made of the payment's id (or of an effect's key), so that a restarted hub asks about the same
message without having written anything down.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final

from devices.peripherals.model import Charge
from hub.domain.money import currency_exponent

PROTOCOL: Final = "3.0"
SERVICE_ID_CHARS: Final = 10
REF_PARTED: Final = "|"
"""Between a transaction's id and its time stamp in what the hub keeps of it."""
_LETTERS: Final = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"


class TooMuch(ValueError):
    """An amount that JSON numbers don't carry exactly."""


@dataclass(frozen=True, slots=True)
class Party:
    """Who speaks to whom."""

    sale_id: str
    poi_id: str


def service_id(name: str) -> str:
    """The message's id for a payment or an effect: the same for the same name."""
    number = int.from_bytes(sha256(name.encode()).digest()[:16], "big")
    chars = []
    for _ in range(SERVICE_ID_CHARS):
        number, left = divmod(number, len(_LETTERS))
        chars.append(_LETTERS[left])
    return "".join(chars)


def stamp(at_ms: int) -> str:
    """ISO 8601 with milliseconds, in UTC."""
    seconds, millis = divmod(at_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{millis:03d}Z"


def header(party: Party, category: str, service: str) -> dict[str, Any]:
    """Of a request."""
    return {
        "ProtocolVersion": PROTOCOL,
        "MessageClass": "Service",
        "MessageCategory": category,
        "MessageType": "Request",
        "ServiceID": service,
        "SaleID": party.sale_id,
        "POIID": party.poi_id,
    }


def amount(amount_minor: int, currency: str) -> int | float:
    """As JSON carries it, in major units.  Errors: :class:`TooMuch`."""
    exponent = currency_exponent(currency)
    exact = Decimal(amount_minor).scaleb(-exponent)
    if exact == exact.to_integral_value() and abs(exact) < 1 << 53:
        return int(exact)
    near = float(exact)
    if Decimal(repr(near)) != exact:
        raise TooMuch(f"{amount_minor} can't be told to a terminal exactly")
    return near


def minor(told: Any, currency: str) -> int | None:
    """An amount of a message in minor units; None when it is none, or isn't whole."""
    if isinstance(told, bool) or not isinstance(told, int | Decimal):
        return None
    exact = Decimal(told).scaleb(currency_exponent(currency))
    return int(exact) if exact.is_finite() and exact == exact.to_integral_value() else None


def payment(charge: Charge, at: str, *, keep_token: bool) -> dict[str, Any]:
    """Take a payment.  ``at``: now, ISO 8601; ``keep_token``: ask for a token of the card, which
    the hub is to keep."""
    transaction: dict[str, Any] = {
        "AmountsReq": {
            "Currency": charge.currency,
            "RequestedAmount": amount(charge.amount_minor, charge.currency),
        }
    }
    if not charge.offline_allowed:
        transaction["TransactionConditions"] = {"ForceOnlineFlag": True}
    sale: dict[str, Any] = {
        "SaleTransactionID": {"TransactionID": charge.payment_id, "TimeStamp": at},
        "SaleReferenceID": charge.sale_id,
    }
    if keep_token:
        sale["TokenRequestedType"] = "Transaction"
    return {"PaymentRequest": {"SaleData": sale, "PaymentTransaction": transaction}}


def refund(charge: Charge, at: str) -> dict[str, Any]:
    """Give money back without the payment that it belongs to: the customer's card is asked for."""
    asked = payment(charge, at, keep_token=False)["PaymentRequest"]
    asked["PaymentTransaction"].pop("TransactionConditions", None)
    return {"PaymentRequest": asked | {"PaymentData": {"PaymentType": "Refund"}}}


def reversal(
    charge: Charge, terminal_ref: str, at: str, name: str, *, part: bool
) -> dict[str, Any]:
    """Take a transaction back; ``part``: only the charge's amount of it."""
    transaction_id, _, stamp = terminal_ref.partition(REF_PARTED)
    asked: dict[str, Any] = {
        "OriginalPOITransaction": {
            "POITransactionID": {"TransactionID": transaction_id, "TimeStamp": stamp or at}
        },
        "ReversalReason": "MerchantCancel",
        "SaleData": {"SaleTransactionID": {"TransactionID": name, "TimeStamp": at}},
    }
    if part:
        asked["ReversedAmount"] = amount(charge.amount_minor, charge.currency)
        asked["SaleData"]["SaleToAcquirerData"] = f"currency={charge.currency}"
    return {"ReversalRequest": asked}


def status(party: Party, category: str, service: str) -> dict[str, Any]:
    """What became of the message ``service``."""
    return {"TransactionStatusRequest": {"MessageReference": _reference(party, category, service)}}


def abort(party: Party, service: str) -> dict[str, Any]:
    """Break off the payment ``service``."""
    return {
        "AbortRequest": {
            "AbortReason": "MerchantAbort",
            "MessageReference": _reference(party, "Payment", service),
        }
    }


def diagnosis() -> dict[str, Any]:
    """How it is, and whether it reaches its acquirer."""
    return {"DiagnosisRequest": {"HostDiagnosisFlag": True}}


def _reference(party: Party, category: str, service: str) -> dict[str, Any]:
    return {
        "MessageCategory": category,
        "ServiceID": service,
        "SaleID": party.sale_id,
        "POIID": party.poi_id,
    }
