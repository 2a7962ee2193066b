"""Who holds a store's session after a HELLO."""

from __future__ import annotations

from typing import Any

import pytest

from cloud_link.sandbox.sessions import Holder, next_holder
from hub.contract.oms import Hello

HELD = Holder(3, 7, "hub-1", "aaaaaaaa", "token-3")


def _hello(**changed: Any) -> Hello:
    base = {
        "hub_id": "hub-1",
        "nonce": "n" * 16,
        "machine_id_hash": "aaaaaaaa",
        "incarnation": 3,
        "reason": "start",
    }
    return Hello.model_validate(base | changed)


@pytest.mark.parametrize("reason", ["start", "reconnect"])
def test_the_same_box_keeps_its_session(reason: str) -> None:
    assert next_holder(_hello(reason=reason), HELD, "fresh") == HELD


@pytest.mark.parametrize(
    ("changed", "incarnation"),
    [
        ({"reason": "restored"}, 4),
        ({"reason": "new"}, 4),
        ({"reason": "restored", "incarnation": 1}, 4),
        ({"machine_id_hash": "bbbbbbbb"}, 4),
        ({"hub_id": "hub-2"}, 4),
        ({"incarnation": 0}, 4),
        ({"incarnation": 9, "reason": "reconnect"}, 10),
    ],
)
def test_another_box_or_life_takes_over(changed: dict[str, Any], incarnation: int) -> None:
    holder = next_holder(_hello(**changed), HELD, "fresh")
    assert holder is not None
    assert (holder.incarnation, holder.epoch, holder.session_token) == (incarnation, 8, "fresh")


@pytest.mark.parametrize("changed", [{}, {"reason": "reconnect"}, {"machine_id_hash": "bbbbbbbb"}])
def test_an_old_box_switched_on_again_is_superseded(changed: dict[str, Any]) -> None:
    assert next_holder(_hello(incarnation=2, **changed), HELD, "fresh") is None


def test_the_first_hub_of_a_store_is_incarnation_1() -> None:
    holder = next_holder(_hello(incarnation=0), Holder(), "fresh")
    assert holder == Holder(1, 1, "hub-1", "aaaaaaaa", "fresh")
