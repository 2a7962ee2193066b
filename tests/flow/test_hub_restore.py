"""A box that was lost and put back from an old copy: nothing is lost, nothing is done twice."""

from __future__ import annotations

import contextlib
import shutil
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio

from devices.kit import HubClient, IdentityStore
from hub.contract.sale import SaleDone
from tests.support.hubbox import GOODS, Box, open_box, sale_of, sell

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("hub-restore")]
restarts = pytest.mark.may_leak  # the module's hub, started again


@dataclass
class Papers:
    """Every receipt that a customer was ever handed."""

    by_number: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    sold: dict[str, int] = field(default_factory=dict)

    @property
    def numbers(self) -> dict[str, str]:
        """The number on each sale's receipt."""
        return {sale_id: no for no, ids in self.by_number.items() for sale_id in ids}

    async def sell(self, hub: HubClient, times: int) -> None:
        for n in range(times):
            done = await sell(hub, GOODS[n % len(GOODS)])
            self.by_number[done.receipt_no].add(done.sale_id)
            self.sold[done.sale_id] = done.total_minor


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def box() -> AsyncIterator[Box]:
    async with open_box() as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def good_copy(box: Box, tills: list[IdentityStore]) -> Path:
    path = box.rig.base / "good-copy"
    await box.stop_hub()
    await box.cli("backup", "make", str(path))
    await box.start_hub()
    return path


async def mode(box: Box) -> str:
    return str((await box.status())["mode"])


async def whole(box: Box) -> None:
    """The books of a hub that is well again."""
    await box.same_as_cloud()
    assert (await box.cli_json("stock", "verify"))["whole"]
    assert (await box.cli_json("audit", "verify"))["whole"]


@restarts
async def test_a_restored_hub_gets_back_what_the_cloud_and_its_devices_still_have(
    box: Box, tills: list[IdentityStore]
) -> None:
    papers = Papers()
    copy = box.rig.base / "copy"
    async with contextlib.AsyncExitStack() as stack:
        front, back = [await stack.enter_async_context(box.client(store)) for store in tills]
        await papers.sell(front, 3)
        await papers.sell(back, 2)
        stolen = (await box.pair(name="Stolen after the copy was made")).load().device_id
        await box.told_all()
        before = (await box.status())["incarnation"]
        await box.stop_hub()
        await box.cli("backup", "make", str(copy))
        await box.start_hub()

        await box.cli("devices", "revoke", stolen, "--reason", "stolen", "--yes")
        forgotten = await box.pair(name="Paired after the copy was made")
        too = await box.pair(name="And without a certificate", kind="kiosk", auth="password")
        await papers.sell(front, 3)  # the cloud will know these,
        await box.told_all()
        await box.rig.oms_admin.misbehave(down=True)
        await papers.sell(front, 2)  # and only the tills these
        await papers.sell(back, 3)

        await box.stop_hub()
        await box.cli("restore", str(copy), "--yes")
        await box.start_hub()
        assert await mode(box) == "recovery"
        await papers.sell(back, 2)  # over the counter, while fenced

        await box.rig.oms_admin.misbehave()
        await box.until(lambda: not fenced(box))
        assert (await box.status())["incarnation"] != before
        await box.until(lambda: box.sales().keys() >= papers.sold.keys())
        status = box.rows(f"SELECT status FROM devices WHERE device_id = '{stolen}'")
        assert status == [("revoked",)], "a stolen device is welcome again"
        await papers.sell(front, 1)
        for lost in (forgotten, too):
            async with box.client(lost, person=None) as unknown:
                await box.until(lambda: "pair it again" in unknown.session.last_error)
                assert "restored" in unknown.session.last_error
        fresh = await box.pair(name="Paired after the restore")
        assert fresh.load().device_id != forgotten.load().device_id
        await box.until(lambda: not front.journal.entries and not back.journal.entries)
    assert box.sales() == papers.sold
    await whole(box)
    given_twice = {no: ids for no, ids in papers.by_number.items() if len(ids) > 1}
    assert given_twice == {}, "one number on the receipts of several customers"
    assert dict(box.rows("SELECT sale_id, receipt_no FROM sales")) == papers.numbers
    known = box.rows("SELECT receipt_no, count(*) FROM sales GROUP BY 1 HAVING count(*) > 1")
    assert known == []


def fenced(box: Box) -> bool:
    return box.rows("SELECT fence FROM hub") != [("",)]


@restarts
async def test_restoring_the_same_copy_twice_gives_no_receipt_number_twice(
    box: Box, tills: list[IdentityStore]
) -> None:
    papers = Papers()
    copy = box.rig.base / "copy-2"
    await box.stop_hub()
    await box.cli("backup", "make", str(copy))
    for _ in range(2):
        await box.cli("restore", str(copy), "--yes")
        await box.rig.oms_admin.misbehave(down=True)
        await box.start_hub()
        async with box.client(tills[0]) as hub:
            await papers.sell(hub, 2)
        await box.stop_hub()
    await box.rig.oms_admin.misbehave()
    await box.start_hub()
    async with box.client(tills[0]):
        await box.until(lambda: box.sales().keys() >= papers.sold.keys())
        await whole(box)
    assert all(len(ids) == 1 for ids in papers.by_number.values())


@restarts
async def test_a_damaged_copy_is_refused_and_nothing_changed(box: Box, good_copy: Path) -> None:
    await box.stop_hub()
    bad = box.rig.base / "bad"
    shutil.copytree(good_copy, bad)
    (bad / "hub.db").write_bytes((bad / "hub.db").read_bytes()[:-1] + b"x")
    before = box.picture()
    assert "damaged" in await box.cli("restore", str(bad), "--yes", code=1)
    assert box.picture() == before
    await box.start_hub()


async def test_a_running_hub_is_neither_copied_nor_replaced(box: Box, good_copy: Path) -> None:
    target = str(box.rig.base / "while-running")
    assert "stop it first" in await box.cli("backup", "make", target, code=1)
    assert "stop it first" in await box.cli("restore", str(good_copy), "--yes", code=1)
    assert (await box.status())["broker"]["connected"]


async def test_a_known_sale_offered_again_by_another_till_is_the_same_sale(
    box: Box, tills: list[IdentityStore]
) -> None:
    """A sale's id is unique in the shop for ever, whoever repeats it under whatever key."""
    async with box.client(tills[0]) as front, box.client(tills[1]) as back:
        sale_id = front.ids.uuid7()
        first = await front.submit(sale_of(sale_id), SaleDone)
        again = await back.request(sale_of(sale_id), SaleDone)
        assert again == first
    await whole(box)
