"""A shop's card payments with everything that can happen to them, as plain steps; what holds after
each, and what has to be so in the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from hub.domain.payments.declines import DeclineCode
from hub.domain.payments.states import (
    PaymentState,
)
from hub.domain.payments.work import Hand
from hub.service.payments.commands import EndWork, LearnOutcome, Leased, ProcessorSaid, TerminalSaid
from hub.storage import paymentrows, refundrows
from hub.storage.paymentrows import PaymentRow
from tests.support.cardchecks import CAPS, CardChecks
from tests.support.cardworld import CardTerminals, Fault, Refs, WorstProcessor
from tests.support.paying import rules
from tests.support.payingwork import WorkingShop, token_of

S = PaymentState
TILLS: Final = {"till-1": "mia", "till-2": "mia", "till-3": "anna"}


class CardDay(CardChecks):
    """Two tills with terminals of the hub's and of their own, one processor, two people."""

    def __init__(self, directory: Path, refs: Refs, *, by_key: bool, seed: int = 0) -> None:
        self.shop = WorkingShop(directory, payments=rules(caps=CAPS), seed=seed)
        self.shop.stock_up("tea", 100_000)
        self.processor = WorstProcessor(refs, by_key=by_key)
        self.terminals = CardTerminals()
        self.payments: list[dict[str, Any]] = []
        self.sales: dict[str, int] = {}
        self.leased: list[Leased] = []
        self.presented: dict[str, list[ProcessorSaid]] = {}
        self.seen: list[PaymentRow] = []
        self.sign_in()

    def sign_in(self) -> None:
        for till, who in TILLS.items():
            self.shop.sign_in(till, who)

    def pick(self, n: int) -> dict[str, Any]:
        """One of the last few."""
        return self.payments[-1 - n % min(4, len(self.payments))]

    def row(self, payment: Any) -> PaymentRow:
        return self.shop.row(payment)

    # At the counter --------------------------------------------------------------------------

    def pay_offline(self, till: str, qty: int, own: bool, sell: bool, token: bool) -> None:
        """The usual offline payment, as far as the caps allow it."""
        payment = self.begin(till, qty, own=own)
        if payment is None:
            return
        if not payment["offline_allowed"]:
            self.end_at_terminal(payment, "refused", own=own, till=till)
            return
        self.end_at_terminal(payment, "approved-offline", own=own, till=till, token=token)
        if sell:
            self.sell(len(self.payments) - 1)

    def pay(self, till: str, qty: int, own: bool, outcome: str, truth: str) -> None:
        """A payment that ends in any way at its terminal."""
        payment = self.begin(till, qty, own=own)
        if payment is None:
            return
        if truth == "approved-offline" and not payment["offline_allowed"]:
            truth = "refused"
        if outcome in ("unknown", "silence"):
            self.happen(payment, truth)
            if outcome == "unknown":
                self.tell_hub(payment, TerminalSaid("unknown"), own=own, till=till)
            return
        self.end_at_terminal(payment, outcome, own=own, till=till)

    def begin(self, till: str, qty: int, *, own: bool) -> dict[str, Any] | None:
        body = self.shop.starting(499 * qty) | ({"terminal": "own"} if own else {})
        reply = self.shop.ask(till, "payment/start", body)
        if not reply.ok:
            return None
        payment: dict[str, Any] = reply.result | {"qty": qty, "till": till, "own": own}
        self.payments.append(payment)
        if not own and self.shop.begin(payment) is None:
            return None
        return payment

    def happen(self, payment: Any, truth: Any, surcharge_minor: int = 0) -> None:
        """What the terminal did, whoever hears of it.  Online it is the processor's doing."""
        if truth == "not-done":
            return
        said = TerminalSaid(truth, surcharge_minor=surcharge_minor)
        self.terminals.known[payment["payment_id"]] = said
        if truth == "approved":
            self.at_processor(payment, "approved", surcharge_minor)

    def at_processor(self, payment: Any, will: str, surcharge_minor: int) -> None:
        name = payment["payment_id"]
        amount_minor = payment["amount_minor"] + surcharge_minor
        self.processor.charge(
            name, f"{name}-terminal", amount_minor, will, DeclineCode.OTHER, self.now_ms
        )

    def end_at_terminal(
        self, payment: Any, outcome: Any, *, own: bool, till: str, token: bool = False
    ) -> None:
        """The hub hears it at once: what a terminal adds, nobody else tells."""
        approved = outcome in ("approved", "approved-offline")
        surcharge_minor = len(self.payments) * 7 % 23 if approved and len(self.payments) % 2 else 0
        self.happen(payment, outcome, surcharge_minor)
        said = TerminalSaid(outcome, surcharge_minor=surcharge_minor)
        self.tell_hub(payment, said, own=own, till=till, token=token)

    def tell_hub(
        self, payment: Any, said: TerminalSaid, *, own: bool, till: str, token: bool = False
    ) -> None:
        vault = self.shop.rules.payments.vault
        assert vault is not None
        name = payment["payment_id"]
        if token:  # the hub keeps it, and the terminal forgets it
            self.terminals.known.pop(name, None)
        if own:
            more: dict[str, Any] = {"token": token_of(name)} if token else {}
            more |= {"card": {"surcharge_minor": said.surcharge_minor}}
            self.shop.report(payment, said.outcome, device=till, **more)
            return
        sealed = vault.seal(name, b"tok") if token else None
        self.shop.end(payment, said.outcome, token=sealed, surcharge_minor=said.surcharge_minor)

    def report_late(self, n: int) -> None:
        """A till tells what its terminal knows after all."""
        if not self.payments:
            return
        payment = self.pick(n)
        said = self.terminals.known.get(payment["payment_id"])
        if payment["own"] and said is not None:
            self.tell_hub(payment, said, own=True, till=payment["till"])

    def sell(self, n: int) -> None:
        if not self.payments:
            return
        payment = self.pick(n)
        body = self.shop.selling(payment, qty=payment["qty"])
        if payment["sale_id"] in self.sales:
            return
        if self.shop.ask(payment["till"], "sale/commit", body).ok:
            self.sales[payment["sale_id"]] = payment["qty"]

    def give_up(self, n: int) -> None:
        if not self.payments:
            return
        payment = self.pick(n)
        body = {"payment_id": payment["payment_id"]}
        self.shop.ask(payment["till"], "payment/give-up", body)

    def void_sale(self, n: int) -> None:
        if not self.sales:
            return
        sale_id = list(self.sales)[-1 - n % min(4, len(self.sales))]
        body = {"sale_id": sale_id, "reason": "mistake"}
        self.shop.ask("till-1", "sale/void", body)

    def take_back(self, n: int, qty: int) -> None:
        if not self.sales:
            return
        sale_id = list(self.sales)[-1 - n % min(4, len(self.sales))]
        line = {"line_no": 1, "qty": qty, "disposition": "quarantine", "reason": "dented"}
        body = {"return_id": self.shop.id(), "sale_id": sale_id, "lines": [line]}
        self.shop.ask("till-1", "return/commit", body)

    # Work ------------------------------------------------------------------------------------

    def lease(self, limit: int) -> None:
        """Whoever leased it may die, or answer late."""
        self.leased += self.shop.work(limit=limit)

    def end(
        self, n: int, fault: Fault, will: str, code: DeclineCode, twice: bool, keep: bool
    ) -> None:
        if not self.leased:
            return
        work = self.leased[n % len(self.leased)]
        if not keep:
            self.leased.remove(work)
        if not self.is_timely(work):
            return  # whoever held it is gone, or knows that its time is over
        said = self.processor.asked(work, fault, will, code, self.now_ms)
        self.presented.setdefault(work.payment_id, []).append(said)
        for _ in range(1 + twice):
            self.shop.internal(EndWork(work, said))

    def forward(
        self, fault: Fault, will: str, code: DeclineCode, tells: bool, minutes: int
    ) -> None:
        """The link is there: a round of work, with what goes wrong in it."""
        for work in self.shop.work():
            said = self.processor.asked(work, fault, will, code, self.now_ms)
            self.presented.setdefault(work.payment_id, []).append(said)
            if tells and not self.processor.late:
                self.tell(work.payment_id)
            self.shop.internal(EndWork(work, said))
        self.time_passes(minutes)

    def is_timely(self, work: Leased) -> bool:
        """Whether it may still be sent: nobody sends what isn't theirs any more."""
        if work.refund_id:
            refund = refundrows.get(self.shop.rows, work.refund_id)
            assert refund is not None
            fence, until = refund.fence, refund.lease_budget_ms
        else:
            row = paymentrows.get(self.shop.rows, work.payment_id)
            assert row is not None
            fence, until = row.fence, row.lease_budget_ms
        return fence == work.fence and until > round(self.shop.clock.monotonic_s() * 1000)

    def answer_again(self, n: int, m: int) -> None:
        """What was said once is told again by itself, much later perhaps."""
        if not self.presented:
            return
        name = list(self.presented)[-1 - n % min(4, len(self.presented))]
        said = self.presented[name][m % len(self.presented[name])]
        if said.outcome in ("declined", "acked"):
            self.shop.internal(LearnOutcome(name, said, "cloud:oms"))

    def ask_terminals(self, lost: bool, limit: int) -> None:
        for work in self.shop.work(Hand.TERMINAL, limit=limit):
            said = self.terminals.asked(work, lost=lost)
            self.shop.internal(EndWork(work, said))

    def terminal_forwards(self, n: int, outcome: str) -> None:
        if not self.payments:
            return
        payment = self.pick(n)
        name = payment["payment_id"]
        known = self.terminals.known.get(name)
        if known is not None and known.outcome == "approved-offline":
            self.terminals.forward(name, outcome)
            if outcome == "approved":
                self.at_processor(payment, "captured", known.surcharge_minor)

    def processor_decides(self, n: int, will: str) -> None:
        if not self.processor.accounts:
            return
        names = list(self.processor.accounts)
        self.processor.decide(names[-1 - n % min(4, len(names))], will)

    def processor_tells(self, n: int) -> None:
        if not self.processor.accounts:
            return
        names = list(self.processor.accounts)
        self.tell(names[-1 - n % min(4, len(names))])

    def tell(self, name: str) -> None:
        """The truth by itself, as a webhook or a command of the cloud."""
        account = self.processor.account(name)
        if account.standing() or any(one.state == "reversed" for one in account.deeds):
            said = self.processor.newest(account)
            self.shop.internal(LearnOutcome(name, said, "cloud:oms"))

    def late_requests_arrive(self) -> None:
        self.processor.arrive(self.now_ms)

    # Time, restarts, people ------------------------------------------------------------------

    @property
    def now_ms(self) -> int:
        return self.shop.clock.wall_ms()

    def time_passes(self, minutes: int) -> None:
        if minutes > 30:
            self.processor.arrive(self.now_ms)
        self.shop.clock.advance(minutes * 60)
        self.sign_in()

    def expire(self) -> None:
        self.shop.expire()

    def restart(self) -> None:
        self.shop.restart()
        self.shop.recover()

    def somebody_decides(self, n: int, till: str) -> None:
        if not self.payments:
            return
        self.decide(self.pick(n), till)

    def decide(self, payment: Any, till: str) -> None:
        """People read the processor's books."""
        if self.row(payment).state not in (S.MANUAL, S.LOST, S.FORWARDED):
            return
        if self.processor.late:
            return  # nobody decides on the very day
        account = self.processor.account(payment["payment_id"])
        if any(one.state == "acked" for one in account.deeds):
            return
        outcome = "approved" if account.standing() else "declined"
        if not account.deeds:
            outcome = "never-done"
        known = self.terminals.known.get(payment["payment_id"])
        if known is not None and known.outcome == "approved-offline":
            return  # the terminal has it still
        body = {"payment_id": payment["payment_id"], "outcome": outcome, "evidence": "the report"}
        self.shop.ask(till, "payment/decide", body)

    def close_receivable(self, n: int, how: str) -> None:
        if not self.payments:
            return
        body = {"payment_id": self.pick(n)["payment_id"], "how": how, "reason": "so it is"}
        for till in ("till-1", "till-3"):
            self.shop.ask(till, "payment/close-receivable", body)

    # What holds ---------------------------------------------------------------------------------

    def check(self) -> None:
        """What holds always."""
        self.seen = paymentrows.latest(self.shop.rows, limit=1000)
        self.nothing_is_taken_twice()
        self.tokens_are_kept_where_they_are_needed_and_nowhere_else()
        self.what_is_risked_stays_within_the_caps()
        self.refunds_add_up()
        self.every_step_is_one_of_the_table()
        self.nothing_rests_where_it_only_passes()

    def finish(self) -> None:
        """Everything is cleared up, and right."""
        self.drain()
        self.check()
        self.compare()

    def drain(self) -> None:
        """Everything is reachable, nothing new is sold, and time passes."""
        self.leased.clear()
        for name, known in list(self.terminals.known.items()):
            if known.outcome == "approved-offline":
                self.terminals.forward(name, "refused")
        last = self.payments[-40:]
        for turn in range(40):
            self.processor.arrive(self.now_ms)
            for payment in last:
                name = payment["payment_id"]
                if name in self.processor.accounts:
                    self.processor.decide(name, "captured")
                    self.tell(name)
            while works := self.shop.work(limit=100):
                for work in works:
                    said = self.processor.asked(
                        work, Fault.NONE, "captured", DeclineCode.OTHER, self.now_ms
                    )
                    self.shop.internal(EndWork(work, said))
            self.ask_terminals(lost=False, limit=3)
            for payment in last:
                heard = self.terminals.known.get(payment["payment_id"])
                if payment["own"] and heard is not None:
                    self.tell_hub(payment, heard, own=True, till=payment["till"])
                for till in ("till-1", "till-3"):
                    self.decide(payment, till)
            self.time_passes(61 if turn < 3 else 300)
            self.shop.expire()
            if turn > 1 and not self.is_anything_open():
                break

    def is_anything_open(self) -> bool:
        """Whether the hub still has something to do about a payment."""
        rows = paymentrows.open_ones(self.shop.rows)
        refunds = refundrows.open_ones(self.shop.rows)
        return any(row.state != S.RECOVERY for row in rows) or bool(refunds)
