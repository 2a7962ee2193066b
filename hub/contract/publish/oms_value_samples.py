"""One example of each message about gift cards and store credit between hub and cloud."""

from __future__ import annotations

import hashlib
from typing import Any

Example = dict[str, Any]

OMS = "oms-2026-a"
HOLD = "0199f3a2-7e90-7b1d-8a4f-5c9d2e7f3b21"
TOKEN = "GC-7Q4K-9XWM-0042"  # noqa: S105 - an example of a card
ACCOUNT = "acct-000042"
RETURN = "0199f3a2-7e90-7b1d-8a4f-5c9d2e7f3b22"
HASH = hashlib.sha256(TOKEN.encode()).hexdigest()
_MONEY: Example = {"amount_minor": 1_500, "currency": "EUR"}
_LIFE: Example = {"oms_incarnation": OMS}

REQUESTS: dict[str, Any] = {
    "ValueHold": {"hold_id": HOLD, "kind": "gift_card", **_MONEY},
    "ValueCapture": {**_MONEY, "allotment": {"account_ref": ACCOUNT, "epoch": 3}},
    "ValueRelease": {},
    "ValueRefund": {"key": RETURN, "amount_minor": 500, "currency": "EUR"},
    "ValueBalance": {"token": TOKEN},
}
REPLIES: dict[str, Example] = {
    "ValueHoldReply": {
        "hold_id": HOLD,
        "status": "held",
        **_MONEY,
        "balance_minor": 3_500,
        "last4": "0042",
        "expires_at_ms": 1_795_329_762_120,
        **_LIFE,
    },
    "ValueRefundReply": {
        "hold_id": HOLD,
        "key": RETURN,
        "status": "refunded",
        "amount_minor": 500,
        "currency": "EUR",
        "balance_minor": 4_000,
        **_LIFE,
    },
    "ValueBalanceReply": {
        "status": "active",
        "kind": "gift_card",
        "balance_minor": 5_000,
        "currency": "EUR",
        "last4": "0042",
        **_LIFE,
    },
}
RETURNED: Example = {
    "account_ref": ACCOUNT,
    "epoch": 3,
    "returned_minor": 1_000,
    "spent_minor": 1_500,
    "currency": "EUR",
}
ISSUED: Example = {
    "account_ref": f"credit-{RETURN}",
    "token_hash": HASH,
    "last4": "0042",
    "amount_minor": 2_495,
    "currency": "EUR",
    "epoch": 3,
    "return_id": RETURN,
    "issued_at_ms": 1_795_327_962_120,
}
ALLOTTED: Example = {
    "account_ref": ACCOUNT,
    "token_hash": HASH,
    "last4": "0042",
    "kind": "gift_card",
    "currency": "EUR",
    "epoch": 3,
    "granted_minor": 2_500,
    "recalled_minor": 1_000,
}
"""The data of a command ``gift_card.allotted``."""
