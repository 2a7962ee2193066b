"""A payment processor: idempotent by payment and refund id, durable before it answers.

Requests are dictionaries with ``do``: ``authorise`` (payment_id, amount_minor), ``reverse``
(payment_id), ``refund`` (refund_id, payment_id, amount_minor).  The answer is ``approved``,
``declined``, ``reversed``, ``refunded`` or ``refused``.  A reversal of a payment that is not known
yet keeps it from ever being charged.  What a hub asks for :mod:`tests.simulation.shop.bank` does.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from tests.simulation.kernel import Process, World
from tests.simulation.shop.bank import CALM, Bank, Charge, Moods, Row
from tests.simulation.shop.history import History

SALE, RETURN, VOID = "sale/commit", "return/commit", "sale/void"


class ProcessorMachine:
    """Give :meth:`start` to :meth:`World.add` under the name ``processor``.

    ``late`` is a share of payments; a late answer comes after the till's patience.  ``drops``: of
    the charges asked for while it can't tell, what it does nothing about.  ``on_change`` is called
    with each payment that isn't as it was.
    """

    def __init__(
        self, world: World, *, moods: Moods = CALM, late: float = 0.04, drops: float = 0.0
    ) -> None:
        self.world = world
        self._drops = drops
        self._moods = moods
        self.late = late
        self._random = world.random("processor")
        self._charges: dict[str, Charge] = {}
        self._refunds: dict[str, int] = {}
        self._path: Path | None = None
        self._bank = self._new_bank()
        self.on_outcome: Callable[[str, Row], None] = lambda _payment_id, _told: None
        self.on_charge: Callable[[str, int], None] = lambda _payment_id, _boot: None
        self.on_change: Callable[[str], None] = lambda _payment_id: None
        self.dumb = False
        """It takes what it is asked to do, and can't tell what became of anything."""
        self._forgets = world.random("processor/forgets")
        self.is_known: Callable[[str], bool] = lambda _payment_id: False

    def _new_bank(self) -> Bank:
        return Bank(
            self._charges,
            self._write,
            self.world.count,
            self._random,
            self.world.loop.time,
            self._moods,
        )

    async def start(self, process: Process) -> None:
        """Bring it up with what its disk holds."""
        self._path = process.directory / "charges.jsonl"
        self._load()
        process.serve = self._serve
        process.spawn(self._settle(), "processor-settles")

    def charges(self) -> list[Charge]:
        """Every payment ever asked for, in order."""
        return list(self._charges.values())

    def charge_of(self, payment_id: str) -> Charge | None:
        """What it knows of a payment."""
        return self._charges.get(payment_id)

    def faults(
        self,
        history: History,
        seen: Collection[str] = (),
        owed: Collection[str] = (),
        tips: Mapping[str, int] | None = None,
    ) -> list[str]:
        """Broken promises about money, at rest; ``seen``: payments that a person looks at;
        ``owed``: those that the hub calls receivables; ``tips``: what terminals put on top."""
        return money_faults(history, self.charges(), seen, owed, tips)

    def told(self, payment_id: str) -> Row | None:
        """What it says of a payment by itself."""
        one = self._charges.get(payment_id)
        return self._bank.told(one) if one is not None else None

    def owes_an_outcome(self) -> bool:
        """Whether a payment has no outcome yet."""
        return bool(self._bank.pending())

    # ---------------------------------------------------------------------------------------------

    def _load(self) -> None:
        self._charges, self._refunds = {}, {}
        self._bank = self._new_bank()
        assert self._path is not None
        if self._path.exists():
            for line in self._path.read_text().splitlines():
                self._apply(json.loads(line))

    def _apply(self, row: dict[str, Any]) -> None:
        if "did" in row:
            self._bank.apply(row)
            return
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
        self.on_change(row["payment_id"])

    async def _settle(self) -> None:
        """Now and then a payment gets its outcome that had none."""
        while True:
            await asyncio.sleep(self._random.uniform(60, 3_600))
            self._bank.fickle(self.is_known)
            for one in self._bank.pending()[:5]:
                told = self._bank.settle(one)
                self.world.count(f"outcome told late: {told['outcome']}")
                self.on_outcome(one.payment_id, told)

    async def _serve(self, _source: str, request: Any) -> Any:
        match request["do"]:
            case "authorise":
                return await self._authorise(request["payment_id"], request["amount_minor"])
            case "reverse":
                return self._reverse(request["payment_id"])
            case "charge" | "look_up" | "capture" | "let_go" | "give_back" | "look_up_give_back":
                if request["do"] == "charge":
                    if self.dumb and self._forgets.random() < self._drops:
                        self.world.count("charge dropped by a processor that can't tell")
                        return {"outcome": "unknown"}
                    if self._moods.late_deed and self._random.random() < self._moods.late_deed:
                        self.world.count("charge done late")
                        await asyncio.sleep(self._random.uniform(20, 1_500))
                    self.on_charge(request["payment_id"], request["boot"])
                if request["do"] == "charge" and self._random.random() < self.late:
                    self.world.count("charge answered late")
                    told = self._bank.serve(request)
                    await asyncio.sleep(self._random.uniform(20, 90))
                    return told
                if self.dumb and request["do"] == "look_up":
                    return {"outcome": "unknown"}
                return self._bank.serve(request)
            case _:
                return self._refund(
                    request["refund_id"], request["payment_id"], request["amount_minor"]
                )

    async def _authorise(self, payment_id: str, amount_minor: int) -> str:
        known = self._charges.get(payment_id)
        if known is None:
            declined = self._random.random() < self._moods.at_terminal
            state = "declined" if declined else "captured"
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


