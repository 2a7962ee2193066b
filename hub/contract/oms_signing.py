"""Signatures over request bodies: the symmetric scheme of Standard Webhooks (v1, HMAC-SHA256).

What is signed is ``{webhook-id}.{webhook-timestamp}.{body}``, the body exactly as sent (that is,
compressed).  A secret is written ``whsec_`` + base64.  Source: standardwebhooks.com specification.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

HEADER_ID = "webhook-id"
HEADER_TIMESTAMP = "webhook-timestamp"
HEADER_SIGNATURE = "webhook-signature"
TOLERANCE_S = 300


def secret_bytes(secret: str) -> bytes:
    """The key inside ``whsec_…``.  Raises ValueError without quoting the secret."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise ValueError("the signing secret is not whsec_ followed by base64") from None
    if not 16 <= len(key) <= 128:
        raise ValueError(f"the signing secret has {len(key)} bytes; 16 to 128 are allowed")
    return key


def _signature(key: bytes, message_id: str, timestamp_s: int, body: bytes) -> str:
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def sign(secret: str, message_id: str, now_ms: int, body: bytes) -> dict[str, str]:
    """The three headers for ``body``; ``message_id`` is unique per body and free of dots."""
    timestamp_s = now_ms // 1000
    return {
        HEADER_ID: message_id,
        HEADER_TIMESTAMP: str(timestamp_s),
        HEADER_SIGNATURE: "v1," + _signature(secret_bytes(secret), message_id, timestamp_s, body),
    }


def verify(secret: str, headers: Mapping[str, str], body: bytes, now_ms: int) -> str | None:
    """None when the signature holds, else what is wrong with it.

    ``headers`` must look names up without regard to case.
    """
    message_id = headers.get(HEADER_ID, "")
    stamp = headers.get(HEADER_TIMESTAMP, "")
    given = headers.get(HEADER_SIGNATURE, "")
    if not (message_id and stamp and given):
        return f"{HEADER_ID}, {HEADER_TIMESTAMP} and {HEADER_SIGNATURE} are needed"
    if not stamp.isascii() or not stamp.isdigit() or len(stamp) > 12:
        return f"{HEADER_TIMESTAMP} is not a number of seconds"
    if abs(now_ms // 1000 - int(stamp)) > TOLERANCE_S:
        return f"{HEADER_TIMESTAMP} is more than {TOLERANCE_S} s from the time here; set the clock"
    expected = ("v1," + _signature(secret_bytes(secret), message_id, int(stamp), body)).encode()
    candidates = given.split(" ")[:10]
    if any(hmac.compare_digest(expected, one.encode()) for one in candidates):
        return None
    return "the signature does not match the body"
