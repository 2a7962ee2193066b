"""Named places at which a test may end the process; in production they do nothing.

A name is ``room.what``: what has just been done, or ``before-`` what comes next.  Each stands where
something is written in two places and only the first of them is done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

HUB_CRASH_POINTS: Final = (
    "founding.salted",
    "founding.identified",
    "founding.witnessed",
    "writer.job-released",
    "writer.rolled-back",
    "writer.before-commit",
    "writer.after-commit",
    "writer.before-checkpoint",
    "writer.after-checkpoint",
    "parking.marked",
    "session.remembered",
    "session.answered",
    "session.finished",
    "session.forked",
    "recovery.written",
    "recovery.before-lift",
    "recovery.lifted",
    "uplink.before-send",
    "uplink.answered",
    "uplink.marked",
    "uplink.parked",
    "downlink.received",
    "downlink.applied",
    "datasets.staged",
    "datasets.before-swap",
    "datasets.swapped",
    "datasets.changed",
)
"""What a running hub passes, from its start on."""
COPY_CRASH_POINTS: Final = (
    "backup.copied",
    "restore.copied",
    "restore.fenced",
    "restore.set-aside",
    "restore.in-place",
)
"""What ``store-hub backup`` and ``store-hub restore`` pass while the hub is stopped."""
PRINT_CRASH_POINTS: Final = (
    "spooler.before-begin",
    "spooler.begun",
    "spooler.sent",
    "spooler.before-end",
)
"""What a hub with a printer passes with every print job."""
CARD_CRASH_POINTS: Final = (
    "teller.before-begin",
    "teller.begun",
    "teller.answered",
    "teller.leased",
    "teller.work-answered",
    "teller.before-end",
)
"""What a hub passes that drives a card terminal."""
FORWARD_CRASH_POINTS: Final = (
    "forwarder.leased",
    "forwarder.answered",
    "forwarder.told",
)
"""What a hub passes that presents payments to a processor."""
CRASH_POINTS: Final = (
    *HUB_CRASH_POINTS,
    *COPY_CRASH_POINTS,
    *PRINT_CRASH_POINTS,
    *CARD_CRASH_POINTS,
    *FORWARD_CRASH_POINTS,
)

_hook: Callable[[str], None] | None = None


def crashpoint(name: str) -> None:
    """Pass the place called ``name``, one of :data:`CRASH_POINTS`."""
    if _hook is not None:
        _hook(name)


def on_crashpoint(hook: Callable[[str], None] | None) -> None:
    """Call ``hook`` at every crash point from now on (None: stop doing so)."""
    global _hook  # noqa: PLW0603 - one process, one hook, set by tests only
    _hook = hook
