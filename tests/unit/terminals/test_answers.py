"""What terminals say, as the hub understands it: whatever isn't certain is a doubt."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.peripherals.model import CardOutcome, Charge
from devices.peripherals.nexo import answers, requests
from devices.peripherals.nexo.answers import of_diagnosis, of_payment, of_reversal, of_status
from devices.peripherals.nexo.requests import TooMuch, amount, minor, service_id

CHARGE = Charge("p-1", "s-1", 1099, "EUR")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.decimals(places=2),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("Response", "Result", "ErrorCondition", "PaymentResult", "AmountsResp"),
                    *("POIData", "AdditionalResponse", "PaymentInstrumentData", "CardData"),
                    "PaymentToken",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def success(**result: Any) -> dict[str, Any]:
    return {
        "Response": {"Result": "Success"},
        "POIData": {"POITransactionID": {"TransactionID": "BV0q.PSP1", "TimeStamp": "2026"}},
        "PaymentResult": {
            "OnlineFlag": True,
            "AmountsResp": {"AuthorizedAmount": Decimal("10.99"), "Currency": "EUR"},
            **result,
        },
    }


def failure(error: str) -> dict[str, Any]:
    return {"Response": {"Result": "Failure", "ErrorCondition": error}}


def read(body: dict[str, Any], *, keep: bool = False) -> Any:
    return of_payment(body, CHARGE, keep_token=keep)


def test_a_tip_added_at_the_terminal_is_told_and_another_amount_is_not() -> None:
    def approved(total: str, tip: str) -> Any:
        amounts = {"AuthorizedAmount": Decimal(total), "TipAmount": Decimal(tip), "Currency": "EUR"}
        return success(AmountsResp=amounts)

    added = read(approved("12.49", "1.50"))
    assert (added.outcome, added.tip_minor) == (CardOutcome.APPROVED, 150)
    looked_up = of_payment(approved("12.49", "1.50"), None, keep_token=False)
    assert looked_up.tip_minor == 150
    for total, tip in (("12.50", "1.50"), ("10.99", "1.50"), ("12.49", "1.505"), ("9.49", "-1.50")):
        assert read(approved(total, tip)).outcome is CardOutcome.UNKNOWN
    assert read(success()).tip_minor == 0


def surcharged(total: str, extra: str = "", **more: str) -> Any:
    told: dict[str, Any] = {name: Decimal(value) for name, value in more.items()}
    body = success(AmountsResp={"AuthorizedAmount": Decimal(total), "Currency": "EUR"} | told)
    body["Response"]["AdditionalResponse"] = extra
    return body


def test_a_surcharge_is_told_in_the_makers_words_or_as_fees() -> None:
    named = surcharged("11.14", "surchargeAmount=15&alias=X")
    assert (read(named).outcome, read(named).surcharge_minor) == (CardOutcome.APPROVED, 15)
    assert of_payment(named, None, keep_token=False).surcharge_minor == 15
    assert read(surcharged("11.14", TotalFeesAmount="0.15")).surcharge_minor == 15
    both = read(surcharged("12.14", "surchargeAmount=15", TipAmount="1.00"))
    assert (both.tip_minor, both.surcharge_minor) == (100, 15)
    offline = read(surcharged("11.14", "surchargeAmount=15&offline=true"))
    assert (offline.outcome, offline.surcharge_minor) == (CardOutcome.APPROVED_OFFLINE, 15)
    for total, extra in (
        ("11.14", ""),
        ("10.99", "surchargeAmount=15"),
        ("11.15", "surchargeAmount=15"),
        ("11.14", "surchargeAmount=0.15"),
        ("10.84", "surchargeAmount=-15"),
    ):
        assert read(surcharged(total, extra)).outcome is CardOutcome.UNKNOWN, (total, extra)


def test_a_surcharge_may_be_an_amount_of_its_own_beside_fees() -> None:
    """As terminals of another maker answer: the fees are the shop's."""
    for fees in ("0", "0.09"):
        told = read(surcharged("11.14", SurchargeAmount="0.15", TotalFeesAmount=fees))
        assert (told.outcome, told.surcharge_minor) == (CardOutcome.APPROVED, 15)
    for total in ("10.99", "11.23", "11.15"):
        told = read(surcharged(total, SurchargeAmount="0.15", TotalFeesAmount="0.09"))
        assert told.outcome is CardOutcome.UNKNOWN, total


