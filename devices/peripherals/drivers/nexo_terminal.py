"""A card terminal on the shop's network that speaks nexo Retailer, as Adyen's do locally.

Doubt is an answer: a request that may have left and has no answer is ``unknown``, and so is one
that the terminal is still busy with.  Nothing of a message's body is ever logged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
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
    Unfit,
    Unreachable,
    World,
)
from devices.peripherals.nexo import answers, requests
from devices.peripherals.nexo.line import Line, NoAnswer, NotSent, NotUnderstood, Place
from devices.peripherals.nexo.requests import Party, TooMuch, service_id, stamp
from devices.peripherals.scanning.reading import number, text

LOOK_S: Final = 20
ANSWER_S: Final = 10.0
SALE_S: Final = 180.0
"""A terminal gives a customer two minutes at most; then it says so."""
MISSES_MAX: Final = 2
"""So many looks in a row without an answer, and the terminal is gone."""


class NexoTerminal(PaymentTerminal):
    """Looks now and then how the terminal is."""

    key = "nexo-terminal"
    title = "Card terminal (nexo Retailer, e.g. Adyen)"
    option_help = {
        "poi_id": "the terminal's id: model and serial number, e.g. P400Plus-123456789; needed",
        "sale_id": "how the hub calls itself towards it; store-hub",
        "keys_file": "a file that only the hub may read, with the key that is set up at the"
        " terminal: KEY-ID VERSION PASSPHRASE, one a line, the newest first; needed",
        "root_file": "the root certificate (PEM) that vouches for the terminal's; needed",
        "certificate_name": "the name in the terminal's certificate; the address's host",
        "custody": "terminal: it keeps and forwards what it approves offline; hub: the hub does;"
        " terminal",
        "look_s": f"how often it is asked how it is, 1 to 600 s; {LOOK_S}",
        "sale_s": f"how long a payment may take, 10 to {SALE_S:g} s; {SALE_S:g}",
    }

    def __init__(
        self,
        connector: Connector,
        world: World,
        tell: Callable[[Told], None],
        options: Mapping[str, Option] | None = None,
    ) -> None:
        super().__init__(connector, world, tell, options)
        if not connector.address.startswith("tcp://"):
            raise Misconfigured("a terminal's address is tcp://HOST:8443")
        self._keys, self._root = self._file("keys_file"), self._file("root_file")
        poi_id, custody = text(self.options, "poi_id"), text(self.options, "custody")
        if not poi_id:
            raise Misconfigured("poi_id is needed: the terminal shows it in its menu")
        if custody not in ("", "terminal", "hub"):
            raise Misconfigured(f"custody is terminal or hub, not {custody!r}")
        self._keep_token = custody == "hub"
        self._look_s = number(self.options, "look_s", 1, 600, LOOK_S)
        self._sale_s = number(self.options, "sale_s", 10, int(SALE_S), int(SALE_S))
        place = Place.of(connector.address, text(self.options, "certificate_name"))
        party = Party(text(self.options, "sale_id") or "store-hub", poi_id)
        resolve = getattr(connector, "resolve", None)
        self._line = Line(place, party, world.randomness.token_bytes, resolve)
        self._asked = 0
        self._selling = False

    def _file(self, name: str) -> Path:
        told = text(self.options, name)
        if not told.startswith("/"):
            raise Misconfigured(f"{name} is needed: the whole path of a file")
        return Path(told)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(frozenset({"hub-custody"} if self._keep_token else {"store-forward"}))

    @property
    def seals_with(self) -> int:
        """The version of the key that it sends with; 0 before it was ever connected."""
        return self._line.key_version

    # -- life ---------------------------------------------------------------------------------

    async def serve(self, ready: Callable[[Identity], None]) -> None:
        try:
            await self._line.open(self._root, self._keys)
        except Misconfigured as error:
            raise Unfit(str(error)) from error
        try:
            firmware = await self._first()
            ready(Identity(model=self._line.party.poi_id[:64], firmware=firmware))
            self.tell(ConditionsAre(frozenset()))
            await self._watch()
        finally:
            await self._line.close()

    async def _first(self) -> str:
        """Its firmware.  The keys are tried one after the other: while one is being replaced only
        one side has the new one."""
        while True:
            try:
                return (await self._diagnosed())[1]
            except NotUnderstood as error:
                if not self._line.next_key():
                    raise Unfit(
                        f"{error}: are the key's id, version and passphrase in keys_file those that"
                        " are set up at the terminal?"
                    ) from error
            except (NotSent, NoAnswer) as error:
                raise Unreachable(f"{error}") from error

    async def _watch(self) -> None:
        missed = 0
        while True:
            await asyncio.sleep(self._look_s)
            if self._selling:
                continue
            await self._line.read_again(self._keys)
            try:
                await self._diagnosed()
                missed = 0
            except NotUnderstood as error:
                raise Gone(str(error)) from error  # and the next life tries all keys
            except (NotSent, NoAnswer) as error:
                missed += 1
                if missed >= MISSES_MAX:
                    raise Gone(str(error)) from error

    async def _diagnosed(self) -> tuple[TerminalReport, str]:
        body = await self._line.ask("Diagnosis", self._fresh(), requests.diagnosis(), ANSWER_S)
        return answers.of_diagnosis(body)

    async def diagnose(self) -> TerminalReport:
        try:
            return (await self._diagnosed())[0]
        except (NotSent, NoAnswer) as error:
            raise Gone(str(error)) from error

    # -- transactions -------------------------------------------------------------------------

    async def sale(self, charge: Charge) -> CardAnswer:
        try:
            asked = requests.payment(charge, self._now(), keep_token=self._keep_token)
        except (TooMuch, ValueError) as error:
            return CardAnswer(CardOutcome.NOT_DONE, str(error))
        self._selling = True
        try:
            body = await self._line.ask(
                "Payment", service_id(charge.payment_id), asked, self._sale_s
            )
        except NotSent as error:
            return CardAnswer(CardOutcome.NOT_DONE, str(error))
        except NoAnswer as error:
            return CardAnswer(CardOutcome.UNKNOWN, str(error))
        finally:
            self._selling = False
        return answers.of_payment(body, charge, keep_token=self._keep_token)

    async def status(self, payment_id: str, asked_minor: int = 0) -> CardAnswer:
        return await self._became("Payment", service_id(payment_id), None, asked_minor)

    async def reverse(self, charge: Charge, terminal_ref: str, key: str) -> CardAnswer:
        return await self._back(charge, terminal_ref, key, part=False)

    async def refund(self, charge: Charge, terminal_ref: str, key: str) -> CardAnswer:
        if terminal_ref:
            return await self._back(charge, terminal_ref, key, part=True)
        former = await self._became("Payment", service_id(key), charge)
        if former.outcome is not CardOutcome.NOT_DONE:
            return former
        try:
            asked = requests.refund(charge, self._now())
        except (TooMuch, ValueError) as error:
            return CardAnswer(CardOutcome.REFUSED, str(error))
        try:
            body = await self._line.ask("Payment", service_id(key), asked, self._sale_s)
        except (NotSent, NoAnswer) as error:
            return CardAnswer(CardOutcome.UNKNOWN, str(error))
        return answers.of_payment(body, charge, keep_token=False)

    async def _back(self, charge: Charge, terminal_ref: str, key: str, *, part: bool) -> CardAnswer:
        """Whether it was done before is asked first: this may be a repeat."""
        service = service_id(key)
        former = await self._became("Reversal", service, None)
        if former.outcome is not CardOutcome.NOT_DONE:
            return former
        if not terminal_ref:
            found = await self.status(charge.payment_id)
            if not found.terminal_ref:
                return found
            if found.outcome is CardOutcome.REFUSED:
                return CardAnswer(CardOutcome.NOT_DONE, "nothing was taken that could go back")
            terminal_ref = found.terminal_ref
        try:
            asked = requests.reversal(charge, terminal_ref, self._now(), key, part=part)
        except (TooMuch, ValueError) as error:
            return CardAnswer(CardOutcome.REFUSED, str(error))
        try:
            body = await self._line.ask("Reversal", service, asked, self._sale_s)
        except (NotSent, NoAnswer) as error:
            return CardAnswer(CardOutcome.UNKNOWN, str(error))
        return answers.of_reversal(body)

    async def cancel(self, payment_id: str) -> bool:
        asked = requests.abort(self._line.party, service_id(payment_id))
        try:
            await self._line.tell("Abort", self._fresh(), asked, ANSWER_S)
        except (NotSent, NoAnswer):
            return False
        return True

    async def _became(
        self, category: str, service: str, charge: Charge | None, asked_minor: int = 0
    ) -> CardAnswer:
        asked = requests.status(self._line.party, category, service)
        try:
            body = await self._line.ask("TransactionStatus", self._fresh(), asked, ANSWER_S)
        except (NotSent, NoAnswer) as error:
            return CardAnswer(CardOutcome.UNKNOWN, f"the terminal can't be asked: {error}")
        return answers.of_status(
            body, service, keep_token=self._keep_token, charge=charge, asked_minor=asked_minor
        )

    def _fresh(self) -> str:
        """A message id that was never used: for questions."""
        self._asked += 1
        return service_id(f"{self.world.randomness.token_bytes(16).hex()}-{self._asked}")

    def _now(self) -> str:
        return stamp(self.world.clock.wall_ms())


DRIVER = NexoTerminal
