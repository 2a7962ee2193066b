"""What the teller needs of the terminals and of the gate, and how their words are put into the
book's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from devices.peripherals.model import CardAnswer, CardOutcome, Charge, TerminalReport
from hub.domain.cards import find_card_data, mask
from hub.domain.payments.tokens import SealedToken
from hub.domain.payments.work import WorkKind
from hub.service.caller import Caller
from hub.service.internal import InternalCommand
from hub.service.payments.commands import (
    AtTerminal,
    Leased,
    NoteTerminal,
    TerminalOutcome,
    TerminalSaid,
)
from hub.service.ports import Budget
from hub.service.shop import Shop
from hub.storage.rows import Rows

log = logging.getLogger(__name__)

REASON_MAX: Final = 200
REPORT_S: Final = 60.0
OUTCOMES: Final[dict[CardOutcome, TerminalOutcome]] = {
    CardOutcome.APPROVED: "approved",
    CardOutcome.APPROVED_OFFLINE: "approved-offline",
    CardOutcome.REFUSED: "refused",
    CardOutcome.NOT_DONE: "not-done",
    CardOutcome.UNKNOWN: "unknown",
}


@dataclass(frozen=True, slots=True)
class Pace:
    """Times in seconds.

    ``look_s``: the book is looked at so often even if nobody tells; ``asked_s``: so often while
    something is to be asked of a terminal.  ``absent_s``: so long a payment waits for a terminal
    that isn't there; then it is abandoned, for a customer waits.  ``sale_s``: so long a payment may
    stand at a terminal; it is broken off then, and has ``abort_s`` more to say so.  ``cancel_s``:
    between attempts to break one off that was given up, ``cancel_tries`` in all.  ``report_s``: so
    often a free terminal is asked what it keeps.
    """

    look_s: float = 30.0
    asked_s: float = 2.0
    absent_s: float = 20.0
    sale_s: float = 200.0
    abort_s: float = 30.0
    work_s: float = 200.0
    cancel_s: float = 2.0
    cancel_tries: int = 5
    report_s: float = 300.0
    pause_first_s: float = 1.0
    pause_most_s: float = 30.0
    grace_s: float = 10.0


class Terminals(Protocol):
    """Who knows the terminals; :class:`devices.peripherals.model.PaymentTerminal` says what each
    call means."""

    def ready_terminals(self) -> Sequence[str]:
        """Connected ones."""

    async def take_card(self, terminal_id: str, charge: Charge) -> CardAnswer:
        """A sale; ``not_done`` when it isn't ready any more."""

    async def card_status(
        self, terminal_id: str, payment_id: str, asked_minor: int = 0
    ) -> CardAnswer:
        """What became of one that was asked for ``asked_minor``."""

    async def reverse_card(
        self, terminal_id: str, charge: Charge, terminal_ref: str, key: str
    ) -> CardAnswer:
        """Take a whole one back."""

    async def refund_card(
        self, terminal_id: str, charge: Charge, terminal_ref: str, key: str
    ) -> CardAnswer:
        """Give an amount back."""

    async def cancel_card(self, terminal_id: str, payment_id: str) -> bool:
        """Break off what the customer is doing."""

    async def report(self, terminal_id: str) -> TerminalReport | None:
        """What it says of itself; None: nothing."""


class TellerGate(Protocol):
    """What the teller needs of :class:`hub.service.gate.Gate`."""

    @property
    def rows(self) -> Rows:
        """Reads on the loop."""

    @property
    def budget(self) -> Budget:
        """The hub's own time."""

    @property
    def shop(self) -> Shop:
        """Its facts."""

    async def internal(self, caller: Caller, command: InternalCommand) -> Any:
        """A command of the hub's own machinery."""


@dataclass(slots=True)
class UnderWay:
    """``later_s``: payment → not begun before then, for its terminal has another one in the book;
    ``absent_since_s``: payment → since when its terminal is known to be away; ``cancels``: payment
    → attempts to break it off."""

    later_s: dict[str, float] = field(default_factory=dict)
    selling: set[str] = field(default_factory=set)
    absent_since_s: dict[str, float] = field(default_factory=dict)
    cancels: dict[str, tuple[int, float]] = field(default_factory=dict)
    report_at_s: dict[str, float] = field(default_factory=dict)


