"""One example of each message between hub and cloud; checked against schema and model."""

from __future__ import annotations

import hashlib
from typing import Any

from hub.contract import oms_events as events
from hub.contract.oms_envelope import rfc3339, sequence_text
from hub.contract.publish import payment_samples, samples

Example = dict[str, Any]

HUB = "hub-1"
SOURCE = f"/stores/{samples.STORE}/hubs/{HUB}/3"
OMS = "oms-2026-a"
TOKEN = "s-5f2c9e"  # noqa: S105 - an example of a session's name
_HASH = hashlib.sha256(b"example").hexdigest()
_ORDER = "order-1001"
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
        for fact, kind in events.PAYMENT_FACTS.items()
    },
    events.AUDIT_HEAD: (
        "telemetry",
        {"seq": 812, "head_hash": _HASH, "business_day": "2026-11-22"},
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


_BATCH = [event_of(events.SALE_COMPLETED, 42), event_of(events.RETURN_COMPLETED, 43)]
_LIFE: Example = {"oms_incarnation": OMS}
_HEADS: Example = {SOURCE: {"sales": 43, "stock": 7}}

REQUESTS: dict[str, Any] = {
    "Hello": {
        "hub_id": HUB,
        "nonce": "b7c1f0a2e94d4b6f",
        "machine_id_hash": _HASH,
        "incarnation": 3,
        "last_seqs": _HEADS,
        "contract": [1, 1],
        "reason": "start",
    },
    "CloudEvent": _BATCH,
    "DigestRequest": {
        "heads": _HEADS,
        "kind": "stock",
        "buckets": [{"bucket": 17, "hash": _HASH, "rows": 3}],
    },
    "DigestDetailRequest": {
        "heads": _HEADS,
        "bucket": 17,
        "rows": [{"sku": "A-100", "levels": {"sellable": 24}}],
    },
    "SupportPiece": {
        "command_id": "cmd-19",
        "file_name": "store-hub-367-20261122T153012Z.zip",
        "sha256": _HASH,
        "total_bytes": 7,
        "index": 0,
        "pieces": 1,
        "content": "ZXhhbXBsZQ==",
    },
}

REPLIES: dict[str, Example] = {
    "HelloReply": {
        "incarnation": 3,
        "epoch": 2,
        **_LIFE,
        "session_token": TOKEN,
        "cursors": {"commands": "c-17", "datasets": {"catalog": "d-204"}},
        "acked": _HEADS,
        "open_orders": [
            {
                "order_id": _ORDER,
                "state": "assigned",
                "lines": [{"line_no": 1, "sku": "A-100", "qty": 1}],
            }
        ],
        "server_time_ms": samples.NOW_MS,
        "oldest_contract": 1,
        "nonce": "b7c1f0a2e94d4b6f",
    },
    "EventsReply": {
        "acked": {SOURCE: {"sales": 43}},
        "results": [{"id": one["id"], "status": "applied"} for one in _BATCH],
        **_LIFE,
    },
    "EventsPage": {"events": _BATCH, "cursor": "e-43", "more": False, **_LIFE},
    "CommandsReply": {
        "commands": [
            {
                "cursor": "c-18",
                "id": "cmd-18",
                "type": "count.requested",
                "data": {"sku": "A-100"},
                "issued_at_ms": samples.NOW_MS,
            }
        ],
        "cursor": "c-18",
        **_LIFE,
    },
    "Manifest": {
        "dataset": "catalog",
        "generation": "g17",
        "as_of_cursor": "d-204",
        "rows": 1,
        "chunks": [
            {
                "index": 0,
                "rows": 1,
                "bytes": 142,
                "sha256": _HASH,
                "url": f"/v1/stores/{samples.STORE}/datasets/catalog/chunks/g17/0",
            }
        ],
        **_LIFE,
    },
    "Changes": {
        "changes": [{"op": "upsert", "row": {"sku": "A-100", "price_minor": 249}}],
        "cursor": "d-205",
        "more": False,
        **_LIFE,
    },
    "DigestReply": {"status": "differs", "differing": [17], **_LIFE},
    "DigestDetailReply": {
        "status": "compared",
        "differences": [{"sku": "A-100", "hub": {"sellable": 24}, "oms": {"sellable": 23}}],
        **_LIFE,
    },
    "SupportPieceReply": {"complete": False, "next_index": 1, **_LIFE},
    "AvailabilityReply": {
        "sku": "A-100",
        "stores": [{"store": "berlin-8", "name": "Berlin, Station", "available": 4}],
        **_LIFE,
    },
    "HealthReply": {"status": "ok", **_LIFE, "server_time_ms": samples.NOW_MS},
    "TokenReply": {
        "access_token": "at.1795331562.9f2c",
        "token_type": "Bearer",
        "expires_in": 3600,
    },
}

PROBLEM: Example = {
    "type": "urn:store-hub:oms-problem:sequence-gap",
    "title": "Events are missing before this one",
    "status": 409,
    "detail": "Sequence 42 of stream sales is expected; send from there.",
    "code": "sequence-gap",
    "retryable": False,
    "oms_incarnation": OMS,
    "server_time_ms": samples.NOW_MS,
    "source": SOURCE,
    "stream": "sales",
    "expected": 42,
    "acked": {SOURCE: {"sales": 41}},
    "results": [],
}

ROWS: dict[str, Example] = {
    "CatalogRow": {
        "sku": "A-100",
        "name": "Ballpoint pen, blue",
        "barcodes": ["04006381333931"],
        "uom": "pcs",
        "scale": 0,
        "tax_code": "standard",
        "category": "Office",
        "active": True,
    },
    "PriceRow": {"sku": "A-100", "price_minor": 249, "valid_from_ms": samples.NOW_MS},
    "TaxPolicyRow": {
        "kind": "policy",
        "mode": "inclusive",
        "rounding_scope": "line",
        "rounding": "half_up",
    },
    "TaxRateRow": {"kind": "rate", "tax_code": "standard", "name": "19 %", "rate_ppm": 190_000},
    "StaffRow": {
        "kind": "staff",
        "staff_id": "anna",
        "name": "Anna Berg",
        "role": "cashier",
        "pin_hash": "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo",
        "active": True,
    },
    "RoleRow": {
        "kind": "role",
        "role": "cashier",
        "permissions": {"sale.sell": None, "sale.discount": 500},
    },
    "PolicyRow": {"key": "receipt.footer", "value": "Thank you"},
}
