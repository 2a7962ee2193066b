"""One example of each message about card payments between hub and cloud."""

from __future__ import annotations

import base64
from typing import Any

from hub.contract.publish import oms_event_samples

Example = dict[str, Any]

PAYMENT = "0199f3a2-7e90-7b1d-8a4f-5c9d2e7f2a10"
CHARGE_KEY = f"{PAYMENT}.1"
REFUND_KEY = "0199f3a2-7e90-7b1d-8a4f-5c9d2e7f2a77"
_LIFE: Example = {"oms_incarnation": oms_event_samples.OMS}
_MONEY: Example = {"amount_minor": 4_990, "currency": "EUR"}

REQUESTS: dict[str, Any] = {
    "PaymentCharge": {
        "payment_id": PAYMENT,
        "key": CHARGE_KEY,
        **_MONEY,
        "token": base64.b64encode(b"pm_example").decode(),
    },
    "PaymentEffect": {"key": f"{PAYMENT}.capture"},
    "PaymentRefund": {"key": REFUND_KEY, "amount_minor": 990, "currency": "EUR"},
}

REPLIES: dict[str, Example] = {
    "PaymentReply": {
        "payment_id": PAYMENT,
        "key": CHARGE_KEY,
        "status": "approved",
        **_MONEY,
        "psp_ref": "psp-000017",
        "approval_code": "A1B2C3",
        **_LIFE,
    },
    "PaymentRefundReply": {
        "payment_id": PAYMENT,
        "key": REFUND_KEY,
        "status": "refunded",
        "amount_minor": 990,
        "currency": "EUR",
        "psp_ref": "psp-000018",
        **_LIFE,
    },
}

OUTCOME: Example = {
    "payment_id": PAYMENT,
    "status": "declined",
    "code": "insufficient-funds",
    "reason": "the issuer said no",
}
"""The data of a command ``payment.outcome``."""
