"""What the hub does with the terminals that it drives: begin at one, end with its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hub.contract.base import Command
from hub.domain.payments.states import PaymentEvent, PaymentState
from hub.service.gate import Handler
from hub.service.payments import answers, book
from hub.service.payments.commands import AtTerminal, BeginAtTerminal, EndAtTerminal
from hub.service.unit import Unit
from hub.storage import paymentrows


def begin_at_terminal(unit: Unit, command: BeginAtTerminal) -> AtTerminal | None:
    """See :class:`BeginAtTerminal`."""
    row = paymentrows.get(unit.tx, command.payment_id)
    if row is None or row.state != PaymentState.INTENT or row.driven_by != "hub":
        return None
    if row.is_value:
        return None
    if paymentrows.at_terminal(unit.tx, row.terminal_id) is not None:
        return None
    row = book.move(unit, row, PaymentEvent.SENT, "hub", attempt=row.attempt + 1)
    return AtTerminal(
        row.payment_id,
        row.sale_id,
        row.terminal_id,
        row.attempt,
        row.amount_minor,
        row.currency,
        bool(row.offline_allowed),
    )


def end_at_terminal(unit: Unit, command: EndAtTerminal) -> str:
    """See :class:`EndAtTerminal`.  What another attempt says counts as long as it says that money
    was taken; else it changes nothing.  Errors: ``ValueError`` for a payment that isn't here."""
    row = paymentrows.get(unit.tx, command.payment_id)
    if row is None:
        raise ValueError(f"there is no payment {command.payment_id}")
    said = command.said
    if row.attempt != command.attempt and said.outcome not in ("approved", "approved-offline"):
        return row.state
    return answers.take(unit, row, said, f"terminal {row.terminal_id}").state


WRITES: dict[type[Command], Handler] = {}
INTERNAL: dict[type[Any], Callable[[Unit, Any], Any]] = {
    BeginAtTerminal: begin_at_terminal,
    EndAtTerminal: end_at_terminal,
}
