"""Examples of what the page of card payments is answered, as :mod:`.pages_samples` has them."""

from __future__ import annotations

from typing import Any, Final

from hub.contract.publish import samples

Example = dict[str, Any]

PAYMENT: Final = "0199f3a8-3c4d-7e5f-8061-7c8d9e0f1a2b"
_PAYMENT: Final[Example] = {
    "id": 4711,
    "payment_id": PAYMENT,
    "sale_id": samples.SALE,
    "state": "manual",
    "tenderable": False,
    "amount_minor": 2499,
    "currency": "EUR",
    "device_id": samples.DEVICE,
    "terminal_id": "terminal-1",
    "driven_by": "hub",
    "custody": "terminal",
    "offline_allowed": True,
    "waits_for": "person",
    "begun_at_ms": samples.NOW_MS - 1_200_000,
    "changed_at_ms": samples.NOW_MS - 180_000,
    "device_name": "Till at the door",
    "terminal_name": "Card terminal at the door",
    "trouble": {
        "kind": "manual",
        "wrong": "Nobody could find out whether this payment was made.",
        "means": "The customer may have paid or not. It counts as at risk until somebody decides.",
        "next_step": "Look it up in the processor's portal or the terminal's journal by time and"
        " amount, then decide. A second person has to say the same.",
    },
    "acts": ["decide", "give-up"],
}
REPLIES: Final[dict[str, Example]] = {
    "PaymentsPage": {
        "exposure": {
            "currency": "EUR",
            "meter": "clear",
            "store_count": 1,
            "store_minor": 2499,
            "store_cap_minor": 1_000_000,
            "terminal_count": 1,
            "terminal_minor": 2499,
            "terminal_cap_count": 50,
            "terminal_cap_minor": 200_000,
            "payment_cap_minor": 10_000,
            "warn_age_ms": 14_400_000,
            "stop_age_ms": 72_000_000,
            "deadline_ms": 86_400_000,
            "terminals": [
                {
                    "terminal_id": "terminal-1",
                    "name": "Card terminal at the door",
                    "count": 1,
                    "minor": 2499,
                }
            ],
        },
        "counts": {"open": 0, "people": 1},
        "people": [_PAYMENT],
        "open": [],
        "processor": True,
        "newest": 4711,
        "changed_at_ms": samples.NOW_MS - 180_000,
    },
    "AllPaymentsPage": {"payments": [_PAYMENT], "next_cursor": "4711"},
    "PaymentWhole": {
        "payment": {
            **_PAYMENT,
            "steps": [
                {
                    "at_ms": samples.NOW_MS - 1_200_000,
                    "event": "sent",
                    "before": "intent",
                    "after": "at_terminal",
                    "by": "hub",
                }
            ],
        },
        "words": [
            {
                "at_ms": samples.NOW_MS - 60_000,
                "outcome": "approved",
                "evidence": "Portal, line 17 of 22 November",
                "yours": True,
            }
        ],
        "links": [
            {
                "at_ms": samples.NOW_MS - 50_000,
                "changed_at_ms": samples.NOW_MS - 40_000,
                "amount_minor": 2499,
                "state": "sent",
                "by": "1003",
                "url": "https://pay.example/l/7Qm2",
            }
        ],
        "contact": "a***@d***.org",
    },
}
