"""The messages about payments between hub and cloud: examples fit, and tokens aren't shown."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from hub.contract import oms_payments
from hub.contract.oms_payments import PaymentCharge, PaymentOutcome
from hub.contract.publish import oms_payment_samples as samples
from hub.domain.payments.declines import DeclineCode


@pytest.mark.parametrize("name", [*samples.REQUESTS, *samples.REPLIES])
def test_the_examples_are_their_models(name: str) -> None:
    example = (samples.REQUESTS | samples.REPLIES)[name]
    getattr(oms_payments, name).model_validate(example)


def test_an_outcome_told_late_is_its_model_and_names_a_code_that_is_known() -> None:
    told = PaymentOutcome.model_validate(samples.OUTCOME)
    assert told.code in set(DeclineCode)


def test_the_contract_names_every_decline_code() -> None:
    text = oms_payments.PaymentReply.model_json_schema()["properties"]["code"]["description"]
    for code in DeclineCode:
        assert code in text


@pytest.mark.parametrize(
    "changed",
    [
        {"token": ""},
        {"token": "not base64!"},
        {"amount_minor": 0},
        {"amount_minor": "12"},
        {"currency": "eur"},
        {"key": ""},
        {"key": "a b"},
        {"payment_id": "p1"},
        {"card_number": "x"},
    ],
)
def test_charges_that_are_not_well_formed_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PaymentCharge.model_validate(samples.REQUESTS["PaymentCharge"] | changed)


def test_a_charge_does_not_show_its_token() -> None:
    charge = PaymentCharge.model_validate(samples.REQUESTS["PaymentCharge"])
    assert charge.token not in repr(charge)
    assert charge.token not in str(charge)
