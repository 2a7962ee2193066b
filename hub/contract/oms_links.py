"""Payment links: the OMS asks a customer for what the shop is owed for a declined payment.

A link is known by its ``key``: the same request under the same key sends one message and is
answered alike, however often it comes.  What a customer pays by it is told by the command
``payment.link_paid``.  A link for what isn't owed any more is called back.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

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


class LinkCancel(Incoming):
    """``POST /payments/{payment_id}/link/cancel``: nobody may pay by the link ``key`` any more."""

    key: EffectKey


class LinkReply(Outgoing):
    """How the link ``key`` stands.  ``refused``: nothing was sent, ``reason`` says why;
    ``cancelled``: it can't be paid any more.  ``url`` and ``expires_at_ms`` where the OMS tells
    them; ``psp_ref`` with ``paid``; ``wait_ms``: it asks not to be asked before."""

    payment_id: str
    key: str
    status: Literal["sent", "refused", "paid", "cancelled"]
    amount_minor: int
    currency: str
    url: Url = ""
    expires_at_ms: InstantMs | None = None
    psp_ref: PspRef = ""
    reason: Remark = ""
    wait_ms: Annotated[int, Field(ge=0)] = 0
    oms_incarnation: str = ""


def _with_reference(schema: dict[str, Any]) -> None:
    """Required of whoever builds a cloud; one that gives none is read all the same, for what it
    tells of is money."""
    schema["required"] = [*schema["required"], "psp_ref"]
    schema["properties"]["psp_ref"].pop("default", None)


class LinkPaid(Incoming):
    """The data of the command ``payment.link_paid``: the customer has paid by a link.

    Repeats change nothing.  Money for what isn't owed (any more) is shown to a person in the shop.
    Without a ``psp_ref`` the key and ``at_ms`` name the payment: the same ones are a repeat,
    another instant is another payment.
    """

    model_config = ConfigDict(json_schema_extra=_with_reference)

    payment_id: UniqueId
    key: EffectKey
    psp_ref: Annotated[
        PspRef,
        Field(
            description="The processor's reference of this very payment, never empty: by it a"
            " repeat is told from a link that was paid twice."
        ),
    ] = ""
    amount_minor: Charged
    at_ms: Annotated[
        InstantMs,
        Field(description="UTC milliseconds since 1970: when the customer paid, in each telling"),
    ]
