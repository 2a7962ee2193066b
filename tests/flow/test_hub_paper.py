"""Receipts of the real daemon on the paper of emulated printers: each once, whatever happens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from devices.kit import HubClient
from hub.clock import SystemRandomness
from hub.contract.sale import SaleDone
from scripts.rig.emulated import HOST, Emulator, printer
from scripts.rig.emulator import NotPrepared
from tests.support.hubbox import Box, open_box, sale_of

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("hub-paper"),
    pytest.mark.may_leak,  # the emulator is there for the whole module
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def emulator(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Emulator]:
    base = tmp_path_factory.mktemp("emulator")
    try:
        made = Emulator(base, SystemRandomness(), [printer("counter"), printer("office")])
    except NotPrepared as error:
        pytest.skip(str(error))
    async with made as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def box(emulator: Emulator) -> AsyncIterator[Box]:
    attached: dict[str, dict[str, Any]] = {
        name: {"driver": "escpos-printer", "address": f"tcp://{HOST}:{emulator.port(name)}"}
        for name in ("counter", "office")
    }
    attached["counter"] |= {"serves": ["till-01"], "fallback": "office"}
    attached["drawer"] = {"driver": "printer-drawer", "via": "counter", "serves": ["till-01"]}
    printing = {"receipts": True, "fallback_after_s": 1}
    settings: dict[str, dict[str, Any]] = {"printing": printing, "peripherals": attached}
    async with open_box(settings=settings) as box:
        yield box


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def till(box: Box) -> AsyncIterator[HubClient]:
    store = await box.pair()
    async with box.client(store) as hub:
        await box.stock_up(hub)
        # A printer that isn't there within a second is stood in for.
        there = "SELECT count(*) FROM devices WHERE kind = 'printer' AND presence = 'ready'"
        await box.until(lambda: box.rows(there) == [(2,)])
        yield hub


async def sell(hub: HubClient) -> SaleDone:
    wanted = sale_of(hub.ids.uuid7()).model_copy(update={"print_receipt": True})
    return await hub.submit(wanted, SaleDone)


def job(box: Box, done: SaleDone) -> tuple[str, str, int]:
    """State, printer and confirmation of a sale's receipt."""
    sql = "SELECT state, printer_id, confirmed FROM print_jobs WHERE title = ? AND kind = 'sale'"
    (found,) = box.rows(sql, done.receipt_no)
    state, printer_id, confirmed = found
    return state, printer_id, confirmed


async def papers(emulator: Emulator, name: str, text: str) -> int:
    """On how many receipts of a printer a text stands."""
    kept = await emulator.receipts(name)
    texts = [await emulator.text(name, one.id) for one in kept]
    return sum(text in one for one in texts)


async def test_a_receipt_is_on_the_paper_of_its_printer_once_and_confirmed(
    box: Box, till: HubClient, emulator: Emulator
) -> None:
    done = await sell(till)
    await box.until(lambda: job(box, done) == ("printed", "counter", 1))
    assert await papers(emulator, "counter", done.receipt_no) == 1
    assert await papers(emulator, "office", done.receipt_no) == 0


async def test_without_paper_the_other_printer_prints_it_and_the_page_says_why(
    box: Box, till: HubClient, emulator: Emulator
) -> None:
    await emulator.fault("counter", "paper-out")

    async def told() -> bool:
        findings = (await box.status())["health"]["findings"]
        (found,) = (one for one in findings if one["key"] == "peripherals")
        return "out of paper" in found["summary"]

    await box.until(told)
    done = await sell(till)
    await box.until(lambda: job(box, done) == ("printed", "office", 1))
    await emulator.fault("counter", "paper-out", on=False)
    again = await sell(till)
    await box.until(lambda: job(box, again)[0] == "printed")
    for one in (done, again):
        both = [await papers(emulator, name, one.receipt_no) for name in ("counter", "office")]
        assert sum(both) == 1


async def test_what_waited_when_the_hub_was_killed_is_printed_once_after_its_start(
    box: Box, till: HubClient, emulator: Emulator
) -> None:
    for name in ("counter", "office"):
        await emulator.fault(name, "cover-open")
    await box.until(lambda: held(box) == 2)
    waiting = [await sell(till) for _ in range(3)]
    await box.rig.hub.kill()
    for name in ("counter", "office"):
        await emulator.fault(name, "cover-open", on=False)
    await box.start_hub()
    await box.until(lambda: all(job(box, one)[0] == "printed" for one in waiting))
    for one in waiting:
        both = [await papers(emulator, name, one.receipt_no) for name in ("counter", "office")]
        assert sum(both) == 1


def held(box: Box) -> int:
    """How many printers have their cover open, as far as the hub knows."""
    sql = "SELECT count(*) FROM devices WHERE conditions LIKE '%printer-cover-open%'"
    found: int = box.rows(sql)[0][0]
    return found
