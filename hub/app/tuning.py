"""How the interpreter is set for a process that answers within milliseconds for weeks."""

from __future__ import annotations

import gc

SWITCH_INTERVAL_S = 0.0005
"""How long a busy loop keeps the writer's thread waiting; the default tripled the slowest sales."""


def settle_memory() -> None:
    """Leave what the start has made out of every later garbage collection, and collect less often:
    collections in the middle of a request were a tenth of the hub's processor time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
