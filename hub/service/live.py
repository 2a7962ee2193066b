"""What is done at once by what hangs on the hub: asynchronous, outside of any transaction.

Such an operation reads or does something out there (a weight, two lines on a display).  It takes
no turn at the writer, so neither a slow scale nor an absent one keeps a sale waiting.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hub.contract.base import Live, Outgoing
from hub.contract.payments import AskBalance, BalanceView
from hub.contract.problems import Code, refuse
from hub.service.caller import Caller
from hub.service.ports import PeripheralDesk
from hub.service.shop import Shop
from hub.storage.rows import Rows

AT_ONCE_MAX: Final = 16
"""Beyond, the answer is ``busy`` at once."""
PER_CALLER_MAX: Final = 4
"""Nobody takes the places of the others."""
LONGEST_S: Final = 28.0
"""No operation takes longer: whoever asked has given up by then."""


@dataclass(frozen=True, slots=True)
class LiveUnit:
    """What the handler of a live operation works with."""

    rows: Rows
    caller: Caller
    shop: Shop
    need_desk: Callable[[], PeripheralDesk]
    balance: BalanceDesk

    @property
    def desk(self) -> PeripheralDesk:
        """Who drives the peripherals.  Errors: ``unavailable`` while nobody does."""
        return self.need_desk()


BalanceDesk = Callable[[Caller, AskBalance], Awaitable[BalanceView]]


async def no_balance(_caller: Caller, _asked: AskBalance) -> BalanceView:
    """Errors: ``conflict``: nobody keeps gift cards for this hub."""
    raise refuse(Code.CONFLICT, "This hub has no cloud that keeps gift cards.")


LiveHandler = Callable[[LiveUnit, Any], Awaitable[Outgoing]]


class LiveOperations:
    """``desk`` is set by whoever keeps the peripherals, while they are kept; ``processor`` by
    whoever forwards payments: how the way to it is, and what a person has to mend;
    ``copies_refused`` by whoever asks the second keeper for its copies: how many were no good;
    ``balance`` by whoever can ask after gift cards."""

    def __init__(self, handlers: Mapping[type[Any], LiveHandler]) -> None:
        self._handlers = handlers
        self._under_way: Counter[str] = Counter()
        self.desk: PeripheralDesk | None = None
        self.balance: BalanceDesk = no_balance
        self.processor: Callable[[], tuple[str, str]] = lambda: ("", "")
        self.copies_refused: Callable[[], int] = lambda: 0

    def need_desk(self) -> PeripheralDesk:
        """Errors: ``unavailable`` while none is kept."""
        if self.desk is None:
            raise refuse(
                Code.UNAVAILABLE,
                "The hub doesn't drive its peripherals just now (it starts or stops): repeat"
                " shortly.",
                retry_after_ms=2000,
            )
        return self.desk

    async def run(self, rows: Rows, caller: Caller, shop: Shop, command: Live) -> Outgoing:
        """The answer.  Errors: :class:`Refusal`; ``busy`` at the bound, ``unavailable`` when it
        takes too long."""
        handler = self._handlers[type(command)]
        unit = LiveUnit(rows, caller, shop, self.need_desk, self.balance)
        mine = caller.key
        if self._under_way[mine] >= PER_CALLER_MAX or self._under_way.total() >= AT_ONCE_MAX:
            raise refuse(
                Code.BUSY,
                "The hub waits for as many answers from elsewhere as it can: repeat shortly.",
                retry_after_ms=1000,
            )
        self._under_way[mine] += 1
        try:
            async with asyncio.timeout(LONGEST_S):
                return await handler(unit, command)
        except TimeoutError:
            raise refuse(
                Code.UNAVAILABLE,
                f"{command.service}/{command.operation} took too long: see `store-hub peripherals"
                " list`, then repeat.",
                retry_after_ms=2000,
            ) from None
        finally:
            self._under_way[mine] -= 1
            self._under_way += Counter()  # who has none under way isn't counted any more
