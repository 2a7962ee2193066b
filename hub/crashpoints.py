"""Named places at which a test may end the process; in production they do nothing."""

from __future__ import annotations

from collections.abc import Callable

_hook: Callable[[str], None] | None = None


def crashpoint(name: str) -> None:
    """Pass the place called ``name``."""
    if _hook is not None:
        _hook(name)


def on_crashpoint(hook: Callable[[str], None] | None) -> None:
    """Call ``hook`` at every crash point from now on (None: stop doing so)."""
    global _hook  # noqa: PLW0603 - one process, one hook, set by tests only
    _hook = hook
