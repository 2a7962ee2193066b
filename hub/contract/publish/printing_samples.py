"""Examples of what is asked about print jobs and drawers, as :mod:`.samples` has them."""

from __future__ import annotations

from typing import Any

Example = dict[str, Any]

NOW_MS = 1_795_327_962_120
SALE = "0199f3a2-7e90-7b1d-8a4f-5c9d2e7f1a02"
PRINT_JOB = "0199f3a2-7f01-7a2b-8c3d-4e5f6a7b8c10"
AGAIN = "0199f3a2-9c11-7d3e-9f40-51627a8b9c11"
LABEL_JOB = "0199f3a2-9c12-7e4f-8051-62738b9cad12"
_JOB: Example = {
    "number": 4711,
    "job_id": PRINT_JOB,
    "device_id": "till-1",
    "kind": "sale",
    "state": "ambiguous",
    "subject": SALE,
    "title": "001-000042",
    "printer_id": "printer-counter",
    "attempt": 1,
    "reason": "the hub stopped while it was being printed",
    "made_at_ms": NOW_MS,
    "began_at_ms": NOW_MS + 40,
}
_COPY: Example = {
    "number": 4712,
    "job_id": AGAIN,
    "device_id": "till-1",
    "kind": "sale",
    "state": "queued",
    "subject": SALE,
    "title": "001-000042",
    "copy_no": 1,
    "made_at_ms": NOW_MS + 60_000,
}

REQUESTS: dict[tuple[str, str], Example] = {
    ("print", "list"): {"state": "ambiguous"},
    ("print", "get"): {"job_id": PRINT_JOB},
    ("print", "settle"): {"job_id": PRINT_JOB, "answer": "again"},
    ("print", "reprint"): {"sale_id": SALE},
    ("print", "gift-receipt"): {"sale_id": SALE, "line_nos": [1]},
    ("print", "label"): {"labels": [{"code": "4006381333931", "copies": 2}, {"code": "apples"}]},
    ("print", "cancel"): {"job_id": PRINT_JOB},
    ("print", "test"): {"printer_id": "printer-counter"},
    ("drawer", "open"): {"reason": "change for a customer"},
}
RESULTS: dict[str, Example] = {
    "PrintJobView": _COPY,
    "PrintJobs": {"jobs": [_JOB], "waiting": 2, "printing": 1, "ambiguous": 1},
    "PrintJobDetails": {**_JOB, "document": {"kind": "sale", "receipt_no": "001-000042"}},
    "PrintSettled": {
        "job": {
            **_JOB,
            "state": "cancelled",
            "answer": "again",
            "ended_at_ms": NOW_MS + 60_000,
        },
        "again": {**_COPY, "of_job": PRINT_JOB},
    },
    "LabelsQueued": {
        "labels": [
            {"sku": "A-100", "name": "Pencil", "price_minor": 249, "job_ids": [PRINT_JOB, AGAIN]},
            {"sku": "apples", "name": "Apples", "price_minor": 299, "job_ids": [LABEL_JOB]},
        ]
    },
    "DrawerOpening": {"job_id": AGAIN, "no_sales_today": 2, "business_day": "2026-11-22"},
}
