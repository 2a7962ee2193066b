"""A hub's start, backup or restore that is killed at a crash point.

``python -m tests.storage.crash_copies start|backup|restore PLACE STATE COPY`` ends by SIGKILL at
PLACE; with another PLACE it does its work.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from hub.app.backup import make_backup, restore_backup
from hub.app.founding import open_state
from hub.clock import SystemClock, SystemRandomness
from hub.config import Settings
from hub.crashpoints import on_crashpoint


def settings_of(state: Path) -> Settings:
    """A shop whose state is here."""
    return Settings.model_validate(
        {
            "store": {"id": "367", "timezone": "Europe/Berlin", "currency": "EUR"},
            "paths": {"state": state, "run": state.with_name("run")},
        }
    )


def main() -> None:
    """See the module's text."""
    what, place, state, copy = sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])
    clock, randomness = SystemClock(), SystemRandomness()

    def hook(name: str) -> None:
        if name == place:
            os.kill(os.getpid(), signal.SIGKILL)

    on_crashpoint(hook)
    match what:
        case "start":
            open_state(settings_of(state), clock, randomness).conn.close()
        case "backup":
            make_backup(state, copy, clock)
        case _:
            restore_backup(copy, state, clock, randomness)


if __name__ == "__main__":
    main()
