"""The sandbox's issuer: gift cards and store credit, held, taken and given back, each once; and
what is set aside of a card for a shop.

Free value, what is held, what is set aside and what was taken add up to what was ever put on a
card: :func:`value_books.books` says so, for whoever wants to compare.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from hub.contract.oms import OmsCode
from hub.contract.oms_value import (
    AllotmentReturned,
    CreditIssued,
    ValueBalance,
    ValueBalanceReply,
    ValueCapture,
    ValueHold,
    ValueHoldReply,
    ValueRefund,
    ValueRefundReply,
    ValueRelease,
)

from .problems import refuse
from .value_books import CardAllotted, CardMade, over

if TYPE_CHECKING:
    from sqlite3 import Connection

HOLD_MS: Final = 30 * 60_000
_REASONS: Final = {
    "insufficient-value": "There is not so much on this card.",
    "unknown-card": "There is no such card.",
    "wrong-pin": "The PIN is wrong.",
    "blocked": "This card is blocked.",
    "expired": "This card, or its hold, has expired.",
    "released": "It was let go before.",
    "other-kind": "This card is of another kind.",
    "other-currency": "This card is in another currency.",
}


def token_hash(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


class Issuer:
    """One request's view of the issuer."""

    def __init__(self, db: Connection, store: str, now_ms: int) -> None:
        self._db = db
        self._store = store
        self._now_ms = now_ms

    # Calls ---------------------------------------------------------------------------------------

    def hold(self, token: str, asked: ValueHold) -> ValueHoldReply:
        """All or nothing; a hold that is known is answered as it stands.  Errors: ``conflict`` for
        an id that was used for another amount."""
        known = self._find(asked.hold_id)
        if known is not None:
            told = (known.amount_minor, known.currency)
            if told not in ((asked.amount_minor, asked.currency), _NEVER_ASKED):
                raise refuse(OmsCode.CONFLICT, "This hold_id was used for something else.")
            return known
        card = self._card(token_hash(token))
        if card is not None:
            self._end_holds(card["account"])
            card = self._card(token_hash(token))
        pin = asked.pin.get_secret_value() if asked.pin is not None else ""
        code = _why_not(card, asked, pin)
        account = card["account"] if card else ""
        if not code:
            self._add_free(account, -asked.amount_minor)
        self._db.execute(
            "INSERT INTO value_holds (store, hold_id, account, status, amount_minor, currency,"
            " code, expires_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self._store,
                asked.hold_id,
                account,
                "declined" if code else "held",
                asked.amount_minor,
                asked.currency,
                code,
                None if code else self._now_ms + HOLD_MS,
            ),
        )
        return self.look_up(asked.hold_id)

    def look_up(self, hold_id: str) -> ValueHoldReply:
        """Errors: ``not-found``."""
        found = self._find(hold_id)
        if found is None:
            raise refuse(OmsCode.NOT_FOUND, "There is no such hold here.")
        return found

    def capture(self, hold_id: str, asked: ValueCapture) -> ValueHoldReply:
        """Take what is held, or what was spent from an allotment.  Errors: ``not-found`` for an
        allotment that isn't known yet."""
        known = self._find(hold_id)
        if asked.allotment is not None and (known is None or known.status == "declined"):
            return self._spent(hold_id, asked)
        if known is None:
            return _declined(hold_id, asked, "unknown-card")
        if known.status == "held":
            self._set(hold_id, "captured")
            return self.look_up(hold_id)
        if known.status in ("captured", "refunded"):
            return known
        return _declined(hold_id, asked, known.code or "released")

    def release(self, hold_id: str, asked: ValueRelease) -> ValueHoldReply:
        """Let go of what isn't captured; one that isn't known, or whose hold was declined before it
        was spent from an allotment, is remembered as let go."""
        known = self._find(hold_id)
        declined = known is not None and known.status == "declined"
        if known is None or (declined and asked.allotment is not None):
            self._db.execute(
                "INSERT OR REPLACE INTO value_holds (store, hold_id, account, status,"
                " amount_minor, currency, code) VALUES (?, ?, ?, 'released', 0, '', 'released')",
                (self._store, hold_id, asked.allotment.account_ref if asked.allotment else ""),
            )
        elif known.status == "held":
            self._let_go(hold_id, "released")
        return self.look_up(hold_id)

    def refund(self, hold_id: str, asked: ValueRefund) -> ValueRefundReply:
        """Back onto the card; declined beyond what was captured.  Errors: ``not-found``."""
        known, before = self.look_up(hold_id), self._refunded(hold_id, asked.key)
        if before is not None:
            if before != asked.amount_minor:
                raise refuse(OmsCode.CONFLICT, "This key was used for something else.")
            return self.look_up_refund(hold_id, asked.key)
        row = self._row(hold_id)
        whole = row["refunded_minor"] + asked.amount_minor
        if known.status != "captured" or whole > known.amount_minor:
            return ValueRefundReply(
                hold_id=hold_id,
                key=asked.key,
                status="declined",
                amount_minor=asked.amount_minor,
                currency=asked.currency,
                code="other",
                reason=f"It is {known.status}, and {row['refunded_minor']} of"
                f" {known.amount_minor} are given back.",
            )
        self._db.execute(
            "INSERT INTO value_refunds VALUES (?, ?, ?, ?)",
            (self._store, hold_id, asked.key, asked.amount_minor),
        )
        status = "refunded" if whole == known.amount_minor else "captured"
        self._db.execute(
            "UPDATE value_holds SET refunded_minor=?, status=? WHERE store=? AND hold_id=?",
            (whole, status, self._store, hold_id),
        )
        self._add_free(row["account"], asked.amount_minor)
        return self.look_up_refund(hold_id, asked.key)

    def look_up_refund(self, hold_id: str, key: str) -> ValueRefundReply:
        """Errors: ``not-found``."""
        amount_minor = self._refunded(hold_id, key)
        if amount_minor is None:
            raise refuse(OmsCode.NOT_FOUND, "There is no such refund here.")
        known = self.look_up(hold_id)
        return ValueRefundReply(
            hold_id=hold_id,
            key=key,
            status="refunded",
            amount_minor=amount_minor,
            currency=known.currency,
            balance_minor=known.balance_minor,
        )

    def balance(self, asked: ValueBalance) -> ValueBalanceReply:
        """What is free on a card; nobody learns whether card or PIN is wrong."""
        card = self._card(token_hash(asked.token))
        pin = asked.pin.get_secret_value() if asked.pin is not None else ""
        if card is None or not _fits(card, pin):
            return ValueBalanceReply(status="unknown")
        return ValueBalanceReply(
            status=card["status"],
            kind=card["kind"],
            balance_minor=card["balance_minor"]
            + sum(minor for _, _, minor in over(self._db, card["account"], self._now_ms)),
            currency=card["currency"],
            last4=card["last4"],
        )

    # Facts from the shop -------------------------------------------------------------------------

    def take_returned(self, fact: AllotmentReturned) -> None:
        """Only this makes what was set aside free again."""
        row = self._allotment(fact.account_ref, fact.epoch)
        if row is None:
            return
        returned = min(fact.returned_minor, row["granted_minor"] - row["spent_minor"])
        more = returned - row["returned_minor"]
        if more > 0:
            self._count(fact.account_ref, fact.epoch, "returned", more)
            self._add_free(fact.account_ref, more)

    def take_issued(self, fact: CreditIssued) -> None:
        """Store credit that a shop gave; once."""
        if self._named(fact.account_ref) is not None:
            return
        free = 0 if fact.epoch else fact.amount_minor
        self._db.execute(
            "INSERT INTO value_cards VALUES (?, ?, 'store_credit', ?, ?, ?, ?, '', 'active')",
            (
                fact.account_ref,
                fact.token_hash,
                fact.last4,
                fact.currency,
                fact.amount_minor,
                free,
            ),
        )
        if fact.epoch:
            self._db.execute(
                "INSERT INTO value_allotments (store, account, epoch, granted_minor)"
                " VALUES (?, ?, ?, ?)",
                (self._store, fact.account_ref, fact.epoch, fact.amount_minor),
            )

    # People --------------------------------------------------------------------------------------

    def make(self, made: CardMade) -> None:
        """A card for tests and demos; one that is there gets the status."""
        if self._named(made.account_ref) is not None:
            self._db.execute(
                "UPDATE value_cards SET status=? WHERE account=?", (made.status, made.account_ref)
            )
            return
        last4 = made.token[-4:] if made.token[-4:].isdecimal() else ""
        self._db.execute(
            "INSERT INTO value_cards VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                made.account_ref,
                token_hash(made.token),
                made.kind,
                last4,
                made.currency,
                made.balance_minor,
                made.balance_minor,
                token_hash(made.pin) if made.pin else "",
                made.status,
            ),
        )

    def allot(self, asked: CardAllotted, epoch: int) -> dict[str, Any]:
        """Set more aside, or want it back; the data of the command that tells the shop.  Errors:
        ``not-found``, ``conflict``."""
        card = self._named(asked.account_ref)
        if card is None:
            raise refuse(OmsCode.NOT_FOUND, "There is no such card.")
        self._end_holds(asked.account_ref)
        card = self._named(asked.account_ref) or card
        if asked.grant_minor > card["balance_minor"]:
            raise refuse(OmsCode.CONFLICT, f"Only {card['balance_minor']} of it is free.")
        self._db.execute(
            "INSERT OR IGNORE INTO value_allotments (store, account, epoch) VALUES (?, ?, ?)",
            (self._store, asked.account_ref, epoch),
        )
        self._add_free(asked.account_ref, -asked.grant_minor)
        self._count(asked.account_ref, epoch, "granted", asked.grant_minor)
        self._count(asked.account_ref, epoch, "recalled", asked.recall_minor)
        row = self._allotment(asked.account_ref, epoch)
        assert row is not None
        return {
            "account_ref": asked.account_ref,
            "token_hash": card["token_hash"],
            "last4": card["last4"],
            "kind": card["kind"],
            "currency": card["currency"],
            "epoch": epoch,
            "granted_minor": row["granted_minor"],
            "recalled_minor": row["recalled_minor"],
        }

    # How -----------------------------------------------------------------------------------------

    def _spent(self, hold_id: str, asked: ValueCapture) -> ValueHoldReply:
        assert asked.allotment is not None
        account, epoch = asked.allotment.account_ref, asked.allotment.epoch
        if self._allotment(account, epoch) is None:
            raise refuse(OmsCode.NOT_FOUND, "Nothing of such a card is set aside, so far.")
        self._count(account, epoch, "spent", asked.amount_minor)
        self._db.execute(
            "INSERT OR REPLACE INTO value_holds (store, hold_id, account, status, amount_minor,"
            " currency, epoch) VALUES (?, ?, ?, 'captured', ?, ?, ?)",
            (self._store, hold_id, account, asked.amount_minor, asked.currency, epoch),
        )
        return self.look_up(hold_id)

    def _find(self, hold_id: str) -> ValueHoldReply | None:
        row = self._row(hold_id)
        if not row:
            return None
        over = row["status"] == "held" and row["expires_at_ms"] <= self._now_ms
        if over and not self._is_reading():
            self._let_go(hold_id, "expired")
            row = self._row(hold_id)
        elif over:
            row |= {"status": "released", "code": "expired"}
        card = self._named(row["account"])
        return ValueHoldReply(
            hold_id=hold_id,
            status=row["status"],
            amount_minor=row["amount_minor"],
            currency=row["currency"],
            balance_minor=card["balance_minor"] if card and row["code"] not in _HIDDEN else None,
            last4=card["last4"] if card else "",
            expires_at_ms=row["expires_at_ms"],
            code=row["code"],
            reason=_REASONS.get(row["code"], ""),
        )

    def _is_reading(self) -> bool:
        return bool(self._db.execute("PRAGMA query_only").fetchone()[0])

    def _end_holds(self, account: str) -> None:
        for store, hold_id, _ in over(self._db, account, self._now_ms):
            Issuer(self._db, store, self._now_ms)._let_go(hold_id, "expired")

    def _let_go(self, hold_id: str, code: str) -> None:
        row = self._row(hold_id)
        self._add_free(row["account"], row["amount_minor"])
        self._db.execute(
            "UPDATE value_holds SET status='released', code=? WHERE store=? AND hold_id=?",
            (code, self._store, hold_id),
        )

    def _row(self, hold_id: str) -> dict[str, Any]:
        return self._one(
            "SELECT * FROM value_holds WHERE store=? AND hold_id=?", self._store, hold_id
        )

    def _card(self, of_hash: str) -> dict[str, Any] | None:
        return self._one("SELECT * FROM value_cards WHERE token_hash=?", of_hash) or None

    def _named(self, account: str) -> dict[str, Any] | None:
        return self._one("SELECT * FROM value_cards WHERE account=?", account) or None

    def _allotment(self, account: str, epoch: int) -> dict[str, Any] | None:
        sql = "SELECT * FROM value_allotments WHERE store=? AND account=? AND epoch=?"
        return self._one(sql, self._store, account, epoch) or None

    def _one(self, sql: str, *values: Any) -> dict[str, Any]:
        found = self._db.execute(sql, values)
        row = found.fetchone()
        return dict(zip([one[0] for one in found.description], row, strict=True)) if row else {}

    def _refunded(self, hold_id: str, key: str) -> int | None:
        row = self._one(
            "SELECT amount_minor FROM value_refunds WHERE store=? AND hold_id=? AND key=?",
            self._store,
            hold_id,
            key,
        )
        return int(row["amount_minor"]) if row else None

    def _add_free(self, account: str, minor: int) -> None:
        self._db.execute(
            "UPDATE value_cards SET balance_minor = balance_minor + ? WHERE account=?",
            (minor, account),
        )

    def _count(self, account: str, epoch: int, what: str, minor: int) -> None:
        self._db.execute(
            f"UPDATE value_allotments SET {what}_minor = {what}_minor + ?"  # noqa: S608
            " WHERE store=? AND account=? AND epoch=?",
            (minor, self._store, account, epoch),
        )

    def _set(self, hold_id: str, status: str) -> None:
        self._db.execute(
            "UPDATE value_holds SET status=? WHERE store=? AND hold_id=?",
            (status, self._store, hold_id),
        )


_NEVER_ASKED: Final = (0, "")
"""The money of what was let go before anybody heard of it."""
_HIDDEN: Final = frozenset({"unknown-card", "wrong-pin"})


def _fits(card: dict[str, Any], pin: str) -> bool:
    return not card["pin_hash"] or token_hash(pin) == card["pin_hash"]


def _why_not(card: dict[str, Any] | None, asked: ValueHold, pin: str) -> str:
    if card is None:
        return "unknown-card"
    if not _fits(card, pin):
        return "wrong-pin"
    if card["status"] != "active":
        return str(card["status"])
    if card["kind"] != asked.kind:
        return "other-kind"
    if card["currency"] != asked.currency:
        return "other-currency"
    return "insufficient-value" if card["balance_minor"] < asked.amount_minor else ""


def _declined(hold_id: str, asked: ValueCapture, code: str) -> ValueHoldReply:
    return ValueHoldReply(
        hold_id=hold_id,
        status="declined",
        amount_minor=asked.amount_minor,
        currency=asked.currency,
        code=code,
        reason=_REASONS.get(code, ""),
    )
