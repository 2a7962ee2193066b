"""One box after the other: sell, die, be replaced, look what is there."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cloud_link.sandbox import demo
from devices.kit import ClientBounds, DeviceMeta, HubClient, IdentityStore, PairingLink, pair
from hub.clock import SystemRandomness
from hub.contract.sale import CommitSale, SaleDone, SaleLine, Tender
from hub.contract.staff import SignedIn, SignIn
from hub.contract.stock import ReceivedLine, ReceiveStock, StockBooked
from scripts.rig import Ports, ShopRig

STORE = "367"
SKUS = 20
TILLS = 2
SHELF = 1_000_000
PAUSE_S = 0.02
UNTIL_S = 120.0
_CASHIER = demo.DEMO_STAFF[0]
_GOODS, _PRICE = next(
    (row["sku"], price_minor)
    for row, price_minor in demo.products(SKUS)
    if row["scale"] == 0 and row["age_min"] is None
)
_HUB = "import sys; from hub.cli import main; sys.exit(main())"


@dataclass(frozen=True, slots=True)
class Loss:
    """What became of one box.  ``lost``: answered sales that the replica doesn't have, the oldest
    answered ``lost_s`` before the end; ``missing``: those that nobody brought back."""

    answered: int
    lost: int
    lost_s: float
    restore_s: float
    ready_s: float
    missing: int

    def __str__(self) -> str:
        return (
            f"{self.answered:4d} answered, {self.lost:3d} not in the replica ({self.lost_s:.2f} s);"
            f" restored in {self.restore_s:.1f} s, ready {self.ready_s:.1f} s later;"
            f" {self.lost - self.missing} brought back by the tills, {self.missing} missing"
        )


class Replacement:
    """A shop whose boxes die."""

    def __init__(self, base: Path, sync_ms: int) -> None:
        self._base = base
        replica = {"url": f"file://{base}/far/replica", "sync_every_ms": sync_ms}
        self._rig = ShopRig(
            base / "shop",
            STORE,
            Ports.choose(SystemRandomness()),
            settings={"replica": replica, "log": {"format": "text"}},
            oms_arguments=("--seed-demo", "--skus", str(SKUS)),
        )
        self._tills: list[IdentityStore] = []
        self._answered: dict[str, float] = {}
        self._words = base / "far" / "words"
        self._escrow = base / "far" / "escrow"

    async def __aenter__(self) -> Self:
        self._words.parent.mkdir(mode=0o700)
        self._words.write_text("correct horse battery staple\n")
        await self._rig.__aenter__()
        try:
            await self._rig.start_oms()
            await self._rig.start_hub()
            for number in range(TILLS):
                self._tills.append(await self._pair(number))
            await self._until(self._has_catalogue)
            await self._stock_up()
            sealed = ("--out", str(self._escrow), "--passphrase-file", str(self._words))
            await self._store_hub("escrow", "export", *sealed)
            await self._rig.oms_admin.misbehave(down=True)
        except BaseException:
            await self._rig.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._rig.__aexit__()

    async def lose_the_box(self, after_s: float) -> Loss:
        """Sell for ``after_s`` seconds, then lose the box and replace it."""
        before = len(self._answered)
        await self._until(self._followed)
        selling = [asyncio.create_task(self._sell(till)) for till in self._tills]
        await asyncio.sleep(after_s)
        ended_s = self._power_off()
        for task in selling:
            if task.done():
                task.result()  # raises why it stopped
            task.cancel()
        await asyncio.gather(*selling, return_exceptions=True)
        await self._rig.hub.kill()
        shutil.rmtree(self._base / "shop" / "hub")

        restore_s = await self._store_hub(
            *("restore", "--from-replica", "--escrow", str(self._escrow), "--yes"),
            *("--passphrase-file", str(self._words)),
        )
        there = self._there()
        lost = {sale: at_s for sale, at_s in self._answered.items() if sale not in there}
        started_s = time.monotonic()
        await self._rig.start_hub()
        ready_s = time.monotonic() - started_s
        missing = await self._brought_back(set(lost))
        return Loss(
            answered=len(self._answered) - before,
            lost=len(lost),
            lost_s=ended_s - min(lost.values(), default=ended_s),
            restore_s=restore_s,
            ready_s=ready_s,
            missing=missing,
        )

    async def _stock_up(self) -> None:
        async with self._client(self._tills[0]) as hub:
            lines = (ReceivedLine(sku=_GOODS, qty=SHELF),)
            command = ReceiveStock(receipt_id=hub.ids.uuid7(), reference="opening", lines=lines)
            await hub.submit(command, StockBooked)

    def _power_off(self) -> float:
        """SIGKILL to both; the instant."""
        replicator = int((self._rig.run_dir / "replica" / "replica.pid").read_text().split()[0])
        hub = self._rig.hub.pid
        assert hub is not None
        ended_s = time.monotonic()
        for pid in (replicator, hub):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return ended_s

    async def _sell(self, till: IdentityStore) -> None:
        async with self._client(till) as hub:
            while True:
                command = CommitSale(
                    sale_id=hub.ids.uuid7(),
                    lines=(SaleLine(code=_GOODS, qty=1, unit_price_minor=_PRICE),),
                    total_minor=_PRICE,
                    tenders=(Tender(kind="cash", amount_minor=_PRICE),),
                )
                done = await hub.submit(command, SaleDone)
                self._answered[done.sale_id] = time.monotonic()
                await asyncio.sleep(PAUSE_S)

    async def _brought_back(self, lost: set[str]) -> int:
        """How many of these sales are missing although every till was back."""
        async with contextlib.AsyncExitStack() as stack:
            for till in self._tills:
                await stack.enter_async_context(self._client(till))
            with contextlib.suppress(TimeoutError):
                await self._until(lambda: lost <= self._there())
        return len(lost - self._there())

    @contextlib.asynccontextmanager
    async def _client(self, till: IdentityStore) -> AsyncIterator[HubClient]:
        meta = DeviceMeta(kind="till", model="a till", firmware="1")
        async with HubClient(till, meta, bounds=ClientBounds()) as hub:
            command = SignIn.model_validate({"staff_id": _CASHIER[0], "pin": _CASHIER[3]})
            await hub.request(command, SignedIn, until_answered=True)
            yield hub

    async def _pair(self, number: int) -> IdentityStore:
        link = PairingLink.parse(await self._rig.admin.open_pairing(f"Till {number}", "till"))
        store = IdentityStore(self._rig.tills / str(number))
        await pair(
            store,
            host=link.host,
            port=link.port,
            ca_fingerprint=link.fingerprint,
            code=link.code,
            auth="mtls",
        )
        return store

    async def _has_catalogue(self) -> bool:
        known = (await self._rig.admin.status())["cloud"]["datasets"].keys()
        return bool(known >= {"catalog", "prices", "taxes", "staff"})

    async def _followed(self) -> bool:
        findings = (await self._rig.admin.status())["health"]["findings"]
        (one,) = (one for one in findings if one["key"] == "replica")
        return bool(one["level"] == "ok" and self._writes_a_series())

    def _writes_a_series(self) -> bool:
        """Whether the present box's series has begun."""
        mine = self._base / "shop" / "hub" / "replica.json"
        if not mine.exists():
            return False
        series = mine.read_text().rpartition(":")[2].strip(" }")
        return any((self._base / "far" / "replica" / series).rglob("*.ltx"))

    def _there(self) -> set[str]:
        path = f"file:{self._rig.hub_database}?mode=ro"
        with contextlib.closing(sqlite3.connect(path, uri=True)) as db:
            return {str(row[0]) for row in db.execute("SELECT sale_id FROM sales")}

    async def _until(self, what: Callable[[], Any]) -> None:
        async with asyncio.timeout(UNTIL_S):
            while True:
                found = what()
                if await found if asyncio.iscoroutine(found) else found:
                    return
                await asyncio.sleep(0.1)

    async def _store_hub(self, *arguments: str) -> float:
        """Run the command line; how long it took.  Raises RuntimeError."""
        began_s = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _HUB, "--config", str(self._rig.config_file), *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        if process.returncode != 0:
            raise RuntimeError(f"store-hub {' '.join(arguments)} failed: {out.decode()}")
        return time.monotonic() - began_s
