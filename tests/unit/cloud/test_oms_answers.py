"""What an answer of the OMS asks of the hub."""

from __future__ import annotations

import pytest

from cloud_link.errors import (
    CursorGone,
    HelloRequired,
    Permanent,
    PoisonEvent,
    Refused,
    SequenceGap,
    SequenceReused,
    Superseded,
    TooLarge,
    Transient,
)
from cloud_link.http import classify
from cloud_link.transport import HttpReply
from hub.contract.oms import OmsCode, oms_problem


def answer(status: int, **headers: str) -> HttpReply:
    return HttpReply(status, {name.replace("_", "-"): text for name, text in headers.items()}, b"")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (OmsCode.SUPERSEDED, Superseded),
        (OmsCode.HELLO_REQUIRED, HelloRequired),
        (OmsCode.SEQUENCE_GAP, SequenceGap),
        (OmsCode.SEQUENCE_REUSED, SequenceReused),
        (OmsCode.POISON_EVENT, PoisonEvent),
        (OmsCode.CURSOR_GONE, CursorGone),
        (OmsCode.TOO_LARGE, TooLarge),
        (OmsCode.UNAUTHENTICATED, Refused),
        (OmsCode.FORBIDDEN, Refused),
        (OmsCode.UNSUPPORTED_CONTRACT, Refused),
        (OmsCode.VALIDATION, Permanent),
        (OmsCode.NOT_FOUND, Permanent),
        (OmsCode.BUSY, Transient),
        (OmsCode.UNAVAILABLE, Transient),
    ],
)
def test_every_code_has_its_consequence(code: OmsCode, kind: type[Exception]) -> None:
    problem = oms_problem(code, "because")
    assert type(classify(answer(problem.status), problem)) is kind


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_gateway_without_a_problem_document_is_tried_again(status: int) -> None:
    assert isinstance(classify(answer(status), None), Transient)


@pytest.mark.parametrize("status", [301, 302, 401, 403, 404])
def test_a_wrong_address_is_a_matter_of_settings(status: int) -> None:
    assert isinstance(classify(answer(status), None), Refused)


def test_the_longer_of_header_and_body_is_waited_for() -> None:
    problem = oms_problem(OmsCode.BUSY, "later", retry_after_ms=9000)
    error = classify(answer(429, retry_after="4"), problem)
    assert isinstance(error, Transient)
    assert error.retry_after_s == 9.0
    dated = classify(answer(503, retry_after="Wed, 21 Oct 2026 07:28:00 GMT"), None)
    assert isinstance(dated, Transient)
    assert dated.retry_after_s == 0.0
