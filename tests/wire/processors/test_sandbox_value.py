"""The adapter for gift cards and the sandbox's issuer: each effect once, whatever is lost."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from typing import Any

import pytest

from cloud_link.payments.carrying import carry_out
from cloud_link.payments.conformance.bench import keyed
from cloud_link.payments.issuer import OmsIssuer
from cloud_link.payments.processor import Effect
from cloud_link.sandbox.value import HOLD_MS, Issuer
from cloud_link.sandbox.value_books import SCHEMAS, CardMade, books
from hub.app.balances import Balances
from hub.contract.oms_value import ValueBalance, ValueHold, ValueHoldReply
from hub.contract.payments import AskBalance
from hub.contract.problems import Refusal
from hub.domain.payments.work import WorkKind
from hub.service.caller import Caller, CallerKind
from hub.service.payments.commands import Leased
from tests.fakes import FakeClock
from tests.wire.processors.conftest import Oms

CARD = "GC-7Q4K-9XWM-0042"
HOLD = "019b78ff-f900-7ef7-81f7-0442027b2444"


@pytest.fixture
async def issuer(oms: Oms) -> OmsIssuer:
    card = {"account_ref": "acct-42", "token": CARD, "balance_minor": 5000, "pin": "9731"}
    await oms.admin("value/cards", card)
    client: Any = oms.bench.processor
    return OmsIssuer(client._client, 5.0)


def holding(oms: Oms, amount_minor: int = 1500, **secret: Any) -> Effect:
    token = {"token": CARD, "kind": "gift_card", "pin": "9731"} | secret
    return oms.bench.effect(amount_minor, json.dumps(token).encode())


async def missing(oms: Oms) -> dict[str, int]:
    """What of each card's value is nowhere."""
    found: dict[str, int] = (await oms.admin("value"))["missing"]
    return found


async def free_minor(oms: Oms) -> int:
    (card,) = (await oms.admin("value"))["value_cards"]
    return int(card["balance_minor"])


async def test_a_hold_is_taken_and_given_back_in_parts(oms: Oms, issuer: OmsIssuer) -> None:
    effect = holding(oms)
    said = await issuer.charge(effect)
    assert (said.outcome, said.balance_minor) == ("approved", 3500)
    assert (await issuer.charge(effect)).outcome == "approved"
    assert (await issuer.look_up(effect)).outcome == "approved"
    assert (await issuer.capture(effect)).outcome == "captured"
    assert (await issuer.capture(effect)).outcome == "captured"
    assert (await issuer.reverse(effect)).outcome == "captured"
    for key, minor, outcome in (
        ("r1", 1000, "refunded"),
        ("r1", 1000, "refunded"),
        ("r2", 501, "declined"),
        ("r3", 500, "refunded"),
    ):
        assert (await issuer.refund(keyed(effect, key, minor))).outcome == outcome, key
    assert (await issuer.look_up_refund(keyed(effect, "r1"))).outcome == "refunded"
    assert (await issuer.look_up_refund(keyed(effect, "r2"))).outcome == "not-found"
    assert (await issuer.look_up(effect)).outcome == "refunded"
    assert (await free_minor(oms), await missing(oms)) == (5000, {"acct-42": 0})


@pytest.mark.parametrize(
    ("secret", "amount_minor", "word"),
    [
        ({"token": "GC-NOBODYS-0000"}, 1500, "unknown-card"),
        ({"pin": "0000"}, 1500, "wrong-pin"),
        ({"kind": "store_credit"}, 1500, "other-kind"),
        ({}, 5001, "insufficient-value"),
    ],
)
async def test_a_hold_is_declined_with_a_word(
    oms: Oms, issuer: OmsIssuer, secret: dict[str, str], amount_minor: int, word: str
) -> None:
    said = await issuer.charge(holding(oms, amount_minor, **secret))
    assert (said.outcome, said.word) == ("declined", word)
    assert CARD not in said.reason
    told = {"insufficient-value": 5000, "other-kind": 5000}.get(word)
    assert said.balance_minor == told


async def test_what_is_let_go_is_never_taken(oms: Oms, issuer: OmsIssuer) -> None:
    effect = holding(oms)
    await issuer.charge(effect)
    assert (await issuer.reverse(effect)).outcome == "reversed"
    assert (await issuer.capture(effect)).outcome == "declined"
    never = holding(oms)
    assert (await issuer.look_up(never)).outcome == "not-found"
    assert (await issuer.reverse(never)).outcome == "reversed"
    late = replace(never, account="acct-42", account_epoch=1)
    assert (await issuer.capture(late)).outcome == "declined"
    assert (await free_minor(oms), await missing(oms)) == (5000, {"acct-42": 0})


