"""One example of each fact that goes up to the cloud."""

from __future__ import annotations

import hashlib
from typing import Any

from hub.contract import oms_events as events
from hub.contract.oms_envelope import rfc3339, sequence_text
from hub.contract.oms_orders import FULFILMENT_FACTS
from hub.contract.oms_payment_events import PAYMENT_FACTS
from hub.contract.oms_value import ALLOTMENT_RETURNED, CREDIT_ISSUED
from hub.contract.publish import oms_value_samples, order_samples, payment_samples, samples

Example = dict[str, Any]

HUB = "hub-1"
SOURCE = f"/stores/{samples.STORE}/hubs/{HUB}/3"
OMS = "oms-2026-a"
TOKEN = "s-5f2c9e"  # noqa: S105 - an example of a session's name
HASH = hashlib.sha256(b"example").hexdigest()
_MOVED: list[Example] = [
    {"seq": 4711, "sku": "A-100", "qty": 2, "from": "sellable", "to": "customer", "type": "sale"}
]
_BACK: list[Example] = [
    {
        "seq": 4712,
        "sku": "A-100",
        "qty": 1,
        "from": "customer",
        "to": "sellable",
        "type": "return_resellable",
    }
]

EVENT_DATA: dict[str, tuple[str, Example]] = {
    events.SALE_COMPLETED: (
        "sales",
        {
            "sale_id": samples.SALE,
            "receipt_no": "till-1-000042",
            "device_id": samples.DEVICE,
            "staff_id": "anna",
            "business_day": "2026-11-22",
            "occurred_at_ms": samples.NOW_MS,
            "currency": "EUR",
            "lines": [
                {
                    "line_no": 1,
                    "sku": "A-100",
                    "gtin": "04006381333931",
                    "qty": 2,
                    "scale": 0,
                    "unit_price_minor": 249,
                    "gross_minor": 498,
                    "discount_minor": 0,
                    "net_minor": 498,
                    "tax_code": "standard",
                    "tax_minor": 80,
                }
            ],
            "tenders": [{"kind": "cash", "amount_minor": 500}],
            "total_minor": 498,
            "tax_minor": 80,
            "rounding_minor": 0,
            "change_minor": 2,
            "movements": _MOVED,
        },
    ),
    events.SALE_VOIDED: (
        "sales",
        {
            "sale_id": samples.SALE,
            "reason": "rung up twice",
            "staff_id": "maria",
            "movements": [
                {**_MOVED[0], "seq": 4713, "from": "customer", "to": "sellable", "type": "reverse"}
            ],
        },
    ),
    events.RETURN_COMPLETED: (
        "sales",
        {
            "return_id": samples.RETURN,
            "sale_id": samples.SALE,
            "lines": [
                {
                    "line_no": 1,
                    "sku": "A-100",
                    "qty": 1,
                    "refund_minor": 249,
                    "tax_minor": 40,
                    "disposition": "resellable",
                }
            ],
            "tenders": [{"kind": "cash", "amount_minor": 249}],
            "total_minor": 249,
            "movements": _BACK,
        },
    ),
    events.STOCK_MOVED: (
        "stock",
        {
            "movements": [
                {
                    "seq": 4700,
                    "sku": "A-100",
                    "qty": 24,
                    "from": "supplier",
                    "to": "sellable",
                    "type": "receive",
                }
            ],
            "reason": "DN 2026-118",
        },
    ),
    events.STOCK_COUNTED: (
        "stock",
        {
            "count_id": samples.COUNT,
            "staff_id": "anna",
            "lines": [
                {
                    "sku": "A-100",
                    "bucket": "sellable",
                    "counted_qty": 23,
                    "book_qty": 24,
                    "variance_qty": -1,
                    "ledger_seq": 4700,
                }
            ],
            "movements": [
                {
                    "seq": 4714,
                    "sku": "A-100",
                    "qty": 1,
                    "from": "sellable",
                    "to": "shrink",
                    "type": "count_adjust",
                }
            ],
        },
    ),
    events.STOCK_CLAIMS_SHORT: (
        "stock",
        {
            "sku": "A-100",
            "short_qty": 1,
            "sale_id": samples.SALE,
            "victims": [{"kind": "hold", "ref": samples.BASKET, "qty": 1}],
        },
    ),
    events.CASH_MOVED: (
        "sales",
        {
            "kind": "no_sale",
            "device_id": samples.DEVICE,
            "staff_id": "anna",
            "business_day": "2026-11-22",
            "occurred_at_ms": samples.NOW_MS,
            "currency": "EUR",
            "reason": "change for a customer",
            "count": 2,
        },
    ),
    **{
        kind: (
            "payments",
            {
                **payment_samples.EVENT,
                "state": fact,
                "step": 3 if fact == "stored" else 5,
                **({"decline_code": "insufficient-funds"} if fact == "declined" else {}),
            },
        )
        for fact, kind in PAYMENT_FACTS.items()
    },
    ALLOTMENT_RETURNED: ("payments", oms_value_samples.RETURNED),
    CREDIT_ISSUED: ("payments", oms_value_samples.ISSUED),
    events.AUDIT_HEAD: (
        "telemetry",
        {"seq": 812, "head_hash": HASH, "business_day": "2026-11-22"},
    ),
    events.DEVICE_STATE: (
        "telemetry",
        {
            "device_id": samples.DEVICE,
            "kind": "till",
            "state": "ready",
            "since_ms": samples.NOW_MS,
            "conditions": ["printer-paper-empty"],
        },
    ),
    events.DEVICE_REVOKED: ("orders", {"device_id": samples.DEVICE, "reason": "stolen"}),
    events.HUB_RETURN_KEY: (
        "orders",
        {
            "public_key": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
            "algorithm": "ed25519",
            "since_ms": samples.NOW_MS,
        },
    ),
    events.DRIFT_DETECTED: (
        "telemetry",
        {"dataset": "stock", "differing_skus": 1, "sample": ["A-100"]},
    ),
    events.COMMAND_ENDED: (
        "telemetry",
        {
            "command_id": "cmd-18",
            "type": "config.changed",
            "outcome": "failed",
            "why": "stock.hold_ttl_s needs a whole number from 60 to 86400.",
            "at_ms": samples.NOW_MS,
        },
    ),
    events.DRILL_ENDED: (
        "telemetry",
        {
            "drill_id": "0199f3a2-7e90-7b1d-8a4f-5c9d2e7f1b00",
            "began_at_ms": samples.NOW_MS - 600_000,
            "ended_at_ms": samples.NOW_MS,
            "length_ms": 600_000,
            "how": "time",
            "devices_began": 4,
            "devices_ended": 4,
            "devices_selling": 3,
            "sales": 27,
            "total_minor": 41_733,
            "waiting": 31,
            "caught_up_ms": 2_140,
        },
    ),
    **{kind: ("orders", order_samples.event(fact)) for fact, kind in FULFILMENT_FACTS.items()},
    events.OUTBOX_PARKED: (
        "sales",
        {
            "original_id": "0199f3a2-7e90-7b1d-8a4f-5c9d2e7f1aff",
            "original_type": events.SALE_COMPLETED,
            "aggregate_id": samples.SALE,
            "code": "poison-event",
            "detail": "lines.0.sku: too long",
        },
    ),
}
"""Event type → its stream and an example of its data."""


def event_of(kind: str, seq: int = 42) -> Example:
    """An example of a whole event of one type."""
    stream, data = EVENT_DATA[kind]
    aggregate = (
        data.get("payment_id")
        or data.get("order_id")
        or data.get("sale_id")
        or data.get("return_id")
        or data.get("count_id")
        or "A-100"
    )
    return {
        "specversion": "1.0",
        "id": f"{samples.SALE[:-4]}{seq:04x}",
        "source": SOURCE,
        "type": kind,
        "time": rfc3339(samples.NOW_MS),
        "subject": aggregate,
        "datacontenttype": "application/json",
        "stream": stream,
        "sequence": sequence_text(seq),
        "partitionkey": aggregate,
        "data": data,
    }
