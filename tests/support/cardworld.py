"""A processor and terminals as they are in the worst case, to be played against the payment book.

The processor does what it is asked under each key once, but forgets keys after a day; answers and
requests get lost, requests arrive late, outcomes come by themselves, twice or in any order.  What
it knows of a payment it knows for ever: that is the truth the book is measured by.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hub.domain.payments.declines import DeclineCode
from hub.domain.payments.work import WorkKind
from hub.service.payments.commands import Leased, ProcessorSaid, TerminalSaid

HOUR_MS = 3_600_000
KEY_KEPT_MS = 24 * HOUR_MS


class Fault(StrEnum):
    """What becomes of a request and its answer."""

    NONE = "none"
    ANSWER_LOST = "answer-lost"
    REQUEST_LOST = "request-lost"
    REQUEST_LATE = "request-late"
    NOT_SENT = "not-sent"


class Refs(StrEnum):
    """How the processor names what it did."""

    EACH = "each charge"
    PAYMENT = "the payment"
    NONE = "not at all"


@dataclass(slots=True)
class Deed:
    """A charge under one key, and what became of it."""

    key: str
    state: str
    amount_minor: int
    at_ms: int
    ref: str
    code: DeclineCode = DeclineCode.OTHER


@dataclass(slots=True)
class Account:
    """What the processor did about one payment."""

    deeds: list[Deed] = field(default_factory=list)
    refunds: dict[str, int] = field(default_factory=dict)

    def standing(self) -> list[Deed]:
        """Money taken or reserved."""
        return [one for one in self.deeds if one.state in ("approved", "captured", "acked")]

    def net_minor(self) -> int:
        """What the shop has of it."""
        taken = sum(one.amount_minor for one in self.deeds if one.state == "captured")
        return taken - sum(self.refunds.values())


class WorstProcessor:
    """See the module's text.  ``refs`` as it names things; ``by_key``: its look-up tells of a
    decline only under the key that was declined."""

    def __init__(self, refs: Refs, *, by_key: bool) -> None:
        self.refs = refs
        self.by_key = by_key
        self.accounts: dict[str, Account] = {}
        self.late: list[tuple[Leased, str, DeclineCode]] = []
        self.captures: dict[str, int] = {}

    def account(self, payment_id: str) -> Account:
        """What it did about a payment."""
        return self.accounts.setdefault(payment_id, Account())

    # Asked -----------------------------------------------------------------------------------

    def asked(
        self, work: Leased, fault: Fault, will: str, code: DeclineCode, now_ms: int
    ) -> ProcessorSaid:
        """The answer as the hub hears it; ``will``: how a new charge ends."""
        if fault is Fault.NOT_SENT:
            return ProcessorSaid("not-sent")
        if fault is Fault.REQUEST_LATE and work.kind is WorkKind.CHARGE:
            self.late.append((work, will, code))
            return ProcessorSaid("unknown")
        if fault in (Fault.REQUEST_LOST, Fault.REQUEST_LATE):
            return ProcessorSaid("unknown")
        said = self._do(work, will, code, now_ms)
        return ProcessorSaid("unknown") if fault is Fault.ANSWER_LOST else said

    def arrive(self, now_ms: int) -> None:
        """Requests that were on their way come in."""
        late, self.late = self.late, []
        for work, will, code in late:
            self._charge(work, will, code, now_ms)

    def _charge(self, work: Leased, will: str, code: DeclineCode, now_ms: int) -> ProcessorSaid:
        return self.charge(work.payment_id, work.key, work.amount_minor, will, code, now_ms)

    def _do(self, work: Leased, will: str, code: DeclineCode, now_ms: int) -> ProcessorSaid:
        account = self.account(work.payment_id)
        match work.kind:
            case WorkKind.CHARGE:
                return self._charge(work, will, code, now_ms)
            case WorkKind.LOOK_UP if work.refund_id:
                found = work.refund_id in account.refunds
                return ProcessorSaid("refunded" if found else "not-found")
            case WorkKind.LOOK_UP:
                return self.look_up(work.payment_id, work.key)
            case WorkKind.CAPTURE:
                return self._capture(account, work.payment_id)
            case WorkKind.REVERSE:
                return self._reverse(account)
            case WorkKind.REFUND:
                account.refunds.setdefault(work.key, work.amount_minor)
                return ProcessorSaid("refunded")
            case WorkKind.ASK | WorkKind.LINK | WorkKind.UNLINK:
                raise AssertionError("that is for somebody else")

    def charge(
        self,
        payment_id: str,
        key: str,
        amount_minor: int,
        will: str,
        code: DeclineCode,
        now_ms: int,
    ) -> ProcessorSaid:
        """A charge, done once while the key is known."""
        account = self.account(payment_id)
        for deed in account.deeds:
            if deed.key == key and now_ms - deed.at_ms < KEY_KEPT_MS:
                return self._said(deed)
        ref = {Refs.EACH: f"ref-{key}", Refs.PAYMENT: payment_id, Refs.NONE: ""}
        deed = Deed(key, will, amount_minor, now_ms, ref[self.refs], code)
        account.deeds.append(deed)
        if will == "captured":
            self.captures[payment_id] = self.captures.get(payment_id, 0) + 1
        return self._said(deed)

    def _capture(self, account: Account, payment_id: str) -> ProcessorSaid:
        for deed in account.deeds:
            if deed.state == "captured":
                return self._said(deed)
            if deed.state == "approved":
                deed.state = "captured"
                self.captures[payment_id] = self.captures.get(payment_id, 0) + 1
                return self._said(deed)
        return ProcessorSaid("not-found")

    def _reverse(self, account: Account) -> ProcessorSaid:
        for deed in account.deeds:
            if deed.state == "approved":
                deed.state = "reversed"
                return self._said(deed)
        return self.newest(account)

    # What it knows ---------------------------------------------------------------------------

    def look_up(self, payment_id: str, key: str) -> ProcessorSaid:
        """What became of a payment."""
        account = self.account(payment_id)
        if account.standing():
            return self.newest(account)
        told = [one for one in account.deeds if not self.by_key or one.key == key]
        if not told or (self.by_key and told[-1].key != key):
            return ProcessorSaid("not-found")
        return self._said(told[-1], account)

    def newest(self, account: Account) -> ProcessorSaid:
        """A payment that stands is found before one that was declined."""
        found = account.standing() or account.deeds
        return self._said(found[-1], account) if found else ProcessorSaid("not-found")

    def _said(self, deed: Deed, account: Account | None = None) -> ProcessorSaid:
        state: Any = deed.state
        if account is not None and deed.state == "captured":
            given = sum(account.refunds.values())
            state = "refunded" if given >= deed.amount_minor else "captured"
        return ProcessorSaid(state, psp_ref=deed.ref, code=deed.code)

    def decide(self, payment_id: str, will: str) -> None:
        """What was taken over is settled now."""
        for deed in self.account(payment_id).deeds:
            if deed.state == "acked":
                deed.state = will
                if will == "captured":
                    self.captures[payment_id] = self.captures.get(payment_id, 0) + 1


@dataclass(slots=True)
class CardTerminals:
    """What happened at terminals: payment → what they know of it.  ``will`` tells how a payment
    that a terminal keeps ends when it forwards it."""

    known: dict[str, TerminalSaid] = field(default_factory=dict)
    back: set[str] = field(default_factory=set)

    def forward(self, payment_id: str, outcome: Any) -> None:
        """A terminal presents what it keeps."""
        known = self.known.get(payment_id, TerminalSaid("not-done"))
        if known.outcome == "approved-offline":
            done = outcome == "approved"
            added_minor = known.surcharge_minor if done else 0
            said = TerminalSaid(outcome, captured=done, surcharge_minor=added_minor)
            self.known[payment_id] = said

    def asked(self, work: Leased, *, lost: bool) -> TerminalSaid:
        """The answer as the hub hears it."""
        said = self._do(work)
        return TerminalSaid("unknown") if lost else said

    def _do(self, work: Leased) -> TerminalSaid:
        known = self.known.get(work.payment_id, TerminalSaid("not-done"))
        if work.kind is WorkKind.ASK:
            return known
        if work.kind is WorkKind.REVERSE:
            if work.payment_id in self.back:
                return TerminalSaid("approved")
            if known.outcome != "approved-offline":
                return TerminalSaid("refused")
            self.back.add(work.payment_id)
            self.known[work.payment_id] = TerminalSaid("refused")
            return TerminalSaid("approved")
        raise AssertionError(f"a shop with a processor asks no terminal for {work.kind}")
