"""One example of each request and result; every one is checked against its schema and model."""

from __future__ import annotations

from typing import Any

from hub.contract.publish import (
    order_samples,
    payment_samples,
    peripheral_samples,
    printing_samples,
)

Example = dict[str, Any]
Address = tuple[str, str]

STORE = "berlin-7"
DEVICE = "till-1"
BASKET = "0199f3a2-5b1c-7c44-9d0e-2f6a8b3c1d01"
SALE = "0199f3a2-7e90-7b1d-8a4f-5c9d2e7f1a02"
RETURN = "0199f3a3-1d2e-7f3a-9b4c-6d5e8f7a1b03"
APPROVAL = "0199f3a2-6a11-7d22-8c33-4e5f6a7b8c04"
PAYMENT = "0199f3a2-7711-7e33-9d44-5f6a7b8c9d05"
COUNT = "0199f3a4-2b3c-7a4d-8e5f-7a8b9c0d1e06"
DELIVERY = "0199f3a4-3c4d-7b5e-9f6a-8b9c0d1e2f07"
ADJUSTMENT = "0199f3a4-4d5e-7c6f-8a7b-9c0d1e2f3a08"
JOURNAL = "0199f39f-5e6f-7d7a-9b8c-0d1e2f3a4b09"
COMMAND = "0199f3a5-6f7a-7e8b-8c9d-1e2f3a4b5c0a"
PRINT_JOB = printing_samples.PRINT_JOB
KEY = "0199f3a2-7e90-7b1d-8a4f-5c9d2e7f1a0c"
CORRELATION = "0199f3a2-7e91-7c2e-9b5a-6d0e3f8a2b0d"
NOW_MS = 1_795_327_962_120

_LEVEL: Example = {
    "sku": "A-100",
    "sellable": 24,
    "available": 20,
    "counter_sellable": 23,
    "held": 1,
    "safety": 3,
    "ledger_seq": 4711,
}
_SIGNED_IN: Example = {
    "staff_id": "anna",
    "name": "Anna Berg",
    "role": "cashier",
    "permissions": ["sale.sell", "sale.discount"],
    "expires_in_s": 28_800,
}
_SUBJECT: Example = {"basket_id": BASKET, "line_no": 1, "sku": "A-100", "amount_minor": 500}
_APPROVAL: Example = {
    "approval_id": APPROVAL,
    "permission": "sale.discount",
    "subject": _SUBJECT,
    "reason": "box is dented",
    "state": "pending",
    "requested_by": "anna",
    "requested_on": DEVICE,
    "expires_in_s": 300,
}
_BASKET: Example = {
    "basket_id": BASKET,
    "version": 2,
    "state": "open",
    "owner": DEVICE,
    "staff_id": "anna",
    "lines": [
        {
            "line_no": 1,
            "sku": "A-100",
            "gtin": "04006381333931",
            "name": "Ballpoint pen, blue",
            "qty": 2,
            "uom": "pcs",
            "scale": 0,
            "unit_price_minor": 249,
            "list_price_minor": 249,
            "gross_minor": 498,
            "discount_minor": 0,
            "net_minor": 498,
            "tax_code": "standard",
            "held": 2,
        }
    ],
    "total_minor": 498,
    "tax_minor": 80,
    "currency": "EUR",
}
_SALE: Example = {
    "sale_id": SALE,
    "receipt_no": "till-1-000042",
    "state": "completed",
    "device_id": DEVICE,
    "staff_id": "anna",
    "business_day": "2026-11-22",
    "at_ms": NOW_MS,
    "currency": "EUR",
    "total_minor": 498,
    "tax_minor": 80,
    "rounding_minor": 0,
    "change_minor": 2,
}
_SALE_LINES: Example = {
    "lines": [
        {
            "line_no": 1,
            "sku": "A-100",
            "gtin": "04006381333931",
            "name": "Ballpoint pen, blue",
            "qty": 2,
            "scale": 0,
            "unit_price_minor": 249,
            "gross_minor": 498,
            "discount_minor": 0,
            "net_minor": 498,
            "tax_code": "standard",
            "tax_minor": 80,
            "returned_qty": 0,
        }
    ],
    "tenders": [{"kind": "cash", "amount_minor": 500}],
}
_DEVICE: Example = {
    "device_id": DEVICE,
    "name": "Till by the door",
    "kind": "till",
    "auth": "mtls",
    "status": "paired",
    "presence": "ready",
    "model": "T-1000",
    "firmware": "2.4.1",
    "paired_at_ms": NOW_MS - 86_400_000,
    "last_seen_at_ms": NOW_MS,
    "certificate_expires_at_ms": NOW_MS + 31_536_000_000,
    "signed_in": "anna",
}
_HEAD: Example = {"basket_id": BASKET, "version": 2}

