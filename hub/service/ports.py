"""What the gate needs of the parts below it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from hub.storage.rows import Tx


class Writer(Protocol):
    """The single writer."""

    def submit(
        self,
        work: Callable[[Tx], Any],
        *,
        refused: Callable[[Tx, Exception], Any] | None = None,
        background: bool = False,
    ) -> Any:
        """An awaitable of the work's value after COMMIT."""


class SlowReads(Protocol):
    """Reads in threads."""

    async def read(self, query: Callable[[Any], Any]) -> Any:
        """Run ``query`` on a read-only connection."""


class Budget(Protocol):
    """The hub's own monotonic milliseconds."""

    def budget_ms(self) -> int:
        """Milliseconds that no wall clock can move."""
