"""Only what hub and cloud both lost, and no till holds any more, is excused."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.simulation.shop.forgotten import Fact, Forgotten
from tests.simulation.shop.history import Asked

SALE_ID = "019b7e26-7be4-78ab-a181-98bd96d8c9f0"
SALE: set[Fact] = {("sale", SALE_ID)}
COMPLETED = ("com.storehub.sale.completed.v1", json.dumps({"sale_id": SALE_ID}))


class Shelves:
    """Stands for the shop: what hub, cloud and till hold is set by hand."""

    def __init__(self) -> None:
        self.in_hub: set[Fact] = set(SALE)
        self.in_cloud = [COMPLETED]
        self.held: list[str] = []
        self.hub = SimpleNamespace(read=lambda _query: set(self.in_hub))
        self.oms = SimpleNamespace(look=lambda _sql: list(self.in_cloud))
        self.asked = Asked("till-1", "key-1", "sale/commit", {"sale_id": SALE_ID}, 1.0)
        self.asked.result = {}
        self.history = SimpleNamespace(asked={("till-1", "key-1"): self.asked})
        self.forgotten = Forgotten(cast("Any", self))

    @property
    def tills(self) -> list[Any]:
        journal = SimpleNamespace(entries=[SimpleNamespace(key=key) for key in self.held])
        return [SimpleNamespace(now=SimpleNamespace(hub=SimpleNamespace(journal=journal)))]

    def set_back(self, who: str) -> None:
        with self.forgotten.put_back(who):
            if who == "hub":
                self.in_hub = set()
            else:
                self.in_cloud = []

    @property
    def excused(self) -> bool:
        return self.forgotten.excuses(self.asked)


@pytest.mark.parametrize("order", [("hub", "oms"), ("oms", "hub")])
def test_what_both_lost_and_nobody_holds_is_excused(order: tuple[str, str]) -> None:
    shelves = Shelves()
    for who in order:
        assert not shelves.excused
        shelves.set_back(who)
    assert shelves.excused


def test_what_a_till_still_holds_has_to_come_back() -> None:
    shelves = Shelves()
    shelves.held = ["key-1"]
    shelves.set_back("oms")
    shelves.set_back("hub")
    assert not shelves.excused


def test_what_the_cloud_never_had_has_to_come_back() -> None:
    """A till must not have been told to forget it."""
    shelves = Shelves()
    shelves.in_cloud = []
    shelves.set_back("oms")
    shelves.set_back("hub")
    assert not shelves.excused


def test_what_the_hub_has_sent_again_before_it_was_put_back_has_to_come_back() -> None:
    shelves = Shelves()
    shelves.set_back("oms")
    shelves.in_cloud = [COMPLETED]
    shelves.set_back("hub")
    assert not shelves.excused