REQUESTS: dict[Address, Example] = {
    **peripheral_samples.REQUESTS,
    **order_samples.REQUESTS,
    **payment_samples.REQUESTS,
    **printing_samples.REQUESTS,
    ("hub", "info"): {},
    ("hub", "trust-clock"): {"reason": "compared with my watch"},
    ("staff", "sign-in"): {"staff_id": "anna", "pin": "4711"},
    ("staff", "sign-out"): {},
    ("staff", "who-am-i"): {},
    ("staff", "clear-lockout"): {"staff_id": "anna"},
    ("approval", "request"): {
        "approval_id": APPROVAL,
        "permission": "sale.discount",
        "subject": _SUBJECT,
        "reason": "box is dented",
    },
    ("approval", "decide"): {
        "approval_id": APPROVAL,
        "approve": True,
        "staff_id": "maria",
        "pin": "2468",
    },
    ("approval", "list"): {},
    ("catalog", "look-up"): {"code": "4006381333931"},
    ("catalog", "search"): {"text": "ball blue", "limit": 5},
    ("scan", "resolve"): {"code": "010400638133393110A-7\x1d17270630", "aim": "]C1"},
    ("scale", "weigh"): {"timeout_s": 5},
    ("basket", "open"): {"basket_id": BASKET},
    ("basket", "add-line"): {
        "basket_id": BASKET,
        "version": 1,
        "code": "4006381333931",
        "qty": 2,
        "unit_price_minor": 249,
    },
    ("basket", "change-line"): {**_HEAD, "line_no": 1, "qty": 3},
    ("basket", "remove-line"): {**_HEAD, "line_no": 1},
    ("basket", "discount-line"): {
        **_HEAD,
        "line_no": 1,
        "discount_minor": 50,
        "reason": "box is dented",
    },
    ("basket", "override-price"): {
        **_HEAD,
        "line_no": 1,
        "unit_price_minor": 199,
        "reason": "price on the shelf",
        "approval_id": APPROVAL,
    },
    ("basket", "suspend"): {**_HEAD, "label": "red coat, forgot the wallet"},
    ("basket", "resume"): _HEAD,
    ("basket", "abandon"): {**_HEAD, "reason": "customer left"},
    ("basket", "get"): {"basket_id": BASKET},
    ("basket", "list"): {},
    ("sale", "commit"): {
        "sale_id": SALE,
        "lines": [{"code": "4006381333931", "qty": 2, "unit_price_minor": 249}],
        "total_minor": 498,
        "tenders": [{"kind": "cash", "amount_minor": 500}],
    },
    ("sale", "void"): {"sale_id": SALE, "reason": "rung up twice"},
    ("sale", "get"): {"sale_id": SALE},
    ("sale", "list"): {"limit": 20},
    ("return", "commit"): {
        "return_id": RETURN,
        "sale_id": SALE,
        "lines": [{"line_no": 1, "qty": 1, "disposition": "resellable", "reason": "wrong colour"}],
        "total_minor": 249,
    },
    ("stock", "levels"): {"skus": ["A-100"]},
    ("stock", "receive"): {
        "receipt_id": DELIVERY,
        "reference": "DN 2026-118",
        "lines": [{"sku": "A-100", "qty": 24}],
    },
    ("stock", "adjust"): {
        "adjustment_id": ADJUSTMENT,
        "sku": "A-100",
        "qty": -1,
        "reason": "broken in the shop",
    },
    ("stock", "open-count"): {"count_id": COUNT, "sku": "A-100"},
    ("stock", "close-count"): {"count_id": COUNT, "counted_qty": 24},
    ("device", "list"): {},
    ("device", "rename"): {"device_id": DEVICE, "name": "Till by the door"},
    ("device", "revoke"): {"device_id": DEVICE, "reason": "stolen"},
    ("outbox", "retry"): {"outbox_id": 4711},
    ("outbox", "park"): {"outbox_id": 4711, "reason": "the cloud can't read it"},
    ("outbox", "give-up"): {"outbox_id": 4711, "reason": "an old state of a till that is gone"},
    ("log", "level"): {"level": "debug", "logger": "hub.mqtt", "for_s": 1800},
}

