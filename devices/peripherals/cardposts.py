"""The card terminals that the hub drives, as the teller asks them."""

from __future__ import annotations

from collections.abc import Sequence

from devices.peripherals.desk import Desk
from devices.peripherals.model import (
    CardAnswer,
    CardOutcome,
    Category,
    Charge,
    PaymentTerminal,
    PeripheralError,
    TerminalReport,
)


class CardPosts:
    """See :class:`devices.peripherals.cards.Terminals`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def terminal_of(self, device_id: str) -> str | None:
        """The terminal that takes this till's cards: its own before those of all tills, one that is
        there before one that isn't; from any thread."""
        found = self._desk.of_till(device_id, Category.TERMINAL)
        first = next((one for one in found if one.ready), found[0] if found else None)
        return first.entry.id if first is not None else None

    def ready_terminals(self) -> Sequence[str]:
        """See :class:`devices.peripherals.cards.Terminals`."""
        return [one.entry.id for one in self._desk.all_of(Category.TERMINAL) if one.ready]

    async def take_card(self, terminal_id: str, charge: Charge) -> CardAnswer:
        """See :class:`devices.peripherals.cards.Terminals`."""
        terminal = self._terminal(terminal_id)
        if terminal is None:
            return CardAnswer(CardOutcome.NOT_DONE, f"{terminal_id} isn't there")
        return await terminal.sale(charge)

    async def card_status(
        self, terminal_id: str, payment_id: str, asked_minor: int = 0
    ) -> CardAnswer:
        """See :class:`devices.peripherals.cards.Terminals`."""
        terminal = self._terminal(terminal_id)
        if terminal is None:
            return _away(terminal_id)
        return await terminal.status(payment_id, asked_minor)

    async def reverse_card(
        self, terminal_id: str, charge: Charge, terminal_ref: str, key: str
    ) -> CardAnswer:
        """See :class:`devices.peripherals.cards.Terminals`."""
        terminal = self._terminal(terminal_id)
        if terminal is None:
            return _away(terminal_id)
        return await terminal.reverse(charge, terminal_ref, key)

    async def refund_card(
        self, terminal_id: str, charge: Charge, terminal_ref: str, key: str
    ) -> CardAnswer:
        """See :class:`devices.peripherals.cards.Terminals`."""
        terminal = self._terminal(terminal_id)
        if terminal is None:
            return _away(terminal_id)
        return await terminal.refund(charge, terminal_ref, key)

    async def cancel_card(self, terminal_id: str, payment_id: str) -> bool:
        """See :class:`devices.peripherals.cards.Terminals`."""
        terminal = self._terminal(terminal_id)
        return terminal is not None and await terminal.cancel(payment_id)

    async def report(self, terminal_id: str) -> TerminalReport | None:
        """See :class:`devices.peripherals.cards.Terminals`."""
        terminal = self._terminal(terminal_id)
        try:
            return None if terminal is None else await terminal.diagnose()
        except PeripheralError:
            return None

    def _terminal(self, terminal_id: str) -> PaymentTerminal | None:
        post = self._desk.post(terminal_id)
        ready = post is not None and post.ready
        return post.driver if post and ready and isinstance(post.driver, PaymentTerminal) else None


def _away(terminal_id: str) -> CardAnswer:
    return CardAnswer(CardOutcome.UNKNOWN, f"{terminal_id} isn't there to be asked")
