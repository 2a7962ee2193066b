"""Misfortune while the shop sells: processes killed with requests in flight, cables cut, a cloud
that misbehaves.

The script follows from the seed: when (by baskets sold) and what.  The tills may not run ahead of
the next misfortune, so that all of them happen however short the run is.  What was killed is
started again after a moment; nothing else is repaired by hand.
"""

from __future__ import annotations

import asyncio
import functools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Literal

from scripts.replay_shop.report import Kills
from scripts.replay_shop.selling import Progress
from scripts.rig import ShopRig, Trouble, Wire

Kind = Literal["hub", "broker", "oms", "cut-tills", "cut-cloud", "strand-cloud", "slow", "rude"]

_KILLS: tuple[Kind, ...] = ("hub", "broker", "oms")
_LINKS: tuple[Kind, ...] = ("cut-tills", "cut-cloud", "strand-cloud", "slow", "rude")
_BROKER_S = 60.0
_POLL_S = 0.02
_AIM_S = 0.02
_DEAD_S = 0.8
_CUT_S = 1.0
_RUDE_S = 4.0


@dataclass(frozen=True, slots=True)
class Misfortune:
    """What happens once ``after`` baskets are sold."""

    after: int
    kind: Kind


@dataclass(slots=True)
class Wires:
    """The cables that can be cut."""

    tills: Wire
    cloud: Wire


@dataclass(slots=True)
class Tally:
    """What happened; ``in_flight`` are the requests under way at each kill."""

    kills: Counter[str] = field(default_factory=Counter)
    in_flight: list[int] = field(default_factory=list)

    def kills_and_cuts(self, wires: Wires) -> Kills:
        return Kills(
            hub=self.kills["hub"],
            broker=self.kills["broker"],
            oms=self.kills["oms"],
            link_cuts=wires.tills.cuts + wires.cloud.cuts,
        )