def money_faults(
    history: History,
    charges: list[Charge],
    seen: Collection[str] = (),
    owed: Collection[str] = (),
    tips: Mapping[str, int] | None = None,
) -> list[str]:
    """What the processor kept of each payment against what the tills were told by the hub; nothing
    of what the hub says is ``owed``.  ``tips``: what terminals put on top."""
    expected = expected_minor(history, tips) | dict.fromkeys(owed, 0)
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


def tips_wanted(history: History) -> Counter[str]:
    """Payment → the tip that it was begun with."""
    return Counter(
        {
            asked.body["payment_id"]: asked.body.get("tip_minor", 0)
            for asked in history.asked.values()
            if asked.operation == "payment/start"
        }
    )


def expected_minor(
    history: History, tips: Mapping[str, int] | None = None, *, as_told: bool = False
) -> dict[str, int]:
    """Payment id → what answered sales took by card, with tips, less what voids and returns gave
    back: all of it where all that the sale took has come back, for what was put on top goes back,
    too, whoever tells of it and when.  ``as_told``: less what the tills were told, and no more."""
    on_top = tips_wanted(history) + Counter(tips or {})
    due: dict[str, int] = {}
    stands: Counter[str] = Counter()
    given: dict[str, list[dict[str, Any]]] = {}
    for asked in history.asked.values():
        result = asked.result
        if result is None:
            continue
        if asked.operation == SALE:
            for tender in asked.body["tenders"]:
                if tender["kind"] == "card":
                    name = tender["payment_id"]
                    due[name] = tender["amount_minor"] + on_top[name]
                    stands[name] = tender["amount_minor"]
        elif asked.operation == RETURN:
            given[asked.body["return_id"]] = result["refund"]
        elif asked.operation == VOID:
            given[asked.body["sale_id"]] = result["refund"]
    for refunds in given.values():
        for refund in refunds:
            if refund["kind"] == "card":
                back = ("amount_minor", "tip_minor", "surcharge_minor")
                name = refund["payment_id"]
                due[name] -= sum(refund.get(one) or 0 for one in back)
                stands[name] -= refund["amount_minor"]
    return {name: minor if stands[name] or as_told else 0 for name, minor in due.items()}
