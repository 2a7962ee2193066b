"""All checks there are: whatever file of ``hub.health.checks`` defines."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from hub.health import checks
from hub.health.check import Check


@cache
def all_checks() -> tuple[Check, ...]:
    """All checks, in the order of their files' names."""
    names = sorted(one.name for one in pkgutil.iter_modules(checks.__path__))
    found = tuple(importlib.import_module(f"{checks.__name__}.{name}").CHECK for name in names)
    assert all(isinstance(one, Check) for one in found)
    assert len({one.key for one in found}) == len(found), "two checks share a key"
    return found
