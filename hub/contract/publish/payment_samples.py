"""Examples of what is asked about card payments, as :mod:`.samples` has them."""

from __future__ import annotations

from typing import Any

Example = dict[str, Any]

NOW_MS = 1_795_327_962_120
SALE = "0199f3a2-7e90-7b1d-8a4f-5c9d2e7f1a02"
BASKET = "0199f3a2-5b1c-7c44-9d0e-2f6a8b3c1d01"
PAYMENT = "0199f3a2-7e91-7c2e-9b50-6dae3f802b13"
STORED = "0199f3a2-7e92-7d3f-ac61-7ebf40913c24"
REFUND = "0199f3a2-7e93-7d3f-ac61-7ebf40913c25"
_PAYMENT: Example = {
    "id": 17,
    "payment_id": PAYMENT,
    "sale_id": SALE,
    "state": "authorised",
    "tenderable": True,
    "amount_minor": 498,
    "currency": "EUR",
    "device_id": "till-1",
    "terminal_id": "terminal-1",
    "driven_by": "hub",
    "custody": "terminal",
    "offline_allowed": True,
    "last4": "4242",
    "scheme": "visa",
    "approval_code": "A1B2C3",
    "begun_at_ms": NOW_MS - 9_000,
    "changed_at_ms": NOW_MS,
}
_STORED: Example = {
    **_PAYMENT,
    "id": 18,
    "payment_id": STORED,
    "state": "stored",
    "custody": "hub",
    "offline_seq": 1,
    "approved_offline": True,
    "approval_code": "",
    "waits_for": "processor",
    "expires_in_ms": 86_391_000,
}

REQUESTS: dict[tuple[str, str], Example] = {
    ("payment", "start"): {
        "payment_id": PAYMENT,
        "sale_id": SALE,
        "basket_id": BASKET,
        "amount_minor": 498,
        "terminal": "own",
    },
    ("payment", "report"): {
        "payment_id": PAYMENT,
        "outcome": "approved",
        "card": {"last4": "4242", "scheme": "visa", "approval_code": "A1B2C3"},
    },
    ("payment", "give-up"): {"payment_id": PAYMENT, "reason": "pays in cash"},
    ("payment", "balance"): {"value": {"kind": "gift_card", "token": "GC-7Q4K-9XWM-0042"}},
    ("payment", "get"): {"payment_id": PAYMENT},
    ("payment", "list"): {"which": "open"},
    ("payment", "exposure"): {"terminal": "terminal-1"},
    ("payment", "decide"): {
        "payment_id": PAYMENT,
        "outcome": "never-done",
        "evidence": "not in the terminal's journal of that day",
    },
    ("payment", "close-receivable"): {
        "payment_id": STORED,
        "how": "paid",
        "reason": "paid in cash the next day",
    },
    ("payment", "contact"): {
        "payment_id": STORED,
        "contact": {"email": "customer@example.org", "phone": "+491701234567"},
    },
    ("payment", "send-link"): {"payment_id": STORED},
    ("payment", "settle-link"): {
        "payment_id": STORED,
        "how": "given-back",
        "reason": "paid in cash before; given back in the portal",
        "link_key": f"{STORED}-link-1-2499",
    },
    ("payment", "settle-refund"): {
        "payment_id": STORED,
        "how": "given-back",
        "reason": "the old till's journal, slip 0042",
        "refund_id": REFUND,
    },
    ("settlement", "import"): {
        "processor": "stripe",
        "name": "payout-2026-11-22.csv",
        "lines": [
            {
                "kind": "payment",
                "payment_id": PAYMENT,
                "psp_ref": "pi_3Nk2",
                "amount_minor": 498,
                "currency": "EUR",
                "at_ms": NOW_MS,
            }
        ],
    },
    ("settlement", "reconcile"): {"days": 7},
}
RESULTS: dict[str, Example] = {
    "SettlementImported": {"lines": 1, "verdicts": {"matched": 1}},
    "Reconciliation": {
        "currency": "EUR",
        "at_ms": NOW_MS,
        "states": [{"state": "settled", "count": 1, "amount_minor": 498}],
        "owed_minor": 0,
        "files": 1,
        "last_import_at_ms": NOW_MS,
        "differences": [],
    },
    "PaymentView": {
        **_PAYMENT,
        "steps": [
            {
                "at_ms": NOW_MS,
                "event": "approved",
                "before": "at_terminal",
                "after": "authorised",
                "by": "terminal terminal-1",
            }
        ],
    },
    "BalanceView": {
        "status": "active",
        "kind": "gift_card",
        "balance_minor": 5_000,
        "currency": "EUR",
        "last4": "0042",
    },
    "Payments": {"payments": [_STORED]},
    "ExposureView": {
        "currency": "EUR",
        "meter": "clear",
        "store_count": 1,
        "store_minor": 498,
        "store_cap_minor": 1_000_000,
        "terminal_count": 1,
        "terminal_minor": 498,
        "terminal_cap_count": 50,
        "terminal_cap_minor": 200_000,
        "payment_cap_minor": 10_000,
        "oldest_age_ms": 9_000,
        "warn_age_ms": 14_400_000,
        "stop_age_ms": 72_000_000,
        "deadline_ms": 86_400_000,
        "next_expiry_in_ms": 86_391_000,
    },
}
EVENT: Example = {
    "payment_id": STORED,
    "sale_id": SALE,
    "device_id": "till-1",
    "terminal_id": "terminal-1",
    "driven_by": "hub",
    "amount_minor": 498,
    "currency": "EUR",
    "custody": "hub",
    "state": "stored",
    "step": 3,
    "occurred_at_ms": NOW_MS,
    "offline_seq": 1,
    "last4": "4242",
    "scheme": "visa",
}
"""What the cloud is told of a payment that was approved without the processor."""
