"""One example of each message about payment links between hub and cloud."""

from __future__ import annotations

from typing import Any

from hub.contract.publish import oms_event_samples, oms_payment_samples

Example = dict[str, Any]

LINK_KEY = f"{oms_payment_samples.PAYMENT}-link-1"
_MONEY: Example = {"amount_minor": 4_990, "currency": "EUR"}

REQUESTS: dict[str, Any] = {
    "LinkRequest": {
        "key": LINK_KEY,
        **_MONEY,
        "contact": {"email": "customer@example.org"},
        "reason": "declined",
    },
    "LinkCancel": {"key": LINK_KEY},
}

REPLIES: dict[str, Example] = {
    "LinkReply": {
        "payment_id": oms_payment_samples.PAYMENT,
        "key": LINK_KEY,
        "status": "sent",
        **_MONEY,
        "url": "https://pay.example/l/7Qm2",
        "expires_at_ms": 1_795_932_762_120,
        "oms_incarnation": oms_event_samples.OMS,
    },
}

PAID: Example = {
    "payment_id": oms_payment_samples.PAYMENT,
    "key": LINK_KEY,
    "psp_ref": "psp-000019",
    "amount_minor": 4_990,
    "at_ms": 1_795_414_362_120,
}
"""The data of a command ``payment.link_paid``."""
