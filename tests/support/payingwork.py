"""A shop that takes cards, with a processor and terminals that tests speak for."""

from __future__ import annotations

from typing import Any

from hub.domain.payments.declines import DeclineCode
from hub.domain.payments.work import Hand, WorkKind
from hub.service.payments.commands import (
    EndWork,
    ExpirePayments,
    LearnOutcome,
    Leased,
    LeaseWork,
    ProcessorSaid,
    RecoverPayments,
    TerminalSaid,
)
from hub.storage import refundrows
from hub.storage.refundrows import RefundRow
from tests.support.paying import TERMINALS, PayingShop

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
TOKEN = "tok_9f8e7d6c"
_LETTERS = str.maketrans("0123456789", "ghijklmnop")


def token_of(name: str) -> str:
    """A token that is this one's alone and looks like nobody's card."""
    return f"tok-{name.translate(_LETTERS)}"


class WorkingShop(PayingShop):
    """``kept`` makes a payment that the hub has to present; ``work`` leases, ``say`` answers."""

    def kept(self, amount_minor: int = 499, **changed: Any) -> Any:
        """A stored payment in the hub's custody, whose sale is written."""
        payment = self.stored(amount_minor, token=token_of(self.id()), **changed)
        self.sold(payment, qty=amount_minor // 499)
        return payment

    def at_hub(self, outcome: str = "approved", **said: Any) -> Any:
        """A payment at a terminal that the hub drives, with what the terminal said."""
        payment = self.start()
        self.begin(payment)
        self.end(payment, outcome, **said)
        return payment

    def work(self, hand: Hand = Hand.PROCESSOR, **how: Any) -> tuple[Leased, ...]:
        """What is leased for the processor's connection, or for the terminals of this shop."""
        if hand is Hand.TERMINAL:
            how.setdefault("terminals", tuple(TERMINALS.values()))
        found: tuple[Leased, ...] = self.internal(LeaseWork(hand, **how))
        return found

    def next(self, hand: Hand = Hand.PROCESSOR, **how: Any) -> Leased:
        """The one thing to do."""
        (found,) = self.work(hand, **how)
        return found

    def say(self, work: Leased, outcome: Any, **said: Any) -> bool:
        """What the processor said to it."""
        done: bool = self.internal(EndWork(work, ProcessorSaid(outcome, **said)))
        return done

    def tell(self, work: Leased, outcome: Any, **said: Any) -> bool:
        """What the terminal said to it."""
        done: bool = self.internal(EndWork(work, TerminalSaid(outcome, **said)))
        return done

    def learn(self, payment: Any, outcome: Any, **said: Any) -> bool:
        """What the processor says by itself."""
        command = LearnOutcome(payment["payment_id"], ProcessorSaid(outcome, **said), "cloud:oms")
        done: bool = self.internal(command)
        return done

    def do(self, kind: WorkKind, outcome: Any, **said: Any) -> Leased:
        """The one thing to do is of this kind, and comes to that."""
        work = self.next()
        assert work.kind is kind
        assert self.say(work, outcome, **said)
        return work

    def captured(self, amount_minor: int = 499) -> Any:
        """A payment that was kept, presented and captured."""
        payment = self.kept(amount_minor)
        self.do(WorkKind.CHARGE, "captured", psp_ref="psp-1")
        assert self.row(payment).state == "captured"
        return payment

    def declined(self, code: DeclineCode = DeclineCode.OTHER) -> Any:
        """A payment that was kept, presented and declined."""
        payment = self.kept()
        self.do(WorkKind.CHARGE, "declined", code=code, psp_ref="psp-1")
        return payment

    def expire(self) -> int:
        """What time asks for."""
        done: int = self.internal(ExpirePayments())
        return done

    def recover(self) -> int:
        """The hub starts; how many payments are in doubt."""
        done: int = self.internal(RecoverPayments())
        return done

    def wait(self, ms: int) -> None:
        """Time passes for the hub."""
        self.clock.advance(ms / 1000)

    def refunds(self, payment: Any) -> list[RefundRow]:
        """What of a payment goes back."""
        return refundrows.of_payment(self.rows, self.row(payment).id)

    def has_token(self, payment: Any) -> bool:
        """Whether the hub keeps its token."""
        found = self.value(
            "SELECT count(*) FROM payment_secrets WHERE payment = ?", self.row(payment).id
        )
        return bool(found)
