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
from hub.contract.oms_links import LinkContact, LinkReply, LinkRequest
from hub.domain.payments.work import WorkKind
from hub.service.payments.commands import Leased, ProcessorOutcome, ProcessorSaid

NOT_OFFERED: Final = "this OMS sends no payment links"
_OUTCOMES: Final[dict[str, ProcessorOutcome]] = {
    "sent": "sent",
    "refused": "declined",
    "paid": "captured",
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

    async def close(self) -> None:
        """The client is the link's."""


async def carry_link(office: LinkOffice, work: Leased, contact: bytes | None) -> ProcessorSaid:
    """Do ``work``, which is a link."""
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
