"""A card terminal's twin without hardware: for demonstrations, simulations and tests.

It approves whatever it is asked for.  Words in a file of faults, or its ``faults``, have it do
otherwise: ``declined``, ``offline`` (the acquirer can't be reached: it approves and keeps what it
may), ``silent`` (it takes the money and doesn't answer), ``off``.  It forgets everything when its
hub ends; the one of ``python -m devices.terminal`` doesn't.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from devices.peripherals.model import (
    Capabilities,
    CardAnswer,
    CardOutcome,
    Charge,
    ConditionsAre,
    Connector,
    Gone,
    Identity,
    Misconfigured,
    Option,
    PaymentTerminal,
    TerminalReport,
    Told,
    Unreachable,
    World,
)
from devices.peripherals.scanning.reading import number, text

KNOWN_MAX: Final = 10_000
"""Then it forgets the oldest."""
STORED_MAX: Final = 200
FAULTS: Final = frozenset({"declined", "offline", "silent", "off"})
FAULTS_BYTES_MAX: Final = 200
LOOK_S: Final = 0.1


class SimulatedTerminal(PaymentTerminal):
    """``known``: payment → what became of it; ``back``: effects that gave money back, by their
    keys: payment and amount."""

    key = "simulated-terminal"
    title = "Simulated card terminal"
    option_help = {
        "job_ms": "how long a customer takes, 0 to 60000 ms; 500",
        "custody": "terminal: it keeps what it approves offline; hub: the hub gets a token;"
        " terminal",
        "faults": "a file with what is the matter: declined, offline, silent, off; none",
    }

    def __init__(
        self,
        connector: Connector,
        world: World,
        tell: Callable[[Told], None],
        options: Mapping[str, Option] | None = None,
    ) -> None:
        super().__init__(connector, world, tell, options)
        self._job_s = number(self.options, "job_ms", 0, 60_000, 500) / 1000
        custody = text(self.options, "custody")
        if custody not in ("", "terminal", "hub"):
            raise Misconfigured(f"custody is terminal or hub, not {custody!r}")
        self._hub_keeps = custody == "hub"
        told = text(self.options, "faults")
        self._faults_file = Path(told) if told else None
        self.faults: frozenset[str] = frozenset()
        self.known: dict[str, CardAnswer] = {}
        self.back: dict[str, tuple[str, int]] = {}
        self._amounts: dict[str, int] = {}
        self._paying: dict[str, asyncio.Event] = {}
        self._pulled: asyncio.Event | None = None

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(frozenset({"hub-custody"} if self._hub_keeps else {"store-forward"}))

    def pull(self) -> None:
        """Somebody switches it off."""
        if self._pulled is not None:
            self._pulled.set()

    async def serve(self, ready: Callable[[Identity], None]) -> None:
        await self._look()
        if "off" in self.faults:
            raise Unreachable("the simulated terminal is switched off")
        self._pulled = pulled = asyncio.Event()
        try:
            ready(Identity(maker="Store Hub", model="simulated terminal"))
            self.tell(ConditionsAre(frozenset()))
            while "off" not in self.faults:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S if self._faults_file else None):
                        await pulled.wait()
                        break
                await self._look()
        finally:
            self._pulled = None
        raise Gone("the simulated terminal was switched off")

    # -- transactions -------------------------------------------------------------------------

    async def sale(self, charge: Charge) -> CardAnswer:
        if self._pulled is None:
            return CardAnswer(CardOutcome.NOT_DONE, "the simulated terminal isn't there")
        if charge.payment_id in self.known:
            return self.known[charge.payment_id]
        self._paying[charge.payment_id] = given_up = asyncio.Event()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._job_s):
                    await given_up.wait()
            await self._look()
            answer = self._decided(charge, given_up=given_up.is_set())
            self._remember(charge, answer)
        finally:
            del self._paying[charge.payment_id]
        if "silent" in self.faults or "off" in self.faults:
            return CardAnswer(CardOutcome.UNKNOWN, "the simulated terminal gave no answer")
        return answer

    def _decided(self, charge: Charge, *, given_up: bool) -> CardAnswer:
        if given_up:
            return CardAnswer(CardOutcome.REFUSED, "Aborted")
        if "declined" in self.faults:
            return CardAnswer(CardOutcome.REFUSED, "Refusal")
        name = charge.payment_id[-12:]
        answer = CardAnswer(
            CardOutcome.APPROVED,
            last4="4242",
            scheme="visa",
            approval_code="A1B2C3",
            psp_ref=f"psp-{name}",
            terminal_ref=f"sim-{name}",
            card="simulated-card",
        )
        if "offline" not in self.faults:
            return answer
        if not charge.offline_allowed or len(self.stored) >= STORED_MAX:
            return CardAnswer(CardOutcome.REFUSED, "UnreachableHost")
        return replace(
            answer,
            outcome=CardOutcome.APPROVED_OFFLINE,
            approval_code="",
            psp_ref="",
            token=f"sim-token-{name}".encode() if self._hub_keeps else None,
        )

    @property
    def stored(self) -> list[str]:
        """Payments that it keeps and hasn't forwarded."""
        return [
            payment_id
            for payment_id, answer in self.known.items()
            if answer.outcome is CardOutcome.APPROVED_OFFLINE and answer.token is None
        ]

    def forward(self) -> None:
        """The acquirer can be reached again, and takes what was kept."""
        for payment_id in self.stored:
            self.known[payment_id] = replace(
                self.known[payment_id],
                outcome=CardOutcome.APPROVED,
                psp_ref=f"psp-{payment_id[-12:]}",
                approval_code="A1B2C3",
            )

    async def status(self, payment_id: str, asked_minor: int = 0) -> CardAnswer:
        if self._pulled is None or payment_id in self._paying:
            return CardAnswer(CardOutcome.UNKNOWN, "the simulated terminal can't say")
        await self._look()
        if "offline" not in self.faults:
            self.forward()
        unknown = CardAnswer(CardOutcome.NOT_DONE, "the simulated terminal knows nothing of it")
        return self.known.get(payment_id, unknown)

    async def reverse(self, charge: Charge, terminal_ref: str, key: str) -> CardAnswer:
        found = self.known.get(charge.payment_id)
        taken = (CardOutcome.APPROVED, CardOutcome.APPROVED_OFFLINE)
        if self._pulled is None:
            return CardAnswer(CardOutcome.UNKNOWN, "the simulated terminal isn't there")
        if key in self.back:
            return CardAnswer(CardOutcome.APPROVED, terminal_ref=terminal_ref)
        if found is None or found.outcome not in taken:
            return CardAnswer(CardOutcome.NOT_DONE, "nothing was taken that could go back")
        self.known[charge.payment_id] = replace(found, outcome=CardOutcome.REFUSED)
        amount_minor = self._amounts[charge.payment_id]
        self.back[key] = (charge.payment_id, amount_minor)
        return CardAnswer(CardOutcome.APPROVED, terminal_ref=terminal_ref or found.terminal_ref)

    async def refund(self, charge: Charge, terminal_ref: str, key: str) -> CardAnswer:
        if self._pulled is None:
            return CardAnswer(CardOutcome.UNKNOWN, "the simulated terminal isn't there")
        if key not in self.back:
            given = sum(amount for one, amount in self.back.values() if one == charge.payment_id)
            if given + charge.amount_minor > self._amounts.get(charge.payment_id, 0):
                return CardAnswer(CardOutcome.REFUSED, "that is more than was taken")
            self.back[key] = (charge.payment_id, charge.amount_minor)
        return CardAnswer(CardOutcome.APPROVED, terminal_ref=terminal_ref)

    async def cancel(self, payment_id: str) -> bool:
        paying = self._paying.get(payment_id)
        if paying is not None:
            paying.set()
        return self._pulled is not None

    async def diagnose(self) -> TerminalReport:
        if self._pulled is None:
            raise Gone("the simulated terminal isn't there")
        stored_minor = sum(self._amounts[one] for one in self.stored)
        return TerminalReport(len(self.stored), stored_minor, "offline" not in self.faults)

    def _remember(self, charge: Charge, answer: CardAnswer) -> None:
        self.known[charge.payment_id] = answer
        self._amounts[charge.payment_id] = charge.amount_minor
        while len(self.known) > KNOWN_MAX:
            oldest = next(iter(self.known))
            del self.known[oldest], self._amounts[oldest]

    async def _look(self) -> None:
        if self._faults_file is not None:
            self.faults = await asyncio.to_thread(_read, self._faults_file)


def _read(path: Path) -> frozenset[str]:
    """The words that are known; no file, no faults."""
    try:
        with path.open("rb") as file:
            told = file.read(FAULTS_BYTES_MAX)
    except OSError:
        return frozenset()
    return FAULTS & frozenset(told.decode(errors="replace").split())


DRIVER = SimulatedTerminal