async def sold(
    terminals: Terminals, pace: Pace, begun: AtTerminal, is_stopping: Callable[[], bool]
) -> CardAnswer:
    """Take a payment.  From here on money may move: only the terminal's word says that none did."""
    at, payment_id = begun.terminal_id, begun.payment_id
    charge = Charge(
        payment_id, begun.sale_id, begun.amount_minor, begun.currency, begun.offline_allowed
    )
    asking = asyncio.create_task(terminals.take_card(at, charge), name=f"card-{at}")
    try:
        ended, _ = await asyncio.wait([asking], timeout=pace.sale_s)
        if not ended:
            await break_off(terminals, at, payment_id)
            ended, _ = await asyncio.wait([asking], timeout=pace.abort_s)
        if not ended:
            return CardAnswer(CardOutcome.UNKNOWN, "the terminal gave no answer")
        return asking.result()
    except asyncio.CancelledError:
        if not is_stopping():
            raise
        return CardAnswer(CardOutcome.UNKNOWN, "the hub was stopped while the customer paid")
    except Exception as error:
        log.exception("payment %s: the driver of %s failed", payment_id, at)
        return CardAnswer(CardOutcome.UNKNOWN, f"the driver failed: {type(error).__name__}")
    finally:
        asking.cancel()


async def break_off(terminals: Terminals, terminal_id: str, payment_id: str) -> None:
    """Ask the terminal to end what its customer is doing; what comes of it the sale says."""
    try:
        if not await terminals.cancel_card(terminal_id, payment_id):
            log.warning("%s can't be told to break %s off", terminal_id, payment_id)
    except Exception:
        log.exception("%s can't be told to break %s off", terminal_id, payment_id)


async def done(terminals: Terminals, work: Leased) -> CardAnswer:
    """Do what was leased."""
    charge = Charge(work.payment_id, "", work.amount_minor, work.currency)
    at, ref, key = work.terminal_id, work.terminal_ref, work.key
    match work.kind:
        case WorkKind.ASK | WorkKind.LOOK_UP:
            return await terminals.card_status(at, work.payment_id, work.amount_minor)
        case WorkKind.REVERSE:
            return await terminals.reverse_card(at, charge, ref, key)
        case WorkKind.REFUND:
            return await terminals.refund_card(at, charge, ref, key)
        case WorkKind.CHARGE | WorkKind.CAPTURE | WorkKind.LINK | WorkKind.UNLINK:
            return CardAnswer(CardOutcome.UNKNOWN, f"a terminal can't do {work.kind}")


async def noted(gate: TellerGate, caller: Caller, terminals: Terminals, terminal_id: str) -> None:
    """Write down what a terminal says that it keeps, if it says so."""
    async with asyncio.timeout(REPORT_S):
        told = await terminals.report(terminal_id)
    if told is not None:
        command = NoteTerminal(terminal_id, told.stored_count, told.stored_minor)
        await gate.internal(caller, command)


def said(shop: Shop, payment_id: str, answer: CardAnswer) -> TerminalSaid:
    """An answer as the book keeps it: the card by its keyed hash, the token sealed, and no card's
    number in its words.

    A token that can't be kept (there is no vault, it is too long, it is a card's number) makes it
    ``unknown``: nobody would ever present that payment, so people have to look at it.
    """
    vault = shop.payments.vault
    sealed: SealedToken | None = None
    outcome, reason = OUTCOMES[answer.outcome], mask(answer.reason[:REASON_MAX])
    if answer.token is not None and answer.outcome is CardOutcome.APPROVED_OFFLINE:
        if find_card_data(answer.token.decode("latin-1")) is not None:
            log.error("payment %s: its terminal gave a card's number as a token", payment_id)
        elif vault is not None:
            try:
                sealed = vault.seal(payment_id, answer.token)
            except ValueError:
                log.error("payment %s: its token has no proper length", payment_id)
        if sealed is None:
            outcome, reason = "unknown", "the terminal gave a token that this hub can't keep"
    return TerminalSaid(
        outcome=outcome,
        reason=reason,
        last4=answer.last4,
        scheme=answer.scheme,
        approval_code=answer.approval_code,
        psp_ref=answer.psp_ref,
        terminal_ref=answer.terminal_ref,
        card_ref=vault.card_ref(answer.card) if vault is not None and answer.card else "",
        captured=answer.captured,
        tip_minor=answer.tip_minor,
        surcharge_minor=answer.surcharge_minor,
        token=sealed,
    )
