"""Days of gift cards at random, against the sandbox's own issuer: requests and answers get lost or
come late, the line comes and goes, allotments are granted and recalled, the hub starts anew.  In
the end both books say the same, and no value was made or lost."""

from __future__ import annotations

import json
import sqlite3
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pydantic import SecretStr

from cloud_link.sandbox.problems import Refusal
from cloud_link.sandbox.value import Issuer
from cloud_link.sandbox.value_books import SCHEMAS, CardAllotted, CardMade, books
from hub.contract.oms import OmsCode
from hub.contract.oms_value import (
    AllotmentRef,
    AllotmentReturned,
    CreditIssued,
    ValueCapture,
    ValueHold,
    ValueRefund,
    ValueRelease,
)
from hub.domain.payments.work import Hand, WorkKind
from hub.service.payments.commands import Leased, ProcessorSaid
from tests.support.payingwork import HOUR_MS, MINUTE_MS
from tests.support.valuing import ACCOUNT, GIFT, ValueShop

OUTCOMES: dict[str, Any] = {
    "held": "approved",
    "captured": "captured",
    "declined": "declined",
    "released": "reversed",
    "refunded": "refunded",
}
STEPS = (
    *("pay", "pay", "sell", "work", "work", "work", "lose", "lose"),
    *("give_up", "void", "back", "allot", "recall", "tell", "arrive", "line", "wait", "start"),
)
QUIET = {"reversed", "refunded", "captured", "abandoned", "refused", "recovery", "voided"}


