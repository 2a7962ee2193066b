"""What the payment processor does for a hub: charge, look up, capture, reverse, refund.

It knows idempotency keys for a day.  Whoever charges a payment again under a key that it has
forgotten charges it again: that is what a hub must never do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Final

KEYS_FOR_S: Final = 86_400.0
SOFT: Final = ("insufficient-funds", "issuer-unavailable", "try-again")
HARD: Final = ("stolen-or-lost", "closed-account")
Row = dict[str, Any]


@dataclass(slots=True)
class Charge:
    """One payment: ``state`` is ``pending``, ``authorised``, ``captured``, ``declined`` or
    ``reversed``; ``charged`` counts how often money was asked of the card with success,
    ``requested`` how often it was asked for."""

    payment_id: str
    amount_minor: int
    state: str
    charged: int = 0
    requested: int = 0
    refunded_minor: int = 0
    code: str = ""
    second: bool = False
    """It was declined, and approved on second thoughts."""

    @property
    def kept_minor(self) -> int:
        """What the shop has of it."""
        return self.amount_minor - self.refunded_minor if self.state == "captured" else 0


@dataclass(frozen=True, slots=True)
class Moods:
    """Shares of charges that are declined for now, for good, or get their outcome later; of
    captures that are refused; of authorisations that lapse, and of declines that are thought over,
    each time somebody looks; of charges that are only done long after whoever asked has given up
    waiting; of a terminal's charges that are declined."""

    soft: float = 0.06
    hard: float = 0.04
    pending: float = 0.06
    no_capture: float = 0.0
    lapse: float = 0.0
    second: float = 0.0
    late_deed: float = 0.0
    at_terminal: float = 0.06


CALM: Final = Moods()
WILD: Final = Moods(0.2, 0.08, 0.14, 0.05, 0.15, 0.2, 0.15, 0.15)


