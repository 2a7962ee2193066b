"""The office: who looks at payments that nobody else can clear, with what the processor and the
terminals have on paper, and who sees to receivables."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from hub.contract.base import Command
from hub.contract.payments import CloseReceivable, DecidePayment
from hub.contract.problems import Refusal
from hub.contract.receivables import SendLink, SetContact, SettleLink
from hub.domain.payments.states import PaymentState
from hub.service.caller import HUB, Caller, CallerKind
from hub.service.payments.commands import LearnOutcome, ProcessorSaid
from hub.storage import paymentrows
from hub.storage.paymentrows import PaymentRow
from tests.simulation.shop.debtors import contact_of
from tests.simulation.shop.plan import RARE_ABOVE
from tests.simulation.shop.simcards import said_of

if TYPE_CHECKING:
    from tests.simulation.shop.hubwiring import RunningHub
    from tests.simulation.shop.scenario import Scenario
    from tests.simulation.shop.terminal import Slip

S = PaymentState
LOOKS_PER_S: Final = 1 / 1_800
TWO: Final = (Caller(CallerKind.WEB, "office", "900"), Caller(CallerKind.WEB, "office", "201"))
ERRS: Final = 0.3
BROUGHT_BACK: Final = {
    S.STORED: 0.04,
    **dict.fromkeys((S.FORWARD_UNKNOWN, S.FORWARDED, S.RETRY_WAIT, S.LOST, S.MANUAL), 0.3),
    S.RECOVERY: 0.3,
}
"""By what its payment is: share of sales that come back, at a look."""
NEVER: Final = 0.5
NEVER_LOST: Final = 0.85
"""Shares of what no processor has heard of that people call never done."""
BROUGHT_BACK_WITH_LINKS: Final = 0.02
"""The same of receivables where customers may pay by a link."""
UNSENT_BACK: Final = 0.3
UNSENT_BACK_FIRST: Final = 0.01
"""The same where those that are tried again are waited for: all of them come back then."""
CONTENT: Final = 0.5
"""Share of customers of later storms who keep what they bought, whatever becomes of the payment."""
SIGNED_ALONE: Final = 0.3
"""Share of receivables that are seen to at a look."""
SIGNED_WITH_LINKS: Final = 0.02
"""The same where customers may pay by a link."""


class Office:
    """``watch`` for the whole run."""

    def __init__(self, shop: Scenario) -> None:
        self._shop = shop
        self._world = shop.world
        self._random = shop.world.random("office")
        self._links = shop.world.random("office/links")
        self._minds = shop.world.random("office/minds")
        self._content: dict[str, bool] = {}

    def learn(self, payment_id: str, told: dict[str, Any]) -> None:
        """The processor tells an outcome by itself; half of the time nobody listens."""
        running = self._shop.hub.running
        if running is None or not running.process.ready or self._random.random() < 0.5:
            return
        running.process.spawn(self._learned(running, payment_id, said_of(told)), "outcome")

    async def watch(self) -> None:
        """Look now and then."""
        while True:
            await asyncio.sleep(self._random.expovariate(LOOKS_PER_S))
            running = self._shop.hub.running
            if running is not None and running.process.ready and not self._shop.disk.broken:
                running.process.spawn(self._look(running), "office")

    async def _look(self, running: RunningHub) -> None:
        with suppress(Exception):  # all that is left comes up at the next look
            for state in (S.MANUAL, S.LOST):
                for row in paymentrows.in_state(running.rows, state, 5):
                    await self._clear(running, row)
            if self._shop.plan.storm:
                self._have_brought_back(running)
            signed = SIGNED_WITH_LINKS if self._shop.plan.links else SIGNED_ALONE
            for row in paymentrows.in_state(running.rows, S.RECOVERY, 5):
                if self._random.random() < signed:
                    await self._close(running, row)
            if self._shop.plan.links:
                await self._see_to_links(running)

    def unsent(self, payment_id: str) -> None:
        """Nothing of it leaves the hub just now; its customer may be back at that very moment."""
        running = self._shop.hub.running
        if running is None:
            return
        row = paymentrows.get(running.rows.quiet, payment_id)
        share = UNSENT_BACK
        if self._shop.plan.waits_for_retries:
            share = 1.0 if row is not None and row.declines else UNSENT_BACK_FIRST
        if self._random.random() >= share:
            return
        if row is not None and row.in_sale and not row.void_asked:
            self.bring_back(row)

    def bring_back(self, row: PaymentRow) -> None:
        """Its customer is in the shop with the goods."""
        board = self._shop.tills[0].tap.board
        board.unwanted.append(row.sale_id)
        board.come.set()

    def _have_brought_back(self, running: RunningHub) -> None:
        """Customers whose payment is in the middle of something want their money back; often."""
        shares = BROUGHT_BACK
        if self._shop.plan.links:
            shares = BROUGHT_BACK | {S.RECOVERY: BROUGHT_BACK_WITH_LINKS}
        for state, share in shares.items():
            for row in paymentrows.in_state(running.rows, state, 5):
                comes = row.in_sale and not row.void_asked and self._random.random() < share
                if comes and not self._keeps_the_goods(row):
                    self.bring_back(row)

    def _keeps_the_goods(self, row: PaymentRow) -> bool:
        """Whether its customer is content: who looks every half an hour would else see all of what
        nobody can tell of for days come back."""
        if self._shop.plan.seed <= RARE_ABOVE:
            return False
        return self._content.setdefault(row.payment_id, self._minds.random() < CONTENT)

    async def _clear(self, running: RunningHub, row: PaymentRow) -> None:
        if row.is_value and self._shop.gifts is not None:
            taken = self._shop.gifts.hold_status(row.payment_id) in ("captured", "refunded")
            await self._decide(running, row, "approved" if taken else "declined")
            return
        charge = self._shop.processor.charge_of(row.payment_id)
        slip = self._shop.slip_of(row.payment_id)
        if charge is not None and charge.state == "pending":
            return
        if charge is not None and charge.state in ("authorised", "captured"):
            captured = charge.state == "captured"
            if captured or self._random.random() < 0.5:
                said = ProcessorSaid(
                    "captured" if captured else "approved", approved_minor=charge.amount_minor
                )
                await self._learned(running, row.payment_id, said)
            else:
                await self._decide(running, row, "approved")
            return
        if self._waits(slip, row) and not self._errs():
            return
        share = NEVER_LOST if row.state == S.LOST and self._shop.plan.seed > RARE_ABOVE else NEVER
        never = charge is None and self._random.random() < share
        await self._decide(running, row, "never-done" if never else "declined")

    def _waits(self, slip: Slip | None, row: PaymentRow) -> bool:
        """Whether its terminal may still take it, or its till has yet to tell the hub."""
        if slip is None:
            return False
        untold = slip.state == "stored" and row.stored_at_ms is None
        return untold or slip.state in ("busy", "asked", "kept")

    def _errs(self) -> bool:
        """Now and then, in a storm, nobody has looked at the terminal."""
        if not self._shop.plan.storm or self._random.random() >= ERRS:
            return False
        self._world.count("people decide too early")
        return True

    async def _see_to_links(self, running: RunningHub) -> None:
        """Ask for what is owed, and say what became of money that wasn't."""
        for row in paymentrows.in_state(running.rows, S.RECOVERY, 20):
            lot = self._links.random()
            if lot < 0.2:
                contact = contact_of(self._links, self._links.randrange(100_000))
                await self._ask(running, SetContact(payment_id=row.payment_id, contact=contact))
            elif lot < 0.5:
                await self._ask(running, SendLink(payment_id=row.payment_id))
        for (payment_id,) in running.rows.all(
            "SELECT DISTINCT p.payment_id FROM payment_links l JOIN payments p ON p.id = l.payment"
            " WHERE l.state = 'surplus' ORDER BY p.id LIMIT 5"
        ):
            if self._links.random() < 0.5:
                self._world.count("surplus of a link settled")
                how = self._links.choice(("given-back", "kept"))
                command = {"payment_id": payment_id, "how": how, "reason": "seen to in the office"}
                await self._ask(running, SettleLink.model_validate(command))

    async def _ask(self, running: RunningHub, command: Command) -> None:
        """A refusal is an answer: somebody was faster, or nobody can be reached."""
        try:
            await running.gate.run(TWO[0], command, running.process.ids.uuid7())
            self._world.count(f"office: {command.operation}")
        except Refusal as error:
            self._world.count(f"office: {command.operation} refused {error.problem.code}")

    async def _decide(self, running: RunningHub, row: PaymentRow, outcome: str) -> None:
        self._world.count(f"two people say {outcome} of what is {row.state}")
        for person in TWO:
            command = DecidePayment.model_validate(
                {
                    "payment_id": row.payment_id,
                    "outcome": outcome,
                    "evidence": "the report of the processor",
                }
            )
            await running.gate.run(person, command, running.process.ids.uuid7())

    async def _close(self, running: RunningHub, row: PaymentRow) -> None:
        how = self._random.choice(("paid", "written-off"))
        self._world.count(f"receivable {how}")
        people = TWO if how == "written-off" else TWO[:1]
        for person in people:
            command = CloseReceivable.model_validate(
                {"payment_id": row.payment_id, "how": how, "reason": "seen to in the office"}
            )
            await running.gate.run(person, command, running.process.ids.uuid7())

    async def _learned(self, running: RunningHub, payment_id: str, said: ProcessorSaid) -> None:
        with suppress(Exception):  # it is told once; who has missed it looks it up
            self._world.count(f"outcome learned: {said.outcome}")
            await running.gate.internal(HUB, LearnOutcome(payment_id, said, "settlement"))
