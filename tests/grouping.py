"""Which tests stay together in one process when they are run in several.

A module that says ``xdist_group`` shares something dear between its tests, or has them follow each
other: it goes to one worker whole.  (xdist 3.8 writes the group into a test's id in a way that
pytest 9.2 doesn't read, and then spreads such tests without a word.)
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadGroupScheduling

MARK = "xdist_group("
WAITING_MIN = 2


class TogetherByFile(LoadGroupScheduling):  # type: ignore[misc]
    """Whole modules that are marked; single tests of all others."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if is_kept_together(self.config.rootpath / file) else nodeid

    def remove_node(self, node: Any) -> str | None:
        """A test that took its worker along has failed: xdist 3.8 gives it to each next worker, and
        no two of them would live to see the end."""
        units = self.assigned_work[node].values()
        running = next(
            ((unit, one) for unit in units for one, done in unit.items() if not done), None
        )
        if running is not None:
            unit, one = running
            unit[one] = True
        super().remove_node(node)
        return running[1] if running is not None else None

    def _reschedule(self, node: Any) -> None:
        """A worker begins its last test when it has another, or is told that none will come: one
        that takes a dead one's place must not be left with a single test (xdist 3.8 does)."""
        super()._reschedule(node)
        while (
            self.workqueue
            and not node.shutting_down
            and self._pending_of(self.assigned_work[node]) < WAITING_MIN
        ):
            self._assign_work_unit(node)


@cache
def is_kept_together(file: Path) -> bool:
    """Whether the module is marked."""
    return MARK in file.read_text(encoding="utf-8")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> TogetherByFile | None:
    """In the place of xdist's own for ``--dist loadgroup``."""
    return TogetherByFile(config, log) if config.getvalue("dist") == "loadgroup" else None