RESULTS: dict[str, Example] = {
    **peripheral_samples.RESULTS,
    **order_samples.RESULTS,
    **payment_samples.RESULTS,
    **printing_samples.RESULTS,
    "Nothing": {},
    "HubInfoView": {
        "store": STORE,
        "store_name": "Berlin, Market Square",
        "hub_id": "hub-1",
        "currency": "EUR",
        "timezone": "Europe/Berlin",
        "training": False,
        "mode": "online",
        "incarnation": "3",
        "epoch": 2,
        "seq": 4711,
        "safe_seq": 4705,
        "time_ms": NOW_MS,
        "contract": [1, 1],
        "version": "0.1.0",
        "cash_rounding_step_minor": 0,
    },
    "SignedIn": _SIGNED_IN,
    "Approval": _APPROVAL,
    "Approvals": {"approvals": [_APPROVAL]},
    "ProductView": {
        "sku": "A-100",
        "name": "Ballpoint pen, blue",
        "gtin": "04006381333931",
        "price_minor": 249,
        "currency": "EUR",
        "uom": "pcs",
        "scale": 0,
        "tax_code": "standard",
        "category": "Office",
        "active": True,
        "generation": "g17",
        "level": _LEVEL,
    },
    "ScanResolved": {
        "code": "010400638133393110A-7\x1d17270630",
        "aim": "]C1",
        "symbology": "GS1-128",
        "gtin": "04006381333931",
        "elements": {"lot": "A-7", "expiry_date": "2027-06-30"},
        "product": {
            "sku": "A-100",
            "name": "Ballpoint pen, blue",
            "gtin": "04006381333931",
            "price_minor": 249,
            "currency": "EUR",
            "uom": "pcs",
            "scale": 0,
            "tax_code": "standard",
            "category": "Office",
            "active": True,
            "generation": "g17",
            "lot": "A-7",
            "expiry_date": "2027-06-30",
            "level": _LEVEL,
        },
        "detail": "",
    },
    "WeightView": {"scale_id": "scale-1", "grams": 1250, "stable": True, "zero": False},
    "SearchResult": {
        "hits": [
            {
                "sku": "A-100",
                "name": "Ballpoint pen, blue",
                "price_minor": 249,
                "category": "Office",
            }
        ],
        "more": False,
    },
    "BasketView": _BASKET,
    "Baskets": {"baskets": [{**_BASKET, "lines": []}]},
    "SaleDone": {
        "sale_id": SALE,
        "receipt_no": "till-1-000042",
        "business_day": "2026-11-22",
        "total_minor": 498,
        "tax_minor": 80,
        "rounding_minor": 0,
        "change_minor": 2,
        "currency": "EUR",
        "at_ms": NOW_MS,
        "receipt_printed": False,
    },
    "SaleVoided": {
        "sale_id": SALE,
        "voided_at_ms": NOW_MS,
        "refund": [{"kind": "cash", "amount_minor": 498}],
    },
    "SaleView": {**_SALE, **_SALE_LINES},
    "Sales": {"sales": [_SALE]},
    "ReturnDone": {
        "return_id": RETURN,
        "sale_id": SALE,
        "total_minor": 249,
        "tax_minor": 40,
        "refund": [{"kind": "cash", "amount_minor": 249}],
        "at_ms": NOW_MS,
    },
    "Levels": {"levels": [_LEVEL]},
    "StockBooked": {"levels": [_LEVEL]},
    "CountOpened": {"count_id": COUNT, "sku": "A-100", "ledger_seq": 4711},
    "CountClosed": {
        "count_id": COUNT,
        "sku": "A-100",
        "counted_qty": 24,
        "variance_qty": 0,
        "level": _LEVEL,
    },
    "Devices": {"devices": [_DEVICE]},
}


def _problem() -> Example:
    return {
        "type": "urn:store-hub:problem:price-changed",
        "title": "The price is another one",
        "status": 409,
        "detail": "The total is 498, not 478: show it, ask again, and send the new total.",
        "code": "price-changed",
        "retryable": False,
        "context": {"field": "total", "expected_minor": 498},
    }


ENVELOPES: dict[str, Example] = {
    "Problem": _problem(),
    "HubState": {
        "mode": "online",
        "session": "0199f39e-0000-7000-8000-000000000001",
        "incarnation": "3",
        "epoch": 2,
        "seq": 4711,
        "safe_seq": 4705,
        "time_ms": NOW_MS,
        "contract": [1, 1],
    },
    "DeviceState": {
        "state": "ready",
        "session": "0199f3a0-1a2b-7c3d-8e4f-5a6b7c8d9e0f",
        "conditions": ["printer-paper-empty"],
    },
    "DeviceMeta": {
        "kind": "till",
        "model": "T-1000",
        "firmware": "2.4.1",
        "contract": [1, 1],
        "capabilities": ["print"],
    },
    "Fact": {
        "journal_id": JOURNAL,
        "evt_seq": 1,
        "occurred_at_ms": NOW_MS,
        "data": {"level": "low"},
    },
    "Broadcast": {"version": 4712, "time_ms": NOW_MS, "data": {"skus": ["A-100"]}},
    "DeviceCommand": {
        "command_id": COMMAND,
        "device_id": DEVICE,
        "operation": "show-message",
        "data": {"text": "Manager to till 1"},
    },
}
