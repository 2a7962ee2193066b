"""Online orders that the cloud gives to this shop: taken in, reserved for, and ended."""

from __future__ import annotations

from typing import Final

LINES_AT_ONCE: Final = 400
"""Of orders that are worked on in one transaction: some 30 ms of the writer."""
HEAD_COSTS: Final = 10
"""So many lines' work is what an order takes besides its lines."""