async def test_an_answer_that_is_lost_after_the_deed_is_looked_up(
    oms: Oms, issuer: OmsIssuer
) -> None:
    effect = holding(oms)
    await oms.faults(error_after_rate=1.0)
    assert (await issuer.charge(effect)).outcome == "unknown"
    assert (await issuer.look_up(effect)).outcome == "approved"
    assert (await issuer.capture(effect)).outcome == "unknown"
    assert (await issuer.look_up(effect)).outcome == "captured"
    back = keyed(effect, "r", 700)
    assert (await issuer.refund(back)).outcome == "unknown"
    work = Leased(
        WorkKind.REFUND, effect.payment_id, 1, back.key, 700, "EUR", "issuer", "", "", 1, back.key
    )
    assert (await carry_out(issuer, work, None)).outcome == "refunded"
    assert (await free_minor(oms), await missing(oms)) == (4200, {"acct-42": 0})


async def test_what_was_set_aside_is_taken_once_and_known_only_when_granted(
    oms: Oms, issuer: OmsIssuer
) -> None:
    spent = replace(holding(oms), token=None, account="acct-42", account_epoch=1)
    assert (await issuer.capture(spent)).outcome == "not-found"
    await oms.admin("value/allot", {"account_ref": "acct-42", "grant_minor": 2000})
    assert await free_minor(oms) == 3000
    for _ in range(2):
        assert (await issuer.capture(spent)).outcome == "captured"
    books = await oms.admin("value")
    (aside,) = books["value_allotments"]
    assert (aside["granted_minor"], aside["spent_minor"]) == (2000, 1500)
    assert books["missing"] == {"acct-42": 0}


async def test_what_was_set_aside_is_taken_after_its_hold_was_declined(
    oms: Oms, issuer: OmsIssuer
) -> None:
    await oms.admin("value/allot", {"account_ref": "acct-42", "grant_minor": 5000})
    taken, let_go = holding(oms), holding(oms)
    for effect in (taken, let_go):
        assert (await issuer.charge(effect)).word == "insufficient-value"
    taken, let_go = (
        replace(one, token=None, account="acct-42", account_epoch=1) for one in (taken, let_go)
    )
    for _ in range(2):
        assert (await issuer.capture(taken)).outcome == "captured"
    assert (await issuer.reverse(let_go)).outcome == "reversed"
    assert (await issuer.capture(let_go)).outcome == "declined"
    books = await oms.admin("value")
    assert books["value_allotments"][0]["spent_minor"] == 1500
    assert books["missing"] == {"acct-42": 0}


async def test_an_oms_that_quotes_the_card_is_not_repeated(oms: Oms) -> None:
    class Quoting:
        async def post(self, _path: str, _body: Any, reply: type[ValueHoldReply]) -> ValueHoldReply:
            return reply(
                hold_id="x",
                status="declined",
                amount_minor=1500,
                currency="EUR",
                code="blocked",
                reason=f"{CARD} is blocked",
            )

    quoting: Any = Quoting()
    said = await OmsIssuer(lambda: quoting, 5.0).charge(holding(oms))
    assert (said.outcome, said.reason) == ("declined", "**** is blocked")


def test_what_a_lost_shop_holds_is_free_again_when_its_time_is_over() -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    for schema in SCHEMAS:
        db.execute(schema)
    lost, other = Issuer(db, "lost", 0), Issuer(db, "other", HOLD_MS)
    lost.make(CardMade(account_ref="acct-42", token=CARD, balance_minor=5000))
    held = ValueHold(hold_id=HOLD, kind="gift_card", amount_minor=5000, currency="EUR")
    assert lost.hold(CARD, held).status == "held"
    asked = ValueBalance(token=CARD)
    assert (lost.balance(asked).balance_minor, other.balance(asked).balance_minor) == (0, 5000)
    assert other.hold(CARD, held).status == "held"
    assert lost.look_up(HOLD).code == "expired"
    assert books(db)["missing"] == {"acct-42": 0}


async def test_the_issuer_remembers_what_the_oms_forgot(oms: Oms, issuer: OmsIssuer) -> None:
    await oms.admin("backup", {})
    effect = holding(oms)
    await issuer.charge(effect)
    await oms.admin("restore", {})
    assert await free_minor(oms) == 3500


async def test_a_balance_is_told_ten_times_and_says_nothing_about_pins(oms: Oms) -> None:
    card = {"account_ref": "acct-42", "token": CARD, "balance_minor": 5000, "pin": "9731"}
    await oms.admin("value/cards", card)
    client: Any = oms.bench.processor
    clock = FakeClock()
    balances = Balances(client._client, clock)
    till = Caller(CallerKind.DEVICE, "till-1")

    async def asked(pin: str, caller: Caller = till) -> str:
        value = {"kind": "gift_card", "token": CARD, "pin": pin}
        view = await balances.ask(caller, AskBalance.model_validate({"value": value}))
        return f"{view.status} {view.balance_minor}"

    assert await asked("9731") == "active 5000"
    for n in range(9):
        assert await asked(f"000{n}") == "unknown 0"
    with pytest.raises(Refusal, match="10 times"):
        await asked("9731")
    assert await asked("9731", Caller(CallerKind.DEVICE, "till-2")) == "active 5000"
    clock.advance(601)
    assert await asked("9731") == "active 5000"
    with pytest.raises(Refusal, match="can't be asked"):
        await Balances(lambda: None, clock).ask(
            till, AskBalance.model_validate({"value": {"kind": "gift_card", "token": CARD}})
        )
