"""What was checked beside the tests stands before their summary, which ends ``scripts/test``."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Final

import pytest

VARIABLE: Final = "STORE_HUB_CHECKS"
"""Names the file with what the checks say; one beside it, ending in ``.done``, says that it is
whole."""
PATIENCE_S: Final = 600
_LOOK_S: Final = 0.2


_GIVEN: Final = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """Take the name away: tests that run pytest themselves would tell it in their own output."""
    config.stash[_GIVEN] = os.environ.pop(VARIABLE, "")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Wait for the checks and tell what they found, once."""
    given = terminalreporter.config.stash.get(_GIVEN, "")
    if not given:
        return
    found, done = Path(given), Path(f"{given}.done")
    looks = int(PATIENCE_S / _LOOK_S)
    while looks and not done.exists():
        threading.Event().wait(_LOOK_S)
        looks -= 1
    if done.exists() and found.exists():
        terminalreporter.section("checks")
        terminalreporter.write_line(found.read_text(errors="replace").rstrip())
        found.unlink()
