"""One example of each message between hub and cloud; checked against schema and model."""

from __future__ import annotations

from typing import Any

from hub.contract import oms_events as events
from hub.contract.publish import order_samples, samples
from hub.contract.publish.oms_event_samples import HASH, HUB, OMS, SOURCE, TOKEN, event_of

Example = dict[str, Any]

_BATCH = [event_of(events.SALE_COMPLETED, 42), event_of(events.RETURN_COMPLETED, 43)]
_LIFE: Example = {"oms_incarnation": OMS}
_HEADS: Example = {SOURCE: {"sales": 43, "stock": 7}}

REQUESTS: dict[str, Any] = {
    "Hello": {
        "hub_id": HUB,
        "nonce": "b7c1f0a2e94d4b6f",
        "machine_id_hash": HASH,
        "incarnation": 3,
        "last_seqs": _HEADS,
        "contract": [1, 1],
        "reason": "start",
    },
    "CloudEvent": _BATCH,
    "DigestRequest": {
        "heads": _HEADS,
        "kind": "stock",
        "buckets": [{"bucket": 17, "hash": HASH, "rows": 3}],
    },
    "DigestDetailRequest": {
        "heads": _HEADS,
        "bucket": 17,
        "rows": [{"sku": "A-100", "levels": {"sellable": 24}}],
    },
    "SupportPiece": {
        "command_id": "cmd-19",
        "file_name": "store-hub-367-20261122T153012Z.zip",
        "sha256": HASH,
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
        "open_orders": [order_samples.OPEN],
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
                "sha256": HASH,
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
