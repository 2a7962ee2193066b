"""What the technician's pages are told: rows put into words, in a reader's thread."""

from __future__ import annotations

from hub.service.cursors import bad_cursor, dotted, numbers

__all__ = ["bad_cursor", "dotted", "numbers"]
