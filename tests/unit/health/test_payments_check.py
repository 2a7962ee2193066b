"""What the check says of card payments: the gravest first, each with what to do."""

from __future__ import annotations

from typing import Any

import pytest

from hub.contract.local import PaymentsStatus
from hub.health.check import Finding
from hub.health.checks.payments import CHECK, SOON_MS, WAITS_MS
from tests.unit.health.wellhub import CLOUD, MINUTE_MS, NOW_MS, facts, of

HOUR_MS = 60 * MINUTE_MS
RISKY = {"exposed": 3, "exposure_minor": 2_000_00, "cap_minor": 10_000_00, "currency": "EUR"}
AGES = {"warn_age_ms": 4 * HOUR_MS, "stop_age_ms": 20 * HOUR_MS}


def look(**payments: Any) -> Finding:
    return CHECK.look(facts(payments=PaymentsStatus(**payments)))


def cut_off(**payments: Any) -> Finding:
    down = of(CLOUD, state="down")
    return CHECK.look(facts(payments=PaymentsStatus(**payments), cloud=down))


def test_a_shop_without_cards_and_one_within_its_caps_are_well() -> None:
    assert look().level == "ok"
    assert look(**RISKY, **AGES).level == "ok"
    assert look(processor=True, waiting=2, waiting_since_ms=NOW_MS - WAITS_MS // 2).level == "ok"


def test_caps_of_nothing_are_a_choice_and_no_trouble() -> None:
    assert look(meter="full", bars=("store-cap", "switched-off"), **AGES).level == "ok"


TROUBLES: tuple[tuple[dict[str, Any], str, str], ...] = (
    (
        {"problem": "a token sealed under key k3 can't be opened: no such key"},
        "critical",
        "can't be presented: a token sealed under key k3 can't be opened: no such key.",
    ),
    (
        {"processor": True, "waiting": 1, "waiting_since_ms": NOW_MS - WAITS_MS, "way": "resting"},
        "notice",
        "1 card payment can't be brought to the processor: it doesn't answer.",
    ),
    ({**RISKY, "next_expiry_in_ms": SOON_MS - 1}, "critical", "expires in 3 hours"),
    ({**RISKY, "next_expiry_in_ms": 59 * MINUTE_MS}, "critical", "expires in 59 minutes"),
    ({"needs": {"manual": 1}}, "warning", "Nobody knows whether 1 card payment was made."),
    ({"needs": {"lost": 2}}, "warning", "2 card payments were kept by a terminal that is gone."),
    ({"needs": {"receivable": 1}}, "warning", "1 card payment was declined or came too late."),
    ({"needs": {"no-sale": 1}}, "warning", "1 card payment was approved without a sale."),
    ({"needs": {"give-back": 2}}, "warning", "2 card payments have to be given back by hand."),
    ({"needs": {"no-answer": 1}}, "warning", "never said what became of 1 card payment"),
    ({"needs": {"nobody-presents": 1}}, "warning", "Nobody presents 1 card payment."),
    ({"needs": {"twice": 1}}, "warning", "1 card payment may have been charged twice."),
    ({"needs": {"surcharge": 2}}, "warning", "2 card payments had a surcharge that isn't allowed."),
    (
        {**RISKY, **AGES, "meter": "full", "bars": ("too-old",), "oldest_age_ms": 21 * HOUR_MS},
        "warning",
        "the oldest has waited for 21 hours",
    ),
    (
        {**RISKY, "meter": "full", "bars": ("store-cap",), "exposure_minor": 10_000_00},
        "warning",
        "100 % of what the shop may risk is used",
    ),
    ({**RISKY, "bars": ("clock-suspect",)}, "notice", "while the clock is in doubt"),
    (
        {"processor": True, "waiting": 2, "waiting_since_ms": NOW_MS - WAITS_MS},
        "notice",
        "2 card payments can't be brought to the processor.",
    ),
    (
        {**RISKY, "meter": "near", "exposure_minor": 8_500_00},
        "notice",
        "85 % of what the shop may risk on cards is used.",
    ),
    (
        {**RISKY, **AGES, "meter": "near", "oldest_age_ms": 5 * HOUR_MS},
        "warning",
        "The oldest card payment at risk has waited for 5 hours.",
    ),
)


@pytest.mark.parametrize(("payments", "level", "words"), TROUBLES)
def test_each_trouble_is_said_in_plain_words_with_a_next_step(
    payments: dict[str, Any], level: str, words: str
) -> None:
    found = look(**payments)
    assert found.level == level
    assert words in found.summary
    assert found.summary[0].isupper() or found.summary[0].isdigit()
    for text in (found.summary, found.means, found.next_step):
        assert text.endswith(".")


def test_several_things_for_people_are_said_at_once_the_gravest_first() -> None:
    found = look(needs={"receivable": 3, "manual": 1}, since_ms=NOW_MS - HOUR_MS)
    assert found.summary == (
        "Nobody knows whether 1 card payment was made; 3 card payments were declined or came too"
        " late."
    )
    assert found.since_ms == NOW_MS - HOUR_MS
    assert found.detail["receivable"] == "3"


def test_a_shop_that_is_cut_off_is_told_to_mend_the_connection_first() -> None:
    waits = {"processor": True, "waiting": 2, "waiting_since_ms": NOW_MS - WAITS_MS}
    assert "connection" in cut_off(**waits).next_step
    assert "processor says" in look(**waits).next_step
    assert cut_off(bars=("clock-suspect",)).level == "notice"
    assert look(bars=("clock-suspect",)).level == "ok"
