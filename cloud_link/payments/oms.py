"""The OMS as a processor: the calls of ``hub.contract.oms_payments`` over the link's own client."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from cloud_link.errors import (
    CursorGone,
    HelloRequired,
    OmsError,
    OmsRestored,
    Permanent,
    Refused,
    Superseded,
    TooLarge,
    Transient,
)
from cloud_link.http import Body, OmsClient
from cloud_link.payments.processor import Effect
from hub.contract.oms import OmsCode
from hub.contract.oms_payments import (
    PaymentCharge,
    PaymentEffect,
    PaymentRefund,
    PaymentRefundReply,
    PaymentReply,
)
from hub.domain.payments.declines import code_of
from hub.service.payments.commands import ProcessorOutcome, ProcessorSaid

M = TypeVar("M", bound=BaseModel)
REASON_CHARS: Final = 200
NO_LINK: Final = ProcessorSaid("not-sent", "there is no session with the OMS", reached=False)
_OUTCOMES: Final[dict[str, ProcessorOutcome]] = {
    "pending": "acked",
    "approved": "approved",
    "captured": "captured",
    "declined": "declined",
    "reversed": "reversed",
    "refunded": "refunded",
}
"""The contract's words as the hub's; what a newer OMS says and this hub doesn't know is doubt."""
_NOTHING_DONE: Final = (HelloRequired, Permanent, Refused, Superseded, TooLarge, CursorGone)


class OmsProcessor:
    """``client``: that of the present session, or None while there is none.  Each call is one
    request of the client, bounded by its own time-out (``timeout_s`` allows for a fresh access
    token and one repeat with it)."""

    name = "oms"

    def __init__(self, client: Callable[[], OmsClient | None], request_timeout_s: float) -> None:
        self._client = client
        self.timeout_s = 4 * request_timeout_s

    async def charge(self, effect: Effect) -> ProcessorSaid:
        """See :class:`Processor`."""
        if effect.token is None:
            return ProcessorSaid("not-sent", "there is no token to charge")
        asked = PaymentCharge(
            payment_id=effect.payment_id,
            key=effect.key,
            amount_minor=effect.amount_minor,
            currency=effect.currency,
            token=base64.b64encode(effect.token).decode(),
        )
        found = await self._posted("/payments", asked, PaymentReply)
        if isinstance(found, ProcessorSaid):
            return replace(found, outcome="not-sent") if found.outcome == "not-found" else found
        return _said(found, effect)

    async def look_up(self, effect: Effect) -> ProcessorSaid:
        """See :class:`Processor`."""
        found = await self._got(_path(effect), PaymentReply)
        if isinstance(found, ProcessorSaid):
            return found
        earlier = found.status == "declined" and effect.key and found.key != effect.key
        if earlier and found.psp_ref != effect.psp_ref:
            return ProcessorSaid("not-found", "only an earlier charge is known, and was declined")
        return _said(found, effect)

    async def capture(self, effect: Effect) -> ProcessorSaid:
        """See :class:`Processor`."""
        asked = PaymentEffect(key=effect.key)
        found = await self._posted(_path(effect) + "/capture", asked, PaymentReply)
        return found if isinstance(found, ProcessorSaid) else _capture_said(found, effect)

    async def reverse(self, effect: Effect) -> ProcessorSaid:
        """See :class:`Processor`."""
        asked = PaymentEffect(key=effect.key)
        found = await self._posted(_path(effect) + "/reversal", asked, PaymentReply)
        return found if isinstance(found, ProcessorSaid) else _said(found, effect)

    async def refund(self, effect: Effect) -> ProcessorSaid:
        """See :class:`Processor`."""
        asked = PaymentRefund(
            key=effect.key, amount_minor=effect.amount_minor, currency=effect.currency
        )
        found = await self._posted(_path(effect) + "/refunds", asked, PaymentRefundReply)
        if isinstance(found, ProcessorSaid):
            return replace(found, outcome="declined") if found.outcome == "not-found" else found
        return _refund_said(found)

    async def look_up_refund(self, effect: Effect) -> ProcessorSaid:
        """See :class:`Processor`."""
        path = f"{_path(effect)}/refunds/{quote(effect.key, safe='')}"
        found = await self._got(path, PaymentRefundReply)
        return found if isinstance(found, ProcessorSaid) else _refund_said(found)

    async def close(self) -> None:
        """The client is the link's."""

    async def _posted(self, path: str, asked: BaseModel, reply: type[M]) -> M | ProcessorSaid:
        return await posted_to(self._client(), path, asked.model_dump(mode="json"), reply)

    async def _got(self, path: str, reply: type[M]) -> M | ProcessorSaid:
        return await asked_of(self._client(), path, reply)


