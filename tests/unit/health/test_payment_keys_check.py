"""What the check says of the keys to what is sealed about card payments."""

from __future__ import annotations

from typing import Any

import pytest

from hub.contract.local import PaymentsStatus
from hub.health.check import Finding
from hub.health.checks.payment_keys import CHECK
from tests.unit.health.wellhub import facts


def look(**payments: Any) -> Finding:
    return CHECK.look(facts(payments=PaymentsStatus(**payments)))


def test_a_shop_whose_keys_are_here_is_well() -> None:
    assert look().level == "ok"
    assert look(sealed=3).level == "ok"


@pytest.mark.parametrize(
    ("payments", "level", "words"),
    [
        ({"keyless": 1, "sealed": 2}, "critical", "missing to 1 stored card payment."),
        ({"sealed": 2, "vault": False}, "critical", "missing to 2 stored card payments."),
        ({"keyless_contacts": 2}, "warning", "missing to 2 customer contacts."),
        ({"copies_refused": 1}, "critical", "missing to 1 copy at the second keeper."),
        (
            {"keyless": 2, "copies_refused": 3},
            "critical",
            "2 stored card payments and 3 copies at the second keeper",
        ),
        ({"vault": False}, "warning", "can't be opened"),
    ],
)
def test_missing_keys_are_said_with_a_next_step(
    payments: dict[str, Any], level: str, words: str
) -> None:
    found = look(**payments)
    assert found.level == level
    assert words in found.summary
    for text in (found.summary, found.means, found.next_step):
        assert text.endswith(".")
