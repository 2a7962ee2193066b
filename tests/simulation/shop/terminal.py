"""A card terminal: it asks the processor, or approves alone while that is away.

Its journal outlives everything.
Requests are dictionaries with ``do``: ``sale`` (payment_id, amount_minor, offline), ``status``,
``reverse`` (payment_id).  The answer is a dictionary with ``outcome`` in the words of
:class:`devices.peripherals.model.CardOutcome`, and a ``token`` where the hub is to present it.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from tests.simulation.kernel import Lost, Process, World

PROCESSOR: Final = "processor"
PATIENCE_S: Final = 12.0
FORWARD_EVERY_S: Final = 600.0
CARDS: Final = 60
ABSENT_MINDED: Final = 0.01
"""Share of sales at which it loses power between the outcome and its answer."""


@dataclass(slots=True)
class Slip:
    """One transaction: ``state`` is ``busy``, ``asked``, ``approved``, ``refused``, ``stored``,
    ``kept`` (it forwards that one itself), ``undone`` or ``gone`` with a terminal that is
    broken for good."""

    payment_id: str
    amount_minor: int
    state: str
    tip_minor: int = 0
    surcharge_minor: int = 0

    @property
    def on_top_minor(self) -> int:
        """What the card is charged beyond what was asked for."""
        return self.tip_minor + self.surcharge_minor

    def told(self) -> dict[str, Any]:
        """As an answer."""
        words = {
            "busy": "unknown",
            "asked": "unknown",
            "stored": "approved-offline",
            "kept": "approved-offline",
            "undone": "refused",
            "gone": "not-done",
        }
        found: dict[str, Any] = {
            "outcome": words.get(self.state, self.state),
            "card": f"card-{int(self.payment_id[-4:], 16) % CARDS}",
        }
        if self.on_top_minor and self.state in ("approved", "stored", "kept"):
            found |= {"tip_minor": self.tip_minor, "surcharge_minor": self.surcharge_minor}
        if self.state == "undone":
            found["undone"] = True
        if self.state == "approved":
            found |= {"captured": True, "psp_ref": f"bank-{self.payment_id[-12:]}"}
        if self.state == "stored":
            found["token"] = f"tok_{self.payment_id.replace('-', '')[-16:]}"
        return found


class TerminalMachine:
    """Give :meth:`start` to :meth:`World.add` under ``name``.  ``keeps``: what it approves alone it
    forwards itself, as often as not; else the hub does.  ``tips``: it asks customers for one;
    ``surcharges``: it adds one to some cards."""

    def __init__(
        self,
        world: World,
        name: str,
        *,
        keeps: bool,
        tips: bool = False,
        surcharges: bool = False,
    ) -> None:
        self.world = world
        self.name = name
        self._keeps = keeps
        self._tips = tips
        self._surcharges = surcharges
        self._generous = world.random(f"terminal/{name}/tips")
        self._dear = world.random(f"terminal/{name}/surcharges")
        self._random = world.random(f"terminal/{name}")
        self._slips: dict[str, Slip] = {}
        self._path: Path | None = None
        self._process: Process | None = None

    async def start(self, process: Process) -> None:
        """One run."""
        self._path = process.directory / "journal.jsonl"
        self._process = process
        self._slips = {}
        if self._path.exists():
            for line in self._path.read_text().splitlines():
                slip = Slip(**json.loads(line))
                self._slips[slip.payment_id] = slip
        for slip in self._slips.values():
            if slip.state == "busy":
                self._write(slip, "refused")
        process.serve = self._serve
        process.spawn(self._catch_up(process), f"{self.name}-catches-up")

    def slip_of(self, payment_id: str) -> Slip | None:
        """What its journal says of a payment."""
        return self._slips.get(payment_id)

    def on_top(self) -> dict[str, int]:
        """Payment → what was put on top here: tip and surcharge."""
        return {
            one.payment_id: one.on_top_minor for one in self._slips.values() if one.on_top_minor
        }

    def lose(self) -> None:
        """It is broken for good: what nobody else has is gone.  The new one knows what its
        acquirer does."""
        for slip in list(self._slips.values()):
            if slip.state in ("busy", "stored", "kept"):
                self.world.count(f"terminal lost with what was {slip.state}")
                self._write(slip, "gone")

    def keeps_some(self) -> bool:
        """Whether it has something that nobody else has."""
        return any(one.state == "kept" for one in self._slips.values())

    def waits(self) -> bool:
        """Whether it still has something to find out or to forward."""
        return any(one.state in ("asked", "kept") for one in self._slips.values())

    # ---------------------------------------------------------------------------------------------

    def _write(self, slip: Slip, state: str) -> None:
        assert self._path is not None
        slip.state = state
        self._slips[slip.payment_id] = slip
        with self._path.open("a") as file:
            file.write(json.dumps(asdict(slip)) + "\n")

    async def _serve(self, _source: str, request: Any) -> dict[str, Any]:
        slip = self._slips.get(request["payment_id"])
        match request["do"]:
            case "sale" if slip is None:
                return await self._sale(request)
            case "reverse":
                return await self._reverse(slip)
            case _ if slip is None:
                return {"outcome": "not-done"}
            case _:
                return slip.told()

    async def _sale(self, request: dict[str, Any]) -> dict[str, Any]:
        process = self._process
        assert process is not None
        slip = Slip(request["payment_id"], request["amount_minor"], "busy")
        if self._tips and self._generous.random() < 0.3:
            self.world.count("tip at the terminal")
            slip.tip_minor = max(1, int(slip.amount_minor * self._generous.uniform(0.02, 0.25)))
        if self._surcharges and self._dear.random() < 0.4:
            self.world.count("surcharge at the terminal")
            slip.surcharge_minor = max(1, int(slip.amount_minor * self._dear.uniform(0.005, 0.03)))
        self._write(slip, "busy")
        online = self.world.network.link(self.name, PROCESSOR).up
        if online:
            self._write(slip, "asked")
            await asyncio.sleep(self._random.uniform(2, 15))
            await self._ask(process, slip)
        elif request["offline"] and self._random.random() < 0.95:
            await asyncio.sleep(self._random.uniform(2, 15))
            keeps = self._keeps and self._random.random() < 0.7
            self.world.count("terminal keeps a payment" if keeps else "terminal gives a token")
            self._write(slip, "kept" if keeps else "stored")
        else:
            self._write(slip, "refused")
            self.world.count("terminal refuses offline")
        if self._random.random() < ABSENT_MINDED:
            self.world.count("terminal dies before it answers")
            process.machine.kill("terminal without power")
        return slip.told()

    async def _ask(self, process: Process, slip: Slip) -> None:
        request = {
            "do": "authorise",
            "payment_id": slip.payment_id,
            "amount_minor": slip.amount_minor + slip.on_top_minor,
        }
        try:
            answer = await self.world.network.call(process, PROCESSOR, request, PATIENCE_S)
        except Lost:
            return
        if slip.state in ("asked", "kept"):
            self._write(slip, "approved" if answer == "approved" else "refused")

    async def _reverse(self, slip: Slip | None) -> dict[str, Any]:
        if slip is None:
            return {"outcome": "not-done"}
        if slip.state == "kept":  # nobody has heard of it yet
            self.world.count("terminal drops what it kept")
            self._write(slip, "undone")
            return {"outcome": "approved"}
        if slip.state in ("stored", "refused", "undone", "approved"):
            return {"outcome": "approved" if slip.state == "undone" else "refused"}
        if slip.state == "gone":
            return {"outcome": "not-done"}
        return {"outcome": "unknown"}

    async def _catch_up(self, process: Process) -> None:
        while True:
            await asyncio.sleep(self._random.uniform(FORWARD_EVERY_S / 10, FORWARD_EVERY_S))
            for slip in list(self._slips.values()):
                if slip.state in ("asked", "kept"):
                    if not self.world.network.link(self.name, PROCESSOR).up:
                        break
                    self.world.count(f"terminal asks for what was {slip.state}")
                    if slip.state == "kept":
                        self._write(slip, "asked")  # from now on it can't be dropped
                    await self._ask(process, slip)
