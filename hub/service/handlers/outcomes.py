"""What the cloud tells of card payments by itself: outcomes that come late (``payment.outcome``),
payment links that were paid (``payment.link_paid``)."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from hub.contract.oms import Command as CloudCommand
from hub.contract.oms_links import LinkPaid
from hub.contract.oms_payments import PaymentOutcome
from hub.domain.payments.declines import code_of
from hub.service.payments import links, work
from hub.service.payments.commands import LearnOutcome, ProcessorSaid
from hub.service.unit import Unit

M = TypeVar("M", bound=BaseModel)
BY = "cloud"


def told(unit: Unit, one: CloudCommand) -> tuple[str, str]:
    """Take it in, in the transaction that moves the cursor; a repeat changes nothing.

    Errors: ValueError for data that isn't the contract's.
    """
    said = _read(PaymentOutcome, one)
    outcome = ProcessorSaid(
        said.status,
        said.reason,
        psp_ref=said.psp_ref,
        approval_code=said.approval_code,
        code=code_of(said.code),
    )
    changed = work.learn(unit, LearnOutcome(said.payment_id, outcome, BY))
    return "done", "" if changed else "nothing new"


def link_paid(unit: Unit, one: CloudCommand) -> tuple[str, str]:
    """A customer has paid by a link; a repeat changes nothing.

    Errors: ValueError for data that isn't the contract's, or a link of another payment.
    """
    changed = links.paid(unit, _read(LinkPaid, one))
    if changed is None:
        return "failed", "this hub knows no such payment: it is noted in the audit log"
    return "done", "" if changed else "nothing new"


def _read(model: type[M], one: CloudCommand) -> M:
    try:
        return model.model_validate(one.data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or "data"
        raise ValueError(f"{where[:64]}: {first['msg']}") from None
