"""A shop that takes cards: with caps, permissions, and terminals that tests speak for."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from hub.domain.payments.tokens import SealedToken
from hub.service.books import Books
from hub.service.caller import Caller, CallerKind
from hub.service.payments.commands import BeginAtTerminal, EndAtTerminal, TerminalSaid
from hub.service.shop import PaymentRules
from hub.service.unit import Unit
from hub.storage import paymentrows
from hub.storage.paymentrows import PaymentRow
from tests.support.shop import CASHIER, MANAGER, Shop

CARD = {"last4": "4242", "scheme": "visa", "approval_code": "A1B2C3", "psp_ref": "psp-1"}
TERMINALS = {"till-1": "terminal-1", "till-2": "terminal-2"}


class PlainVault:
    """Seals by turning the bytes round."""

    current = "key-1"
    key_ids = ("key-1",)

    def seal(self, payment_id: str, token: bytes, _what: str = "token") -> SealedToken:
        return SealedToken("key-1", payment_id.encode(), token[::-1])

    def unseal(self, _payment_id: str, token: SealedToken, _what: str = "token") -> bytes:
        return token.sealed[::-1]

    def rewrap(self, _payment_id: str, token: SealedToken) -> SealedToken:
        return token

    def stamp(self, payment_id: str, token: SealedToken, facts: bytes) -> str:
        return sha256(b"plain" + payment_id.encode() + token.sealed + facts).hexdigest()

    def card_ref(self, card: str) -> str:
        return f"card:{len(card)}:{card[:3]}"


def rules(**changed: Any) -> PaymentRules:
    """Terminals at two tills, a processor, a vault."""
    base: dict[str, Any] = {
        "processor": True,
        "terminal_of": TERMINALS.get,
        "vault": PlainVault(),
    }
    return PaymentRules(**(base | changed))


class PayingShop(Shop):
    """``anna`` on till-1 may accept offline up to 80.00, ``mia`` on till-2 any amount; tea costs
    4.99."""

    def __init__(self, directory: Path, *, payments: PaymentRules | None = None, **how: Any):
        super().__init__(directory, payments=payments or rules(), **how)
        self.staff(
            {
                "cashier": CASHIER | {"offline.accept": 8000},
                "manager": MANAGER | dict.fromkeys(("offline.accept", "hub.manage")),
            }
        )
        self.product("tea", 499, stock=100)
        self.product("wine", 2500, stock=100)
        for terminal in TERMINALS.values():
            self.peripheral(terminal, "terminal")
        self.sign_in("till-1")
        self.sign_in("till-2", "mia")

    # At the tills ----------------------------------------------------------------------------

    def start(self, amount_minor: int = 499, *, device: str = "till-1", **changed: Any) -> Any:
        """A payment that was begun, as it is told."""
        return self.ok(device, "payment/start", self.starting(amount_minor, **changed))

    def starting(self, amount_minor: int = 499, **changed: Any) -> dict[str, Any]:
        """What begins a payment."""
        body = {"payment_id": self.id(), "sale_id": self.id(), "amount_minor": amount_minor}
        return body | changed

    def own(self, amount_minor: int = 499, *, device: str = "till-1", **changed: Any) -> Any:
        """A payment at the till's own terminal."""
        return self.start(amount_minor, device=device, terminal="own", **changed)

    def report(
        self, payment: Any, outcome: str, *, device: str = "till-1", **changed: Any
    ) -> dict[str, Any]:
        """What the till's own terminal said."""
        body = {"payment_id": payment["payment_id"], "outcome": outcome} | changed
        return self.ok(device, "payment/report", body)

    def approved(self, amount_minor: int = 499, **changed: Any) -> Any:
        """A payment that the till's own terminal has approved online."""
        device = changed.get("device", "till-1")
        payment = self.own(amount_minor, **changed)
        return self.report(payment, "approved", device=device, card=CARD)

    def stored(self, amount_minor: int = 499, *, token: str | None = None, **changed: Any) -> Any:
        """A payment that the till's own terminal has approved offline."""
        device = changed.get("device", "till-1")
        payment = self.own(amount_minor, **changed)
        more = {"token": token} if token else {}
        return self.report(payment, "approved-offline", device=device, card={}, **more)

    def give_up(self, payment: Any, device: str = "till-1") -> dict[str, Any]:
        """The shop doesn't want it."""
        return self.ok(device, "payment/give-up", {"payment_id": payment["payment_id"]})

    def payment(self, payment: Any) -> dict[str, Any]:
        """A payment as it is told now."""
        return self.ok("till-1", "payment/get", {"payment_id": payment["payment_id"]})

    def row(self, payment: Any) -> PaymentRow:
        """A payment as it is written."""
        found = paymentrows.get(self.rows, payment["payment_id"])
        assert found is not None
        return found

    def sold(self, *payments: Any, device: str = "till-1", qty: int = 1, **changed: Any) -> Any:
        """A sale of tea paid with these; the sale's answer."""
        body = self.selling(*payments, qty=qty, **changed)
        return self.ok(device, "sale/commit", body)

    def selling(self, *payments: Any, qty: int = 1, **changed: Any) -> dict[str, Any]:
        """The body of such a sale."""
        line = {"code": "tea", "qty": qty, "unit_price_minor": 499}
        tenders = [self.tender(one) for one in payments]
        body = self.sale(line, total_minor=qty * 499, tenders=tenders)
        if payments:
            body["sale_id"] = payments[0]["sale_id"]
        return body | changed

    def tender(self, payment: Any) -> dict[str, Any]:
        """A payment as a tender."""
        return {
            "kind": "card",
            "amount_minor": payment["amount_minor"],
            "payment_id": payment["payment_id"],
        }

    # At the hub's terminals ------------------------------------------------------------------

    def begin(self, payment: Any) -> Any:
        """The hub is about to ask its terminal."""
        return self.internal(BeginAtTerminal(payment["payment_id"]))

    def end(self, payment: Any, outcome: Any, *, attempt: int = 1, **said: Any) -> str:
        """What that terminal said; the state then."""
        answer = TerminalSaid(outcome, **said)
        state: str = self.internal(EndAtTerminal(payment["payment_id"], attempt, answer))
        return state

    def unit(self, work: Callable[[Unit], Any]) -> Any:
        """Something done by the hub itself, in the writer's transaction."""
        books, hub = Books(self.rules.currency), Caller(CallerKind.HUB, "hub")
        return self.tx(lambda tx: work(Unit(tx, hub, self.rules, books, self.ids)))

    # Looking ---------------------------------------------------------------------------------

    def told(self, payment: Any) -> list[str]:
        """What the cloud is told of a payment, in order."""
        found = self.all(
            "SELECT type FROM outbox WHERE aggregate = ? ORDER BY id", payment["payment_id"]
        )
        return [
            type_.removeprefix("com.storehub.payment.").removesuffix(".v1") for (type_,) in found
        ]

    def steps(self, payment: Any) -> list[str]:
        """What happened to a payment, in order."""
        return [one["event"] for one in self.payment(payment)["steps"]]

    def noted(self, action: str) -> int:
        """How often the audit log says so."""
        return int(self.value("SELECT count(*) FROM audit WHERE action = ?", action))

    def exposure_minor(self) -> int:
        """What the shop risks just now."""
        return int(self.ok("till-1", "payment/exposure")["store_minor"])
