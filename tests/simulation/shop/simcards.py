"""The hub's ways to card terminals and to the processor, over the simulated network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from cloud_link.payments.processor import Effect
from devices.peripherals.model import CardAnswer, CardOutcome, Charge, TerminalReport
from hub.domain.payments.declines import code_of
from hub.service.payments.commands import ProcessorSaid
from tests.simulation.kernel import Lost, Process
from tests.simulation.shop.terminal import PROCESSOR

SALE_S: Final = 150.0
WORK_S: Final = 20.0
BANK_S: Final = 15.0
CONNECT_S: Final = 8.0
OUTCOMES: Final = frozenset(
    {
        "approved",
        "captured",
        "declined",
        "acked",
        "reversed",
        "refunded",
        "not-found",
        "unknown",
    }
)


class SimTerminals:
    """The terminals that the hub drives; each is a machine of its own."""

    def __init__(self, process: Process, names: Sequence[str]) -> None:
        self._process = process
        self._names = tuple(names)

    def ready_terminals(self) -> Sequence[str]:
        """Those that answer at all."""
        world = self._process.world
        return [name for name in self._names if world.machine(name).up]

    async def take_card(self, terminal_id: str, charge: Charge) -> CardAnswer:
        """A sale."""
        request = {
            "do": "sale",
            "payment_id": charge.payment_id,
            "amount_minor": charge.amount_minor,
            "offline": charge.offline_allowed,
        }
        return await self._asked(terminal_id, request, SALE_S)

    async def card_status(
        self, terminal_id: str, payment_id: str, asked_minor: int = 0
    ) -> CardAnswer:
        """What became of it."""
        return await self._asked(terminal_id, {"do": "status", "payment_id": payment_id}, WORK_S)

    async def reverse_card(
        self, terminal_id: str, charge: Charge, terminal_ref: str, key: str
    ) -> CardAnswer:
        """Take it back."""
        request = {"do": "reverse", "payment_id": charge.payment_id}
        return await self._asked(terminal_id, request, WORK_S)

    async def refund_card(
        self, terminal_id: str, charge: Charge, terminal_ref: str, key: str
    ) -> CardAnswer:
        """The processor does that here."""
        return CardAnswer(CardOutcome.REFUSED, "not here")

    async def cancel_card(self, terminal_id: str, payment_id: str) -> bool:
        """The customer has the card in already."""
        return False

    async def report(self, terminal_id: str) -> TerminalReport:
        """It can't say."""
        return TerminalReport()

    async def _asked(
        self, terminal_id: str, request: dict[str, Any], timeout_s: float
    ) -> CardAnswer:
        try:
            told = await self._process.world.network.call(
                self._process, terminal_id, request, timeout_s
            )
        except Lost as error:
            return CardAnswer(CardOutcome.UNKNOWN, str(error))
        return answer_of(told)


def answer_of(told: dict[str, Any]) -> CardAnswer:
    """A terminal's answer as its driver gives it."""
    token = told.get("token")
    return CardAnswer(
        CardOutcome(told["outcome"]),
        card=told.get("card", ""),
        psp_ref=told.get("psp_ref", ""),
        captured=bool(told.get("captured")),
        tip_minor=told.get("tip_minor", 0),
        surcharge_minor=told.get("surcharge_minor", 0),
        token=token.encode() if token else None,
    )


def said_of(told: dict[str, Any]) -> ProcessorSaid:
    """What the processor tells of a payment, asked or by itself."""
    taken = told["outcome"] in ("approved", "captured")
    return ProcessorSaid(
        told["outcome"],
        psp_ref=told.get("psp_ref", ""),
        code=code_of(told.get("code", "")),
        approved_minor=told.get("approved_minor") if taken else None,
    )


class SimProcessor:
    """The adapter: see :class:`cloud_link.payments.processor.Processor`.  ``unsent`` is told of
    each payment of which nothing leaves the box; without it, nobody can tell that."""

    name = "simulated"
    timeout_s = BANK_S

    def __init__(self, process: Process, unsent: Callable[[str], None] | None = None) -> None:
        self._process = process
        self._unsent = unsent

    async def charge(self, effect: Effect) -> ProcessorSaid:
        """Authorise."""
        return await self._asked("charge", effect)

    async def look_up(self, effect: Effect) -> ProcessorSaid:
        """What became of it."""
        return await self._asked("look_up", effect)

    async def capture(self, effect: Effect) -> ProcessorSaid:
        """Take it."""
        return await self._asked("capture", effect)

    async def reverse(self, effect: Effect) -> ProcessorSaid:
        """Let it go."""
        return await self._asked("let_go", effect)

    async def refund(self, effect: Effect) -> ProcessorSaid:
        """Give some back."""
        return await self._asked("give_back", effect)

    async def look_up_refund(self, effect: Effect) -> ProcessorSaid:
        """What became of that."""
        return await self._asked("look_up_give_back", effect)

    async def close(self) -> None:
        """Nothing is open."""

    async def _asked(self, do: str, effect: Effect) -> ProcessorSaid:
        request = {
            "do": do,
            "payment_id": effect.payment_id,
            "key": effect.key,
            "amount_minor": effect.amount_minor,
            "boot": self._process.number,
        }
        world = self._process.world
        if self._unsent is not None and not world.network.link("hub", PROCESSOR).up:
            self._unsent(effect.payment_id)
            await asyncio.sleep(CONNECT_S)
            return ProcessorSaid("not-sent", "no connection", reached=False)
        try:
            told = await world.network.call(self._process, PROCESSOR, request, BANK_S - 1.0)
        except Lost as error:
            await asyncio.sleep(0)
            return ProcessorSaid("unknown", str(error), reached=False)
        assert told["outcome"] in OUTCOMES
        return said_of(told)
