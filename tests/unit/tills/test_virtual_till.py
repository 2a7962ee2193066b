"""A virtual till's manners: what it does when the hub says no."""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.kit import Refused
from devices.tills.assortment import Assortment, believable_qty
from devices.tills.cards import CardTerminal
from devices.tills.extras import Extras
from devices.tills.till import Person, VirtualTill
from hub.contract.base import Command
from hub.contract.basket import BasketLine, BasketView
from hub.contract.envelope import HubState
from hub.contract.payments import (
    GivePaymentUp,
    Outcome,
    PaymentView,
    ReportPayment,
    StartPayment,
)
from hub.contract.problems import ApprovalNeeded, Code, problem
from hub.contract.sale import CommitSale, SaleDone, SaleLine, SaleVoided, Tender, VoidSale
from hub.contract.staff import Approval, ApprovalSubject, RequestApproval, SignedIn, SignIn
from tests.fakes import FakeClock, seeded_ids_of

SALE_ID = "0190b8e2-0000-7000-8000-000000000001"
DONE = SaleDone(
    sale_id=SALE_ID,
    receipt_no="1",
    business_day="2026-01-01",
    total_minor=1,
    tax_minor=0,
    rounding_minor=0,
    change_minor=0,
    currency="EUR",
    at_ms=1,
)
SIGNED_IN = SignedIn(staff_id="101", name="A", role="cashier", permissions=(), expires_in_s=9)
APPROVAL = Approval(
    approval_id=SALE_ID,
    permission="sale.void",
    subject=ApprovalSubject(),
    reason="",
    state="pending",
    requested_by="101",
    requested_on="till-1",
)
LINES = (SaleLine(code="A", qty=1, unit_price_minor=100),)


class ScriptedHub:
    """Stands in for the wire: gives the next answer of a list."""

    device_id = "till-1"

    def __init__(self, *answers: Any) -> None:
        self.ids = seeded_ids_of(FakeClock())
        self.asked: list[Command] = []
        self._answers = deque(answers)

    async def request(self, command: Command, _expected: Any, **_: Any) -> Any:
        self.asked.append(command)
        answer = self._answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        return answer

    submit = request


class Crew:
    """Colleagues who say yes (or no)."""

    def __init__(self, *, approves: bool = True) -> None:
        self.approves = approves
        self.delivered: list[dict[str, int]] = []

    async def approve(self, _asking: VirtualTill, _approval_id: str) -> bool:
        return self.approves

    async def deliver(self, goods: dict[str, int]) -> None:
        self.delivered.append(goods)


def till(hub: ScriptedHub, crew: Crew | None = None) -> VirtualTill:
    stand_in: Any = hub
    return VirtualTill("till-1", stand_in, Person("101", "4711"), crew or Crew(), Random(1))


def no(code: Code, **context: Any) -> Refused:
    return Refused(problem(code, "No.", context=context))


def needs(permission: str) -> Refused:
    return Refused(
        problem(Code.APPROVAL_REQUIRED, "Ask.", approval=ApprovalNeeded(permission=permission))
    )


async def test_a_new_total_is_taken_over_for_the_same_sale() -> None:
    hub = ScriptedHub(no(Code.PRICE_CHANGED, expected_minor=119, given_minor=100), DONE)
    await till(hub).sell_lines(LINES, 100)
    first, second = hub.asked
    assert isinstance(first, CommitSale)
    assert isinstance(second, CommitSale)
    assert (first.total_minor, second.total_minor) == (100, 119)
    assert first.sale_id == second.sale_id
    assert first.print_receipt
    assert sum(one.amount_minor for one in second.tenders) >= 119


async def test_goods_that_lack_are_fetched_once_more() -> None:
    crew = Crew()
    hub = ScriptedHub(no(Code.INSUFFICIENT_STOCK, sku="A", wanted_qty=2, free_qty=0), DONE)
    await till(hub, crew).sell_lines(LINES, 100)
    assert crew.delivered == [{"A": 20}]


async def test_a_till_does_not_insist_for_ever() -> None:
    hub = ScriptedHub(*[no(Code.INSUFFICIENT_STOCK, sku="A", wanted_qty=2) for _ in range(9)])
    with pytest.raises(Refused):
        await till(hub).sell_lines(LINES, 100)
    assert len(hub.asked) == 4


async def test_what_needs_a_manager_is_asked_again_with_the_approval() -> None:
    voided = SaleVoided(sale_id=SALE_ID, voided_at_ms=1)
    hub = ScriptedHub(needs("sale.void"), APPROVAL, voided)
    assert await till(hub).void(SALE_ID, "wrong") == voided
    first, request, again = hub.asked
    assert isinstance(first, VoidSale)
    assert first.approval_id is None
    assert isinstance(request, RequestApproval)
    assert (request.permission, request.subject.sale_id) == ("sale.void", SALE_ID)
    assert isinstance(again, VoidSale)
    assert again.approval_id == request.approval_id


