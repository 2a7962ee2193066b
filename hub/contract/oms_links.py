"""Payment links: the OMS asks a customer for what the shop is owed for a declined payment.

A link is known by its ``key``: the same request under the same key sends one message and is
answered alike, however often it comes.  What a customer pays by it is told by the command
``payment.link_paid``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hub.contract.base import Incoming, InstantMs, Outgoing, UniqueId
from hub.contract.oms_payments import BookCurrency, Charged, EffectKey, PspRef, Remark

Email = Annotated[str, Field(max_length=254)]
Phone = Annotated[str, Field(max_length=16)]
OWED_WORD = r"^[a-z-]{0,40}$"
Url = Annotated[str, Field(max_length=500, pattern=r"^(https://[!-~]{1,492})?$")]


class LinkContact(Incoming):
    """Whom to send it to; the OMS uses it for this message only."""

    email: Annotated[Email | None, Field(repr=False)] = None
    phone: Annotated[Phone | None, Field(repr=False)] = None


class LinkRequest(Incoming):
    """``POST /payments/{payment_id}/link``: send the customer a link to pay so much.

    ``reason``: why it is owed, ``declined`` or ``expired``.
    """

    key: EffectKey
    amount_minor: Charged
    currency: BookCurrency
    contact: LinkContact
    reason: Annotated[str, Field(pattern=OWED_WORD)] = ""


class LinkReply(Outgoing):
    """How the link ``key`` stands.  ``refused``: nothing was sent, ``reason`` says why.  ``url``
    and ``expires_at_ms`` where the OMS tells them; ``wait_ms``: it asks not to be asked before."""

    payment_id: str
    key: str
    status: Literal["sent", "refused", "paid"]
    amount_minor: int
    currency: str
    url: Url = ""
    expires_at_ms: InstantMs | None = None
    psp_ref: PspRef = ""
    reason: Remark = ""
    wait_ms: Annotated[int, Field(ge=0)] = 0
    oms_incarnation: str = ""


class LinkPaid(Incoming):
    """The data of the command ``payment.link_paid``: the customer has paid by a link.

    Repeats change nothing.  Money for what isn't owed (any more) is shown to a person in the shop.
    """

    payment_id: UniqueId
    key: EffectKey
    psp_ref: PspRef
    amount_minor: Charged
    at_ms: InstantMs
