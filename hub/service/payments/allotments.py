"""What the issuer has set aside of gift cards for this shop: granted, spent, let go, given back."""

from __future__ import annotations

from hashlib import sha256

from hub.contract.oms_value import ALLOTMENT_RETURNED, GiftCardAllotted
from hub.domain.payments import value
from hub.domain.payments.value import Allotment
from hub.service.unit import Unit
from hub.storage import hubrow, valuerows
from hub.storage.paymentrows import PaymentRow
from hub.storage.valuerows import AccountRow


def present_epoch(unit: Unit) -> int | None:
    """The epoch in which this hub may spend; None while it doesn't know what it has lost, isn't
    the shop's hub any more, or has never met the cloud."""
    hub = hubrow.get(unit.tx)
    return hub.epoch if hub.epoch and not hub.fence else None


def fingerprint(unit: Unit, token: str) -> str:
    """A keyed hash that says no more than "the same card"."""
    return hash_fingerprint(unit, sha256(token.encode()).hexdigest())


def hash_fingerprint(unit: Unit, token_hash: str) -> str:
    """The same of a token's SHA-256 in hexadecimal, which is all that the issuer tells of it."""
    vault = unit.shop.payments.vault
    return vault.card_ref(token_hash) if vault is not None else ""


def left_minor(unit: Unit, token_ref: str, kind: str) -> int:
    """What may be spent of a card without asking the issuer."""
    account = valuerows.of_token(unit.tx, token_ref, kind)
    if account is None or account.currency != unit.shop.currency:
        return 0
    if account.epoch != present_epoch(unit):
        return 0
    return max(0, account.allotment.outstanding_minor)


def take(unit: Unit, row: PaymentRow) -> AccountRow | None:
    """Spend a payment's amount of its card's allotment; None when there isn't so much."""
    account = valuerows.of_token(unit.tx, row.token_ref, row.kind)
    present = present_epoch(unit)
    if account is None or account.currency != row.currency:
        return None
    if not value.may_spend(account.allotment, row.amount_minor, present):
        return None
    after = account.at(value.spent(account.allotment, row.amount_minor, present))
    valuerows.put(unit.tx, after)
    return after


def let_go(unit: Unit, row: PaymentRow) -> None:
    """A payment that took from an allotment goes back: the issuer hasn't taken it, nor ever will.
    What is recalled of it is given back."""
    account = valuerows.get(unit.tx, row.account) if row.account else None
    if account is None:
        return
    freed = value.let_go(account.allotment, row.amount_minor, row.account_epoch)
    _settle(unit, account, freed)


def granted(unit: Unit, told: GiftCardAllotted) -> bool:
    """The issuer's word; whether it changes anything.  Errors: ``ValueError`` at the bound, and for
    a card that was of another kind or currency before."""
    known = valuerows.get(unit.tx, told.account_ref)
    if known is None:
        if valuerows.count(unit.tx) >= valuerows.ACCOUNTS_MAX:
            raise ValueError(f"{valuerows.ACCOUNTS_MAX} cards have value set aside here already")
        known = AccountRow(
            told.account_ref, told.kind, "", told.last4, told.currency, told.epoch, 0, 0, 0, 0
        )
    elif (known.kind, known.currency) != (told.kind, told.currency):
        raise ValueError("this card was of another kind or currency before")
    fresh = known._replace(
        token_ref=hash_fingerprint(unit, told.token_hash), last4=told.last4 or known.last4
    )
    at = value.told(known.allotment, told.epoch, told.granted_minor, told.recalled_minor)
    return _settle(unit, fresh, at) != known


def _settle(unit: Unit, account: AccountRow, at: Allotment) -> AccountRow:
    """Write it, with as much of what is recalled given back as there is; that is told."""
    before_minor = account.returned_minor if account.epoch == at.epoch else 0
    after = account.at(value.given_back(at, present_epoch(unit)))
    valuerows.put(unit.tx, after)
    if after.returned_minor > before_minor:
        data = {
            "account_ref": after.account,
            "epoch": after.epoch,
            "returned_minor": after.returned_minor,
            "spent_minor": after.spent_minor,
            "currency": after.currency,
        }
        key = (after.account, str(after.epoch), str(after.returned_minor))
        unit.emit_aside("payments", ALLOTMENT_RETURNED, after.account, data, *key)
    return after
