"""What hub and cloud both lost, each by being put back to a copy older than it.

A till forgets an answered sale when the hub has told it that the cloud has it too (``safe_seq``).
Whoever then puts both the hub and the cloud back to copies from before the sale has thrown away
every record of it: no promise covers that, and the checkers must not call it a fault.  Nothing
else is excused: a sale that the cloud never had, or that any till still holds, has to come back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hub.storage.rows import Rows
from tests.simulation.shop.history import DOCUMENTS, RETURN, SALE, VOID, Asked

if TYPE_CHECKING:
    from tests.simulation.shop.scenario import Scenario

Fact = tuple[str, str]
"""What it is (``sale``, ``void``, or ``other`` for what has an id of its own), and of which id."""
IDS = {
    SALE: ("sale", "sale_id"),
    VOID: ("void", "sale_id"),
    RETURN: ("other", "return_id"),
    **{operation: ("other", name) for operation, name in DOCUMENTS.items()},
}
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def fact_of(asked: Asked) -> Fact | None:
    """What is there once ``asked`` was answered well; None for what leaves nothing of its own."""
    found = IDS.get(asked.operation)
    if found is None:
        return None
    what, name = found
    return what, asked.body[name]


class Forgotten:
    """``excused`` grows at each put-back, and never shrinks."""

    def __init__(self, shop: Scenario) -> None:
        self._shop = shop
        self._lost: dict[str, set[Fact]] = {"hub": set(), "oms": set()}
        self._excused: set[tuple[str, str]] = set()

    @contextmanager
    def put_back(self, who: str) -> Iterator[None]:
        """``who`` (``hub``, ``oms``), which is off, is put back to a copy inside."""
        look = {"hub": self._in_hub, "oms": self._in_cloud}[who]
        before = look()
        yield
        self._lost[who] |= before - look()
        gone = self._lost["hub"] & self._lost["oms"]
        if gone:
            self._excuse(gone - self._in_hub() - self._in_cloud())

    def excuses(self, asked: Asked) -> bool:
        """Whether nobody can know of it any more."""
        return (asked.device, asked.key) in self._excused

    def _excuse(self, gone: set[Fact]) -> None:
        held = {
            entry.key
            for till in self._shop.tills
            if till.now is not None
            for entry in till.now.hub.journal.entries
        }
        for place, asked in self._shop.history.asked.items():
            if asked.result is not None and fact_of(asked) in gone and asked.key not in held:
                self._excused.add(place)

    def _in_hub(self) -> set[Fact]:
        return self._shop.hub.read(_facts)

    def _in_cloud(self) -> set[Fact]:
        found: set[Fact] = set()
        for kind, data in self._shop.oms.look("SELECT type, data FROM events"):
            match kind.split(".")[2:4]:
                case ["sale", "completed"]:
                    found.add(("sale", json.loads(data)["sale_id"]))
                case ["sale", "voided"]:
                    found.add(("void", json.loads(data)["sale_id"]))
                case _:
                    found.update(("other", one) for one in UUID.findall(data))
        return found


def _facts(rows: Rows) -> set[Fact]:
    found: set[Fact] = set()
    for sale_id, state in rows.all("SELECT sale_id, state FROM sales"):
        found.add(("sale", sale_id))
        if state == "voided":
            found.add(("void", sale_id))
    for (one,) in rows.all(
        "SELECT return_id FROM returns UNION SELECT document_id FROM documents"
        " UNION SELECT reference FROM documents WHERE kind = 'recovered'"
    ):
        found.add(("other", one))
    return found
