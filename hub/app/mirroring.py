"""The second keeper of stored payments: a paired device that has a copy of each on its disk.

A payment that is to be kept twice may be tendered only when the keeper has it.  What the keeper has
of a lost hub's payments this one asks for once after each start.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, Protocol

from hub.clock import Randomness
from hub.contract import keeping
from hub.contract.keeping import Copies
from hub.domain.schedule import restart_s
from hub.security.errors import SealBroken
from hub.service.caller import Caller, CallerKind
from hub.service.handlers.mirroring import (
    MarkMirrored,
    TakeCopies,
    ToMirror,
    copy_of,
    is_needed,
    to_mirror,
)
from hub.service.internal import InternalCommand
from hub.service.notices import HubChanged, PaymentChanged
from hub.service.shop import Vault
from hub.storage import hubrow, paymentrows
from hub.storage.errors import StorageError
from hub.storage.rows import Rows

log = logging.getLogger(__name__)

MIRROR: Final = Caller(CallerKind.HUB, "mirror")
AT_ONCE: Final = 4
TIMEOUT_S: Final = 10.0
LOOK_S: Final = 60.0
PAUSE_FIRST_S: Final = 1.0
PAUSE_MOST_S: Final = 30.0
DROPS_MAX: Final = 5000
"""So many copies that may go are remembered; beyond, the keeper keeps some until the next start."""
SHUT_MAX: Final = 200
"""So many of which no key opens what is sealed are passed over."""
PAGES_MAX: Final = keeping.COPIES_MAX // keeping.COPIES_PER_ANSWER + 1

Ask = Callable[[str, str, dict[str, Any], float], Awaitable[dict[str, Any]]]
"""Device, operation, data, seconds → its answer.  Any error: it isn't done, or nobody knows."""


class MirrorGate(Protocol):
    """What the mirror needs of :class:`hub.service.gate.Gate`."""

    @property
    def rows(self) -> Rows:
        """Reads on the loop."""

    async def internal(self, caller: Caller, command: InternalCommand) -> Any:
        """A command of the hub's own machinery."""


class Mirror:
    """``keeper``: the device's id; empty: there is none, and this does nothing; nor without an open
    ``vault``."""

    def __init__(
        self,
        keeper: str,
        gate: MirrorGate,
        ask: Ask,
        randomness: Randomness,
        vault: Vault | None,
    ) -> None:
        self._keeper = keeper if vault is not None else ""
        self._vault = vault
        self._gate = gate
        self._ask = ask
        self._randomness = randomness
        self._wake = asyncio.Event()
        self._drops: dict[str, None] = {}
        self._shut: dict[str, None] = {}
        self._ask_again = True
        self._early = False
        self._refused = 0
        self._failures = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, where there is a keeper."""
        if self._keeper:
            self._task = asyncio.create_task(self._run(), name="payment-mirror")

    async def stop(self) -> None:
        """End; what isn't kept twice yet is sent at the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def refused(self) -> int:
        """How many copies of the keeper couldn't be taken in since the start."""
        return self._refused

    def notify(self, told: Iterable[object]) -> None:
        """Take what committed requests left to be told."""
        if not self._keeper:
            return
        for notice in told:
            if isinstance(notice, PaymentChanged):
                if len(self._drops) < DROPS_MAX:
                    self._drops[notice.payment_id] = None
                self._shut.pop(notice.payment_id, None)
                self._wake.set()
            elif isinstance(notice, HubChanged) and (self._refused or self._early):
                self._ask_again = True  # the cloud may have told of them
                self._wake.set()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            wait_s = LOOK_S
            try:
                more = await self._turn()
                self._failures = 0
                if more:
                    continue
            except StorageError as error:
                log.warning("copies of payments wait: %s", error)
                wait_s = self._pause_s()
            except Exception as error:  # of whoever reaches the device: it is asked again
                log.warning("%s keeps no copies of payments now: %s", self._keeper, error)
                wait_s = self._pause_s()
            try:
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()
                if self._failures:
                    await asyncio.sleep(PAUSE_FIRST_S)
            except TimeoutError:
                continue

    def _pause_s(self) -> float:
        self._failures += 1
        return restart_s(self._failures, PAUSE_FIRST_S, PAUSE_MOST_S, self._randomness.uniform)

    async def _turn(self) -> bool:
        """Whether more waits.  What can't be kept now doesn't hold what is over at the keeper: it
        takes room."""
        if self._ask_again:
            await self._ask_back()
        found = to_mirror(self._gate.rows, AT_ONCE + len(self._shut))
        some = [one for one in found if one.row.payment_id not in self._shut][:AT_ONCE]
        kept = await asyncio.gather(*map(self._keep, some), return_exceptions=True)
        dropped = await self._drop()
        for one in kept:
            if isinstance(one, BaseException):
                raise one
        return any(kept) or dropped

    async def _keep(self, one: ToMirror) -> bool:
        """Whether that is done with for now: what no key opens waits until it has changed."""
        assert self._vault is not None  # it wouldn't run
        payment_id = one.row.payment_id
        try:
            text = copy_of(one, self._vault)
        except SealBroken as error:
            log.error("no copy of payment %s can be made: %s", payment_id, error)
            if len(self._shut) >= SHUT_MAX:
                return False
            self._shut[payment_id] = None
            return True
        await self._ask(
            self._keeper, keeping.KEEP, {"payment_id": payment_id, "copy_text": text}, TIMEOUT_S
        )
        key_id = one.token.key_id if one.token is not None else ""
        mark = MarkMirrored(payment_id, key_id, one.contact)
        await self._gate.internal(MIRROR, mark)
        return True

    async def _drop(self) -> bool:
        over = [one for one in self._drops if not is_needed(self._gate.rows, one)]
        needed = [one for one in self._drops if one not in over]
        for one in needed:
            del self._drops[one]
        some = over[: keeping.DROP_MAX]
        if some:
            await self._ask(self._keeper, keeping.DROP, {"payment_ids": some}, TIMEOUT_S)
            for one in some:
                self._drops.pop(one, None)
        return len(over) > len(some)

    async def _ask_back(self) -> None:
        # While the cloud has yet to tell, what is known here may lack what its copy has.
        self._early = hubrow.get(self._gate.rows).fence == "restored"
        self._ask_again = False
        try:
            await self._take_back()
        except BaseException:
            self._ask_again = True
            raise

    async def _take_back(self) -> None:
        after, refused = "", 0
        for _ in range(PAGES_MAX):
            answer = await self._ask(self._keeper, keeping.RETURN, {"after": after}, TIMEOUT_S)
            page = Copies.model_validate(answer)
            copies = tuple((one.payment_id, one.copy_text) for one in page.copies)
            if copies:
                over = await self._gate.internal(MIRROR, TakeCopies(copies))
                self._drops.update(dict.fromkeys(over))
                names = [payment_id for payment_id, _ in copies]
                refused += sum(paymentrows.get(self._gate.rows, one) is None for one in names)
                self._refused = refused
                after = copies[-1][0]
            if not page.more or not copies:
                return
