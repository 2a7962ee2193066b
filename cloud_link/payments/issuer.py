"""The OMS as the issuer of gift cards and store credit: the calls of ``hub.contract.oms_value``."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

from pydantic import ValidationError

from cloud_link.http import OmsClient
from cloud_link.payments.oms import asked_of, posted_to
from cloud_link.payments.processor import Effect
from hub.contract.oms_value import (
    AllotmentRef,
    ValueBalanceReply,
    ValueCapture,
    ValueHold,
    ValueHoldReply,
    ValueRefund,
    ValueRefundReply,
    ValueRelease,
)
from hub.contract.payments import AskBalance, BalanceView
from hub.service.payments.commands import ProcessorOutcome, ProcessorSaid

_OUTCOMES: Final[dict[str, ProcessorOutcome]] = {
    "held": "approved",
    "captured": "captured",
    "declined": "declined",
    "released": "reversed",
    "refunded": "refunded",
}


class OmsIssuer:
    """``client``: that of the present session, or None while there is none.  A hold goes by the
    payment's id, and so does all that follows it."""

    name = "issuer"

    def __init__(self, client: Callable[[], OmsClient | None], request_timeout_s: float) -> None:
        self._client = client
        self.timeout_s = 4 * request_timeout_s

    async def charge(self, effect: Effect) -> ProcessorSaid:
        """Hold; ``token``: JSON of the card's ``token`` and ``kind``, with its ``pin``."""
        if effect.token is None:
            return ProcessorSaid("not-sent", "there is no card to ask for")
        secret: dict[str, Any] = json.loads(effect.token)
        token = secret.pop("token")
        try:
            asked = ValueHold(
                hold_id=effect.payment_id,
                amount_minor=effect.amount_minor,
                currency=effect.currency,
                **secret,
            )
        except ValidationError:  # which would quote the card
            return ProcessorSaid("not-sent", "the card's reference isn't one")
        path = f"/gift-cards/{quote(token, safe='')}/holds"
        body = asked.model_dump(mode="json", exclude_none=True) | _plain(secret)
        found = await posted_to(self._client(), path, body, ValueHoldReply)
        said = found if isinstance(found, ProcessorSaid) else _said(found)
        if said.outcome == "not-found":
            return ProcessorSaid("not-sent", "the cloud keeps no gift cards")
        return replace(said, reason=said.reason.replace(token, "****"))

    async def look_up(self, effect: Effect) -> ProcessorSaid:
        """See :class:`Processor`."""
        client = self._client()
        found = await asked_of(client, _path(effect), ValueHoldReply)
        return found if isinstance(found, ProcessorSaid) else _said(found)

    async def capture(self, effect: Effect) -> ProcessorSaid:
        """Take it; what has been let go, by whomever, is declined."""
        asked = ValueCapture(
            amount_minor=effect.amount_minor,
            currency=effect.currency,
            allotment=_allotment(effect),
        )
        body, path = asked.model_dump(mode="json", exclude_none=True), _path(effect) + "/capture"
        found = await posted_to(self._client(), path, body, ValueHoldReply)
        if isinstance(found, ProcessorSaid):
            return found
        said = _said(found)
        if said.outcome == "refunded":
            return replace(said, outcome="captured")
        return replace(said, outcome="declined") if said.outcome == "reversed" else said

    async def reverse(self, effect: Effect) -> ProcessorSaid:
        """See :class:`Processor`.  What was declined holds nothing either."""
        asked = ValueRelease(allotment=_allotment(effect))
        body, path = asked.model_dump(mode="json", exclude_none=True), _path(effect) + "/release"
        found = await posted_to(self._client(), path, body, ValueHoldReply)
        if isinstance(found, ProcessorSaid):
            return found
        said = _said(found)
        return replace(said, outcome="reversed") if said.outcome == "declined" else said

    async def refund(self, effect: Effect) -> ProcessorSaid:
        """See :class:`Processor`."""
        asked = ValueRefund(
            key=effect.key, amount_minor=effect.amount_minor, currency=effect.currency
        )
        body, path = asked.model_dump(mode="json"), _path(effect) + "/refunds"
        found = await posted_to(self._client(), path, body, ValueRefundReply)
        if isinstance(found, ProcessorSaid):
            return replace(found, outcome="declined") if found.outcome == "not-found" else found
        return _said(found)

    async def look_up_refund(self, effect: Effect) -> ProcessorSaid:
        """See :class:`Processor`."""
        path = f"{_path(effect)}/refunds/{quote(effect.key, safe='')}"
        found = await asked_of(self._client(), path, ValueRefundReply)
        return found if isinstance(found, ProcessorSaid) else _said(found)

    async def close(self) -> None:
        """The client is the link's."""


async def balance_of(client: OmsClient | None, asked: AskBalance) -> BalanceView | None:
    """What is on a card; None when the OMS can't be asked, or keeps none."""
    body = {"token": asked.value.token.get_secret_value()}
    if asked.value.pin is not None:
        body["pin"] = asked.value.pin.get_secret_value()
    found = await posted_to(client, "/gift-cards/balance", body, ValueBalanceReply)
    if isinstance(found, ProcessorSaid):
        return None
    return BalanceView(
        status=found.status,
        kind=found.kind,
        balance_minor=found.balance_minor,
        currency=found.currency,
        last4=found.last4,
    )


def _plain(secret: dict[str, Any]) -> dict[str, Any]:
    """The PIN as it is; a model hides it."""
    return {"pin": secret["pin"]} if "pin" in secret else {}


def _allotment(effect: Effect) -> AllotmentRef | None:
    if not effect.account:
        return None
    return AllotmentRef(account_ref=effect.account, epoch=effect.account_epoch)


def _path(effect: Effect) -> str:
    return f"/gift-cards/holds/{quote(effect.payment_id, safe='')}"


def _said(reply: ValueHoldReply | ValueRefundReply) -> ProcessorSaid:
    return ProcessorSaid(
        _OUTCOMES.get(reply.status, "unknown"),
        reply.reason,
        word=reply.code,
        balance_minor=reply.balance_minor,
    )
