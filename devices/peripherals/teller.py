"""Brings card payments from the book to the terminals that the hub drives: each is asked for once,
or what became of it is asked after.

A payment is begun on disk before its first byte goes to the terminal and ended on disk with what
the terminal said; one thing at a time per terminal, different terminals at once.  What a terminal
is asked afterwards (status, reversal, refund) is leased from the book.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

from devices.peripherals.cards import (
    Pace,
    TellerGate,
    Terminals,
    UnderWay,
    break_off,
    done,
    noted,
    said,
    sold,
)
from devices.peripherals.model import CardAnswer, CardOutcome, World
from devices.peripherals.rounds import Rounds
from hub.crashpoints import crashpoint
from hub.domain.payments.states import PaymentState
from hub.domain.payments.work import Hand
from hub.service.caller import Caller, CallerKind
from hub.service.notices import PaymentChanged
from hub.service.payments.commands import (
    AtTerminal,
    BeginAtTerminal,
    EndAtTerminal,
    EndWork,
    ExpirePayments,
    Leased,
    LeaseWork,
    RecoverPayments,
    TerminalSaid,
)
from hub.storage import paymentrows
from hub.storage.paymentrows import PaymentRow

log = logging.getLogger(__name__)

TELLER: Final = Caller(CallerKind.HUB, "teller")
INTENTS_MAX: Final = 100
LEASE_MORE_S: Final = 60.0
"""Work's lease outlives it by so much, for the writing of its end."""


