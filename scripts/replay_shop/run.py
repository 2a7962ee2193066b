"""One replay from the data set to the verdict."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from devices.kit import IdentityStore
from hub.clock import SystemRandomness
from scripts.replay_shop.chaos import Chaos, Wires, script
from scripts.replay_shop.closing import close_shop, drain_cards
from scripts.replay_shop.compare import Comparison, compare
from scripts.replay_shop.compare_cards import CardReport, compare_cards
from scripts.replay_shop.datasets import cashiers
from scripts.replay_shop.opening import oms_arguments, open_tills, pair_tills, wait_catalogue
from scripts.replay_shop.plan import ReplayPlan, load_plan
from scripts.replay_shop.progress import Voice
from scripts.replay_shop.report import Kills, Outcome
from scripts.replay_shop.selling import Progress
from scripts.rig import Ports, ShopRig, Wire
from scripts.rig.shop import Sections

_CHAOS_CLOUD = {"request_timeout_s": 5, "connect_timeout_s": 2, "retry_max_s": 2, "poll_wait_s": 5}

_BANK_FAULTS: dict[str, object] = {"error_after_rate": 0.1}
"""In every tenth case the processor does it, and answers that it failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was asked for; ``kills`` of each sort, 0 without chaos; ``cards``: per cent of the
    baskets that are paid by card through the hub."""

    store: int
    days: int | None
    tills: int
    seed: str
    kills: int = 0
    cards: int = 0


async def replay(wanted: Wanted, base: Path, voice: Voice) -> Outcome:
    """Sell the baskets of ``wanted`` with everything kept below ``base`` and compare.

    Raises Trouble, ChildDied or TimeoutError when the shop doesn't work at all.
    """
    plan = await asyncio.to_thread(load_plan, wanted.store, wanted.days, wanted.seed, wanted.tills)
    voice.step(
        f"{len(plan.sales):,} baskets with {plan.lines:,} lines of store {plan.store},"
        f" {len(plan.catalogue):,} products"
    )
    async with AsyncExitStack() as stack:
        ports = Ports.choose(SystemRandomness())
        wires = await _wires(stack, ports) if wanted.kills else None
        rig = ShopRig(
            base,
            plan.store,
            ports,
            settings=_settings(wanted),
            oms_arguments=await asyncio.to_thread(oms_arguments, plan, base),
            oms_port=wires.cloud.port if wires else None,
        )
        await stack.enter_async_context(rig)
        outcome = _Run(wanted, plan, rig, wires, voice)
        await outcome.sell()
        return await outcome.judge()


def _settings(wanted: Wanted) -> Sections:
    """The hub's, over the rig's own."""
    sections: dict[str, Mapping[str, object]] = {}
    if wanted.kills:
        sections["cloud"] = _CHAOS_CLOUD
    if wanted.cards:
        sections["payments"] = {"processor": "oms"}
    return sections


async def _wires(stack: AsyncExitStack, ports: Ports) -> Wires:
    tills = await stack.enter_async_context(Wire(ports.mtls))
    cloud = await stack.enter_async_context(Wire(ports.oms))
    return Wires(tills, cloud)


class _Run:
    """The steps between an empty directory and two full databases."""

    def __init__(
        self, wanted: Wanted, plan: ReplayPlan, rig: ShopRig, wires: Wires | None, voice: Voice
    ) -> None:
        self._wanted = wanted
        self._plan = plan
        self._rig = rig
        self._wires = wires
        self._voice = voice
        self._progress = Progress(len(plan.sales))
        self._kills = Kills()
        self._repeats = 0

    async def sell(self) -> None:
        """Open the shop, sell everything, switch the tills off."""
        rig, voice, plan = self._rig, self._voice, self._plan
        if self._wanted.kills and self._wanted.cards:
            rig.bank_faults = _BANK_FAULTS
        await rig.start_oms()
        await rig.start_hub()
        voice.step("the sandbox cloud, the hub and its broker run")
        wire = self._wires.tills if self._wires else None
        stores = await pair_tills(rig, plan.tills, wire)
        voice.step(f"{plan.tills} tills are paired")
        await wait_catalogue(rig)
        voice.step("the hub has the catalogue")
        await self._open(stores)

    async def _open(self, stores: Sequence[IdentityStore]) -> None:
        plan, progress = self._plan, self._progress
        async with open_tills(stores, plan.seed, progress, self._wanted.cards) as tills:
            receipts = await tills[0].receive(dict(plan.stock))
            self._voice.step(f"{len(plan.stock):,} products received in {receipts} receipts")
            async with AsyncExitStack() as beside:
                await beside.enter_async_context(self._voice.selling(progress))
                if self._wires is not None:
                    headway = max(2, plan.tills // 2)
                    plot = script(len(plan.sales), self._wanted.kills, plan.seed, headway=headway)
                    chaos = Chaos(self._rig, self._wires, progress, plot, plan.seed)
                    await beside.enter_async_context(chaos.unleashed(headway))
                async with asyncio.TaskGroup() as shifts:
                    for till, cashier in zip(tills, cashiers(plan.tills), strict=True):
                        shifts.create_task(till.shift(cashier, plan.share(till.number)))
            self._voice.step(f"{progress.sold:,} baskets sold")
            if self._wires is not None:
                self._kills = chaos.tally.kills_and_cuts(self._wires)
            self._repeats = sum(till.hub.repeats for till in tills)

    async def judge(self) -> Outcome:
        """Let the cloud have everything, stop, compare."""
        began_s = asyncio.get_running_loop().time()
        if self._wanted.cards:
            await drain_cards(self._rig)
        await close_shop(self._rig)
        drained_s = asyncio.get_running_loop().time() - began_s
        self._voice.step("everything is at the cloud; the shop is closed")
        comparison = await asyncio.to_thread(self._compare)
        cards = await asyncio.to_thread(self._compare_cards) if self._wanted.cards else None
        for refusal in self._progress.refused[:20]:
            self._voice.warn(
                f"basket {refusal.basket_id} was refused: {refusal.code}: {refusal.detail}"
            )
        return Outcome(
            store=self._wanted.store,
            days=self._wanted.days,
            tills=self._wanted.tills,
            seed=self._wanted.seed,
            seconds=self._progress.seconds,
            comparison=comparison,
            drain_seconds=drained_s,
            refused=len(self._progress.refused),
            repeats=self._repeats,
            chaos=self._wires is not None,
            kills=self._kills,
            cards=cards,
        )

    def _compare_cards(self) -> CardReport:
        rig = self._rig
        return compare_cards(rig.store, rig.hub_database, rig.oms_database)

    def _compare(self) -> Comparison:
        return compare(
            store_id=self._wanted.store,
            days=self._wanted.days,
            seed=self._wanted.seed,
            hub_db=self._rig.hub_database,
            oms_db=self._rig.oms_database,
        )
