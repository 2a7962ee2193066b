"""Bodies of a simulated terminal's answers (nexo Retailer, as Adyen's terminals write them)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from devices.peripherals.nexo.requests import amount
from devices.terminal.deeds import Deed

VENDOR: Final = "Store Hub"
FIRMWARE: Final = "simulated_1_0"
CARDS: Final[Mapping[str, tuple[str, str]]] = {
    "visa": ("476173 **** 0119", "visa"),
    "mc": ("541333 **** 9999", "mc"),
    "amex": ("374245 **** 0126", "amex"),
}
"""The digits of schemes' own test cards, masked: name → as told, and its brand."""


def failure(category: str, error: str, **extra: str) -> dict[str, Any]:
    """A response that it didn't do it."""
    said: dict[str, Any] = {"Result": "Failure", "ErrorCondition": error}
    if extra:
        said["AdditionalResponse"] = urlencode(extra)
    return {f"{category}Response": {"Response": said}}


def payment(deed: Deed, poi_id: str, *, stored: int, with_token: bool) -> dict[str, Any]:
    """What came of a payment or refund, as it stands now."""
    declined = deed.forwarded == "declined"
    extra = {"alias": f"C{deed.card.upper()}0001", "unconfirmedBatchCount": str(stored)}
    body: dict[str, Any] = {
        "POIData": {
            "POITransactionID": {"TransactionID": _transaction(deed), "TimeStamp": deed.stamp}
        },
        "SaleData": {
            "SaleTransactionID": {"TransactionID": deed.payment_id, "TimeStamp": deed.stamp}
        },
    }
    if deed.how == "failed" or declined:
        error = "Refusal" if declined else deed.error
        body["Response"] = {
            "Result": "Failure",
            "ErrorCondition": error,
            "AdditionalResponse": urlencode(extra | {"refusalReason": f"simulated {error}"}),
        }
        return {"PaymentResponse": body}
    online = deed.how == "approved" or deed.forwarded == "approved"
    masked, brand = CARDS.get(deed.card, CARDS["visa"])
    card: dict[str, Any] = {"PaymentBrand": brand, "MaskedPan": masked, "EntryMode": ["Tapped"]}
    if with_token and deed.how == "tokenised":
        card["PaymentToken"] = {
            "TokenRequestedType": "Transaction",
            "TokenValue": f"simulated-p2pe.{deed.transaction}.{deed.service}",
        }
    acquirer: dict[str, Any] = {"AcquirerPOIID": poi_id, "MerchantID": "SimulatedMerchant"}
    if online:
        acquirer["ApprovalCode"] = deed.psp_ref[-6:]
        acquirer["AcquirerTransactionID"] = {
            "TransactionID": deed.psp_ref,
            "TimeStamp": deed.stamp,
        }
    else:
        extra |= {"offline": "true", "offlineAuthCode": "Failed go online offline declined"}
    given_minor = deed.amount_minor // 2 if deed.partial else deed.amount_minor
    amounts: dict[str, Any] = {
        "Currency": deed.currency,
        "AuthorizedAmount": amount(given_minor, deed.currency),
    }
    if deed.surcharge_minor and deed.surcharge_as == "surcharge":
        extra["surchargeAmount"] = str(deed.surcharge_minor)
    elif deed.surcharge_minor:
        amounts["TotalFeesAmount"] = amount(deed.surcharge_minor, deed.currency)
    body["PaymentResult"] = {
        "PaymentType": "Refund" if deed.refund else "Normal",
        "OnlineFlag": online,
        "AmountsResp": amounts,
        "PaymentAcquirerData": acquirer,
        "PaymentInstrumentData": {"PaymentInstrumentType": "Card", "CardData": card},
    }
    body["Response"] = {
        "Result": "Partial" if deed.partial else "Success",
        "AdditionalResponse": urlencode(extra),
    }
    return {"PaymentResponse": body}


def reversal(deed: Deed) -> dict[str, Any]:
    """What came of a reversal."""
    if deed.how == "failed":
        return failure("Reversal", deed.error)
    return {
        "ReversalResponse": {
            "Response": {"Result": "Success"},
            "POIData": {
                "POITransactionID": {"TransactionID": _transaction(deed), "TimeStamp": deed.stamp}
            },
            "ReversedAmount": amount(deed.amount_minor, deed.currency),
        }
    }


def status(asked: Mapping[str, Any], header: Mapping[str, Any], body: Mapping[str, Any]) -> Any:
    """The answer ``body`` of a former message, told again."""
    head = {
        **header,
        "MessageCategory": asked.get("MessageCategory"),
        "ServiceID": asked.get("ServiceID"),
        "MessageType": "Response",
    }
    return {
        "TransactionStatusResponse": {
            "Response": {"Result": "Success"},
            "MessageReference": dict(asked),
            "RepeatedMessageResponse": {
                "MessageHeader": head,
                "RepeatedResponseMessageBody": dict(body),
            },
        }
    }


def diagnosis(*, online: bool, stored: int, stored_minor: int, poi_id: str) -> dict[str, Any]:
    """How it is."""
    extra = {
        "firmwareVersion": FIRMWARE,
        "terminalId": poi_id,
        "unconfirmedBatchCount": str(stored),
        "unconfirmedBatchMinor": str(stored_minor),
    }
    return {
        "DiagnosisResponse": {
            "Response": {"Result": "Success", "AdditionalResponse": urlencode(extra)},
            "POIStatus": {"GlobalStatus": "OK", "CommunicationOKFlag": online},
            "HostStatus": [{"AcquirerID": "Simulated", "IsReachableFlag": online}],
        }
    }


def _transaction(deed: Deed) -> str:
    return f"{deed.transaction}.{deed.psp_ref}" if deed.psp_ref else deed.transaction
