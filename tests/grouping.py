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


class TogetherByFile(LoadGroupScheduling):  # type: ignore[misc]
    """Whole modules that are marked; single tests of all others."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if is_kept_together(self.config.rootpath / file) else nodeid


@cache
def is_kept_together(file: Path) -> bool:
    """Whether the module is marked."""
    return MARK in file.read_text(encoding="utf-8")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> TogetherByFile | None:
    """In the place of xdist's own for ``--dist loadgroup``."""
    return TogetherByFile(config, log) if config.getvalue("dist") == "loadgroup" else None
