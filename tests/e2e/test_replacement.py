"""A box is lost; another takes its place from the replica and the escrowed keys."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio

from devices.kit import IdentityStore
from tests.support.hubbox import Box, open_box, sell
from tests.support.replicas import in_replica, needs_litestream

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("replacement"),
    pytest.mark.may_leak,  # the module's hub, started again
    needs_litestream,
]
SALES = "SELECT sale_id FROM sales"


@dataclass
class Lost:
    """A shop whose box is about to be lost, and what central IT has of it."""

    box: Box
    target: Path
    words: Path
    escrow: Path
    till: IdentityStore
    sold: set[str] = field(default_factory=set)

    @property
    def state(self) -> Path:
        return self.box.rig.base / "hub"

    async def sell(self, times: int) -> set[str]:
        async with self.box.client(self.till) as hub:
            sold = {(await sell(hub)).sale_id for _ in range(times)}
        self.sold |= sold
        return sold

    async def arrived(self, sales: set[str], series: int) -> None:
        """Wait until a restore would bring these sales back."""

        async def found() -> bool:
            rows = await in_replica(self.target, series, SALES)
            return {str(row[0]) for row in rows} >= sales

        await self.box.until(found)

    def power_off(self) -> None:
        """Hub and replicator at once, as when the box dies."""
        pid_file = self.box.rig.run_dir / "replica" / "replica.pid"
        pid = int(pid_file.read_text().split()[0])
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    async def restore(self, *more: str, code: int = 0) -> str:
        given = ("--from-replica", "--escrow", str(self.escrow))
        return await self.box.cli(
            *("restore", *given, "--passphrase-file", str(self.words), "--yes", *more), code=code
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lost(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lost]:
    far = tmp_path_factory.mktemp("far")
    settings = {"replica": {"url": f"file://{far}/replica", "sync_every_ms": 200}}
    async with open_box(cloud=True, settings=settings) as box:
        words = far / "words"
        words.write_text("correct horse battery staple\n")
        till = await box.pair()
        async with box.client(till) as hub:
            await box.stock_up(hub)
        shop = Lost(box, far / "replica", words, far / "escrow", till)
        await box.cli(
            "escrow", "export", "--out", str(shop.escrow), "--passphrase-file", str(words)
        )
        yield shop


async def test_a_new_box_has_the_sales_of_the_lost_one_and_its_devices_know_it(lost: Lost) -> None:
    box = lost.box
    await lost.arrived(await lost.sell(5), 0)
    lost.power_off()
    await box.rig.hub.kill()
    lost.state.rename(box.rig.base / "burnt")
    await box.rig.oms_admin.misbehave(down=True)

    assert "is restored" in await lost.restore()
    await box.start_hub()

    assert (await box.status())["mode"] == "recovery"
    assert box.sales().keys() >= lost.sold
    more = await lost.sell(2)  # the device trusts it: these are its old keys
    await lost.arrived(more, 1)

    await box.rig.oms_admin.misbehave()
    await box.until(lambda: box.rows("SELECT fence FROM hub") == [("",)])
    await box.same_as_cloud()
    assert box.oms_sales().keys() >= lost.sold


async def test_a_box_that_comes_back_does_not_write_into_its_successors_series(lost: Lost) -> None:
    box = lost.box
    await box.stop_hub()
    await box.rig.oms_admin.misbehave(down=True)  # it can't be told that it was replaced
    successor = box.rig.base / "successor"
    lost.state.rename(successor)
    (box.rig.base / "burnt").rename(lost.state)
    theirs = await in_replica(lost.target, 1, SALES)

    await box.start_hub()
    late = await lost.sell(1)
    await lost.arrived(late, 0)
    await box.stop_hub()

    assert await in_replica(lost.target, 1, SALES) == theirs
    shutil.rmtree(lost.state)
    why = await lost.restore(code=1)
    assert "series 0 was written to later" in why
    assert "--series" in why
    await lost.restore("--series", "1")
    assert box.sales().keys() == {str(row[0]) for row in theirs}
    await box.rig.oms_admin.misbehave()


async def test_a_hub_that_runs_is_not_replaced(lost: Lost) -> None:
    box = lost.box
    before = box.sales()
    await box.start_hub()
    assert "another hub runs on" in await lost.restore(code=1)
    assert box.sales() == before


async def test_the_page_tells_when_nothing_is_replicated_and_when_keys_are_missing(
    lost: Lost,
) -> None:
    box = lost.box

    async def finding() -> dict[str, object]:
        status = await box.rig.admin.status()
        found = {one["key"]: one for one in status["health"]["findings"]}
        return dict(found["replica"])

    async def follows() -> bool:
        return (await finding())["level"] == "ok"

    await box.until(follows)
    (lost.state / "escrow.json").unlink()

    async def keyless() -> bool:
        one = await finding()
        return one["level"] == "notice" and "escrow" in str(one["summary"])

    await box.until(keyless)
