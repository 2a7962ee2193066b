"""Before the first sale: the shop is started, its tills are paired, its shelves are filled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from devices.kit import DeviceMeta, HubClient, IdentityStore, PairingLink, pair
from hub.clock import SystemClock
from scripts.replay_shop.datasets import write_datasets
from scripts.replay_shop.plan import ReplayPlan
from scripts.replay_shop.selling import Progress, ReplayTill
from scripts.rig import ShopRig, Trouble, Wire

NEEDED = frozenset({"catalog", "prices", "taxes", "staff"})
_POLL_S = 0.1
_IMPORT_S = 180.0


def oms_arguments(plan: ReplayPlan, base: Path) -> list[str]:
    """Write the datasets below ``base``; the OMS's arguments that load them."""
    folder = base / "datasets"
    write_datasets(folder, plan.catalogue, seed=plan.seed, tills=plan.tills)
    return ["--datasets", str(folder)]


async def wait_status(
    rig: ShopRig, true: Callable[[dict[str, Any]], bool], what: str, timeout_s: float
) -> dict[str, Any]:
    """Ask the hub for its status until ``true``.  Raises Trouble that says what it waited for."""
    status: dict[str, Any] = {}
    trouble = ""
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                try:
                    status = await rig.admin.status()
                except Trouble as error:
                    trouble = str(error)
                    if not rig.hub.alive:
                        raise
                else:
                    trouble = ""
                    if true(status):
                        return status
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        seen = trouble or f"cloud link: {status.get('cloud')}, problems: {status.get('problems')}"
        raise Trouble(
            f"{what} did not come within {timeout_s:.0f} s ({seen}); the hub's log: {rig.hub.log}"
        ) from None


def has_datasets(status: dict[str, Any]) -> bool:
    """Whether catalogue, prices, taxes and staff are there, whole."""
    cloud = status["cloud"]
    return not cloud.get("importing") and cloud.get("datasets", {}).keys() >= NEEDED


async def pair_tills(rig: ShopRig, count: int, wire: Wire | None) -> list[IdentityStore]:
    """Pair ``count`` tills over TLS; with a wire they reach the broker through it."""
    stores = [IdentityStore(rig.tills / f"till-{n:02d}") for n in range(1, count + 1)]
    for n, store in enumerate(stores, start=1):
        link = PairingLink.parse(await rig.admin.open_pairing(f"Till {n}"))
        identity = await pair(
            store,
            host="127.0.0.1",
            port=link.port,
            ca_fingerprint=link.fingerprint,
            code=link.code,
            model="replay till",
        )
        if wire is not None:
            ca = store.ca_path.read_text()
            store.save(replace(identity, mqtt_port=wire.port), ca=ca, certificate=None)
    return stores


@asynccontextmanager
async def open_tills(
    stores: Sequence[IdentityStore], seed: str, progress: Progress, cards: int = 0
) -> AsyncIterator[list[ReplayTill]]:
    """The tills, switched on; their clients end with the block."""
    async with AsyncExitStack() as stack:
        tills = []
        for number, store in enumerate(stores):
            client = HubClient(store, DeviceMeta(kind="till", model="replay till", firmware="1"))
            hub = await stack.enter_async_context(client)
            tills.append(ReplayTill(number, hub, seed, SystemClock(), progress, cards))
        yield tills


async def wait_catalogue(rig: ShopRig) -> None:
    """Until the hub has what it sells by."""
    await wait_status(rig, has_datasets, "the catalogue", _IMPORT_S)
