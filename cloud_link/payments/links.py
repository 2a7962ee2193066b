"""Brings payment links to the OMS: the calls of ``hub.contract.oms_links`` over the link's own
client, each answered as what is known of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final
from urllib.parse import quote

from pydantic import ValidationError

from cloud_link.errors import OmsError, Permanent
from cloud_link.http import Body, OmsClient
from cloud_link.payments.oms import NO_LINK, failure
from hub.contract.oms import OmsCode
from hub.contract.oms_links import LinkCancel, LinkContact, LinkReply, LinkRequest
from hub.domain.payments.work import WorkKind
from hub.service.payments.commands import Leased, ProcessorOutcome, ProcessorSaid

NO_RECALL: Final = "the OMS doesn't know the link, or can't call one back"
NOT_OFFERED: Final = "this OMS sends no payment links"
_OUTCOMES: Final[dict[str, ProcessorOutcome]] = {
    "sent": "sent",
    "refused": "declined",
    "paid": "captured",
    "cancelled": "declined",
}


class LinkOffice:
    """``client``: that of the present session, or None while there is none."""

    name = "links"

    def __init__(self, client: Callable[[], OmsClient | None], request_timeout_s: float) -> None:
        self._client = client
        self.timeout_s = 4 * request_timeout_s

    async def send(self, work: Leased, contact: bytes) -> ProcessorSaid:
        """Have one link sent: sent, declined (for good), captured (paid already), unknown or
        not-sent.  A repeat under the same key sends nothing a second time."""
        client = self._client()
        if client is None:
            return NO_LINK
        try:
            asked = LinkRequest(
                key=work.key,
                amount_minor=work.amount_minor,
                currency=work.currency,
                contact=LinkContact.model_validate(json.loads(contact)),
                reason=work.reason,
            )
        except (ValueError, ValidationError):
            return ProcessorSaid("declined", "the contact that is kept can't be read")
        path = f"/payments/{quote(work.payment_id, safe='')}/link"
        try:
            reply = await client.post(path, Body(asked.model_dump_json().encode()), LinkReply)
        except OmsError as error:
            said = _failed(error)
            return replace(said, reason=_unnamed(said.reason, asked.contact))
        outcome = _OUTCOMES.get(reply.status, "unknown")
        if outcome == "captured" and reply.amount_minor != work.amount_minor:
            outcome = "sent"  # how much came by it is told by payment.link_paid
        return ProcessorSaid(
            outcome,
            _unnamed(reply.reason, asked.contact),
            psp_ref=reply.psp_ref,
            not_before_ms=reply.wait_ms,
            url=reply.url,
            expires_at_ms=reply.expires_at_ms,
        )

    async def call_back(self, work: Leased) -> ProcessorSaid:
        """Have nobody pay by one any more: reversed, captured (paid before), not-found or declined
        (it can't be done), unknown or not-sent.  A repeat changes nothing."""
        client = self._client()
        if client is None:
            return NO_LINK
        path = f"/payments/{quote(work.payment_id, safe='')}/link/cancel"
        body = Body(LinkCancel(key=work.key).model_dump_json().encode())
        try:
            reply = await client.post(path, body, LinkReply)
        except OmsError as error:
            said = failure(error)
            if said.outcome == "not-found":
                return replace(said, reason=NO_RECALL)
            refused = isinstance(error, Permanent) and said.outcome == "not-sent"
            return replace(said, outcome="declined") if refused else said
        match reply.status:
            case "cancelled" | "refused":
                return ProcessorSaid("reversed", reply.reason)
            case "paid" if reply.amount_minor == work.amount_minor:
                return ProcessorSaid("captured", reply.reason, psp_ref=reply.psp_ref)
            case "paid":  # how much came by it is told by payment.link_paid
                return ProcessorSaid("declined", "it was paid before")
            case _:
                return ProcessorSaid("unknown", reply.reason, not_before_ms=reply.wait_ms)

    async def close(self) -> None:
        """The client is the link's."""


async def carry_link(office: LinkOffice, work: Leased, contact: bytes | None) -> ProcessorSaid:
    """Do ``work``, which is a link or calls one back."""
    if work.kind is WorkKind.UNLINK:
        return await office.call_back(work)
    if work.kind is not WorkKind.LINK or contact is None:
        return ProcessorSaid("not-sent", "that is no payment link")
    return await office.send(work, contact)


def _unnamed(text: str, contact: LinkContact) -> str:
    """What the OMS says, without whom it was sent to."""
    for name in filter(None, (contact.email, contact.phone)):
        text = re.sub(re.escape(name), "***", text, flags=re.IGNORECASE)
    return text


def _failed(error: OmsError) -> ProcessorSaid:
    said = failure(error)
    if error.problem is not None and error.problem.code == OmsCode.CONFLICT:
        # Its key was used for something else: that is so however often it comes.
        return replace(said, outcome="declined")
    if said.outcome == "not-found":
        return replace(said, outcome="declined", reason=NOT_OFFERED)
    if said.outcome == "not-sent" and isinstance(error, Permanent):
        # It won't take this very request, however often it comes.
        return replace(said, outcome="declined")
    return said