class Day:
    """A shop and its issuer; ``late``: requests that are still on their way."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.random = Random(seed)
        self.shop = ValueShop(directory)
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        for schema in SCHEMAS:
            self.db.execute(schema)
        self.issuer.make(CardMade(account_ref=ACCOUNT, token=GIFT, balance_minor=6000))
        self.late: list[Leased] = []
        self.tokens: dict[str, bytes] = {}
        self.payments: list[Any] = []
        self.told = 0
        self.granted = self.recalled = 0

    @property
    def issuer(self) -> Issuer:
        return Issuer(self.db, "367", self.shop.clock.wall_ms())

    # Steps -----------------------------------------------------------------------------------

    def pay(self) -> None:
        body = self.shop.starting(value={"kind": "gift_card", "token": GIFT})
        reply = self.shop.ask("till-1", "payment/start", body)
        if reply.ok:
            self.payments.append(reply.result)

    def sell(self) -> None:
        for payment in self.payments:
            if self.shop.payment(payment)["tenderable"]:
                self.shop.sold(payment)
                return

    def work(self, *, lose: str = "") -> bool:
        """One leased thing is done by the issuer.  ``lose``: the ``request`` (it may come later),
        the ``answer``, or both sides know that ``nothing`` was sent."""
        found = self.shop.work(Hand.ISSUER, limit=1)
        for work in found:
            if work.token is not None:
                self.tokens[work.payment_id] = work.token.sealed[::-1]
            if lose == "request":
                self.late.append(work)
            said = self.asked(work) if lose in ("", "answer") else ProcessorSaid("unknown")
            if lose == "nothing" and work.kind is not WorkKind.LOOK_UP:
                said = ProcessorSaid("not-sent")
            self.shop.say_all(work, said if lose != "answer" else ProcessorSaid("unknown"))
        return bool(found)

    def lose(self) -> None:
        self.work(lose=self.random.choice(("request", "answer", "nothing")))

    def give_up(self) -> None:
        if self.payments:
            payment = self.random.choice(self.payments)
            self.shop.ask("till-1", "payment/give-up", {"payment_id": payment["payment_id"]})

    def void(self) -> None:
        if self.payments:
            sale = self.random.choice(self.payments)["sale_id"]
            self.shop.ask("till-2", "sale/void", {"sale_id": sale, "reason": "mistake"})

    def back(self) -> None:
        if self.payments:
            line = {"line_no": 1, "qty": 1, "disposition": "resellable", "reason": "unused"}
            sale = self.random.choice(self.payments)["sale_id"]
            body = {"return_id": self.shop.id(), "sale_id": sale, "lines": [line]}
            if self.random.random() < 0.3:
                body["refund_to"] = "store-credit"
            self.shop.ask("till-2", "return/commit", body)

    def allot(self) -> None:
        with suppress(Refusal):  # nothing is free
            self.command(grant_minor=self.random.choice((499, 1500)))

    def recall(self) -> None:
        self.command(recall_minor=self.random.choice((499, 1500)))

    def command(self, **asked: int) -> None:
        """Granted or recalled; the shop hears of it at once, later by the next one, or twice."""
        wanted = CardAllotted(account_ref=ACCOUNT, **asked)
        data = self.issuer.allot(wanted, 1)
        self.granted, self.recalled = data["granted_minor"], data["recalled_minor"]
        for _ in range(self.random.randrange(3)):
            self.shop.allot(self.granted, self.recalled)

    def tell(self) -> None:
        """What the hub has told comes to the issuer."""
        found = self.shop.all(
            "SELECT id, type, data FROM outbox WHERE id > ? ORDER BY id", self.told
        )
        for number, kind, data in found:
            self.told = number
            if kind.endswith("allotment_returned.v1"):
                self.issuer.take_returned(AllotmentReturned.model_validate(json.loads(data)))
            if kind.endswith("gift_card.issued.v1"):
                self.issuer.take_issued(CreditIssued.model_validate(json.loads(data)))

    def arrive(self) -> None:
        """What was on its way arrives after all; nobody waits for the answer."""
        while self.late:
            self.asked(self.late.pop(0))

    def line(self) -> None:
        self.shop.line = not self.shop.line

    def wait(self) -> None:
        self.shop.wait(self.random.choice((MINUTE_MS, HOUR_MS)))
        self.shop.expire()

    def start(self) -> None:
        self.shop.recover()

    def step(self) -> None:
        getattr(self, self.random.choice(STEPS))()

    # The issuer ------------------------------------------------------------------------------

    def asked(self, work: Leased) -> ProcessorSaid:
        try:
            return said(self.answer(work))
        except Refusal as error:
            gone = error.problem.code == OmsCode.NOT_FOUND
            return ProcessorSaid("not-found" if gone else "unknown")

    def answer(self, work: Leased) -> Any:
        money = {"amount_minor": work.amount_minor, "currency": work.currency}
        ref = None
        if work.account:
            ref = AllotmentRef(account_ref=work.account, epoch=work.account_epoch)
        match work.kind:
            case WorkKind.CHARGE:
                secret = json.loads(self.tokens[work.payment_id])
                asked = ValueHold(
                    hold_id=work.payment_id, kind=secret["kind"], pin=SecretStr("1"), **money
                )
                return self.issuer.hold(secret["token"], asked)
            case WorkKind.LOOK_UP if work.refund_id:
                return self.issuer.look_up_refund(work.payment_id, work.key)
            case WorkKind.LOOK_UP:
                return self.issuer.look_up(work.payment_id)
            case WorkKind.CAPTURE:
                return self.issuer.capture(work.payment_id, ValueCapture(allotment=ref, **money))
            case WorkKind.REVERSE:
                return self.issuer.release(work.payment_id, ValueRelease(allotment=ref))
            case _:
                return self.issuer.refund(work.payment_id, ValueRefund(key=work.key, **money))

    # The end ---------------------------------------------------------------------------------

    def finish(self) -> None:
        """All that may arrive does, and the hub does all that is to be done."""
        self.shop.line = True
        self.arrive()
        self.shop.allot(self.granted, self.recalled)
        for _ in range(60):
            self.shop.expire()
            self.tell()
            while self.work():
                pass
            self.shop.wait(HOUR_MS)
        self.shop.wait(24 * HOUR_MS)
        self.shop.expire()
        while self.work():
            self.shop.wait(MINUTE_MS)
        self.tell()

    def check(self) -> None:
        found = books(self.db)
        assert set(found["missing"].values()) <= {0}, found
        holds = {one["hold_id"]: one for one in found["value_holds"]}
        for payment in self.payments:
            row = self.shop.row(payment)
            assert row.state in QUIET, (row.state, row.reason)
            hold = holds.get(row.payment_id, {"status": "released", "refunded_minor": 0})
            there = hold["status"] in ("captured", "refunded")
            assert there == (row.state in ("captured", "refunded")), (row, hold)
            assert not there or hold["refunded_minor"] == row.refunded_minor, (row, hold)
        for one in found["value_allotments"]:
            if one["account"] == ACCOUNT:
                account = self.shop.account()
                assert one["granted_minor"] == account.granted_minor
                assert one["returned_minor"] == account.returned_minor
        self.shop.check_laws()


def said(reply: Any) -> ProcessorSaid:
    """The sandbox's answer as the adapter tells it."""
    outcome = OUTCOMES[reply.status]
    return ProcessorSaid(outcome, reply.reason, word=reply.code)


@pytest.mark.parametrize("seed", [0, 3, 16, 25])
def test_a_day_at_random_ends_well(tmp_path: Path, seed: int) -> None:
    """3 and 16 find a hub that gives back what it has spent, 25 one that lets a payment go whose
    capture may have arrived."""
    day = Day(tmp_path, seed)
    try:
        for _ in range(70):
            day.step()
        day.finish()
        day.check()
    finally:
        day.shop.close()
        day.db.close()