def test_fees_beside_the_authorised_amount_were_not_charged_to_the_card() -> None:
    for tip, total in (("0", "10.99"), ("1.00", "11.99")):
        told = read(surcharged(total, TipAmount=tip, TotalFeesAmount="0.15"))
        assert (told.outcome, told.surcharge_minor) == (CardOutcome.APPROVED, 0)
        assert told.tip_minor == int(Decimal(tip) * 100)
        assert told.reason == answers.FEES_BESIDE
    inside = read(surcharged("12.14", TipAmount="1.00", TotalFeesAmount="0.15"))
    assert (inside.outcome, inside.tip_minor, inside.surcharge_minor, inside.reason) == (
        *(CardOutcome.APPROVED, 100, 15, ""),
    )
    for total, tip in (("11.13", "0"), ("10.84", "0"), ("11.29", "0"), ("11.14", "1.00")):
        told = read(surcharged(total, TipAmount=tip, TotalFeesAmount="0.15"))
        assert told.outcome is CardOutcome.UNKNOWN, (total, tip)


def test_one_that_is_looked_up_was_charged_what_was_authorised() -> None:
    def looked_up(total: str, extra: str = "", asked_minor: int = 1099, **more: str) -> Any:
        told = surcharged(total, extra, **more)
        found = of_payment(told, None, keep_token=False, asked_minor=asked_minor)
        return found.outcome, found.tip_minor, found.surcharge_minor

    approved = CardOutcome.APPROVED
    assert looked_up("10.99") == (approved, 0, 0)
    assert looked_up("11.14", TotalFeesAmount="0.15") == (approved, 0, 15)
    assert looked_up("10.99", TotalFeesAmount="0.15") == (approved, 0, 0)
    assert looked_up("11.99", TipAmount="1.00", TotalFeesAmount="0.15") == (approved, 100, 0)
    assert looked_up("12.14", "surchargeAmount=15", TipAmount="1.00") == (approved, 100, 15)
    known = looked_up("12.14", "surchargeAmount=15", 1214, TipAmount="1.00")
    assert known == (approved, 0, 0), "the book has them"
    for total, extra in (("5.49", ""), ("11.14", ""), ("11.15", "surchargeAmount=15")):
        assert looked_up(total, extra)[0] is CardOutcome.UNKNOWN, (total, extra)


def test_an_approval_online_and_one_offline() -> None:
    online = read(success())
    assert (online.outcome, online.psp_ref) == (CardOutcome.APPROVED, "PSP1")
    assert online.terminal_ref == "BV0q.PSP1|2026"
    assert read(success(OnlineFlag=False)).outcome is CardOutcome.APPROVED_OFFLINE
    told = success()
    told["Response"]["AdditionalResponse"] = "offline=true&unconfirmedBatchCount=3"
    assert read(told).outcome is CardOutcome.APPROVED_OFFLINE


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        ("Refusal", CardOutcome.REFUSED),
        ("Cancel", CardOutcome.REFUSED),
        ("Aborted", CardOutcome.REFUSED),
        ("UnreachableHost", CardOutcome.REFUSED),
        ("Busy", CardOutcome.NOT_DONE),
        ("MessageFormat", CardOutcome.NOT_DONE),
        ("InProgress", CardOutcome.UNKNOWN),
        ("NotFound", CardOutcome.UNKNOWN),
        ("SomethingNew", CardOutcome.UNKNOWN),
        ("", CardOutcome.UNKNOWN),
    ],
)
def test_what_a_failure_means(error: str, outcome: CardOutcome) -> None:
    assert read(failure(error)).outcome is outcome


@pytest.mark.parametrize(
    "amounts",
    [
        {"AuthorizedAmount": 11, "Currency": "EUR"},
        {"AuthorizedAmount": Decimal("10.99"), "Currency": "USD"},
        {"AuthorizedAmount": Decimal("10.991"), "Currency": "EUR"},
        {},
    ],
)
def test_another_amount_than_the_one_asked_for_is_a_doubt(amounts: dict[str, Any]) -> None:
    assert read(success(AmountsResp=amounts)).outcome is CardOutcome.UNKNOWN


def card(**data: Any) -> dict[str, Any]:
    return success(OnlineFlag=False, PaymentInstrumentData={"CardData": data})