async def test_without_approval_the_refusal_stands() -> None:
    hub = ScriptedHub(needs("sale.void"), APPROVAL)
    with pytest.raises(Refused, match="approval-required"):
        await till(hub, Crew(approves=False)).void(SALE_ID, "wrong")


async def test_a_till_that_was_forgotten_signs_in_again() -> None:
    hub = ScriptedHub(no(Code.UNAUTHENTICATED), SIGNED_IN, DONE)
    await till(hub).sell_lines(LINES, 100)
    assert [type(one) for one in hub.asked] == [CommitSale, SignIn, CommitSale]


async def test_an_override_names_its_line_for_the_manager() -> None:
    line = BasketLine(
        line_no=2,
        sku="A",
        name="a",
        qty=1,
        uom="each",
        scale=0,
        unit_price_minor=900,
        list_price_minor=900,
        gross_minor=900,
        discount_minor=0,
        net_minor=900,
        tax_code="t",
    )
    basket = BasketView(basket_id=SALE_ID, version=3, state="open", owner="till-1", lines=(line,))
    hub = ScriptedHub(needs("price.override"), APPROVAL, basket)
    await till(hub).override(basket, line, 100, "torn packing")
    request = hub.asked[1]
    assert isinstance(request, RequestApproval)
    assert (request.subject.basket_id, request.subject.line_no, request.subject.sku) == (
        SALE_ID,
        2,
        "A",
    )


@given(total_minor=st.integers(0, 10_000_000), seed=st.integers(0, 1000))
def test_tenders_cover_the_total_and_only_cash_gives_change(total_minor: int, seed: int) -> None:
    stand_in: Any = ScriptedHub()
    tenders = VirtualTill("t", stand_in, Person("1", "1111"), Crew(), Random(seed)).tenders(
        total_minor
    )
    assert sum(one.amount_minor for one in tenders) >= total_minor
    card = sum(one.amount_minor for one in tenders if one.kind == "card")
    assert card <= total_minor
    assert all(one.payment_id for one in tenders if one.kind == "card")


@given(seed=st.integers(0, 1000), scale=st.integers(0, 4))
def test_quantities_are_at_least_one_base_unit(seed: int, scale: int) -> None:
    assert believable_qty(Random(seed), scale) >= 1


@given(count=st.integers(0, 20), known=st.integers(0, 10), seed=st.integers(0, 100))
def test_some_products_are_different_ones(count: int, known: int, seed: int) -> None:
    assortment = Assortment(Random(seed))
    assortment._skus = {str(number): None for number in range(known)}
    chosen = assortment.some(count)
    assert len(set(chosen)) == len(chosen) == min(count, known)


def viewed(state: str, *, tenderable: bool = False, offline_allowed: bool = True) -> PaymentView:
    """A payment as the hub tells it."""
    return PaymentView(
        id=1,
        payment_id=SALE_ID,
        sale_id=SALE_ID,
        state=state,
        tenderable=tenderable,
        amount_minor=100,
        currency="EUR",
        device_id="till-1",
        terminal_id="till-1",
        driven_by="till",
        custody="terminal",
        offline_allowed=offline_allowed,
        begun_at_ms=0,
        changed_at_ms=0,
    )


class ByCard(VirtualTill):
    """Everybody pays by card."""

    def tenders(self, total_minor: int) -> tuple[Tender, ...]:
        return (self._card(total_minor),)


