"""The sandbox's payment links: one message each, paid when the admin's door says that they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from hub.contract.base import Incoming, UniqueId
from hub.contract.oms import OmsCode
from hub.contract.oms_links import LinkCancel, LinkReply, LinkRequest
from hub.contract.oms_payments import Charged, EffectKey

from .commands import append_command
from .problems import refuse

if TYPE_CHECKING:
    from sqlite3 import Connection

LINK_SCHEMA = """
CREATE TABLE IF NOT EXISTS payment_links (
    n            INTEGER PRIMARY KEY,
    store        TEXT NOT NULL,
    payment_id   TEXT NOT NULL,
    key          TEXT NOT NULL,
    request      TEXT NOT NULL,
    status       TEXT NOT NULL,
    reason       TEXT NOT NULL,
    url          TEXT NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    psp_ref      TEXT NOT NULL DEFAULT '',
    messages     INTEGER NOT NULL DEFAULT 0,
    UNIQUE (store, key)
) STRICT
"""
LINK_TABLE = "payment_links"
LINK_MS = 7 * 86_400_000


class PayLink(Incoming):
    """``POST /sandbox/payments/links/pay``: the customer pays by the link ``key`` (or the payment's
    last one); ``amount_minor``: another amount than asked for."""

    payment_id: UniqueId
    key: EffectKey | None = None
    amount_minor: Charged | None = None
    store: Annotated[str, Field(max_length=32)] | None = None


def send(db: Connection, store: str, payment_id: str, asked: LinkRequest, now_ms: int) -> LinkReply:
    """Send one, once per key; an address at ``.invalid`` (RFC 2606) is refused.

    Errors: ``conflict`` for a key of something else.
    """
    request = json.dumps([payment_id, asked.amount_minor, asked.currency, asked.reason])
    row = db.execute(
        "SELECT request FROM payment_links WHERE store=? AND key=?", (store, asked.key)
    ).fetchone()
    if row is None:
        email = asked.contact.email or ""
        refused = email.endswith(".invalid") or not (email or asked.contact.phone)
        (known,) = db.execute("SELECT count(*) FROM payment_links").fetchone()
        db.execute(
            "INSERT INTO payment_links (store, payment_id, key, request, status, reason, url,"
            " expires_at_ms, messages) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                store,
                payment_id,
                asked.key,
                request,
                "refused" if refused else "sent",
                "the address takes no messages" if refused else "",
                "" if refused else f"https://pay.example/l/{known + 1}",
                now_ms + LINK_MS,
                0 if refused else 1,
            ),
        )
    elif row[0] != request:
        raise refuse(OmsCode.CONFLICT, "This key was used for something else.")
    return _reply(db, store, payment_id, asked.key)


def cancel(db: Connection, store: str, payment_id: str, asked: LinkCancel) -> LinkReply:
    """Let nobody pay by a link any more; one that was paid, or never sent, stays as it is.

    Errors: ``not-found`` for a key that this payment has no link of.
    """
    db.execute(
        "UPDATE payment_links SET status='cancelled'"
        " WHERE store=? AND payment_id=? AND key=? AND status='sent'",
        (store, payment_id, asked.key),
    )
    return _reply(db, store, payment_id, asked.key)


def last(db: Connection, store: str, payment_id: str) -> LinkReply:
    """How the last link of a payment stands.  Errors: ``not-found``."""
    return _reply(db, store, payment_id, None)


def pay(db: Connection, store: str, asked: PayLink, command_id: str, now_ms: int) -> dict[str, Any]:
    """The customer pays: told by ``payment.link_paid``, again with each call.  What is told.

    Errors: ``conflict`` for a link that nobody can pay by.
    """
    link = _reply(db, store, asked.payment_id, asked.key)
    if link.status not in ("sent", "paid"):
        raise refuse(OmsCode.CONFLICT, f"Nobody can pay by this link: it is {link.status}.")
    psp_ref = link.psp_ref or f"pl-{link.key}"
    told = {
        "payment_id": asked.payment_id,
        "key": link.key,
        "psp_ref": psp_ref,
        "amount_minor": asked.amount_minor or link.amount_minor,
        "at_ms": _paid_at_ms(db, store, psp_ref) or now_ms,
    }
    db.execute(
        "UPDATE payment_links SET status='paid', psp_ref=? WHERE store=? AND key=?",
        (psp_ref, store, link.key),
    )
    append_command(db, store, command_id, "payment.link_paid", told, now_ms)
    return told


def _paid_at_ms(db: Connection, store: str, psp_ref: str) -> int | None:
    """When a payment was made that was told before."""
    (at_ms,) = db.execute(
        "SELECT min(json_extract(data, '$.at_ms')) FROM commands"
        " WHERE store=? AND type='payment.link_paid' AND json_extract(data, '$.psp_ref')=?",
        (store, psp_ref),
    ).fetchone()
    return at_ms if isinstance(at_ms, int) else None


def listed(db: Connection, store: str) -> list[dict[str, Any]]:
    """The newest 1 000 links; whom they went to isn't kept."""
    names = ("payment_id", "key", "status", "url", "psp_ref", "messages")
    rows = db.execute(
        "SELECT payment_id, key, status, url, psp_ref, messages FROM payment_links WHERE store=?"
        " ORDER BY n LIMIT 1000",
        (store,),
    )
    return [dict(zip(names, row, strict=True)) for row in rows]


def _reply(db: Connection, store: str, payment_id: str, key: str | None) -> LinkReply:
    row = db.execute(
        "SELECT key, request, status, reason, url, expires_at_ms, psp_ref FROM payment_links"
        " WHERE store=? AND payment_id=? AND (key=? OR ? IS NULL) ORDER BY n DESC LIMIT 1",
        (store, payment_id, key, key),
    ).fetchone()
    if row is None:
        raise refuse(OmsCode.NOT_FOUND, "There is no such link here.")
    _, amount_minor, currency, _ = json.loads(row[1])
    return LinkReply(
        payment_id=payment_id,
        key=row[0],
        status=row[2],
        amount_minor=amount_minor,
        currency=currency,
        reason=row[3],
        url=row[4],
        expires_at_ms=row[5],
        psp_ref=row[6],
    )
