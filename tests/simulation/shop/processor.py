"""A payment processor: idempotent by payment and refund id, durable before it answers.

Requests are dictionaries with ``do``: ``authorise`` (payment_id, amount_minor), ``reverse``
(payment_id), ``refund`` (refund_id, payment_id, amount_minor).  The answer is ``approved``,
``declined``, ``reversed``, ``refunded`` or ``refused``.  A reversal of a payment that is not known
yet keeps it from ever being charged.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.simulation.kernel import Process, World
from tests.simulation.shop.history import History

SALE, RETURN, VOID = "sale/commit", "return/commit", "sale/void"


@dataclass(slots=True)
class Charge:
    """One payment: ``state`` is ``captured``, ``declined`` or ``reversed``; ``charged`` counts how
    often money was taken, ``requested`` how often it was asked for."""

    payment_id: str
    amount_minor: int
    state: str
    charged: int = 0
    requested: int = 0
    refunded_minor: int = 0

    @property
    def kept_minor(self) -> int:
        """What the shop has of it."""
        return self.amount_minor - self.refunded_minor if self.state == "captured" else 0


class ProcessorMachine:
    """Give :meth:`start` to :meth:`World.add` under the name ``processor``.

    ``decline`` and ``late`` are shares of payments; a late answer comes after the till's patience.
    """

    def __init__(self, world: World, *, decline: float = 0.06, late: float = 0.04) -> None:
        self.world = world
        self.decline = decline
        self.late = late
        self._random = world.random("processor")
        self._charges: dict[str, Charge] = {}
        self._refunds: dict[str, int] = {}
        self._path: Path | None = None

    async def start(self, process: Process) -> None:
        """Bring it up with what its disk holds."""
        self._path = process.directory / "charges.jsonl"
        self._load()
        process.serve = self._serve

    def charges(self) -> list[Charge]:
        """Every payment ever asked for, in order."""
        return list(self._charges.values())

    def faults(self, history: History, seen: Collection[str] = ()) -> list[str]:
        """Broken promises about money, at rest; ``seen``: payments that a person looks at."""
        return money_faults(history, self.charges(), seen)

    # ---------------------------------------------------------------------------------------------

    def _load(self) -> None:
        self._charges, self._refunds = {}, {}
        assert self._path is not None
        if self._path.exists():
            for line in self._path.read_text().splitlines():
                self._apply(json.loads(line))

    def _apply(self, row: dict[str, Any]) -> None:
        match row["do"]:
            case "authorise":
                known = self._charges.get(row["payment_id"])
                if known is None:
                    known = Charge(row["payment_id"], row["amount_minor"], row["state"])
                    self._charges[row["payment_id"]] = known
                known.charged += row["state"] == "captured"
            case "reverse":
                known = self._charges.setdefault(
                    row["payment_id"], Charge(row["payment_id"], 0, "reversed")
                )
                known.state = "reversed"
            case "refund":
                self._refunds[row["refund_id"]] = row["amount_minor"]
                self._charges[row["payment_id"]].refunded_minor += row["amount_minor"]

    def _write(self, row: dict[str, Any]) -> None:
        assert self._path is not None
        with self._path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        self._apply(row)

    async def _serve(self, _source: str, request: Any) -> str:
        match request["do"]:
            case "authorise":
                return await self._authorise(request["payment_id"], request["amount_minor"])
            case "reverse":
                return self._reverse(request["payment_id"])
            case _:
                return self._refund(
                    request["refund_id"], request["payment_id"], request["amount_minor"]
                )

    async def _authorise(self, payment_id: str, amount_minor: int) -> str:
        known = self._charges.get(payment_id)
        if known is None:
            state = "declined" if self._random.random() < self.decline else "captured"
            row = {"do": "authorise", "payment_id": payment_id, "amount_minor": amount_minor}
            self._write(row | {"state": state})
            self.world.count(f"payment {state}")
            known = self._charges[payment_id]
            if self._random.random() < self.late:
                self.world.count("payment answered late")
                await asyncio.sleep(self._random.uniform(20, 90))
        else:
            self.world.count("payment asked for again")
        known.requested += 1
        if known.state != "reversed" and known.amount_minor != amount_minor:
            self.world.violated(f"payment {payment_id} was asked for with two amounts")
        return "approved" if known.state == "captured" else known.state

    def _reverse(self, payment_id: str) -> str:
        known = self._charges.get(payment_id)
        if known is None or known.state == "captured":
            if known is None:
                self.world.count("reversal before its payment")
            elif known.refunded_minor:
                return "refused"
            else:
                self.world.count("charge reversed")
            self._write({"do": "reverse", "payment_id": payment_id})
        return "reversed"

    def _refund(self, refund_id: str, payment_id: str, amount_minor: int) -> str:
        if refund_id in self._refunds:
            self.world.count("refund asked for again")
            return "refunded" if self._refunds[refund_id] == amount_minor else "refused"
        known = self._charges.get(payment_id)
        if known is None or known.kept_minor < amount_minor:
            return "refused"
        row = {"do": "refund", "refund_id": refund_id, "payment_id": payment_id}
        self._write(row | {"amount_minor": amount_minor})
        self.world.count("charge refunded")
        return "refunded"


def money_faults(history: History, charges: list[Charge], seen: Collection[str] = ()) -> list[str]:
    """What the processor kept of each payment against what the tills were told by the hub."""
    expected = expected_minor(history)
    faults = [
        f"payment {one.payment_id} was charged {one.charged} times"
        for one in charges
        if one.charged > 1
    ]
    kept = {one.payment_id: one.kept_minor for one in charges}
    for payment_id in sorted((expected.keys() | kept.keys()) - set(seen)):
        due, have = expected.get(payment_id, 0), kept.get(payment_id, 0)
        if due != have:
            faults.append(f"payment {payment_id}: {have} is kept, the sales say {due}")
    return faults


def expected_minor(history: History) -> dict[str, int]:
    """Payment id → what answered sales took by card, less what voids and returns gave back."""
    due: dict[str, int] = {}
    given: dict[str, list[dict[str, Any]]] = {}
    for asked in history.asked.values():
        result = asked.result
        if result is None:
            continue
        if asked.operation == SALE:
            for tender in asked.body["tenders"]:
                if tender["kind"] == "card":
                    due[tender["payment_id"]] = tender["amount_minor"]
        elif asked.operation == RETURN:
            given[asked.body["return_id"]] = result["refund"]
        elif asked.operation == VOID:
            given[asked.body["sale_id"]] = result["refund"]
    for refunds in given.values():
        for refund in refunds:
            if refund["kind"] == "card":
                due[refund["payment_id"]] -= refund["amount_minor"]
    return due
