"""``python -m tests.e2e.impatient_hub CLOCK_FILE …``: ``store-hub …`` on a box whose clock a test
can set, and that looks every second where others look each minute.

``CLOCK_FILE`` holds by how many milliseconds the box's wall clock is wrong; no file: it is right.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

LOOK_S = 1.0
DOWN_AFTER_MS = 2_000


def set_clock(file: Path) -> None:
    """The system's clock, as wrong as the file says."""
    from hub.clock import SystemClock

    real = SystemClock.wall_ms

    def wall_ms(clock: SystemClock) -> int:
        try:
            return real(clock) + int(file.read_text() or 0)
        except FileNotFoundError:
            return real(clock)

    changed: Any = SystemClock
    changed.wall_ms = wall_ms


def be_impatient() -> None:
    """Probes each second; the cloud counts as away after two."""
    from hub.app import measuring
    from hub.health.checks import link
    from hub.health.prober import Probe

    def soon(part: str, every_s: float, measure: Any, **more: Any) -> Probe:
        return Probe(part, min(every_s, LOOK_S), measure, **more)

    changed: Any = measuring
    changed.Probe, changed.LOOK_S = soon, LOOK_S
    changed = link
    changed.DOWN_AFTER_MS = DOWN_AFTER_MS


def main() -> None:
    """Ends as the hub does."""
    set_clock(Path(sys.argv.pop(1)))
    be_impatient()
    from hub.cli import main as store_hub

    store_hub()


if __name__ == "__main__":
    main()
