"""Copies of stored payments that a second keeper has: noted when it has one, taken in when the hub
that wrote them is lost.  The customer's contact goes along, sealed as it is kept here.  When the
token isn't needed any more the contact alone is kept, for as long as money can be owed.

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
from typing import Any, Final, NamedTuple

from hub.contract.base import Command
from hub.domain.payments.states import FINAL, STORED_AWAY, PaymentEvent, PaymentState
from hub.domain.payments.tokens import SealedToken
from hub.service.gate import Handler, Reader
from hub.service.internal import InternalCommand
from hub.service.payments import book, owing, surcharges
from hub.service.shop import Vault
from hub.service.unit import Unit
from hub.storage import hubrow, paymentrows, paymentwork, salerows, secretrows
from hub.storage.paymentrows import NewPayment, PaymentRow
from hub.storage.rows import Rows

log = logging.getLogger(__name__)

BY: Final = "mirror"
AMOUNT_MAX: Final = 10**12
CONTACTS_MAX: Final = 500
"""So many contacts of what may be owed are kept twice at most: the keeper has room for 2000 copies,
and without room for a stored payment nothing is accepted offline."""
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
    """The second keeper has this payment on disk, sealed under the key ``key_id`` (empty: it has
    no token), with this contact.  The value is False when it isn't what is kept here (any more)."""

    payment_id: str
    key_id: str
    contact: SealedToken | None = None


@dataclass(frozen=True, slots=True)
class TakeCopies(InternalCommand):
    """Take payments in that this hub doesn't know, or whose token it lacks: text by id.  The value:
    the ids of those that are over, so that their copies may go; ones that can't be read are left
    where they are."""

    copies: tuple[tuple[str, str], ...]


class ToMirror(NamedTuple):
    """A payment that the second keeper doesn't have as it is, and what is sealed of it: a token, a
    contact or both."""

    row: PaymentRow
    token: SealedToken | None
    contact: SealedToken | None = None


def copy_of(one: ToMirror, vault: Vault) -> str:
    """What the second keeper gets.  Errors: the vault's, when no key of it opens what is sealed."""
    row, token, contact = one
    if token is None:
        assert contact is not None
        alone = {"payment_id": row.payment_id, "contact": _packed(contact)}
        stamp = vault.stamp(row.payment_id, contact, _stamped(alone))
        return _as_text(alone | {"stamp": stamp})
    facts: dict[str, Any] = {name: getattr(row, name) for name in _FACTS}
    facts |= {name: getattr(row, name) for name in _ADDED if getattr(row, name)}
    if contact is not None:
        facts["contact"] = _packed(contact)
    stamp = vault.stamp(row.payment_id, token, _stamped(facts))
    return _as_text(facts | _packed(token) | {"stamp": stamp})


def _as_text(whole: dict[str, Any]) -> str:
    plain = json.dumps(whole, separators=(",", ":")).encode()
    return base64.b32encode(plain).decode().translate(_TO_LETTERS)


def _packed(sealed: SealedToken) -> dict[str, str]:
    return {
        "key_id": sealed.key_id,
        "wrapped": base64.b64encode(sealed.wrapped).decode(),
        "sealed": base64.b64encode(sealed.sealed).decode(),
    }


def to_mirror(rows: Rows, limit: int) -> list[ToMirror]:
    """Payments that the second keeper doesn't have as they are: those that are stored first, each
    oldest first."""
    found = []
    for row in paymentwork.not_mirrored(rows, limit):
        token = secretrows.get(rows, row.id)
        if token is not None:
            found.append(ToMirror(row, token, secretrows.get(rows, row.id, owing.CONTACT)))
    room = min(limit - len(found), CONTACTS_MAX - paymentwork.contacts_mirrored(rows))
    found += [
        ToMirror(row, None, secretrows.get(rows, row.id, owing.CONTACT))
        for row in paymentwork.contacts_not_mirrored(rows, max(0, room))
    ]
    return found


def is_needed(rows: Rows, payment_id: str) -> bool:
    """Whether the second keeper has to keep its copy."""
    row = paymentrows.get(rows, payment_id)
    if row is None or row.state in STORED_AWAY:
        return row is not None
    if not paymentwork.is_contact_kept(rows, row.id):
        return False
    return bool(row.mirrored) or paymentwork.contacts_mirrored(rows) < CONTACTS_MAX


def mark_mirrored(unit: Unit, command: MarkMirrored) -> bool:
    """See :class:`MarkMirrored`."""
    row = paymentrows.get(unit.tx, command.payment_id)
    if row is None or row.mirrored:
        return row is not None
    token = secretrows.get(unit.tx, row.id)
    if (token.key_id if token is not None else "") != command.key_id:
        return False
    if secretrows.get(unit.tx, row.id, owing.CONTACT) != command.contact:
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
        if known is not None and _is_over(unit, known):
            over.append(payment_id)
            continue
        lacks_token = known is None or _lacks_token(unit, known)
        if known is not None and not lacks_token and not _lacks_contact(unit, known):
            continue
        try:
            facts, token, contact = _read(unit.shop.payments.vault, payment_id, text)
        except Exception as error:  # whatever a device sends, or its key isn't here
            log.error("the copy of payment %s can't be taken in: %s", payment_id, error)
            continue
        row = known
        if token is not None and known is None:
            row = _take(unit, facts, token)
        elif token is not None and known is not None and lacks_token:
            row = _put_token(unit, known, token, facts["stored_at_ms"])
        if row is not None:  # else the cloud may tell of it yet
            _put_contact(unit, row, contact, entered_since=row is not known)
    return tuple(over)