class Terminal(CardTerminal):
    """Says what it is told to."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(Random(1))
        self.outcome: Outcome = outcome

    def take(self, payment_id: str, *, alone_allowed: bool) -> ReportPayment:
        return ReportPayment(payment_id=payment_id, outcome=self.outcome)


def by_card(hub: ScriptedHub, outcome: Outcome = "approved") -> ByCard:
    stand_in: Any = hub
    person = Person("101", "4711")
    return ByCard("till-1", stand_in, person, Crew(), Random(1), Terminal(outcome))


async def test_a_card_is_begun_at_the_hub_before_it_is_taken_and_then_sold() -> None:
    hub = ScriptedHub(viewed("at_terminal"), viewed("authorised", tenderable=True), DONE)
    await by_card(hub).sell_lines(LINES, 100)
    start, report, sale = hub.asked
    assert isinstance(start, StartPayment)
    assert isinstance(report, ReportPayment)
    assert isinstance(sale, CommitSale)
    assert start.sale_id == sale.sale_id
    (tender,) = sale.tenders
    assert tender.kind == "card"
    assert tender.payment_id == start.payment_id == report.payment_id


async def test_cash_is_taken_when_the_card_comes_to_nothing() -> None:
    hub = ScriptedHub(viewed("at_terminal"), viewed("refused"), DONE)
    await by_card(hub, "refused").sell_lines(LINES, 100)
    sale = hub.asked[-1]
    assert isinstance(sale, CommitSale)
    assert [(one.kind, one.amount_minor) for one in sale.tenders] == [("cash", 100)]


async def test_what_may_not_be_tendered_is_given_up() -> None:
    given_up = viewed("voided")
    hub = ScriptedHub(viewed("at_terminal"), viewed("void_pending"), given_up, DONE)
    await by_card(hub, "approved-offline").sell_lines(LINES, 100)
    assert isinstance(hub.asked[2], GivePaymentUp)
    sale = hub.asked[-1]
    assert isinstance(sale, CommitSale)
    assert sale.tenders[0].kind == "cash"


async def test_a_payment_of_a_sale_that_comes_to_nothing_is_given_up() -> None:
    paid = (viewed("at_terminal"), viewed("authorised", tenderable=True))
    hub = ScriptedHub(*paid, no(Code.CONFLICT), viewed("authorised"))
    with pytest.raises(Refused):
        await by_card(hub).sell_lines(LINES, 100)
    assert isinstance(hub.asked[-1], GivePaymentUp)


async def test_a_new_total_is_paid_anew() -> None:
    paid = (viewed("at_terminal"), viewed("authorised", tenderable=True))
    refused = no(Code.PRICE_CHANGED, expected_minor=119, given_minor=100)
    hub = ScriptedHub(*paid, refused, viewed("authorised"), *paid, DONE)
    await by_card(hub).sell_lines(LINES, 100)
    names = [type(one).__name__ for one in hub.asked]
    assert names.count("StartPayment") == 2
    assert names.count("GivePaymentUp") == 1
    assert names[-1] == "CommitSale"


@pytest.mark.parametrize("allowed", [True, False])
def test_a_terminal_that_is_cut_off_approves_alone_only_where_it_may(allowed: bool) -> None:
    terminal = CardTerminal(Random(3))
    terminal.hear(hub_state("offline"))
    outcomes = {terminal.take(SALE_ID, alone_allowed=allowed).outcome for _ in range(200)}
    assert outcomes == ({"approved-offline", "refused"} if allowed else {"refused"})
    terminal.hear(hub_state("online"))
    assert "approved" in {terminal.take(SALE_ID, alone_allowed=allowed).outcome for _ in range(50)}


def hub_state(mode: str) -> HubState:
    """A hub as it tells that it is."""
    facts = {"session": "s", "incarnation": "1", "epoch": 1, "seq": 0, "safe_seq": 0, "time_ms": 0}
    return HubState.model_validate({"mode": mode} | facts)


class WithGiftCard(VirtualTill):
    """Everybody pays with a gift card, half of it if there is enough to halve."""

    def tenders(self, total_minor: int) -> tuple[Tender, ...]:
        gift = Tender(kind="gift_card", amount_minor=total_minor // 2, payment_id=SALE_ID)
        return (gift, Tender(kind="cash", amount_minor=total_minor - total_minor // 2))


def with_gift_card(hub: ScriptedHub) -> WithGiftCard:
    stand_in: Any = hub
    extras = Extras(gift_cards=("GC-DEMO-CARD-0001",))
    terminal = Terminal("approved")
    person = Person("101", "4711")
    return WithGiftCard("till-1", stand_in, person, Crew(), Random(1), terminal, extras)


async def test_a_gift_card_is_held_before_its_sale() -> None:
    hub = ScriptedHub(viewed("authorised", tenderable=True), DONE)
    await with_gift_card(hub).sell_lines(LINES, 100)
    start, sale = hub.asked
    assert isinstance(start, StartPayment)
    assert start.value is not None
    assert start.value.token.get_secret_value() == "GC-DEMO-CARD-0001"
    assert isinstance(sale, CommitSale)
    assert [(one.kind, one.amount_minor) for one in sale.tenders] == [
        ("gift_card", 50),
        ("cash", 50),
    ]


async def test_cash_is_taken_when_the_gift_card_comes_to_nothing() -> None:
    hub = ScriptedHub(viewed("refused"), viewed("refused"), DONE)
    await with_gift_card(hub).sell_lines(LINES, 100)
    assert isinstance(hub.asked[1], GivePaymentUp)
    sale = hub.asked[-1]
    assert isinstance(sale, CommitSale)
    assert [one.kind for one in sale.tenders] == ["cash", "cash"]


def test_only_who_has_a_gift_card_pays_with_it_and_tips_stay_below_a_sixth() -> None:
    rng = Random(1)
    assert not any(Extras().pays_with_gift_card(rng, 500) for _ in range(200))
    some = Extras(gift_cards=("GC-DEMO-CARD-0001",), tips=True)
    assert {some.pays_with_gift_card(rng, 500) for _ in range(500)} == {0, 250, 500}
    tips = [some.tip_minor(rng, 1000) for _ in range(500)]
    assert 0 < max(tips) <= 150
    assert not any(Extras().tip_minor(rng, 1000) for _ in range(50))
