"""Copies of stored payments that a second keeper has: noted when it has one, taken in when the hub
that wrote them is lost.

A copy is text without digits, so that no chance makes it look like a card's number on its way, and
bears the vault's stamp: the device that keeps it can't change it or make one.
"""

from __future__ import annotations

import base64
import hmac
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from hub.contract.base import Command
from hub.domain.payments.states import FINAL, STORED_AWAY, PaymentEvent, PaymentState
from hub.domain.payments.tokens import SealedToken
from hub.service.gate import Handler, Reader
from hub.service.internal import InternalCommand
from hub.service.payments import book, surcharges
from hub.service.shop import Vault
from hub.service.unit import Unit
from hub.storage import paymentrows, paymentwork, salerows, secretrows
from hub.storage.paymentrows import NewPayment, PaymentRow
from hub.storage.rows import Rows

log = logging.getLogger(__name__)

BY: Final = "mirror"
AMOUNT_MAX: Final = 10**12
_NO_WORDS: Final = frozenset({"staff_id", "amount_minor", "offline_seq", "stored_at_ms"})
BACK: Final = "from the second keeper's copy: it may have been forwarded by the lost hub"
_BASE32: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567="
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefz"
_TO_LETTERS: Final = str.maketrans(_BASE32, _LETTERS)
_FROM_LETTERS: Final = str.maketrans(_LETTERS, _BASE32)
_OF_ITS_TERMINAL: Final = (
    "offline_seq",
    "psp_ref",
    "terminal_ref",
    "approval_code",
    "last4",
    "scheme",
    "token_ref",
)
_FACTS: Final = (
    "payment_id",
    "sale_id",
    "basket_id",
    "device_id",
    "staff_id",
    "terminal_id",
    "driven_by",
    "amount_minor",
    "currency",
    "stored_at_ms",
    *_OF_ITS_TERMINAL,
)


_ADDED: Final = ("tip_minor", "surcharge_minor")
"""Absent from a copy where they are nothing: those of former versions have none."""


@dataclass(frozen=True, slots=True)
class MarkMirrored(InternalCommand):
    """The second keeper has this payment on disk, sealed under the key ``key_id``.  The value is
    False when it isn't the token that is kept here (any more)."""

    payment_id: str
    key_id: str


@dataclass(frozen=True, slots=True)
class TakeCopies(InternalCommand):
    """Take payments in that this hub doesn't know: text by id.  The value: the ids of those that
    are over, so that their copies may go; ones that can't be read are left where they are."""

    copies: tuple[tuple[str, str], ...]


def copy_of(row: PaymentRow, token: SealedToken, vault: Vault) -> str:
    """What the second keeper gets.  Errors: the vault's, when no key of it opens the token."""
    facts = {name: getattr(row, name) for name in _FACTS}
    facts |= {name: getattr(row, name) for name in _ADDED if getattr(row, name)}
    whole = facts | {
        "key_id": token.key_id,
        "wrapped": base64.b64encode(token.wrapped).decode(),
        "sealed": base64.b64encode(token.sealed).decode(),
        "stamp": vault.stamp(row.payment_id, token, _stamped(facts)),
    }
    plain = json.dumps(whole, separators=(",", ":")).encode()
    return base64.b32encode(plain).decode().translate(_TO_LETTERS)


def to_mirror(rows: Rows, limit: int) -> list[tuple[PaymentRow, SealedToken]]:
    """Stored payments that the second keeper doesn't have yet, oldest first."""
    found = []
    for row in paymentwork.not_mirrored(rows, limit):
        token = secretrows.get(rows, row.id)
        if token is not None:
            found.append((row, token))
    return found


def is_needed(rows: Rows, payment_id: str) -> bool:
    """Whether the second keeper has to keep its copy."""
    row = paymentrows.get(rows, payment_id)
    return row is not None and row.state in STORED_AWAY


def mark_mirrored(unit: Unit, command: MarkMirrored) -> bool:
    """See :class:`MarkMirrored`."""
    row = paymentrows.get(unit.tx, command.payment_id)
    if row is None or row.mirrored:
        return row is not None
    token = secretrows.get(unit.tx, row.id)
    if token is None or token.key_id != command.key_id:
        return False
    book.changed(unit, paymentrows.change(unit.tx, row, mirrored=1))
    return True


def take_copies(unit: Unit, command: TakeCopies) -> tuple[str, ...]:
    """See :class:`TakeCopies`.

    Whether the lost hub had presented it nobody here knows: it is looked up before anything else.
    """
    over = []
    for payment_id, text in command.copies:
        known = paymentrows.get(unit.tx, payment_id)
        if known is not None:
            if PaymentState(known.state) in FINAL or known.state == PaymentState.CAPTURED:
                over.append(payment_id)
            continue
        try:
            facts, token = _read(payment_id, text)
            _check_stamp(unit.shop.payments.vault, facts, token)
        except Exception as error:  # whatever a device sends, or its key isn't here
            log.error("the copy of payment %s can't be taken in: %s", payment_id, error)
            continue
        _take(unit, facts, token)
    return tuple(over)