def script(baskets: int, kills_each: int, seed: str, *, headway: int = 0) -> list[Misfortune]:
    """``kills_each`` of hub, broker and cloud, and half as many troubles of each other sort (at
    least one), spread over the run in an order that follows from the seed; the last ``headway``
    baskets but one are spared."""
    rng = Random(f"{seed}/chaos")
    kinds = [kind for kind in _KILLS for _ in range(kills_each)]
    kinds += [kind for kind in _LINKS for _ in range(max(1, kills_each // 3))]
    rng.shuffle(kinds)
    room = max(0, baskets - 2 * headway - 1)
    return [Misfortune(1 + n * room // len(kinds), kind) for n, kind in enumerate(kinds)]


class Chaos:
    """Plays a script while the tills sell."""

    def __init__(
        self, rig: ShopRig, wires: Wires, progress: Progress, plot: list[Misfortune], seed: str
    ) -> None:
        self._rig = rig
        self._wires = wires
        self._progress = progress
        self._plot = plot
        self._rng = Random(f"{seed}/chaos/aim")
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup
        self.tally = Tally()

    @asynccontextmanager
    async def unleashed(self, headway: int) -> AsyncIterator[None]:
        """Happens beside the block; at its end everything is whole and running again.

        ``headway``: how many baskets the tills may be ahead of the next misfortune.  What can't be
        started again ends the block.
        """
        async with asyncio.TaskGroup() as group:
            self._group = group
            playing = group.create_task(self._play(headway), name="chaos")
            yield
            await playing
        with suppress(Trouble):
            await self._rig.oms_admin.misbehave()

    async def _play(self, headway: int) -> None:
        progress = self._progress
        try:
            for one in self._plot:
                progress.allow(one.after + headway)
                await progress.until(functools.partial(self._reached, one))
                await self._strike(one.kind)
        finally:
            progress.allow(None)

    def _reached(self, one: Misfortune) -> bool:
        return self._progress.done >= one.after

    async def _strike(self, kind: Kind) -> None:
        self._note(f"{kind} at {self._progress.done} baskets")
        match kind:
            case "hub":
                await self._kill(kind, self._kill_hub, self._start_hub)
            case "broker":
                await self._kill(kind, self._kill_broker, self._broker_back)
            case "oms":
                await self._kill(kind, self._rig.oms.kill, self._start_oms)
            case "cut-tills":
                self._later(kind, self._cut(self._wires.tills))
            case "cut-cloud":
                self._later(kind, self._cut(self._wires.cloud))
            case "strand-cloud":
                self._wires.cloud.strand()
            case "slow":
                self._later(kind, self._slow())
            case "rude":
                self._later(kind, self._rude())

    def _note(self, text: str) -> None:
        """Into the rig's logs, to be read beside the others."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        with (self._rig.base / "logs" / "chaos.log").open("a") as log:
            log.write(f"{at} {text}\n")

    # -- killing -------------------------------------------------------------------------------

    async def _kill(
        self,
        what: str,
        kill: Callable[[], Awaitable[None]],
        back: Callable[[], Coroutine[None, None, None]],
    ) -> None:
        """Once it is back from the last time and requests are under way: now."""
        await self._settled(what)
        if what == "broker":
            await self._settled("hub")
        await asyncio.sleep(self._rng.uniform(0, _AIM_S))
        while not self._progress.asking:
            if self._progress.is_over:
                return
            self._progress.allow(self._progress.begun + 1)
            await self._progress.until(self._is_target)
        self.tally.in_flight.append(len(self._progress.asking))
        self._note(f"kills {what}, under way: {self._progress.asking}")
        await kill()
        self.tally.kills[what] += 1
        self._later(what, back())

    def _is_target(self) -> bool:
        return bool(self._progress.asking) or self._progress.is_over

    async def _kill_hub(self) -> None:
        await self._rig.hub.kill()

    async def _start_hub(self) -> None:
        await asyncio.sleep(self._rng.uniform(0, _DEAD_S))
        await self._rig.start_hub()

    async def _start_oms(self) -> None:
        await asyncio.sleep(self._rng.uniform(0, _DEAD_S))
        await self._rig.start_oms()

    async def _kill_broker(self) -> None:
        """The hub's supervisor may just be about to start it."""
        async with asyncio.timeout(_BROKER_S):
            while self._rig.kill_broker() is None:
                await asyncio.sleep(_POLL_S)

    async def _broker_back(self) -> None:
        async with asyncio.timeout(_BROKER_S):
            while self._rig.broker_pid() is None:
                await asyncio.sleep(_POLL_S)

    # -- links ---------------------------------------------------------------------------------

    async def _cut(self, wire: Wire) -> None:
        wire.cut()
        await asyncio.sleep(self._rng.uniform(0, _CUT_S))
        wire.mend()

    async def _slow(self) -> None:
        self._wires.tills.delay_s = self._wires.cloud.delay_s = self._rng.uniform(0.005, 0.05)
        await asyncio.sleep(_CUT_S)
        self._wires.cloud.freeze()
        await asyncio.sleep(_CUT_S)
        self._wires.cloud.mend()
        self._wires.tills.delay_s = self._wires.cloud.delay_s = 0.0

    async def _rude(self) -> None:
        """Errors, lost replies, delays, commands twice and out of order."""
        with suppress(Trouble):  # it is dead just now: rude enough
            await self._rig.oms_admin.misbehave(
                error_rate=0.3,
                lose_reply_rate=0.3,
                latency_ms=30,
                duplicate_commands=True,
                reorder_commands=True,
                seed=self._rng.randrange(1 << 30),
            )
        await asyncio.sleep(_RUDE_S)
        with suppress(Trouble):
            await self._rig.oms_admin.misbehave()

    # -- mending -------------------------------------------------------------------------------

    def _later(self, what: str, work: Coroutine[None, None, None]) -> None:
        """Go on in the background; a second one of its kind waits for the first."""
        before = self._busy.get(what)

        async def run() -> None:
            if before is not None:
                await asyncio.wait({before})
            await work

        self._busy[what] = self._group.create_task(run(), name=f"chaos {what}")

    async def _settled(self, what: str) -> None:
        if what in self._busy:
            await self._busy[what]
