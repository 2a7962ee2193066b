"""One example of each answer to the technician's pages; checked against schema and model."""

from __future__ import annotations

from typing import Any, Final

from hub.contract.publish import (
    order_samples,
    payments_page_samples,
    peripheral_samples,
    printing_samples,
    samples,
)

Example = dict[str, Any]

_EVENT_ID: Final = "0199f3a2-7e92-8c2e-9b5a-6d0e3f8a2b0e"
_BUNDLE: Final = "0199f3a6-1a2b-7c3d-8e4f-5a6b7c8d9e0f"
_OUTAGE_ID: Final = "0199f3a7-2b3c-7d4e-8f50-6b7c8d9e0f1a"

PARAMETERS: Final[dict[str, Any]] = {
    "device_id": samples.DEVICE,
    "sku": "A-100",
    "sale_id": samples.SALE,
    "basket_id": samples.BASKET,
    "job_id": printing_samples.PRINT_JOB,
    "payment_id": payments_page_samples.PAYMENT,
    "order_id": order_samples.ORDER,
    "outbox_id": 4711,
    "outage_id": _OUTAGE_ID,
    "day": "2026-11-22",
}

_DEVICE: Final[Example] = {
    **samples.RESULTS["Devices"]["devices"][0],
    "number": 1,
    "receipts": 4217,
}
_PRODUCT: Final[Example] = {
    "sku": "A-100",
    "name": "Black tea, 20 bags",
    "category": "Drinks",
    "price_minor": 499,
    "currency": "EUR",
    "uom": "pc",
    "sellable": 24,
    "available": 20,
    "held": 1,
    "reserved": 0,
}
_TASK: Final[Example] = {
    "sku": "A-100",
    "name": "Black tea, 20 bags",
    "reason": "asked for by the cloud",
    "at_ms": samples.NOW_MS,
}
_DAY: Final[Example] = {
    "business_day": "2026-11-22",
    "count": 42,
    "total_minor": 104_711,
    "voided": 1,
    "voided_minor": 499,
    "returned_minor": 249,
    "currency": "EUR",
    "last_at_ms": samples.NOW_MS,
}
_OUTAGE: Final[Example] = {
    "outage_id": _OUTAGE_ID,
    "began_at_ms": samples.NOW_MS - 5_400_000,
    "ended_at_ms": samples.NOW_MS - 1_800_000,
    "place": "internet",
    "sales": 42,
    "needs_person": 1,
    "level": "warning",
}
_STEP_MS: Final = 300_000
_FROM_MS: Final = (samples.NOW_MS - 86_400_000) // _STEP_MS * _STEP_MS
_SALE: Final[Example] = {
    "sale_id": samples.SALE,
    "receipt_no": "001-004217",
    "state": "completed",
    "device_id": samples.DEVICE,
    "business_day": "2026-11-22",
    "at_ms": samples.NOW_MS,
    "currency": "EUR",
    "total_minor": 499,
    "lines": 1,
    "tenders": ["cash"],
}
_BASKET: Final[Example] = {
    "basket_id": samples.BASKET,
    "state": "suspended",
    "owner": samples.DEVICE,
    "opened_at_ms": samples.NOW_MS - 60_000,
    "changed_at_ms": samples.NOW_MS,
    "lines": 1,
}
_EVENT: Final[Example] = {
    "outbox_id": 4711,
    "stream": "telemetry",
    "seq": 312,
    "event_id": _EVENT_ID,
    "type": "com.storehub.device.state.v1",
    "aggregate": samples.DEVICE,
    "at_ms": samples.NOW_MS,
    "bytes": 97,
    "state": "waiting",
}
_PARKED: Final[Example] = {
    "outbox_id": 4711,
    "stream": "telemetry",
    "seq": 312,
    "event_id": _EVENT_ID,
    "type": "com.storehub.device.state.v1",
    "aggregate": samples.DEVICE,
    "at_ms": samples.NOW_MS - 60_000,
    "parked_at_ms": samples.NOW_MS,
    "code": "invalid-event",
    "reason": "unknown state",
    "may_give_up": True,
}

