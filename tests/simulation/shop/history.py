"""What the tills asked and what they were told: outside of every machine, so nothing erases it."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from hub.service.answers import without_record
from tests.simulation.kernel import World

SALE, RETURN, VOID = "sale/commit", "return/commit", "sale/void"
DOCUMENTS = {
    "stock/receive": "receipt_id",
    "stock/adjust": "adjustment_id",
    "stock/count": "count_id",
}
"""What each kind of document is called in its request."""


@dataclass(slots=True)
class Asked:
    """One request, by its device and idempotency key; ``answers`` in order of arrival; ``result``
    is that of the first one that said yes."""

    device: str
    key: str
    operation: str
    body: dict[str, Any]
    at_s: float
    answers: list[str] = field(default_factory=list)
    result: dict[str, Any] | None = None


class History:
    """``restored`` counts how often the hub was put back to an older copy: answers from before it
    may be given anew, and differ in what is not the sale's own.  ``disk_fails``: its disk may;
    ``answered`` counts what was said yes to."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.asked: dict[tuple[str, str], Asked] = {}
        self.restored = 0
        self.answered = 0
        self.disk_fails = False

    def ask(self, device: str, key: str, operation: str, body: dict[str, Any]) -> None:
        """A request is sent, for the first time or again."""
        now_s = self._world.loop.time()
        known = self.asked.setdefault((device, key), Asked(device, key, operation, body, now_s))
        if known.body != body:
            self._world.violated(f"the test itself asks two things under one key: {known}, {body}")

    def answer(self, device: str, key: str, text: str) -> None:
        """An answer arrived.  Two results under one key have to be the same."""
        asked = self.asked[(device, key)]
        text = without_record(text) or text  # which is told as long as its events are kept
        answer = json.loads(text)
        final = answer["ok"] or not _comes_again(answer["problem"])
        if not final:
            self._later(asked, answer["problem"])
            return
        if not self.restored and asked.answers and asked.answers[0] != text:
            self._world.violated(
                f"{device} was told two things for one request {asked.operation} {key}:"
                f" {asked.answers[0]} and {text}"
            )
        if answer["ok"] and asked.result is None:
            asked.result = answer["result"]
        if text not in asked.answers:
            asked.answers.append(text)
        else:
            self._world.count("same answer again")
        self._world.count("answered" if answer["ok"] else f"refused {answer['problem']['code']}")
        if answer["ok"]:
            self.answered += 1
            self._world.count(f"answered {asked.operation}")

    def payments_of(self, sales: Collection[str]) -> set[str]:
        """The ids of the card payments of these sales."""
        return {
            tender["payment_id"]
            for asked in self.asked.values()
            if asked.operation == SALE and asked.body.get("sale_id") in sales
            for tender in asked.body["tenders"]
            if tender["kind"] == "card"
        }

    def _later(self, asked: Asked, problem: dict[str, Any]) -> None:
        """It was told to come again."""
        self._world.count(f"answer {problem['code']}")
        if problem["code"] == "hub-recovery":
            self._world.violated(f"{asked.operation} had to wait for the cloud: {problem}")
        if problem.get("instance") and not self.disk_fails:
            self._world.violated(f"the hub failed on {asked.operation} {asked.body}: {problem}")


def _comes_again(problem: dict[str, Any]) -> bool:
    """``expired`` means that nothing was done: the same request may come anew, and be accepted."""
    return bool(problem["retryable"]) or problem["code"] == "expired"
