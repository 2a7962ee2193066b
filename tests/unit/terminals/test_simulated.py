"""The simulated terminals: the one in the hub, and what the one with a journal never forgets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from devices.peripherals.catalogue import Catalogue
from devices.peripherals.drivers.simulated_terminal import SimulatedTerminal
from devices.peripherals.keeper import Keeper
from devices.peripherals.model import CardOutcome, Charge, Entry, Misconfigured, World
from devices.terminal.journal import Journal, JournalBroken
from devices.terminal.machine import Act
from hub.clock import SystemClock, SystemRandomness

WORLD = World(SystemClock(), SystemRandomness())


def charge(
    name: str = "payment-000001", amount_minor: int = 500, *, offline: bool = True
) -> Charge:
    return Charge(name, "sale", amount_minor, "EUR", offline)


@asynccontextmanager
async def served(**options: Any) -> AsyncIterator[SimulatedTerminal]:
    entry = Entry("t-1", "simulated-terminal", "", options={"job_ms": 0} | options)
    made = Catalogue(WORLD).make(entry, lambda _told: None)
    assert isinstance(made, SimulatedTerminal)
    keeper = Keeper("t-1", made)
    keeper.start()
    try:
        async with asyncio.timeout(30):
            while not keeper.ready:
                await asyncio.sleep(0.01)
        yield made
    finally:
        await keeper.stop()


async def test_it_approves_declines_and_takes_money_back_once() -> None:
    async with served() as terminal:
        paid = await terminal.sale(charge())
        assert paid.outcome is CardOutcome.APPROVED
        assert await terminal.sale(charge()) == paid
        part = charge(amount_minor=200)
        assert (await terminal.refund(part, "", "k-1")).outcome is CardOutcome.APPROVED
        assert (await terminal.refund(part, "", "k-1")).outcome is CardOutcome.APPROVED
        assert terminal.back == {"k-1": ("payment-000001", 200)}
        too_much = charge(amount_minor=301)
        assert (await terminal.refund(too_much, "", "k-2")).outcome is CardOutcome.REFUSED
        terminal.faults = frozenset({"declined"})
        assert (await terminal.sale(charge("payment-2"))).outcome is CardOutcome.REFUSED
        assert (await terminal.status("payment-3")).outcome is CardOutcome.NOT_DONE
        assert (
            await terminal.reverse(charge("payment-2"), "", "k")
        ).outcome is CardOutcome.NOT_DONE


async def test_offline_it_keeps_what_it_may_and_silent_it_does_not_say(tmp_path: Path) -> None:
    faults = tmp_path / "faults"
    async with served(faults=str(faults)) as terminal:
        faults.write_text("offline")
        refused = await terminal.sale(charge("payment-1", offline=False))
        assert refused.outcome is CardOutcome.REFUSED
        kept = await terminal.sale(charge("payment-2"))
        assert (kept.outcome, kept.token) == (CardOutcome.APPROVED_OFFLINE, None)
        assert (await terminal.diagnose()).stored_count == 1
        faults.write_text("silent")
        assert (await terminal.sale(charge("payment-3"))).outcome is CardOutcome.UNKNOWN
        faults.unlink()
        for name in ("payment-2", "payment-3"):
            assert (await terminal.status(name)).outcome is CardOutcome.APPROVED


async def test_with_the_hub_as_keeper_it_gives_a_token() -> None:
    async with served(custody="hub") as terminal:
        terminal.faults = frozenset({"offline"})
        answer = await terminal.sale(charge())
        assert answer.token is not None
        assert not terminal.stored


async def test_a_customer_who_is_told_to_stop_pays_nothing() -> None:
    async with served(job_ms=60_000) as terminal:
        paying = asyncio.create_task(terminal.sale(charge()))
        while (await terminal.status("payment-000001")).outcome is not CardOutcome.UNKNOWN:
            await asyncio.sleep(0)
        assert await terminal.cancel("payment-000001")
        assert (await paying).outcome is CardOutcome.REFUSED


def test_a_hub_for_training_drives_no_real_terminal() -> None:
    catalogue = Catalogue(WORLD, training=True)
    options = {"poi_id": "P-1", "keys_file": "/k", "root_file": "/r"}
    real = Entry("t-1", "nexo-terminal", "tcp://192.0.2.9:8443", options=dict(options))
    with pytest.raises(Misconfigured, match="training"):
        catalogue.make(real, lambda _told: None)
    assert catalogue.make(Entry("t-2", "simulated-terminal", ""), lambda _told: None)


def test_a_torn_line_of_the_journal_is_dropped_and_a_changed_one_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    assert journal.open() == []
    for number in range(3):
        journal.append({"n": number})
    journal.close()
    whole = path.read_bytes()
    for cut in range(1, 12):
        path.write_bytes(whole[:-cut])
        torn = Journal(path)
        assert [one["n"] for one in torn.open()] == [0, 1]
        torn.append({"n": 7})
        torn.close()
        again = Journal(path)
        assert [one["n"] for one in again.open()] == [0, 1, 7]
        again.close()
    path.write_bytes(whole.replace(b'{"n":1}', b'{"n":8}'))
    with pytest.raises(JournalBroken):
        Journal(path).open()


@pytest.mark.parametrize(
    "told",
    [
        "explode",
        {"how": "explode"},
        {"customer_s": -1},
        {"x": 1},
        7,
        {"surcharge_minor": -1},
        {"surcharge_as": "tax"},
    ],
)
def test_an_act_that_is_none_is_refused(told: Any) -> None:
    with pytest.raises(ValueError, match=r"act|times|argument|surcharge"):
        Act.of(told)
    assert Act.of("decline") == Act("decline")
