"""How the customer of a payment can be reached, should it come to be owed: sealed, and gone as soon
as that can't be any more."""

from __future__ import annotations

import json
import logging
from typing import Final

from hub.contract.receivables import Contact
from hub.domain.payments.states import MAY_BE_OWED, PaymentState
from hub.domain.payments.tokens import SealedToken
from hub.service.shop import PaymentRules
from hub.service.unit import Unit
from hub.storage import linkrows, refundrows, secretrows
from hub.storage.linkrows import LinkRow
from hub.storage.paymentrows import PaymentRow
from hub.storage.rows import Rows

log = logging.getLogger(__name__)

CONTACT: Final = "contact"
LINK_STANDS_MS: Final = 7 * 86_400_000
"""So long a link is taken to be good of which the OMS told no end."""
LINKS_MAX: Final = 5
"""So many links are sent for one payment at most."""
FORGOTTEN: Final = "contact_forgotten"
"""The step of a payment whose contact somebody had the hub forget."""
HIDDEN: Final = "***"
BY_LINK: Final = "payment link"
"""Who paid what is recovered by one; in its reason followed by the reference of the money."""
NOT_OWED: Final = "it isn't owed any more"


def may_be_owed(row: PaymentRow) -> bool:
    """Whether this payment may still come to be a receivable, or is one."""
    return PaymentState(row.state) in MAY_BE_OWED and not row.void_asked


def keep(unit: Unit, row: PaymentRow, contact: Contact) -> bool:
    """Keep the contact of a payment; False where this hub has no vault to seal it in: then it isn't
    kept at all."""
    vault = unit.shop.payments.vault
    if vault is None:
        return False
    known = {"email": contact.email, "phone": contact.phone}
    plain = {name: value.get_secret_value() for name, value in known.items() if value is not None}
    sealed = vault.seal(row.payment_id, json.dumps(plain).encode(), CONTACT)
    secretrows.put(unit.tx, row.id, sealed, CONTACT)
    return True


def settle(unit: Unit, row: PaymentRow) -> None:
    """After a step: what nobody can be asked for any more has no contact; what has come to be owed
    is asked for by itself where the shop wants that."""
    if not may_be_owed(row):
        if secretrows.shred(unit.tx, row.id, CONTACT):
            linkrows.drop_wanted(unit.tx, row.id, NOT_OWED)
        linkrows.want_recall(unit.tx, row.id)
        return
    rules = unit.shop.payments
    if (
        row.state == PaymentState.RECOVERY
        and rules.link_at_once
        and not why_no_link(unit.tx, row, rules)
    ):
        add_link(unit, row, "hub")


def taken_back(unit: Unit, row: PaymentRow, reason: str) -> None:
    """A hub that was put back hears how a receivable ended: what a link brought is known by its
    reference, also when it is told or paid out once more.  How much it was the OMS says."""
    psp_ref = reason.removeprefix(f"{BY_LINK} ")
    by_link = row.state == PaymentState.RECOVERED and psp_ref not in ("", reason)
    if not by_link or " " in psp_ref or linkrows.is_paid_by(unit.tx, row.id, psp_ref):
        return
    key = f"{row.payment_id}-paid-{psp_ref}"
    link = linkrows.add(unit.tx, key, row.id, row.amount_minor, "recovery")
    linkrows.change(unit.tx, link, state="paid", psp_ref=psp_ref)


def add_link(unit: Unit, row: PaymentRow, by: str) -> None:
    """Want a link for what is owed.  A hub that was put back from a copy may count anew: the same
    key asks for the same amount always."""
    number = len(linkrows.of_payment(unit.tx, row.id)) + 1
    amount_minor = owed_minor(unit.tx, row)
    while linkrows.get(unit.tx, key := f"{row.payment_id}-link-{number}-{amount_minor}"):
        number += 1  # the cloud has told of one that this hub had lost
    linkrows.add(unit.tx, key, row.id, amount_minor, by)


def lower(unit: Unit, row: PaymentRow) -> None:
    """A part of what is owed has come back: a link that asks for more is called back."""
    if row.state == PaymentState.RECOVERY:
        linkrows.want_recall(unit.tx, row.id, owed_minor(unit.tx, row))


def owed_minor(rows: Rows, row: PaymentRow) -> int:
    """What of a payment is owed: without what has come back meanwhile."""
    return row.amount_minor - max(row.refunded_minor, refundrows.back_minor(rows, row.id))


def why_no_link(rows: Rows, row: PaymentRow, rules: PaymentRules, now_ms: int = 0) -> str:
    """Why no link can be sent now, as a whole sentence; empty: it can.  ``now_ms``: a link that has
    run out by then doesn't stand in the way."""
    for stands, why in (
        (row.state == PaymentState.RECOVERY, f"This payment is {row.state}: it isn't owed."),
        (rules.links, "No OMS is set up (cloud.url): ask the customer yourselves."),
        (owed_minor(rows, row) > 0, "All of it came back: nothing is owed."),
        (
            secretrows.get(rows, row.id, CONTACT) is not None,
            "Nobody knows how to reach the customer: enter an e-mail address or telephone number.",
        ),
    ):
        if not stands:
            return why
    return _why_no_other(linkrows.of_payment(rows, row.id), now_ms)


def _why_no_other(links: list[LinkRow], now_ms: int) -> str:
    if any(one.state in ("wanted", "sending", "unknown") for one in links):
        return "A link is on its way already."
    last = links[-1] if links else None
    if last is not None and last.state == "sent" and _good_until_ms(last) > now_ms:
        return "The customer has a link that can still be paid."
    if len(links) >= LINKS_MAX:
        return f"{LINKS_MAX} links were sent for this payment: ask the customer in another way."
    return ""


def _good_until_ms(link: LinkRow) -> int:
    return link.expires_at_ms or (link.sent_at_ms or link.made_at_ms) + LINK_STANDS_MS


def masked(row: PaymentRow, sealed: SealedToken | None, rules: PaymentRules) -> str:
    """The contact as a manager may see it: ``a***@d***.org, +49***67``; empty: there is none."""
    if sealed is None:
        return ""
    if rules.vault is None:
        return HIDDEN
    try:
        found = json.loads(rules.vault.unseal(row.payment_id, sealed, CONTACT))
    except Exception as error:
        log.warning("the contact of payment %s can't be opened: %s", row.payment_id, error)
        return HIDDEN
    parts = (_masked_email(found.get("email", "")), _masked_phone(found.get("phone", "")))
    return ", ".join(filter(None, parts))


def _masked_email(text: str) -> str:
    name, at, domain = text.partition("@")
    _, _, top = domain.rpartition(".")
    return f"{name[:1]}{HIDDEN}@{domain[:1]}{HIDDEN}.{top}" if at else ""


def _masked_phone(text: str) -> str:
    return f"{text[:3]}{HIDDEN}{text[-2:]}" if text else ""
