"""The shop floor: several tills, their cashiers, and a manager who approves and receives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from random import Random

from devices.kit import DeviceMeta, HubClient, IdentityStore, KitError, Refused, Settled
from devices.tills import twin
from devices.tills.assortment import Assortment
from devices.tills.cards import CardTerminal
from devices.tills.customers import Board, Customers
from devices.tills.extras import Extras
from devices.tills.till import NO_EXTRAS, Person, VirtualTill
from hub.contract.envelope import HubState
from hub.contract.staff import Approval, DecideApproval
from hub.domain.errors import DomainError

_log = logging.getLogger(__name__)

Tell = Callable[..., None]

_CATALOGUE_POLL_S = 2.0
_TROUBLE_PAUSE_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How the shop is run: ``rate`` is sales per minute of all tills together; ``grace_s`` is how
    long a customer at a till may still be served when the shop closes."""

    rate: float
    seed: int
    cashiers: tuple[Person, ...]
    manager: Person
    grace_s: float = 8.0
    extras: Extras = NO_EXTRAS


class Floor:
    """Runs the tills whose folders are given until told to stop."""

    def __init__(self, stores: list[IdentityStore], plan: Plan, tell: Tell) -> None:
        self._stores = stores
        self._plan = plan
        self._tell = tell
        self._tills: list[VirtualTill] = []
        self._board = Board()
        self._delivering = asyncio.Lock()
        self._receipts = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Sell until ``stop`` is set; then the customers at the tills are served, and that's it.

        What is in a journal and not answered yet stays there for the next start.
        """
        async with AsyncExitStack() as open_tills:
            for number, store in enumerate(self._stores):
                await self._open(open_tills, number, store)
            shifts = [
                asyncio.create_task(self._shift(number, till, stop))
                for number, till in enumerate(self._tills)
            ]
            twins = [
                asyncio.create_task(twin.play(store.folder, till.hub.tell_conditions))
                for store, till in zip(self._stores, self._tills, strict=True)
            ]
            try:
                await _first_of(stop, [*shifts, *twins])
                stop.set()
                _, late = await asyncio.wait(shifts, timeout=self._plan.grace_s)
                if late:
                    self._tell("closing", unfinished=len(late))
            finally:
                for task in (*shifts, *twins):
                    task.cancel()
                ends = await asyncio.gather(*shifts, *twins, return_exceptions=True)
            for end in ends:
                if isinstance(end, Exception):
                    raise end

    # -- colleagues ----------------------------------------------------------------------------

    async def approve(self, asking: VirtualTill, approval_id: str) -> bool:
        """The manager decides on another till, where there is one."""
        others = [till for till in self._tills if till is not asking] or [asking]
        decision = DecideApproval.model_validate(
            {
                "approval_id": approval_id,
                "approve": True,
                "staff_id": self._plan.manager.staff_id,
                "pin": self._plan.manager.pin,
            }
        )
        try:
            answer = await others[-1].hub.request(decision, Approval, until_answered=True)
        except Refused as error:
            self._tell("not-approved", code=error.problem.code)
            return False
        self._tell("approval", approval_id=approval_id, permission=answer.permission)
        return answer.state == "approved"

    async def deliver(self, goods: dict[str, int]) -> None:
        """The manager books more goods in, at the last till."""
        async with self._delivering:
            self._receipts += 1
            try:
                await self._tills[-1].receive(goods, f"back room {self._receipts}")
            except Refused as error:
                self._tell("not-received", code=error.problem.code, detail=error.problem.detail)
            else:
                self._tell("received", products=len(goods))

    # -- tills ---------------------------------------------------------------------------------

    async def _open(self, stack: AsyncExitStack, number: int, store: IdentityStore) -> None:
        client = HubClient(store, DeviceMeta(kind="till", model="virtual till", firmware="1"))
        name = store.folder.name
        client.on_settled(lambda settled: self._settled(name, settled))
        client.on_hub(_changes(lambda mode: self._tell("hub", till=name, mode=mode)))
        hub = await stack.enter_async_context(client)
        last = number == len(self._stores) - 1
        cashier = self._plan.cashiers[number % len(self._plan.cashiers)]
        person = self._plan.manager if last else cashier
        rng = Random(f"{self._plan.seed}/{number}/money")
        terminal = CardTerminal(Random(f"{self._plan.seed}/{number}/cards"))
        hub.on_hub(terminal.hear)
        self._tills.append(VirtualTill(name, hub, person, self, rng, terminal, self._plan.extras))

    def _settled(self, name: str, settled: Settled) -> None:
        if settled.offered_again:
            ok = settled.problem is None
            self._tell("offered-again", till=name, key=settled.key, accepted=ok)

    async def _shift(self, number: int, till: VirtualTill, stop: asyncio.Event) -> None:
        rng = Random(f"{self._plan.seed}/{number}/customers")

        def tell(event: str, **facts: object) -> None:
            self._tell(event, till=till.name, **facts)

        assortment = Assortment(Random(f"{self._plan.seed}/{number}/shelf"))
        customers = Customers(till, assortment, self._board, self.deliver, rng, tell)
        begun = False
        while not stop.is_set():
            try:
                if not begun:
                    begun = await self._begin(till, assortment, tell)
                    pause_s = 0.0 if begun else _CATALOGUE_POLL_S
                else:
                    await customers.serve()
                    pause_s = rng.expovariate(self._plan.rate / 60 / len(self._tills))
            except (KitError, DomainError) as error:
                tell("trouble", detail=str(error))
                pause_s = _TROUBLE_PAUSE_S
            await _pause(stop, pause_s)

    async def _begin(self, till: VirtualTill, assortment: Assortment, tell: Tell) -> bool:
        """Sign in, give up what was left open, learn the catalogue; False when it is empty yet."""
        signed_in = await till.sign_in()
        await till.tidy_up()
        await assortment.learn(till.hub)
        if len(assortment) == 0:
            tell("waiting", detail="the hub has no catalogue with prices yet")
            return False
        tell("open", staff=signed_in.staff_id, products=len(assortment))
        return True


def _changes(tell: Callable[[str], None]) -> Callable[[HubState], None]:
    """Calls ``tell`` only when the mode is another one."""
    last: list[str] = []

    def heard(state: HubState) -> None:
        if last != [state.mode]:
            last[:] = [state.mode]
            tell(state.mode)

    return heard


async def _pause(stop: asyncio.Event, pause_s: float) -> None:
    try:
        async with asyncio.timeout(pause_s):
            await stop.wait()
    except TimeoutError:
        return


async def _first_of(stop: asyncio.Event, shifts: list[asyncio.Task[None]]) -> None:
    """Until the shop closes, or a shift ends by an error that nobody expected."""
    waiting = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({waiting, *shifts}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
