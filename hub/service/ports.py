"""What the gate needs of the parts below it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from hub.contract.peripherals import (
    ConfigurePeripheral,
    DriverView,
    FoundPeripheral,
    PeripheralView,
)
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


class PeripheralDesk(Protocol):
    """Whoever keeps what hangs on the hub's own box.  ``device_id``: the till that asks.

    Errors of the asynchronous ones: :class:`hub.contract.problems.Refusal`.
    """

    def listed(self) -> tuple[PeripheralView, ...]:
        """All peripherals and how they are."""

    async def drivers(self) -> tuple[DriverView, ...]:
        """What can be driven."""

    async def check(self, command: ConfigurePeripheral) -> None:
        """Errors: ``validation`` when no driver takes what is set."""

    async def find(self, timeout_s: float) -> tuple[FoundPeripheral, ...]:
        """Look for peripherals."""

    async def try_out(self, peripheral_id: str, timeout_s: float) -> str:
        """Try one; what came of it, in words."""

    async def weigh(
        self, device_id: str, scale_id: str | None, timeout_s: float
    ) -> tuple[str, int, bool]:
        """A stable weight: the scale, grams, and whether it is zero."""

    async def show(self, device_id: str, display_id: str | None, lines: tuple[str, ...]) -> str:
        """Show lines to the customer; the display."""
