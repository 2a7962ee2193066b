"""Which tests stay together in one process when they are run in several, and in which order they
are begun.

A module that says ``xdist_group`` shares something dear between its tests, or has them follow each
other: it goes to one worker whole, and so does one with a fixture of its own scope, which would be
made anew for each test otherwise.  (xdist 3.8 writes the group into a test's id in a way that
pytest 9.2 doesn't read, and then spreads such tests without a word.)
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadGroupScheduling

MARKS = ("xdist_group(", 'scope="module"')
WAITING_MIN = 2
LONG = frozenset({"e2e", "simulation"})
LONG_PART = 0.6
"""The folders of long tests are done with at this part of the run, so that no worker is left alone
with one at its end."""


class TogetherByFile(LoadGroupScheduling):  # type: ignore[misc]
    """Whole modules that share something; single tests of all others."""

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
    """Whether the module is marked, or has a fixture for all its tests."""
    text = file.read_text(encoding="utf-8")
    return any(mark in text for mark in MARKS)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> TogetherByFile | None:
    """In the place of xdist's own for ``--dist loadgroup``."""
    return TogetherByFile(config, log) if config.getvalue("dist") == "loadgroup" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """One after the other, tests are run as they are found; side by side, as :func:`mixed`."""
    if hasattr(config, "workerinput"):
        names = [item.nodeid for item in items]
        items[:] = [items[number] for number in mixed(names)]


def pytest_collection_finish() -> None:
    """Leave what was found and loaded out of every later garbage collection: thousands of tests and
    all of the product are there to the end, and were looked through again and again."""
    gc.collect()
    gc.freeze()


def mixed(names: Sequence[str]) -> list[int]:
    """The order of tests by their ids: a part of each folder after the other.  Some folders wait
    for processes and wires, others compute: side by side they use the machine all the time."""
    folders = [_folder(name) for name in names]
    sizes = Counter(folders)
    found: Counter[str] = Counter()
    places = []
    for number, folder in enumerate(folders):
        part = found[folder] / sizes[folder] * (LONG_PART if folder in LONG else 1)
        found[folder] += 1
        places.append((part, number))
    return [number for _, number in sorted(places)]


def _folder(name: str) -> str:
    parts = name.partition("::")[0].split("/")
    return parts[1] if len(parts) > 2 else ""