def test_of_a_card_only_its_last_four_digits_and_its_brand_are_kept() -> None:
    shown = read(card(MaskedPan="541333 **** 9999", PaymentBrand="MC<script>"))
    assert (shown.last4, shown.scheme) == ("9999", "mcscript")
    whole = read(card(MaskedPan="5413330089029999", PaymentBrand=7))
    assert whole.last4 == "9999"
    assert "541333" not in repr(whole)


def test_a_token_is_taken_only_offline_and_where_the_hub_keeps_it() -> None:
    token = {"TokenValue": "opaque", "TokenRequestedType": "Transaction"}
    assert read(card(PaymentToken=token)).token is None
    assert read(card(PaymentToken=token), keep=True).token == b"opaque"
    assert read(card(PaymentToken={"TokenValue": "x" * 5000}), keep=True).token is None
    online = success(PaymentInstrumentData={"CardData": {"PaymentToken": token}})
    assert read(online, keep=True).token is None
    assert read(online).card == "opaque"


def test_additional_data_comes_in_two_ways() -> None:
    said = {"additionalData": {"alias": "A1", "other": 7}}
    as_json = base64.b64encode(json.dumps(said).encode()).decode()
    assert answers.extra_of({"AdditionalResponse": as_json}) == {"alias": "A1"}
    assert answers.extra_of({"AdditionalResponse": "alias=A1&x="}) == {"alias": "A1", "x": ""}
    for odd in ("%%%", "=", "e30=", "W10=", "x" * 99):
        assert "alias" not in answers.extra_of({"AdditionalResponse": odd})


def test_a_status_that_is_about_something_else_is_a_doubt() -> None:
    body = {
        "Response": {"Result": "Success"},
        "RepeatedMessageResponse": {
            "MessageHeader": {"ServiceID": "AAA"},
            "RepeatedResponseMessageBody": {"PaymentResponse": success()},
        },
    }
    assert of_status(body, "AAA", keep_token=False).outcome is CardOutcome.APPROVED
    assert of_status(body, "BBB", keep_token=False).outcome is CardOutcome.UNKNOWN
    assert of_status(failure("NotFound"), "A", keep_token=False).outcome is CardOutcome.NOT_DONE
    for error in ("InProgress", "Busy", "UnavailableService"):
        assert of_status(failure(error), "A", keep_token=False).outcome is CardOutcome.UNKNOWN


def test_a_reversal_is_repeated_until_it_is_certain() -> None:
    assert of_reversal({"Response": {"Result": "Success"}}).outcome is CardOutcome.APPROVED
    assert of_reversal(failure("NotFound")).outcome is CardOutcome.NOT_DONE
    assert of_reversal(failure("Refusal")).outcome is CardOutcome.REFUSED
    for error in ("Busy", "InProgress", "UnreachableHost", "New"):
        assert of_reversal(failure(error)).outcome is CardOutcome.UNKNOWN


@given(st.dictionaries(st.sampled_from(["Response", "PaymentResult", "POIData"]), JSON))
@settings(max_examples=200)
def test_whatever_a_terminal_says_is_understood_or_a_doubt(body: dict[str, Any]) -> None:
    for keep in (False, True):
        assert isinstance(read(body, keep=keep).outcome, CardOutcome)
    assert isinstance(of_reversal(body).outcome, CardOutcome)
    assert isinstance(of_status(body, "A", keep_token=False).outcome, CardOutcome)
    of_diagnosis(body)


@given(st.integers(1, 10**12), st.sampled_from(["EUR", "JPY", "KWD"]))
@settings(max_examples=200)
def test_amounts_go_out_and_come_back_exactly(amount_minor: int, currency: str) -> None:
    text = json.dumps(amount(amount_minor, currency))
    back = json.loads(text, parse_float=Decimal)
    assert minor(back, currency) == amount_minor


def test_an_amount_that_no_number_carries_is_not_sent() -> None:
    with pytest.raises(TooMuch):
        amount(9_007_199_254_740_993_01, "EUR")


def test_a_message_is_called_the_same_after_a_restart_and_fits() -> None:
    names = [service_id(f"payment-{one}") for one in range(5000)]
    assert len(set(names)) == len(names)
    assert all(len(one) == 10 and one.isalnum() for one in names)
    assert service_id("payment-1") == names[1]
    asked = requests.payment(CHARGE, "now", keep_token=False)["PaymentRequest"]
    conditions = asked["PaymentTransaction"]["TransactionConditions"]
    assert conditions == {"ForceOnlineFlag": True}