class Bank:
    """``write`` makes a row durable and applies it; ``charges`` are the payments by id."""

    def __init__(
        self,
        charges: dict[str, Charge],
        write: Callable[[Row], None],
        count: Callable[[str], None],
        random: Random,
        now_s: Callable[[], float],
        moods: Moods = CALM,
    ) -> None:
        self._charges = charges
        self._write = write
        self._count = count
        self._random = random
        self._now_s = now_s
        self._moods = moods
        self.keys: dict[str, float] = {}
        self.refunds: dict[str, int] = {}

    def serve(self, request: Row) -> Row:
        """The answer: ``outcome`` in the words of the processors' adapters."""
        match request["do"]:
            case "charge":
                return self._charge(request)
            case "look_up":
                return self._told(self._charges.get(request["payment_id"]), request["key"])
            case "capture":
                return self._capture(request["payment_id"])
            case "let_go":
                return self._let_go(request["payment_id"])
            case "give_back":
                return self._give_back(request)
            case _:
                done = request["key"] in self.refunds
                return {"outcome": "refunded" if done else "not-found"}

    def apply(self, row: Row) -> None:
        """Take a durable row in."""
        known = self._charges.get(row["payment_id"])
        match row["did"]:
            case "charge":
                if known is None or known.state == "declined":
                    charged = known.charged if known else 0
                    known = Charge(row["payment_id"], row["amount_minor"], row["state"], charged)
                    self._charges[row["payment_id"]] = known
                known.code = row["code"]
                known.charged += row["state"] != "declined"
                self.keys[row["key"]] = row["at_s"]
            case "settle":
                assert known is not None
                known.state, known.code = row["state"], row["code"]
                known.charged -= row["state"] == "declined"
            case "reconsider":
                assert known is not None
                known.state, known.code, known.second = "authorised", "", True
                known.charged += 1
            case "give_back":
                assert known is not None
                self.refunds[row["key"]] = row["amount_minor"]
                known.refunded_minor += row["amount_minor"]

    def pending(self) -> list[Charge]:
        """Payments whose outcome isn't known yet."""
        return [one for one in self._charges.values() if one.state == "pending"]

    def settle(self, one: Charge) -> Row:
        """A pending payment gets its outcome."""
        declined = self._random.random() < 0.3
        state, code = ("declined", HARD[0]) if declined else ("authorised", "")
        self._put("settle", one.payment_id, state=state, code=code)
        return self._told(self._charges[one.payment_id], "")

    def told(self, one: Charge) -> Row:
        """How a payment stands."""
        return self._told(one, "")

    def fickle(self, is_known: Callable[[str], bool]) -> None:
        """Authorisations lapse, and declines of payments that the hub knows are thought over."""
        if not (self._moods.lapse or self._moods.second):
            return
        for one in list(self._charges.values()):
            if one.state == "authorised" and self._random.random() < self._moods.lapse:
                self._count("authorisation lapses")
                self._put("settle", one.payment_id, state="reversed", code="")
            elif (
                one.state == "declined"
                and self._random.random() < self._moods.second
                and is_known(one.payment_id)
            ):
                self._count("approved on second thoughts")
                self._put("reconsider", one.payment_id)

    # ---------------------------------------------------------------------------------------------

    def _put(self, did: str, payment_id: str, **facts: Any) -> None:
        self._write({"did": did, "payment_id": payment_id, "at_s": self._now_s()} | facts)

    def _charge(self, request: Row) -> Row:
        name, key = request["payment_id"], request["key"]
        at_s = self.keys.get(key)
        if at_s is not None and self._now_s() - at_s < KEYS_FOR_S:
            self._count("charge asked for again")
            return self._told(self._charges.get(name), key)
        known = self._charges.get(name)
        if known is not None and known.second:
            return self._told(known, key)
        if known is not None and known.state not in ("declined", "reversed"):
            self._count("charged under a forgotten key")
        choice = self._random.random()
        state, code = "authorised", ""
        soft, hard = self._moods.soft, self._moods.soft + self._moods.hard
        if choice < soft:
            state, code = "declined", self._random.choice(SOFT)
        elif choice < hard:
            state, code = "declined", self._random.choice(HARD)
        elif choice < hard + self._moods.pending:
            state = "pending"
        self._put(
            "charge", name, key=key, amount_minor=request["amount_minor"], state=state, code=code
        )
        self._count(f"charge {state}")
        return self._told(self._charges[name], key)

    def _told(self, one: Charge | None, key: str) -> Row:
        if one is None:
            return {"outcome": "not-found"}
        if one.state == "declined" and key and key not in self.keys:
            return {"outcome": "not-found"}  # that was an earlier charge's
        if one.state == "captured" and one.refunded_minor == one.amount_minor:
            return {"outcome": "refunded", "psp_ref": f"bank-{one.payment_id[-12:]}"}
        words = {"pending": "acked", "authorised": "approved"}
        return {
            "outcome": words.get(one.state, one.state),
            "code": one.code,
            "psp_ref": f"bank-{one.payment_id[-12:]}",
            "approved_minor": one.amount_minor,
        }

    def _capture(self, name: str) -> Row:
        one = self._charges.get(name)
        if one is None:
            return {"outcome": "not-found"}
        if one.state == "authorised":
            if self._moods.no_capture and self._random.random() < self._moods.no_capture:
                self._put("settle", name, state="declined", code=HARD[1])
                self._count("capture declined")
                return {"outcome": "declined", "code": HARD[1]}
            self._put("settle", name, state="captured", code="")
            self._count("charge captured")
        elif one.state != "captured":
            return {"outcome": "declined", "code": "other"}
        return {"outcome": "captured", "approved_minor": one.amount_minor}

    def _let_go(self, name: str) -> Row:
        one = self._charges.get(name)
        if one is None:
            return {"outcome": "not-found"}
        if one.state == "captured":
            return {"outcome": "captured", "approved_minor": one.amount_minor}
        if one.state == "authorised":
            self._put("settle", name, state="reversed", code="")
            self._count("charge let go")
        return self._told(one, "") if one.state == "pending" else {"outcome": "reversed"}

    def _give_back(self, request: Row) -> Row:
        name, key, amount = request["payment_id"], request["key"], request["amount_minor"]
        one = self._charges.get(name)
        if one is None:
            return {"outcome": "not-found"}
        if key in self.refunds and self._now_s() - self.keys.get(key, 0.0) < KEYS_FOR_S:
            self._count("give-back asked for again")
            return {"outcome": "refunded"}
        if one.kept_minor < amount:
            return {"outcome": "declined", "code": "other"}
        self.keys[key] = self._now_s()
        self._put("give_back", name, key=key, amount_minor=amount)
        self._count("charge given back")
        return {"outcome": "refunded"}