def _is_over(unit: Unit, row: PaymentRow) -> bool:
    """Whether nothing of a copy can be needed, here or in another hub's place."""
    if row.state == PaymentState.RECOVERY and not _lacks_contact(unit, row):
        return not is_needed(unit.tx, row.payment_id)
    return PaymentState(row.state) in FINAL or row.state == PaymentState.CAPTURED


def _lacks_token(unit: Unit, row: PaymentRow) -> bool:
    """Whether it is still to be presented and here by the cloud's word alone, which tells no token
    and nobody's address."""
    kept_here = row.state in STORED_AWAY and row.custody == "hub"
    return kept_here and secretrows.get(unit.tx, row.id) is None


def _lacks_contact(unit: Unit, row: PaymentRow) -> bool:
    """Whether the lost hub may have known of this payment whom to ask, and this one doesn't.  What
    somebody had this one forget isn't brought back, but to books that are older than the copy."""
    if not owing.may_be_owed(row) or secretrows.get(unit.tx, row.id, owing.CONTACT) is not None:
        return False
    events = {one.event for one in paymentrows.steps(unit.tx, row.id)}
    told = "told" in events and owing.FORGOTTEN not in events
    return told or hubrow.get(unit.tx).fence == "restored"


def _put_contact(
    unit: Unit, row: PaymentRow, contact: SealedToken | None, *, entered_since: bool
) -> None:
    """Keep the contact of a copy; one that is here already stays, and goes to the keeper."""
    if secretrows.get(unit.tx, row.id, owing.CONTACT) is not None:
        if entered_since:
            book.mirror_again(unit, row)
    elif contact is not None and owing.may_be_owed(row):
        secretrows.put(unit.tx, row.id, contact, owing.CONTACT)
        owing.settle(unit, row)
        book.changed(unit, row)


def _put_token(unit: Unit, row: PaymentRow, token: SealedToken, stored_at_ms: int) -> PaymentRow:
    """It can be presented again, once a look-up says that it may: the lost hub may have done so
    ever since it was stored."""
    secretrows.put(unit.tx, row.id, token)
    at_ms, budget_ms = _then(unit, stored_at_ms)
    facts: dict[str, Any] = {"forwards": max(1, row.forwards), "mirrored": 1}
    if row.sent_at_ms is None:
        facts |= {"sent_at_ms": at_ms, "sent_budget_ms": budget_ms}
    row = paymentrows.change(unit.tx, row, **facts)
    book.changed(unit, row)
    unit.note("payment.token_taken_back", row.payment_id, {"amount_minor": row.amount_minor})
    return row


def _stamped(facts: dict[str, Any]) -> bytes:
    """The facts as they are stamped."""
    if "amount_minor" not in facts:
        alone = [facts["payment_id"], owing.CONTACT, facts["contact"]]
        return json.dumps(alone, separators=(",", ":")).encode()
    known = [facts[name] for name in _FACTS]
    added = [facts.get(name, 0) for name in _ADDED]
    while added and not added[-1]:  # as former versions stamped; what is left says which it is
        added.pop()
    known += added
    if facts.get("contact"):
        known.append(facts["contact"])
    return json.dumps(known, separators=(",", ":")).encode()


def _check_stamp(vault: Vault | None, facts: dict[str, Any], sealed: SealedToken) -> None:
    if vault is None:
        raise ValueError("the vault isn't open")
    stamp = vault.stamp(facts["payment_id"], sealed, _stamped(facts))
    if not hmac.compare_digest(stamp.encode(), str(facts["stamp"]).encode()):
        raise ValueError("it was changed, or no hub of this shop has written it")


def _read(
    vault: Vault | None, payment_id: str, text: str
) -> tuple[dict[str, Any], SealedToken | None, SealedToken | None]:
    """A copy's facts, its token and its contact: one of these at least, and stamped."""
    facts = json.loads(base64.b32decode(text.translate(_FROM_LETTERS)))
    if facts["payment_id"] != payment_id:
        raise ValueError("it is another payment's")
    contact = _unpacked(facts["contact"]) if facts.get("contact") is not None else None
    if "wrapped" not in facts and contact is not None:
        _check_stamp(vault, facts, contact)
        return facts, None, contact
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
    token = _unpacked(facts)
    _check_stamp(vault, facts, token)
    return facts, token, contact


def _unpacked(told: dict[str, Any]) -> SealedToken:
    wrapped, sealed = base64.b64decode(told["wrapped"]), base64.b64decode(told["sealed"])
    return SealedToken(str(told["key_id"]), wrapped, sealed)


def _take(unit: Unit, facts: dict[str, Any], token: SealedToken) -> PaymentRow:
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
    at_ms, budget_ms = _then(unit, facts["stored_at_ms"])
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
    row = book.move(unit, row, PaymentEvent.IN_DOUBT, BY, BACK, due_budget_ms=unit.tx.budget_ms)
    unit.note("payment.taken_back", row.payment_id, {"amount_minor": row.amount_minor})
    return row


def _then(unit: Unit, stored_at_ms: int) -> tuple[int, int]:
    """When it was stored, by both clocks; not after now."""
    age_ms = max(0, unit.now_ms - stored_at_ms)
    return unit.now_ms - age_ms, unit.tx.budget_ms - age_ms


WRITES: dict[type[Command], Handler] = {}
READS: dict[type[Command], Reader] = {}
SLOW_READS: dict[type[Command], Reader] = {}
INTERNAL: dict[type[Any], Callable[[Unit, Any], Any]] = {
    MarkMirrored: mark_mirrored,
    TakeCopies: take_copies,
}