_JOB: Final[Example] = {
    **printing_samples.RESULTS["PrintJobs"]["jobs"][0],
    "device_name": "Till at the door",
    "printer_name": "Receipts, counter",
    "sale_id": samples.SALE,
}
REPLIES: Final[dict[str, Example]] = {
    "PeripheralsPage": {
        "kept": True,
        "peripherals": peripheral_samples.RESULTS["PeripheralList"]["peripherals"],
    },
    **payments_page_samples.REPLIES,
    **order_samples.PAGES,
    "PrintingPage": {
        "counts": {"queued": 0, "printing": 0, "ambiguous": 1, "printed": 240, "failed": 1},
        "ambiguous": [_JOB],
        "open": [],
        "last_ended": 4710,
    },
    "EndedPage": {
        "jobs": [{**_JOB, "state": "printed", "reason": "", "ended_at_ms": _JOB["made_at_ms"]}],
    },
    "JobWhole": {"job": _JOB, "text": "                 Corner Shop\n"},
    "DevicesPage": {"devices": [_DEVICE]},
    "DevicePage": {
        "device": _DEVICE,
        "certificates": [
            {
                "serial": "5f3a",
                "issued_at_ms": samples.NOW_MS - 86_400_000,
                "expires_at_ms": samples.NOW_MS + 86_400_000,
            }
        ],
        "baskets": 1,
    },
    "Traffic": {
        "device_id": samples.DEVICE,
        "exchanges": [
            {
                "at_ms": samples.NOW_MS,
                "kind": "request",
                "what": "sale/commit",
                "outcome": "ok",
                "in_bytes": 412,
                "out_bytes": 655,
                "duration_ms": 3.2,
            }
        ],
        "total": 1204,
    },
    "ProductsPage": {"products": [_PRODUCT]},
    "ProductPage": {
        "product": _PRODUCT,
        "level": samples.RESULTS["Levels"]["levels"][0],
        "claims": [{"kind": "basket", "id": samples.BASKET, "qty": 1}],
        "count_task": _TASK,
    },
    "LedgerPage": {
        "sku": "A-100",
        "entries": [
            {
                "seq": 4711,
                "at_ms": samples.NOW_MS,
                "type": "sell",
                "qty": 1,
                "source": "sellable",
                "target": "customer",
                "sellable_change": -1,
                "sellable_after": 24,
                "document": "sale",
                "document_id": samples.SALE,
                "sale_id": samples.SALE,
                "receipt_no": "001-004217",
                "line": 1,
                "device_id": samples.DEVICE,
            }
        ],
        "next_cursor": "4698.25",
    },
    "CountsPage": {
        "tasks": [_TASK],
        "under_way": [
            {
                "count_id": samples.COUNT,
                "sku": "A-100",
                "name": "Black tea, 20 bags",
                "device_id": samples.DEVICE,
                "at_ms": samples.NOW_MS,
            }
        ],
    },
    "LinkHistory": {
        "from_ms": _FROM_MS,
        "to_ms": samples.NOW_MS,
        "step_s": 300,
        "points": [
            {"at_ms": _FROM_MS, "depth": 0, "parked": 0, "up_share": 1.0},
            {
                "at_ms": _FROM_MS + _STEP_MS,
                "depth": 12,
                "parked": 0,
                "oldest_s": 140,
                "up_share": 0.53,
            },
        ],
        "changes": [{"at_ms": _FROM_MS + 459_000, "up": False, "place": "internet"}],
    },
    "SpeedHistory": {
        "from_ms": _FROM_MS,
        "to_ms": samples.NOW_MS,
        "step_s": 300,
        "points": [
            {"at_ms": _FROM_MS, "requests": 310, "commit_p50_ms": 1.8, "commit_p99_ms": 9.4},
            {"at_ms": _FROM_MS + _STEP_MS, "requests": 0},
        ],
    },
    "SalesHistory": {
        "from_ms": samples.NOW_MS // 3_600_000 * 3_600_000 - 3_600_000,
        "to_ms": samples.NOW_MS,
        "currency": "EUR",
        "hours": [
            {
                "at_ms": samples.NOW_MS // 3_600_000 * 3_600_000 - 3_600_000,
                "count": 0,
                "total_minor": 0,
            },
            {
                "at_ms": samples.NOW_MS // 3_600_000 * 3_600_000,
                "count": 17,
                "total_minor": 42_317,
            },
        ],
    },
    "OutagesPage": {"outages": [_OUTAGE]},
    "OutageReport": {
        "outage": _OUTAGE,
        "sales": {
            "count": 42,
            "total_minor": 104_711,
            "currency": "EUR",
            "voids": 1,
            "returns": 0,
        },
        "waiting": {"highest_depth": 131, "told": 130, "still_waiting": 0, "parked": 1},
        "caught_up_at_ms": samples.NOW_MS - 1_795_000,
        "devices_lost": [{"device_id": samples.DEVICE, "name": "Till 1", "times": 2}],
        "happened": [
            {
                "at_ms": samples.NOW_MS - 5_000_000,
                "kind": "restart",
                "text": "The hub was off, and started again.",
            }
        ],
        "needs": [
            {
                "key": "parked",
                "title": "Refused by the cloud",
                "text": "The cloud refused 1 event of this time; the hub keeps what they say"
                " aside.",
                "next_step": "Read why, have central IT mend the cause, then send them again.",
                "link": "#/cloud/parked",
                "count": 1,
            }
        ],
    },
    "DaysPage": {"days": [_DAY]},
    "SalesPage": {"day": _DAY, "sales": [_SALE]},
    "SaleWhole": {
        "sale": _SALE,
        "tax_minor": 33,
        "rounding_minor": 0,
        "change_minor": 1,
        "lines": samples.RESULTS["SaleView"]["lines"],
        "tenders": [{"kind": "cash", "amount_minor": 500}],
        "outbox_id": 4711,
        "told": "acked",
    },
    "BasketsPage": {"baskets": [_BASKET]},
    "BasketWhole": {
        "basket": _BASKET,
        "lines": samples.RESULTS["BasketView"]["lines"],
        "total_minor": 499,
        "tax_minor": 33,
        "currency": "EUR",
    },
    "CloudPage": {
        "link": {
            "state": "up",
            "since_ms": samples.NOW_MS - 3_500_000,
            "last_success_at_ms": samples.NOW_MS - 400,
            "url": "https://oms.example.com",
        },
        "incarnation": "3",
        "epoch": 2,
        "seq": 4711,
        "safe_seq": 4705,
        "depth": 6,
        "parked": 1,
        "streams": [
            {
                "source": "/stores/berlin-7/hubs/hub-1/3",
                "stream": "sales",
                "head_seq": 4217,
                "acked_seq": 4211,
                "waiting": 6,
                "oldest_at_ms": samples.NOW_MS - 1200,
            }
        ],
        "datasets": [
            {
                "dataset": "catalog",
                "generation": "g17",
                "rows": 18_204,
                "changes": 12,
                "swapped_at_ms": samples.NOW_MS - 86_400_000,
            }
        ],
    },
    "EventsPage": {"events": [_EVENT]},
    "EventWhole": {
        "event": {**_EVENT, "marker": True},
        "parked": _PARKED,
        "data": {"device_id": samples.DEVICE, "state": "ready"},
    },
    "ParkedPage": {"parked": [_PARKED], "total": 1},
    "CommandsPage": {
        "commands": [
            {
                "number": 12,
                "command_id": samples.COMMAND,
                "type": "count.requested",
                "outcome": "done",
                "at_ms": samples.NOW_MS,
            }
        ]
    },
    "LogsPage": {
        "lines": [
            {
                "number": 801,
                "at_ms": samples.NOW_MS,
                "level": "warning",
                "logger": "hub.mqtt.router",
                "text": "till-1 wrote a state that is not one: 1 faults",
            }
        ],
        "newest": 801,
        "levels": [{"logger": "", "level": "info"}],
    },
    "SettingsPage": {
        "file": "/etc/store-hub/config.toml",
        "settings": [
            {
                "key": "web.port",
                "section": "web",
                "name": "port",
                "value": "8443",
                "is_set": True,
                "is_secret": False,
                "is_default": True,
                "default": "8443",
                "origin": "default",
                "what": "Port of the page and of pairing.",
                "expected": "a whole number from 0 to 65535",
            }
        ],
    },
    "SupportPreview": {
        "bundle_id": _BUNDLE,
        "made_at_ms": samples.NOW_MS,
        "file_name": "store-hub-berlin-7-20261122T081242Z.zip",
        "total_bytes": 51,
        "files": [
            {
                "name": "versions.json",
                "title": "Versions of the hub and of what it stands on",
                "bytes": 51,
                "text": '{"store_hub": "0.1.0", "python": "3.11.2"}',
            }
        ],
        "left_out": ["secrets and keys"],
    },
}
