"""Payment links on their way to the OMS: what each answer of its means."""

from __future__ import annotations

from typing import Any

import pytest

from cloud_link.errors import HelloRequired, OmsError, Permanent, Refused, Transient
from cloud_link.payments.links import NOT_OFFERED, LinkOffice, carry_link
from cloud_link.payments.oms import failure
from hub.contract.oms import OmsCode, OmsProblem
from hub.contract.oms_links import LinkCancel, LinkPaid, LinkReply, LinkRequest
from hub.contract.publish import oms_link_samples as samples
from hub.domain.payments.work import WorkKind
from hub.service.payments.commands import Leased

CONTACT = b'{"email": "dora@example.org"}'


class Client:
    """Answers as it is told."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[tuple[str, bytes]] = []

    async def post(self, path: str, body: Any, _reply: Any) -> Any:
        self.asked.append((path, body.content))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def work(kind: WorkKind = WorkKind.LINK) -> Leased:
    return Leased(
        kind=kind,
        payment_id=samples.PAID["payment_id"],
        fence=1,
        key=samples.LINK_KEY,
        amount_minor=4990,
        currency="EUR",
        terminal_id="t-1",
        psp_ref="",
        terminal_ref="",
        first_sent_at_ms=None,
        reason="declined",
    )


def office(answer: Any) -> tuple[LinkOffice, Client]:
    client = Client(answer)
    return LinkOffice(lambda: client, 1.0), client  # type: ignore[arg-type,return-value]


def problem(code: OmsCode, status: int) -> OmsProblem:
    return OmsProblem(type="about:blank", title="no", detail="no", status=status, code=code)


def test_the_examples_are_their_models() -> None:
    LinkRequest.model_validate(samples.REQUESTS["LinkRequest"])
    LinkCancel.model_validate(samples.REQUESTS["LinkCancel"])
    LinkReply.model_validate(samples.REPLIES["LinkReply"])
    LinkPaid.model_validate(samples.PAID)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("sent", "sent"),
        ("refused", "declined"),
        ("paid", "captured"),
        ("cancelled", "declined"),
    ],
)
async def test_what_the_oms_says_of_a_link(status: str, outcome: str) -> None:
    reply = LinkReply.model_validate(samples.REPLIES["LinkReply"] | {"status": status})
    sender, client = office(reply)
    said = await carry_link(sender, work(), CONTACT)
    assert (said.outcome, said.url) == (outcome, reply.url)
    ((path, body),) = client.asked
    assert path == f"/payments/{work().payment_id}/link"
    assert LinkRequest.model_validate_json(body).contact.email == "dora@example.org"


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Permanent("no", problem(OmsCode.NOT_FOUND, 404)), "declined"),
        (Permanent("no", problem(OmsCode.VALIDATION, 422)), "declined"),
        (Refused("no", problem(OmsCode.UNAUTHENTICATED, 401)), "not-sent"),
        (HelloRequired("no"), "not-sent"),
        (Transient("gone", unsent=True), "not-sent"),
        (Transient("gone"), "unknown"),
        (Permanent("no", problem(OmsCode.CONFLICT, 409)), "declined"),
        (Permanent("no such box: dora@example.org", problem(OmsCode.VALIDATION, 422)), "declined"),
        (Transient("dora@example.org is slow", problem(OmsCode.BUSY, 503)), "not-sent"),
    ],
)
async def test_a_call_that_fails(error: OmsError, outcome: str) -> None:
    sender, _ = office(error)
    said = await carry_link(sender, work(), CONTACT)
    assert said.outcome == outcome
    assert "dora" not in said.reason
    if error.problem is not None and error.problem.code == OmsCode.NOT_FOUND:
        assert said.reason == NOT_OFFERED


@pytest.mark.parametrize(
    ("error", "reached"),
    [
        (Refused("no", problem(OmsCode.UNAUTHENTICATED, 401)), False),
        (HelloRequired("no"), False),
        (Transient("busy", problem(OmsCode.BUSY, 503)), False),
        (Transient("no idea", problem(OmsCode.UNAVAILABLE, 503)), True),
        (Permanent("no", problem(OmsCode.VALIDATION, 422)), True),
    ],
)
def test_who_is_not_let_in_has_not_been_told_anything_of_a_payment(
    error: OmsError, *, reached: bool
) -> None:
    """Two days of no answer make people decide; of a wrong password they are told otherwise."""
    assert failure(error).reached is reached


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        ({"status": "cancelled"}, "reversed"),
        ({"status": "refused"}, "reversed"),
        ({"status": "paid", "psp_ref": "pl-1"}, "captured"),
        ({"status": "paid", "amount_minor": 1}, "declined"),
        ({"status": "sent"}, "unknown"),
    ],
)
async def test_what_the_oms_says_of_a_link_that_is_called_back(
    told: dict[str, Any], outcome: str
) -> None:
    sender, client = office(LinkReply.model_validate(samples.REPLIES["LinkReply"] | told))
    said = await carry_link(sender, work(WorkKind.UNLINK), None)
    assert (said.outcome, said.psp_ref) == (outcome, told.get("psp_ref", ""))
    ((path, body),) = client.asked
    assert path == f"/payments/{work().payment_id}/link/cancel"
    assert LinkCancel.model_validate_json(body).key == samples.LINK_KEY


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Permanent("no", problem(OmsCode.NOT_FOUND, 404)), "not-found"),
        (Permanent("no", problem(OmsCode.VALIDATION, 422)), "declined"),
        (Refused("no", problem(OmsCode.UNAUTHENTICATED, 401)), "not-sent"),
        (Transient("gone", unsent=True), "not-sent"),
        (Transient("gone"), "unknown"),
    ],
)
async def test_calling_a_link_back_fails(error: OmsError, outcome: str) -> None:
    sender, _ = office(error)
    assert (await carry_link(sender, work(WorkKind.UNLINK), None)).outcome == outcome


def test_a_cloud_without_references_is_understood_and_a_new_one_must_give_them() -> None:
    told = {name: value for name, value in samples.PAID.items() if name != "psp_ref"}
    assert LinkPaid.model_validate(told).psp_ref == ""
    schema = LinkPaid.model_json_schema()
    assert "psp_ref" in schema["required"]


async def test_what_the_oms_says_of_a_link_names_no_customer() -> None:
    told = {"status": "refused", "reason": "Dora@Example.org takes no messages, nor does +49170123"}
    sender, _ = office(LinkReply.model_validate(samples.REPLIES["LinkReply"] | told))
    contact = b'{"email": "dora@example.org", "phone": "+49170123"}'
    said = await carry_link(sender, work(), contact)
    assert said.reason == "*** takes no messages, nor does ***"


async def test_another_amount_than_was_asked_for_is_told_by_the_cloud_itself() -> None:
    told = {"status": "paid", "amount_minor": work().amount_minor - 1}
    sender, _ = office(LinkReply.model_validate(samples.REPLIES["LinkReply"] | told))
    assert (await carry_link(sender, work(), CONTACT)).outcome == "sent"


async def test_without_a_session_nothing_is_sent() -> None:
    sender = LinkOffice(lambda: None, 1.0)
    assert (await carry_link(sender, work(), CONTACT)).outcome == "not-sent"
    assert (await carry_link(sender, work(), b"?")).outcome == "not-sent"
    assert (await carry_link(sender, work(WorkKind.UNLINK), None)).outcome == "not-sent"
    assert (await carry_link(sender, work(WorkKind.CAPTURE), CONTACT)).outcome == "not-sent"


async def test_a_contact_nobody_can_read_is_asked_for_anew() -> None:
    sender, client = office(None)
    said = await carry_link(sender, work(), b"?")
    assert (said.outcome, client.asked) == ("declined", [])
