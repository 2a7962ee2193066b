"""One example of each message of the hub's own HTTP API; checked against schema and model."""

from __future__ import annotations

from typing import Any

from hub.contract.publish import samples

Example = dict[str, Any]

CSRF = "q8Zt3vW1xY2aB4cD6eF8gH0iJ2kL4mN6oP8qR0sT2uV"
QR_SVG = "<svg …/>"
PEM = "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n"
CSR = "-----BEGIN CERTIFICATE REQUEST-----\n…\n-----END CERTIFICATE REQUEST-----\n"
_FINGERPRINT = "5f" * 32

REQUESTS: dict[str, Example] = {
    "PairRequest": {"code": "K7QM-2XWD", "auth": "mtls", "csr": CSR, "model": "T-1000"},
    "RenewalRequest": {
        "nonce": "mZ1pQ7sT",
        "certificate": PEM,
        "csr": CSR,
        "signature": "MEUCIQDx",
    },
    "OpenPairing": {"kind": "till", "name": "Till by the door"},
    "TechnicianSignIn": {"staff_no": "1004", "pin": "246802"},
}

_STATUS: Example = {
    "store": samples.STORE,
    "store_name": "Berlin, Market Square",
    "hub_id": "hub-1",
    "version": "0.1.0",
    "mode": "online",
    "training": False,
    "started_at_ms": samples.NOW_MS - 3_600_000,
    "time_ms": samples.NOW_MS,
    "incarnation": "3",
    "epoch": 2,
    "seq": 4711,
    "safe_seq": 4705,
    "clock_suspect": False,
    "sales": {
        "business_day": "2026-11-22",
        "count": 42,
        "total_minor": 104_711,
        "voided": 1,
        "returned_minor": 249,
        "currency": "EUR",
        "last_at_ms": samples.NOW_MS,
        "per_minute": 1.5,
    },
    "devices": samples.RESULTS["Devices"]["devices"],
    "outbox": {
        "depth": 6,
        "oldest_at_ms": samples.NOW_MS - 1200,
        "parked": 0,
        "streams": {"sales": 6},
    },
    "cloud": {
        "state": "up",
        "since_ms": samples.NOW_MS - 3_500_000,
        "last_success_at_ms": samples.NOW_MS - 400,
        "url": "https://oms.example.com",
        "datasets": {"catalog": "g17"},
        "drift": 0,
    },
    "broker": {
        "mode": "managed",
        "state": "running",
        "since_ms": samples.NOW_MS - 3_600_000,
        "restarts": 0,
        "connected": True,
    },
    "discovery": {
        "state": "announced",
        "name": "Berlin, Market Square",
        "addresses": ["192.0.2.10"],
    },
    "storage": {
        "state": "open",
        "queue_depth": 0,
        "database_bytes": 41_943_040,
        "wal_bytes": 1_048_576,
        "free_bytes": 21_474_836_480,
        "sqlite_version": "3.46.1",
    },
    "errors": [],
    "problems": [
        "The cloud refused 2 events, which wait aside. Read why, then have them sent again."
    ],
    "health": {
        "verdict": "warning",
        "headline": "The shop sells; 1 thing needs somebody.",
        "since_ms": samples.NOW_MS - 600_000,
        "reasons": ["The cloud refused 2 events, which wait aside."],
        "findings": [
            {
                "key": "parked",
                "title": "Refused events",
                "what": "Whether the cloud refused events that now wait aside.",
                "weight": 6,
                "level": "warning",
                "summary": "The cloud refused 2 events, which wait aside.",
                "since_ms": samples.NOW_MS - 600_000,
                "means": "Selling goes on; the cloud's books lack these events.",
                "next_step": "Read why, then have them sent again.",
                "action": "parked.resend",
                "detail": {"events": "2"},
            },
            {
                "key": "broker",
                "title": "Broker",
                "what": "Whether the message broker runs and the hub is connected to it.",
                "weight": 15,
                "level": "ok",
                "summary": "The broker runs.",
            },
        ],
        "readiness": {
            "score": 71,
            "total_weight": 21,
            "lost": [{"key": "parked", "title": "Refused events", "weight": 6}],
        },
        "way": [],
    },
}

REPLIES: dict[str, Any] = {
    "Hello": {
        "store": samples.STORE,
        "name": "Berlin, Market Square",
        "version": "0.1.0",
        "contract": [1, 1],
        "ca_fingerprint": _FINGERPRINT,
        "time_ms": samples.NOW_MS,
    },
    "Pem": PEM,
    "PairReply": {
        "device_id": samples.DEVICE,
        "name": "Till by the door",
        "kind": "till",
        "store": samples.STORE,
        "auth": "mtls",
        "ca": PEM,
        "certificate": PEM,
        "mqtt": {
            "host": "192.0.2.10",
            "password_port": 8883,
            "mtls_port": 8884,
            "websocket_path": "/mqtt",
        },
        "contract": [1, 1],
    },
    "RenewalNonce": {"nonce": "mZ1pQ7sT", "expires_in_s": 300},
    "PageUser": {
        "user": "Mia",
        "role": "manager",
        "may": [
            *("actions", "devices", "drill", "log-level", "outbox", "pairing"),
            *("peripherals", "printing", "staff"),
            "support",
        ],
        "expires_at_ms": samples.NOW_MS + 28_800_000,
        "signed_in_by": "pin",
    },
    "PageSession": {"role": "technician", "csrf": CSRF, "idle_s": 900, "ends_in_s": 28_800},
    "PairingOpenedHere": {
        "pairing_id": "0199f3a5-7a8b-7f9c-9d0e-2f3a4b5c6d0b",
        "code": "K7QM-2XWD",
        "qr": f"storehub://pair?host=192.0.2.10&port=8443&fp={_FINGERPRINT}&code=K7QM2XWD",
        "expires_in_s": 600,
        "url": "https://192.0.2.10:8443/",
        "qr_svg": QR_SVG,
    },
    "HubStatus": _STATUS,
    "Actions": {
        "actions": [
            {
                "key": "outbox.retry",
                "title": "Send now",
                "what": "Sends what waits for the cloud now, without waiting for the next try.",
                "confirm": "Send what waits for the cloud now?",
                "disturbs": False,
                "available": True,
            }
        ]
    },
    "ActionDone": {
        "key": "outbox.retry",
        "outcome": "started",
        "text": "What waits is being sent.",
        "at_ms": samples.NOW_MS,
    },
    "EventStream": "event: status\nid: 1\ndata: {…}\n\n",
}
