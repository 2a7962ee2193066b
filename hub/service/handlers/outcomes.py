"""Outcomes of card payments that the cloud tells late, by its command ``payment.outcome``."""

from __future__ import annotations

from pydantic import ValidationError

from hub.contract.oms import Command as CloudCommand
from hub.contract.oms_payments import PaymentOutcome
from hub.domain.payments.declines import code_of
from hub.service.payments import work
from hub.service.payments.commands import LearnOutcome, ProcessorSaid
from hub.service.unit import Unit

BY = "cloud"


def told(unit: Unit, one: CloudCommand) -> tuple[str, str]:
    """Take it in, in the transaction that moves the cursor; a repeat changes nothing.

    Errors: ValueError for data that isn't the contract's.
    """
    try:
        said = PaymentOutcome.model_validate(one.data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or "data"
        raise ValueError(f"{where[:64]}: {first['msg']}") from None
    outcome = ProcessorSaid(
        said.status,
        said.reason,
        psp_ref=said.psp_ref,
        approval_code=said.approval_code,
        code=code_of(said.code),
    )
    changed = work.learn(unit, LearnOutcome(said.payment_id, outcome, BY))
    return "done", "" if changed else "nothing new"