def _stamped(facts: dict[str, Any]) -> bytes:
    """The facts as they are stamped."""
    known = [facts[name] for name in _FACTS]
    added = [facts.get(name, 0) for name in _ADDED]
    while added and not added[-1]:  # as former versions stamped; what is left says which it is
        added.pop()
    known += added
    return json.dumps(known, separators=(",", ":")).encode()


def _check_stamp(vault: Vault | None, facts: dict[str, Any], token: SealedToken) -> None:
    if vault is None:
        raise ValueError("the vault isn't open")
    stamp = vault.stamp(facts["payment_id"], token, _stamped(facts))
    if not hmac.compare_digest(stamp.encode(), str(facts["stamp"]).encode()):
        raise ValueError("it was changed, or no hub of this shop has written it")


def _read(payment_id: str, text: str) -> tuple[dict[str, Any], SealedToken]:
    facts = json.loads(base64.b32decode(text.translate(_FROM_LETTERS)))
    if facts["payment_id"] != payment_id:
        raise ValueError("it is another payment's")
    words = {name: facts[name] for name in _FACTS if name not in _NO_WORDS}
    if not all(isinstance(word, str) for word in words.values()):
        raise ValueError("it is of another shape")
    if type(facts["amount_minor"]) is not int or not 0 < facts["amount_minor"] <= AMOUNT_MAX:
        raise ValueError("it is of no proper amount")
    added = [facts.get(name, 0) for name in _ADDED]
    if not all(type(one) is int and one >= 0 for one in added):
        raise ValueError("it is of no proper tip or surcharge")
    if sum(added) >= facts["amount_minor"]:
        raise ValueError("its tip and surcharge leave nothing for the sale")
    if type(facts["stored_at_ms"]) is not int or facts["stored_at_ms"] < 0:
        raise ValueError("it is of no proper time")
    if facts["driven_by"] not in ("hub", "till") or not isinstance(facts["staff_id"], str | None):
        raise ValueError("it is of another shape")
    token = SealedToken(
        str(facts["key_id"]), base64.b64decode(facts["wrapped"]), base64.b64decode(facts["sealed"])
    )
    return facts, token


def _take(unit: Unit, facts: dict[str, Any], token: SealedToken) -> None:
    sale_id = salerows.sale_of_payment(unit.tx, facts["payment_id"])
    surcharge_minor = facts.get("surcharge_minor", 0)
    asked_minor = facts["amount_minor"] - surcharge_minor
    row = book.begin(
        unit,
        NewPayment(
            payment_id=facts["payment_id"],
            hash=b"",
            sale_id=sale_id or facts["sale_id"],
            basket_id=facts["basket_id"],
            device_id=facts["device_id"],
            staff_id=facts["staff_id"],
            terminal_id=facts["terminal_id"],
            driven_by=facts["driven_by"],
            custody="hub",
            amount_minor=facts["amount_minor"],
            currency=facts["currency"],
            offline_allowed=True,
            tip_minor=facts.get("tip_minor", 0),
            surcharge_minor=surcharge_minor,
            surcharge_unasked=surcharges.is_unasked(unit, surcharge_minor, asked_minor),
        ),
        BY,
    )
    # Not by way of the terminal: another customer may stand at it just now.
    row = book.move(unit, row, PaymentEvent.CANCELLED, BY)
    rest = {name: facts[name] for name in _OF_ITS_TERMINAL if facts[name]}
    row = book.move(
        unit,
        row,
        PaymentEvent.APPROVED_OFFLINE,
        BY,
        BACK,
        token=token,
        custody="hub",
        in_sale=int(sale_id is not None),
        mirrored=1,
        **rest,
    )
    age_ms = max(0, unit.now_ms - facts["stored_at_ms"])
    at_ms, budget_ms = unit.now_ms - age_ms, unit.tx.budget_ms - age_ms
    row = book.move(
        unit,
        row,
        PaymentEvent.LEASED,
        BY,
        BACK,
        forwards=1,
        stored_at_ms=at_ms,
        stored_budget_ms=budget_ms,
        sent_at_ms=at_ms,
        sent_budget_ms=budget_ms,
    )
    book.move(unit, row, PaymentEvent.IN_DOUBT, BY, BACK, due_budget_ms=unit.tx.budget_ms)
    unit.note("payment.taken_back", row.payment_id, {"amount_minor": row.amount_minor})


WRITES: dict[type[Command], Handler] = {}
READS: dict[type[Command], Reader] = {}
SLOW_READS: dict[type[Command], Reader] = {}
INTERNAL: dict[type[Any], Callable[[Unit, Any], Any]] = {
    MarkMirrored: mark_mirrored,
    TakeCopies: take_copies,
}
