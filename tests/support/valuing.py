"""A shop that takes gift cards, with an issuer that tests speak for."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

from hub.contract.oms import Command as CloudCommand
from hub.contract.oms_value import GiftCardAllotted
from hub.domain.payments.work import Hand, WorkKind
from hub.service.handlers.cloud import ApplyCommands
from hub.service.payments.commands import EndWork, Leased, ProcessorSaid
from hub.storage import valuerows
from hub.storage.valuerows import AccountRow
from tests.support.paying import PlainVault, rules
from tests.support.payingwork import WorkingShop

GIFT = "GC-7Q4K-9XWM-0042"
ACCOUNT = "acct-42"


class TellingVault(PlainVault):
    """One that tells cards apart."""

    def card_ref(self, card: str) -> str:
        return sha256(b"key" + card.encode()).hexdigest()[:32] if card else ""


class ValueShop(WorkingShop):
    """``line``: whether the issuer can be asked just now."""

    def __init__(self, directory: Path, **how: Any) -> None:
        self.line = True
        terms = rules(vault=TellingVault(), issuer=True, issuer_ready=lambda: self.line, **how)
        super().__init__(directory, payments=terms, print_receipts=True)
        self.run("UPDATE hub SET epoch = 1")

    def gift(self, amount_minor: int = 499, *, token: str = GIFT, **changed: Any) -> Any:
        """A payment with a gift card that was begun."""
        kind = changed.pop("kind", "gift_card")
        value = {"kind": kind, "token": token} | changed.pop("value", {})
        return self.start(amount_minor, value=value, **changed)

    def issuer_says(self, kind: WorkKind, outcome: Any, **said: Any) -> Leased:
        """The one thing for the issuer to do is of this kind, and comes to that."""
        work = self.next(Hand.ISSUER)
        assert work.kind is kind
        assert self.say(work, outcome, **said)
        return work

    def say_all(self, work: Leased, said: ProcessorSaid) -> None:
        """Whatever the issuer said to it."""
        self.internal(EndWork(work, said))

    def held(self, amount_minor: int = 499, **changed: Any) -> Any:
        """A payment whose value is held."""
        payment = self.gift(amount_minor, **changed)
        self.issuer_says(WorkKind.CHARGE, "approved", balance_minor=501)
        return self.payment(payment)

    def taken(self, amount_minor: int = 499) -> Any:
        """A payment whose sale is written, and captured."""
        payment = self.held(amount_minor)
        self.sold(payment, qty=amount_minor // 499)
        self.issuer_says(WorkKind.CAPTURE, "captured")
        return payment

    def tender(self, payment: Any) -> dict[str, Any]:
        """A payment as a tender."""
        return super().tender(payment) | {"kind": payment["kind"]}

    def allot(
        self, granted_minor: int, recalled_minor: int = 0, *, epoch: int = 1, **changed: Any
    ) -> tuple[str, str]:
        """The cloud's command about the card; its outcome, and why."""
        told: dict[str, Any] = {
            "account_ref": ACCOUNT,
            "token_hash": sha256(changed.pop("token", GIFT).encode()).hexdigest(),
            "last4": "0042",
            "kind": "gift_card",
            "currency": "EUR",
            "epoch": epoch,
            "granted_minor": granted_minor,
            "recalled_minor": recalled_minor,
        } | changed
        GiftCardAllotted.model_validate(told)
        command = CloudCommand(
            cursor="c", id=self.id(), type="gift_card.allotted", data=told, issued_at_ms=0
        )
        applied = self.internal(ApplyCommands((command,), "c"))
        (outcome,) = applied.counts
        return outcome, command.id

    def account(self, account: str = ACCOUNT) -> AccountRow:
        """What is known of a card."""
        found = valuerows.get(self.rows, account)
        assert found is not None
        return found

    def left_minor(self) -> int:
        """What may be spent of the card here."""
        return self.account().allotment.outstanding_minor

    def told_of(self, kind: str) -> list[dict[str, Any]]:
        """The data of what the cloud is told of that kind, in order."""
        import json

        found = self.all(
            "SELECT data FROM outbox WHERE type = ? ORDER BY id", f"com.storehub.{kind}.v1"
        )
        return [json.loads(data) for (data,) in found]