class Teller(Rounds[TellerGate, Pace]):
    """``notify`` takes the hub's notices, :meth:`wake` what terminals do.

    All methods are called on the event loop.
    """

    def __init__(
        self,
        gate: TellerGate,
        terminals: Terminals,
        world: World,
        pace: Pace | None = None,
    ) -> None:
        super().__init__(TELLER, gate, world, pace or Pace())
        self._terminals = terminals
        self._work = UnderWay()
        self._newest = paymentrows.newest(gate.rows)  # tills may begin others before the start
        self._lease_at_s = 0.0
        self._expire_at_s = 0.0

    def notify(self, told: Iterable[object]) -> None:
        """Take what committed requests left to be told."""
        if any(isinstance(notice, PaymentChanged) for notice in told):
            self.wake()

    def wake(self) -> None:
        """Look at the book: something about the terminals has changed."""
        self._lease_at_s = 0.0
        super().wake()

    async def _recover(self) -> None:
        doubted = await self._gate.internal(TELLER, RecoverPayments(self._newest))
        if doubted:
            log.warning("%d payments were under way when the hub stopped", doubted)

    async def _look(self) -> float:
        wait_s = min(self._sales(), self._break_off())
        wait_s = min(wait_s, await self._lease(), await self._expire())
        return min(wait_s, self._reports())

    async def _expire(self) -> float:
        """Have done what time asks for; seconds until the next time."""
        now_s = self._now_s()
        if now_s >= self._expire_at_s:
            await self._gate.internal(TELLER, ExpirePayments())
            self._expire_at_s = now_s + self._pace.look_s
        return self._expire_at_s - now_s

    # -- sales --------------------------------------------------------------------------------

    def _sales(self) -> float:
        """Start the intents whose terminal is free."""
        rows = paymentrows.in_state(self._gate.rows, PaymentState.INTENT, INTENTS_MAX)
        mine = [row for row in rows if row.driven_by == "hub" and not row.is_value]
        ready, now_s, wait_s = set(self._terminals.ready_terminals()), self._now_s(), 1e9
        absent, later = self._work.absent_since_s, self._work.later_s
        for known in (absent, later):
            for gone in known.keys() - {row.payment_id for row in mine}:
                del known[gone]
        for row in mine:
            if row.terminal_id in self._busy:
                continue
            if now_s < later.get(row.payment_id, 0.0):
                wait_s = min(wait_s, later[row.payment_id] - now_s)
                continue
            if row.terminal_id in ready:
                self._begin(row.terminal_id, row.payment_id, partial(self._sell, row))
                continue
            left_s = absent.setdefault(row.payment_id, now_s) + self._pace.absent_s - now_s
            if left_s <= 0:
                self._begin(row.terminal_id, row.payment_id, partial(self._give_up, row))
            else:
                wait_s = min(wait_s, left_s)
        return min(wait_s, self._pace.look_s)

    async def _sell(self, row: PaymentRow) -> None:
        crashpoint("teller.before-begin")
        if self._is_stopping():
            return
        begun = await self._begun(row)
        if begun is None:
            return
        crashpoint("teller.begun")
        if self._is_stopping():
            answer = CardAnswer(CardOutcome.NOT_DONE, "the hub stops")
        else:
            self._work.selling.add(row.payment_id)
            try:
                answer = await sold(self._terminals, self._pace, begun, self._is_stopping)
            finally:
                self._work.selling.discard(row.payment_id)
        crashpoint("teller.answered")
        told = said(self._gate.shop, row.payment_id, answer)
        await self._ended(EndAtTerminal(begun.payment_id, begun.attempt, told), row.payment_id)

    async def _give_up(self, row: PaymentRow) -> None:
        """Its terminal isn't there: it is begun and ended without a byte."""
        begun = await self._begun(row)
        if begun is not None:
            why = f"{row.terminal_id} isn't there: is it switched on?"
            told = TerminalSaid("not-done", why)
            await self._ended(EndAtTerminal(begun.payment_id, begun.attempt, told), row.payment_id)

    async def _begun(self, row: PaymentRow) -> AtTerminal | None:
        command = BeginAtTerminal(row.payment_id)
        found: AtTerminal | None = await self._gate.internal(TELLER, command)
        if found is None:
            self._work.later_s[row.payment_id] = self._now_s() + self._pace.asked_s
        return found

    async def _ended(self, command: EndAtTerminal | EndWork, payment_id: str) -> None:
        await self._written(
            command, f"payment {payment_id}", lambda: crashpoint("teller.before-end")
        )

    # -- given up while the customer pays -----------------------------------------------------

    def _break_off(self) -> float:
        """Ask terminals to end what the shop doesn't want any more; seconds until the next try."""
        wait_s, now_s, cancels = 1e9, self._now_s(), self._work.cancels
        for gone in cancels.keys() - self._work.selling:
            del cancels[gone]
        for terminal_id, payment_id in self._busy.items():
            if payment_id not in self._work.selling:
                continue
            row = paymentrows.get(self._gate.rows, payment_id)
            if row is None or not row.void_asked:
                continue
            tries, due_s = cancels.get(payment_id, (0, now_s))
            if tries >= self._pace.cancel_tries:
                continue
            if now_s >= due_s:
                due_s = now_s + self._pace.cancel_s
                cancels[payment_id] = (tries + 1, due_s)
                cancel = partial(break_off, self._terminals, terminal_id, payment_id)
                self._spawn(cancel, f"cancel-{terminal_id}")
            wait_s = min(wait_s, due_s - now_s)
        return wait_s

    # -- asked afterwards ---------------------------------------------------------------------

    async def _lease(self) -> float:
        """Take work for terminals that are there and free; seconds until the next look."""
        free = [one for one in self._terminals.ready_terminals() if one not in self._busy]
        now_s = self._now_s()
        if not free or self._is_stopping():
            return self._pace.look_s
        if now_s < self._lease_at_s:
            return self._lease_at_s - now_s
        self._lease_at_s = now_s + self._pace.look_s  # who wakes it meanwhile sets it back
        lease_ms = int((self._pace.work_s + LEASE_MORE_S) * 1000)
        command = LeaseWork(Hand.TERMINAL, len(free), lease_ms, tuple(free))
        leased: tuple[Leased, ...] = await self._gate.internal(TELLER, command)
        mine: dict[str, list[Leased]] = {}
        for work in leased:
            mine.setdefault(work.terminal_id, []).append(work)
        for terminal_id, works in mine.items():
            if terminal_id not in self._busy:  # else it comes again when its lease is over
                name = works[0].payment_id
                self._begin(terminal_id, name, partial(self._do_all, terminal_id, works))
        if leased or self._is_waiting(free):
            self._lease_at_s = min(self._lease_at_s, now_s + self._pace.asked_s)
        return max(0.0, self._lease_at_s - now_s)

    def _is_waiting(self, free: Sequence[str]) -> bool:
        """Whether somebody waits for what one of these terminals has to say."""
        doubtful = paymentrows.in_state(self._gate.rows, PaymentState.UNKNOWN, INTENTS_MAX)
        mine = (row for row in doubtful if row.driven_by == "hub" and not row.is_value)
        return any(row.terminal_id in free for row in mine)

    async def _do_all(self, terminal_id: str, works: Sequence[Leased]) -> None:
        for work in works:
            if self._is_stopping():
                return
            self._busy[terminal_id] = work.payment_id
            await self._do(work)

    async def _do(self, work: Leased) -> None:
        crashpoint("teller.leased")
        try:
            async with asyncio.timeout(self._pace.work_s):
                answer = await done(self._terminals, work)
        except TimeoutError:
            answer = CardAnswer(CardOutcome.UNKNOWN, "the terminal gave no answer")
        except asyncio.CancelledError:
            if not self._stopping:
                raise
            answer = CardAnswer(CardOutcome.UNKNOWN, "the hub was stopped meanwhile")
        except Exception as error:
            log.exception("payment %s: %s failed", work.payment_id, work.kind)
            answer = CardAnswer(CardOutcome.UNKNOWN, f"the driver failed: {type(error).__name__}")
        crashpoint("teller.work-answered")
        command = EndWork(work, said(self._gate.shop, work.payment_id, answer))
        await self._ended(command, work.payment_id)

    # -- what they keep -----------------------------------------------------------------------

    def _reports(self) -> float:
        """Ask free terminals now and then what they keep; seconds until the next time."""
        wait_s, now_s, due = self._pace.report_s, self._now_s(), self._work.report_at_s
        for terminal_id in self._terminals.ready_terminals():
            left_s = due.get(terminal_id, now_s) - now_s
            if left_s <= 0 and terminal_id not in self._busy:
                due[terminal_id] = now_s + self._pace.report_s
                ask = partial(noted, self._gate, TELLER, self._terminals, terminal_id)
                self._begin(terminal_id, "", ask)
            elif left_s > 0:
                wait_s = min(wait_s, left_s)
        return wait_s


__all__ = ["Pace", "Teller", "TellerGate", "Terminals"]
