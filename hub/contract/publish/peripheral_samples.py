"""Examples of what is asked about the hub's own peripherals, as :mod:`.samples` has them."""

from __future__ import annotations

from typing import Any

Example = dict[str, Any]

NOW_MS = 1_795_327_962_120
_SETUP: Example = {
    "id": "printer-counter",
    "driver": "escpos-printer",
    "address": "tcp://192.0.2.7:9100",
    "name": "Receipts, counter",
    "serves": ["till-1"],
    "fallback": "printer-office",
    "options": {"width_mm": 80},
}

REQUESTS: dict[tuple[str, str], Example] = {
    ("peripheral", "list"): {},
    ("peripheral", "drivers"): {},
    ("peripheral", "configure"): _SETUP,
    ("peripheral", "remove"): {"id": "printer-counter"},
    ("peripheral", "find"): {"timeout_s": 8},
    ("peripheral", "try"): {"id": "scale-1"},
    ("display", "show"): {"lines": ["Ballpoint pen, blue", "              2.49"]},
}
RESULTS: dict[str, Example] = {
    "PeripheralList": {
        "peripherals": [
            {
                **_SETUP,
                "kind": "printer",
                "source": "settings",
                "phase": "ready",
                "since_ms": NOW_MS,
                "capabilities": ["cover", "paper-empty"],
                "width_mm": 80,
                "confirms": True,
                "maker": "EPSON",
                "model": "TM-T88VI",
                "conditions": ["printer-paper-near-end"],
            }
        ]
    },
    "DriverList": {
        "drivers": [
            {
                "key": "escpos-printer",
                "title": "Receipt printer (ESC/POS)",
                "kind": "printer",
                "options": {"width_mm": "58 or 80; 80"},
                "addresses": ["tcp://192.0.2.7:9100"],
            }
        ]
    },
    "FoundPeripherals": {
        "found": [
            {
                "title": "EPSON TM-T88VI",
                "driver": "escpos-printer",
                "address": "tcp://192.0.2.7:9100",
                "detail": "mDNS _pdl-datastream._tcp",
            }
        ]
    },
    "Tried": {"outcome": "scale-1 shows 455 g."},
    "Shown": {"display_id": "display-1"},
}

_SCAN_ID = "0199f3a0-1a2b-7c3d-8e4f-5a6b7c8d9e11"
_SCAN: Example = {"scan_id": _SCAN_ID, "scanner": "scanner-1", "scanned_at_ms": NOW_MS}
ENVELOPES: dict[str, Example] = {
    "ScanCommand": {
        "command_id": _SCAN_ID,
        "device_id": "till-1",
        "operation": "scan",
        "data": {
            **_SCAN,
            "code": "5012345678900",
            "aim": "]E0",
            "symbology": "EAN/UPC",
            "gtin": "05012345678900",
            "why_not": "unknown",
            "detail": "No product here has this code: type the SKU, or ask the office to add the"
            " product.",
        },
    },
    "ScanEvent": {**_SCAN, "why_not": "unknown", "code": "5012345678900", "length_bytes": 13},
    "PeripheralEvent": {"at_ms": NOW_MS, "data": {"grams": 1250, "zero": False}},
    "PrintPiece": {
        "job_id": "0199f3a0-1a2b-7c3d-8e4f-5a6b7c8d9e12",
        "piece": 0,
        "pieces": 1,
        "data": "G0BIZWxsbwo=",
    },
    "PieceTaken": {"outcome": "printed", "confirmed": True},
    "PaymentCopy": {
        "payment_id": "0199f3a2-7711-7e33-9d44-5f6a7b8c9d05",
        "copy_text": "PMRHAYLZNVSW",
    },
    "CopyKept": {"kept": 1},
    "DropCopies": {"payment_ids": ["0199f3a2-7711-7e33-9d44-5f6a7b8c9d05"]},
    "AskCopies": {"after": ""},
    "Copies": {
        "copies": [
            {
                "payment_id": "0199f3a2-7711-7e33-9d44-5f6a7b8c9d05",
                "copy_text": "PMRHAYLZNVSW",
            }
        ],
        "more": False,
    },
}
"""What is told without having been asked for, and what a lent printer is asked."""