async def posted_to(
    client: OmsClient | None, path: str, asked: dict[str, Any], reply: type[M]
) -> M | ProcessorSaid:
    """The answer to a call that does something, or what a failure says about whether it was done;
    ``client`` None: there is no session."""
    if client is None:
        return NO_LINK
    body = Body(json.dumps(asked, separators=(",", ":")).encode())  # a token doesn't shrink
    try:
        return await client.post(path, body, reply)
    except OmsError as error:
        return failure(error)


async def asked_of(client: OmsClient | None, path: str, reply: type[M]) -> M | ProcessorSaid:
    """The answer to a look-up; ``not-found`` or ``unknown`` without one."""
    if client is None:
        return replace(NO_LINK, outcome="unknown")
    try:
        return await client.get(path, reply)
    except OmsError as error:
        said = failure(error)
        if said.outcome == "not-found":
            return said
        return replace(said, outcome="unknown")


def _path(effect: Effect) -> str:
    return f"/payments/{quote(effect.payment_id, safe='')}"


def failure(error: OmsError) -> ProcessorSaid:
    """What a failed call says: ``not-sent`` only for what the contract says was refused before
    anything was done."""
    reason = str(error)[:REASON_CHARS]
    code = error.problem.code if error.problem is not None else ""
    match error:
        case OmsRestored():  # it was answered, by an OMS that isn't the one we greeted
            return ProcessorSaid("unknown", reason)
        case Transient():
            wait_ms = int(error.retry_after_s * 1000)
            refused = error.unsent or code == OmsCode.BUSY
            return ProcessorSaid(
                "not-sent" if refused else "unknown",
                reason,
                not_before_ms=wait_ms,
                reached=error.problem is not None and code != OmsCode.BUSY,
            )
        case _ if code == OmsCode.CONFLICT:
            return ProcessorSaid("unknown", reason)
        case _ if code == OmsCode.NOT_FOUND:
            return ProcessorSaid("not-found", reason)
        case _ if isinstance(error, _NOTHING_DONE):  # who isn't let in has been told nothing
            return ProcessorSaid("not-sent", reason, reached=isinstance(error, Permanent))
        case _:
            return ProcessorSaid("unknown", reason)


def _said(reply: PaymentReply, effect: Effect) -> ProcessorSaid:
    return ProcessorSaid(
        _OUTCOMES.get(reply.status, "unknown"),
        reply.reason,
        psp_ref=reply.psp_ref,
        approval_code=reply.approval_code,
        code=code_of(reply.code),
        not_before_ms=reply.wait_ms,
        approved_minor=_approved_minor(reply, effect),
    )


def _approved_minor(reply: PaymentReply, effect: Effect) -> int | None:
    told = reply.status in ("approved", "captured") and reply.currency == effect.currency
    return reply.amount_minor if told and reply.amount_minor > 0 else None


def _capture_said(reply: PaymentReply, effect: Effect) -> ProcessorSaid:
    """What was given back was captured once; what was let go can't be taken any more."""
    match reply.status:
        case "reversed":
            return ProcessorSaid("declined", "it was let go", psp_ref=reply.psp_ref)
        case "refunded" | "captured":
            taken_minor = _approved_minor(reply, effect)
            ref = reply.psp_ref
            return ProcessorSaid("captured", reply.reason, ref, approved_minor=taken_minor)
        case _:
            return _said(reply, effect)


def _refund_said(reply: PaymentRefundReply) -> ProcessorSaid:
    return ProcessorSaid(
        _OUTCOMES.get(reply.status, "unknown"),
        reply.reason,
        psp_ref=reply.psp_ref,
        code=code_of(reply.code),
    )
