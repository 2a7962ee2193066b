"""What is set aside of one card: spent, let go, recalled, by figures that only grow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.errors import Conflict
from hub.domain.payments.states import PaymentState as S
from hub.domain.payments.value import Allotment, given_back, let_go, may_spend, spent, told
from hub.domain.payments.work import Hand, Standing, WorkKind, next_work

WORD = st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(0, 9))


def test_words_of_an_older_epoch_change_nothing() -> None:
    at = Allotment(3, 500, 0, 0, 200)
    assert told(at, 2, 900, 900) == at


def test_a_new_epoch_begins_anew() -> None:
    assert told(Allotment(3, 500, 100, 50, 200), 4, 300, 0) == Allotment(4, 300)


def test_so_much_may_be_spent_as_is_left_in_the_present_epoch() -> None:
    at = Allotment(3, 500, 0, 100, 200)
    assert may_spend(at, 200, 3)
    assert not may_spend(at, 201, 3)
    assert not may_spend(at, 0, 3)
    assert not may_spend(at, 1, 4)
    assert not may_spend(at, 1, None)
    assert spent(at, 200, 3).outstanding_minor == 0
    with pytest.raises(Conflict, match="set aside"):
        spent(at, 201, 3)


def test_a_recall_takes_what_is_not_spent() -> None:
    at = told(Allotment(3, 500, 0, 0, 200), 3, 500, 400)
    assert given_back(at, 3).returned_minor == 300
    assert given_back(at, 4) == at
    assert given_back(at, None) == at


def test_what_is_let_go_of_an_older_epoch_frees_nothing() -> None:
    at = Allotment(3, 500, 0, 0, 200)
    assert let_go(at, 200, 3).spent_minor == 0
    assert let_go(at, 200, 2) == at


@given(words=st.lists(WORD, max_size=8), order=st.randoms(use_true_random=False))
def test_words_in_any_order_and_number_come_to_the_same(
    words: list[tuple[int, int, int]], order: object
) -> None:
    def heard(found: list[tuple[int, int, int]]) -> Allotment:
        at = Allotment()
        for word in found:
            at = told(at, *word)
        return at

    mixed = [*words, *words[: len(words) // 2]]
    order.shuffle(mixed)  # type: ignore[attr-defined]
    assert heard(mixed) == heard(words)


@given(
    at=st.builds(Allotment, st.just(1), *[st.integers(0, 9)] * 2, st.just(0), st.just(0)),
    steps=st.lists(st.tuples(st.sampled_from(["spend", "go", "back"]), st.integers(1, 5))),
)
def test_never_more_is_spent_and_given_back_than_was_granted(
    at: Allotment, steps: list[tuple[str, int]]
) -> None:
    open_ones: list[int] = []
    for step, minor in steps:
        before = at
        if step == "spend" and may_spend(at, minor, 1):
            at = spent(at, minor, 1)
            open_ones.append(minor)
        elif step == "go" and open_ones:
            at = let_go(at, open_ones.pop(), 1)
        elif step == "back":
            at = given_back(at, 1)
        assert at.outstanding_minor >= 0
        assert at.spent_minor == sum(open_ones)
        assert at.returned_minor >= before.returned_minor


@pytest.mark.parametrize(
    ("state", "in_sale", "void_asked", "kind"),
    [
        (S.INTENT, False, False, WorkKind.CHARGE),
        (S.UNKNOWN, False, False, WorkKind.LOOK_UP),
        (S.UNKNOWN, False, True, WorkKind.LOOK_UP),
        (S.AUTHORISED, False, False, None),
        (S.AUTHORISED, True, False, WorkKind.CAPTURE),
        (S.AUTHORISED, True, True, WorkKind.REVERSE),
        (S.CAPTURED, True, False, None),
        (S.CAPTURED, True, True, WorkKind.REFUND),
        (S.AT_TERMINAL, False, False, None),
        (S.MANUAL, False, False, None),
    ],
)
@pytest.mark.parametrize("processor", [True, False])
def test_everything_about_a_gift_card_is_its_issuers(
    state: S, in_sale: bool, void_asked: bool, kind: WorkKind | None, processor: bool
) -> None:
    at = Standing(state, "hub", "hub", in_sale, void_asked, is_value=True)
    found = next_work(at, processor=processor)
    assert (found.kind if found else None) is kind
    assert found is None or found.hand is Hand.ISSUER
