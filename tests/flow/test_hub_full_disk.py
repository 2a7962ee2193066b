"""A whole hub on a small disk that somebody else fills up: it stops selling before a sale is lost,
answers what it can, keeps writing down what it must, and goes on by itself when there is room."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from hub.app.reserve import FILE_NAME
from tests.support.hubbox import GOODS, Box, open_box, sale_of
from tests.support.rawmqtt import Raw

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("hub-full-disk")]
MB = 1 << 20
DISK_MB = 96
RESERVE_MB = 16
WAIT_S = 60.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def box() -> AsyncIterator[Box]:
    settings = {"storage": {"reserve_mb": RESERVE_MB, "min_free_mb": 32}}
    async with open_box(settings=settings, started=False) as opened:
        state = opened.rig.base / "hub"
        state.mkdir(parents=True, exist_ok=True)
        image = opened.rig.base / "disk.img"
        if not await _mount(image, state):
            pytest.skip("mounting a small file system isn't permitted here")
        try:
            await opened.start()
            yield opened
            await opened.rig.stop_hub()
        finally:
            await _run("umount", "--lazy", str(state))


async def _mount(image: Path, place: Path) -> bool:
    """An ext4 of its own in a file; where loop devices are missing, memory."""
    with image.open("wb") as file:
        file.truncate(DISK_MB * MB)
    ext4 = await _run("mkfs.ext4", "-q", "-m", "0", str(image)) and await _run(
        "mount", "-o", "loop", str(image), str(place)
    )
    memory = ("mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(place))
    return ext4 or await _run(*memory)


async def _run(*command: str) -> bool:
    if os.geteuid() != 0 or shutil.which(command[0]) is None:
        return False
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    return await process.wait() == 0


class Ballast:
    """A file of somebody else's on the hub's disk."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.path = state / "somebody-elses.log"

    def free_bytes(self) -> int:
        return shutil.disk_usage(self.state).free

    def fill(self, leave_bytes: int) -> None:
        """Take all but ``leave_bytes``."""
        with self.path.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while (room := self.free_bytes() - leave_bytes) > 0:
                file.write(bytes(min(MB, room)))

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


async def ask(raw: Raw, address: str, body: Any, key: str | None = None) -> dict[str, Any]:
    return await raw.ask(address, body, key=key or "", timeout_s=WAIT_S)


def sale(box: Box) -> dict[str, Any]:
    body: dict[str, Any] = sale_of(_new_id(), GOODS[0]).model_dump(mode="json")
    return body


def _new_id() -> str:
    from hub.clock import SystemClock, SystemIds, SystemRandomness

    return SystemIds(SystemClock(), SystemRandomness()).uuid7()


async def storage(box: Box, state: str) -> bool:
    found: bool = (await box.status())["storage"]["state"] == state
    return found


@pytest.mark.may_block  # the disk is filled from here
async def test_a_full_disk_stops_selling_before_a_sale_is_lost(box: Box) -> None:
    till = await box.pair()
    async with box.client(till) as hub:
        await box.stock_up(hub)
    ballast = Ballast(box.rig.base / "hub")
    reserve = box.rig.base / "hub" / FILE_NAME
    await box.until(reserve.exists, timeout_s=WAIT_S)
    began = (await box.status())["started_at_ms"]
    async with box.raw(till) as raw:
        first, key = sale(box), _new_id()
        answered = await ask(raw, "sale/commit", first, key)
        assert answered["ok"], answered

        # Nearly full: nothing new, but look-ups and repeats, and the hub writes on.
        ballast.fill(leave_bytes=6 * MB)
        await box.until(lambda: storage(box, "full"), timeout_s=WAIT_S)
        await box.until(lambda: not reserve.exists(), timeout_s=WAIT_S)
        assert ballast.free_bytes() > RESERVE_MB * MB, "the reserve is given back"
        second, second_key = sale(box), _new_id()
        await _check_full(raw, second, second_key)
        again = await ask(raw, "sale/commit", first, key)
        assert again["result"] == answered["result"]
        written = box.rows("SELECT budget_ms FROM hub")
        await box.until(lambda: box.rows("SELECT budget_ms FROM hub") > written, timeout_s=WAIT_S)
        problems = (await box.status())["problems"]
        assert any("disk is full" in one for one in problems), problems

        # Full to the last byte: still look-ups, still no sale, and the hub stays up.
        ballast.fill(leave_bytes=0)
        await _check_full(raw, second, second_key)
        assert (await ask(raw, "sale/commit", first, key))["result"] == answered["result"]

        # Room again: it goes on by itself.
        ballast.remove()
        await box.until(lambda: storage(box, "ok"), timeout_s=WAIT_S)
        done = await ask(raw, "sale/commit", second, second_key)
        assert done["ok"], done
        assert reserve.exists()
    assert (await box.status())["started_at_ms"] == began, "the hub was started anew"
    assert set(box.sales()) == {first["sale_id"], second["sale_id"]}


async def _check_full(raw: Raw, body: dict[str, Any], key: str) -> None:
    """A sale is refused, and may be tried again; a look-up is answered."""
    refused = await ask(raw, "sale/commit", body, key)
    assert refused["problem"]["code"] == "storage-full", refused
    assert refused["problem"]["retryable"]
    found = await ask(raw, "catalog/look-up", {"code": GOODS[0].gtin})
    assert found["ok"], found


@pytest.mark.may_block  # the disk is filled from here
@pytest.mark.may_leak  # the module's hub, started again
async def test_a_hub_starts_on_a_full_disk_with_what_it_put_by(box: Box) -> None:
    ballast = Ballast(box.rig.base / "hub")
    reserve = box.rig.base / "hub" / FILE_NAME
    ballast.remove()
    await box.until(reserve.exists, timeout_s=WAIT_S)
    sold = len(box.sales())
    await box.stop_hub()
    ballast.fill(leave_bytes=0)
    try:
        await box.start_hub()
        assert await storage(box, "full")
        assert not reserve.exists()
        assert len(box.sales()) == sold
    finally:
        ballast.remove()
    await box.until(lambda: storage(box, "ok"), timeout_s=WAIT_S)
    await box.until(reserve.exists, timeout_s=WAIT_S)
