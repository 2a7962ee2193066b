"""What a shop is owed for a declined or expired card payment: who can be asked for it, and the link
by which the customer pays."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from hub.contract.base import Command, Incoming, InstantMs, Outgoing, Reason, UniqueId

EMAIL_MAX: Final = 254
_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f]{1,189}\.[^@\s.]{2,63}")
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")


def _email(value: SecretStr) -> SecretStr:
    if not _EMAIL.fullmatch(value.get_secret_value()):
        raise ValueError("an e-mail address is name@domain")
    return value


def _phone(value: SecretStr) -> SecretStr:
    if not _PHONE.fullmatch(value.get_secret_value()):
        raise ValueError("a telephone number begins with + and the country code: +491701234567")
    return value


Email = Annotated[SecretStr, Field(max_length=EMAIL_MAX), AfterValidator(_email)]
Phone = Annotated[SecretStr, Field(max_length=16), AfterValidator(_phone)]


LinkKey = Annotated[str, Field(max_length=240, pattern=r"^[!-~]+$")]


class Contact(Incoming):
    """How the customer can be reached, should the payment not come: personal data.

    The hub keeps it sealed and only while the payment may still come to be owed; then it is
    destroyed.  ``phone`` as E.164 has it, with the plus."""

    email: Email | None = None
    phone: Phone | None = None

    @model_validator(mode="after")
    def _has_something(self) -> Self:
        if self.email is None and self.phone is None:
            raise ValueError("give email or phone")
        return self


class SetContact(Command):
    """Keep (or forget, without ``contact``) how the customer of a payment can be reached.  For
    people with the permission ``refund``; only while the payment may come to be owed."""

    service: ClassVar[str] = "payment"
    operation: ClassVar[str] = "contact"
    payment_id: UniqueId
    contact: Contact | None = None
    approval_id: UniqueId | None = None


class SendLink(Command):
    """Have the OMS send the customer of a receivable (``recovery``) a link to pay by.

    For people with the permission ``refund``.  It is sent as soon as the OMS is in reach; one at a
    time, and another one when the last was refused or has run out."""

    service: ClassVar[str] = "payment"
    operation: ClassVar[str] = "send-link"
    payment_id: UniqueId
    approval_id: UniqueId | None = None


class SettleLink(Command):
    """Say what became of money that a customer paid by a link for what wasn't owed (any more):
    ``given-back`` in the OMS, or ``kept`` (for what else, the reason says).  ``link_key``: which
    link, so that saying it twice says nothing of another; without it the oldest of the payment's.
    For people with the permission ``refund``."""

    service: ClassVar[str] = "payment"
    operation: ClassVar[str] = "settle-link"
    payment_id: UniqueId
    how: Literal["given-back", "kept"]
    reason: Reason
    link_key: LinkKey | None = None
    approval_id: UniqueId | None = None


class SettleRefund(Command):
    """Say what became of money that was to go back and of which nobody tells: a till never said so,
    or it was refused.  ``given-back`` to the card (at a terminal, in the processor's portal), or
    ``otherwise`` (in cash: the card's money stays).  ``refund_id``: which one, so that saying it
    twice says nothing of another; without it the oldest of the payment's.  For people with the
    permission ``refund``."""

    service: ClassVar[str] = "payment"
    operation: ClassVar[str] = "settle-refund"
    payment_id: UniqueId
    how: Literal["given-back", "otherwise"]
    reason: Reason
    refund_id: UniqueId | None = None
    approval_id: UniqueId | None = None


class LinkSeen(Outgoing):
    """A payment link; ``link_key`` is its name.  ``state``: ``wanted`` (asked for), ``sending``,
    ``unknown`` (no answer yet), ``sent``, ``refused``, ``dropped`` (not needed any more),
    ``calling-back`` and ``called-back`` (it isn't owed any more, and nobody may pay by it),
    ``paid``, ``surplus`` (paid, and not owed: a person has to see to it) or ``settled`` (somebody
    has)."""

    at_ms: InstantMs
    changed_at_ms: InstantMs
    link_key: str = ""
    amount_minor: int
    state: str
    by: str = ""
    url: str = ""
    expires_at_ms: InstantMs | None = None
    psp_ref: str = ""
    reason: str = ""
