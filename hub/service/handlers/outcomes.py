"""What the cloud tells of card payments by itself: outcomes that come late (``payment.outcome``),
payment links that were paid (``payment.link_paid``)."""

from __future__ import annotations

from hub.contract.oms import Command as CloudCommand
from hub.contract.oms_links import LinkPaid
from hub.contract.oms_payments import PaymentOutcome
from hub.domain.payments.declines import code_of
from hub.service import clouddata
from hub.service.payments import links, work
from hub.service.payments.commands import LearnOutcome, ProcessorSaid
from hub.service.unit import Unit

BY = "cloud"


def told(unit: Unit, one: CloudCommand) -> tuple[str, str]:
    """Take it in, in the transaction that moves the cursor; a repeat changes nothing.

    Errors: ValueError for data that isn't the contract's.
    """
    said = clouddata.read(PaymentOutcome, one.data)
    outcome = ProcessorSaid(
        said.status,
        said.reason,
        psp_ref=said.psp_ref,
        approval_code=said.approval_code,
        code=code_of(said.code),
        approved_minor=said.approved_minor,
        surcharge_minor=said.surcharge_minor,
    )
    changed = work.learn(unit, LearnOutcome(said.payment_id, outcome, BY))
    return "done", "" if changed else "nothing new"


def link_paid(unit: Unit, one: CloudCommand) -> tuple[str, str]:
    """A customer has paid by a link; a repeat changes nothing.

    Errors: ValueError for data that isn't the contract's, or a link of another payment.
    """
    changed = links.paid(unit, clouddata.read(LinkPaid, one.data))
    if changed is None:
        return "failed", "this hub knows no such payment: it is noted in the audit log"
    return "done", "" if changed else "nothing new"
