"""What devices without MQTT 5 properties have in their bodies instead."""

from __future__ import annotations

import json

from hub.contract.base import MAX_MESSAGE_BYTES


def body_correlation(payload: bytes) -> str | None:
    """The correlation of a device without MQTT 5 properties, from its body."""
    if b'"correlation"' not in payload[:MAX_MESSAGE_BYTES]:
        return None
    try:
        found = json.loads(payload).get("correlation")
    except (ValueError, AttributeError, RecursionError):
        return None
    return found if isinstance(found, str) and len(found) <= 200 else None
