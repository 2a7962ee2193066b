"""Spans, sizes and counts as people say them."""

from __future__ import annotations


def ago(span_ms: int) -> str:
    """A span in words: ``40 s``, ``12 min``, ``5 h``, ``3 days``."""
    seconds = max(0, span_ms) // 1000
    if seconds < 90:
        return f"{seconds} s"
    if seconds < 90 * 60:
        return f"{seconds // 60} min"
    if seconds < 48 * 3600:
        return f"{seconds // 3600} h"
    return f"{seconds // 86_400} days"


def size(count_bytes: int) -> str:
    """Bytes in words: ``100 MiB``, ``12.5 GiB``."""
    if count_bytes < 10 << 10:
        return f"{count_bytes} B"
    if count_bytes < 10 << 20:
        return f"{count_bytes >> 10} KiB"
    if count_bytes < 10 << 30:
        return f"{count_bytes >> 20} MiB"
    return f"{count_bytes / (1 << 30):.1f} GiB"


def many(count: int, noun: str) -> str:
    """``1 event``, ``2 events``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
