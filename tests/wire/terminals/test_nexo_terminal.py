"""The driver and a terminal as a process of its own: what is certain, and every kind of doubt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from devices.peripherals.catalogue import Catalogue
from devices.peripherals.drivers.nexo_terminal import NexoTerminal
from devices.peripherals.keeper import Keeper
from devices.peripherals.model import CardOutcome, Charge, Entry, Misconfigured, World
from devices.terminal.identity import write_keys
from hub.clock import SystemClock, SystemIds, SystemRandomness
from scripts.rig import free_port
from scripts.rig.terminal import TerminalRig

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("nexo-terminal"),
]
RANDOM = SystemRandomness()
IDS = SystemIds(SystemClock(), RANDOM)
WORLD = World(SystemClock(), RANDOM)
APPROVED, OFFLINE, REFUSED = CardOutcome.APPROVED, CardOutcome.APPROVED_OFFLINE, CardOutcome.REFUSED
NOT_DONE, UNKNOWN = CardOutcome.NOT_DONE, CardOutcome.UNKNOWN


def charge(amount_minor: int = 1099, *, offline: bool = False) -> Charge:
    return Charge(IDS.uuid7(), IDS.uuid7(), amount_minor, "EUR", offline)


def driver_at(rig: TerminalRig, **options: Any) -> NexoTerminal:
    entry = Entry("t-1", "nexo-terminal", rig.told["address"], options=rig.options(**options))
    made = Catalogue(WORLD).make(entry, lambda _told: None)
    assert isinstance(made, NexoTerminal)
    return made


async def until(what: Callable[[], bool | Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while True:
            found = what()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.05)


class Bench:
    """A terminal and its driver, kept."""

    def __init__(self, rig: TerminalRig) -> None:
        self.rig = rig
        self.driver: NexoTerminal
        self.keeper: Keeper

    async def claim(self, **options: Any) -> None:
        self.driver = driver_at(self.rig, **options)
        self.keeper = Keeper("t-1", self.driver)
        self.keeper.start()
        await until(lambda: self.keeper.ready)

    async def back(self) -> None:
        """The terminal is switched on again, and the driver sees it."""
        await self.rig.start()
        self.keeper.poke()
        await self.answers()

    async def answers(self) -> None:
        async def is_there() -> bool:
            return self.keeper.ready and (await self.driver.status("none")).outcome is NOT_DONE

        await until(is_there)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    folder = tmp_path_factory.mktemp("nexo") / "terminal"
    made = Bench(TerminalRig(folder, (free_port(RANDOM), free_port(RANDOM))))
    await made.rig.start()
    await made.claim()
    yield made
    await made.keeper.stop()
    await made.rig.stop()


async def test_an_approval_tells_what_may_be_kept_of_the_card_and_no_more(bench: Bench) -> None:
    asked = charge()
    answer = await bench.driver.sale(asked)
    assert (answer.outcome, answer.last4, answer.scheme) == (APPROVED, "0119", "visa")
    assert answer.psp_ref
    assert answer.approval_code
    assert "|" in answer.terminal_ref
    assert answer.card
    assert answer.card not in repr(answer)
    assert (await bench.rig.taken())[asked.payment_id] == 1099
    again = await bench.driver.status(asked.payment_id)
    assert (again.outcome, again.psp_ref) == (APPROVED, answer.psp_ref)


@pytest.mark.parametrize(
    ("told_as", "surcharge_minor"), [("surcharge", 15), ("fees", 15), ("fees-beside", 0)]
)
async def test_what_the_card_was_charged_is_what_was_authorised(
    bench: Bench, told_as: str, surcharge_minor: int
) -> None:
    await bench.rig.act({"surcharge_minor": 15, "surcharge_as": told_as})
    asked = charge()
    answer = await bench.driver.sale(asked)
    assert (answer.outcome, answer.surcharge_minor) == (APPROVED, surcharge_minor)
    assert (await bench.rig.taken())[asked.payment_id] == 1099 + surcharge_minor
    again = await bench.driver.status(asked.payment_id, asked.amount_minor)
    assert (again.outcome, again.surcharge_minor) == (APPROVED, surcharge_minor)


async def test_what_the_terminal_declines_or_is_too_busy_for_takes_no_money(bench: Bench) -> None:
    await bench.rig.act("decline", "busy")
    declined, busy = charge(), charge()
    assert (await bench.driver.sale(declined)).outcome is REFUSED
    assert (await bench.driver.sale(busy)).outcome is NOT_DONE
    assert (await bench.driver.status(declined.payment_id)).outcome is REFUSED
    assert (await bench.driver.status(busy.payment_id)).outcome is NOT_DONE
    assert not {declined.payment_id, busy.payment_id} & (await bench.rig.taken()).keys()


@pytest.mark.parametrize("how", ["silent", "stale", "garbage", "unsealed", "http-500"])
async def test_an_answer_that_does_not_come_whole_is_a_doubt_that_status_clears(
    bench: Bench, how: str
) -> None:
    await bench.rig.act(how)
    asked = charge()
    assert (await bench.driver.sale(asked)).outcome is UNKNOWN
    await bench.answers()
    assert (await bench.driver.status(asked.payment_id)).outcome is APPROVED
    assert (await bench.rig.taken())[asked.payment_id] == 1099


@pytest.mark.may_leak  # the module's terminal, started again
async def test_power_lost_between_approval_and_answer_is_a_doubt_that_status_clears(
    bench: Bench,
) -> None:
    await bench.rig.act("power-loss")
    asked = charge()
    assert (await bench.driver.sale(asked)).outcome is UNKNOWN
    await bench.rig.killed()
    assert (await bench.driver.status(asked.payment_id)).outcome is UNKNOWN
    assert (await bench.driver.sale(charge())).outcome is NOT_DONE
    await bench.back()
    assert (await bench.driver.status(asked.payment_id)).outcome is APPROVED


@pytest.mark.may_leak  # the module's terminal, started again
async def test_power_lost_before_anything_was_done_is_a_doubt_that_status_clears(
    bench: Bench,
) -> None:
    await bench.rig.act("power-loss-before")
    asked = charge()
    assert (await bench.driver.sale(asked)).outcome is UNKNOWN
    await bench.rig.killed()
    await bench.back()
    assert (await bench.driver.status(asked.payment_id)).outcome is NOT_DONE
    assert asked.payment_id not in await bench.rig.taken()


async def test_while_the_customer_pays_the_status_is_unknown_and_nobody_else_may(
    bench: Bench,
) -> None:
    await bench.rig.act({"how": "approve", "customer_s": 60})
    asked = charge()
    selling = asyncio.create_task(bench.driver.sale(asked))
    await until(lambda: bench.rig.has_in_hand(asked.payment_id))
    assert (await bench.driver.status(asked.payment_id)).outcome is UNKNOWN
    assert (await bench.driver.sale(charge())).outcome is NOT_DONE
    assert await bench.driver.cancel(asked.payment_id)
    assert (await selling).outcome is REFUSED
    assert asked.payment_id not in await bench.rig.taken()


async def test_a_sale_that_is_given_up_waiting_for_is_found_when_it_ends_late(
    bench: Bench,
) -> None:
    await bench.rig.act({"how": "approve", "answer_s": 1})
    asked = charge()
    selling = asyncio.create_task(bench.driver.sale(asked))
    await until(lambda: bench.rig.has_in_hand(asked.payment_id))
    selling.cancel()
    await asyncio.gather(selling, return_exceptions=True)

    async def is_known() -> bool:
        return (await bench.driver.status(asked.payment_id)).outcome is APPROVED

    await until(is_known)


async def test_a_payment_that_is_repeated_is_taken_once(bench: Bench) -> None:
    asked = charge()
    first, second = await bench.driver.sale(asked), await bench.driver.sale(asked)
    assert (first.outcome, first.psp_ref) == (second.outcome, second.psp_ref)
    assert (await bench.rig.taken())[asked.payment_id] == 1099


async def test_a_part_that_was_approved_is_for_people_to_look_at(bench: Bench) -> None:
    await bench.rig.act("partial")
    asked = charge()
    answer = await bench.driver.sale(asked)
    assert answer.outcome is UNKNOWN
    assert "another amount" in answer.reason


async def test_offline_it_stores_what_it_may_and_forwards_it_later(bench: Bench) -> None:
    await bench.rig.go(online=False)
    try:
        must_not, may, bad = charge(), charge(offline=True), charge(700, offline=True)
        assert (await bench.driver.sale(must_not)).outcome is REFUSED
        stored = await bench.driver.sale(may)
        assert (stored.outcome, stored.token, stored.psp_ref) == (OFFLINE, None, "")
        assert (await bench.driver.sale(bad)).outcome is OFFLINE
        report = await bench.driver.diagnose()
        assert (report.stored_count, report.stored_minor, report.online) == (2, 1799, False)
        assert (await bench.driver.status(may.payment_id)).outcome is OFFLINE
    finally:
        await bench.rig.go(online=True, declines=[bad.payment_id])
    assert (await bench.driver.status(may.payment_id)).outcome is APPROVED
    assert (await bench.driver.status(bad.payment_id)).outcome is REFUSED
    assert (await bench.driver.diagnose()).stored_count == 0


@pytest.mark.may_leak  # the module's terminal, started again
async def test_offline_numbers_go_on_without_gaps_after_a_kill(bench: Bench) -> None:
    before = (await bench.rig.ledger())["offline_seq"]
    await bench.rig.act("offline", {"how": "offline"})
    assert (await bench.driver.sale(charge(offline=True))).outcome is OFFLINE
    await bench.rig.child.kill()
    await bench.back()
    await bench.rig.act("offline")
    assert (await bench.driver.sale(charge(offline=True))).outcome is OFFLINE
    ledger = await bench.rig.ledger()
    assert ledger["offline_seq"] == before + 2
    seqs = [deed["seq"] for deed in ledger["deeds"] if deed["seq"] is not None]
    assert seqs == list(range(1, before + 3))
    await bench.rig.go(online=True)


async def test_what_was_taken_goes_back_once_whoever_asks_how_often(bench: Bench) -> None:
    asked, key = charge(), IDS.uuid7()
    ref = (await bench.driver.sale(asked)).terminal_ref
    assert (await bench.driver.reverse(asked, ref, key)).outcome is APPROVED
    assert (await bench.driver.reverse(asked, ref, key)).outcome is APPROVED
    assert (await bench.rig.taken())[asked.payment_id] == 0
    assert (await bench.driver.reverse(asked, ref, IDS.uuid7())).outcome is REFUSED


async def test_a_reversal_finds_its_payment_when_nobody_knows_how_the_terminal_calls_it(
    bench: Bench,
) -> None:
    await bench.rig.act("silent")
    asked = charge()
    assert (await bench.driver.sale(asked)).outcome is UNKNOWN
    assert (await bench.driver.reverse(asked, "", IDS.uuid7())).outcome is APPROVED
    assert (await bench.rig.taken())[asked.payment_id] == 0
    never = charge()
    assert (await bench.driver.reverse(never, "", IDS.uuid7())).outcome is NOT_DONE


async def test_parts_go_back_up_to_what_was_taken(bench: Bench) -> None:
    asked, key = charge(1000), IDS.uuid7()
    ref = (await bench.driver.sale(asked)).terminal_ref
    part = Charge(asked.payment_id, "", 400, "EUR")
    assert (await bench.driver.refund(part, ref, key)).outcome is APPROVED
    assert (await bench.driver.refund(part, ref, key)).outcome is APPROVED
    assert (await bench.rig.taken())[asked.payment_id] == 600
    too_much = Charge(asked.payment_id, "", 601, "EUR")
    assert (await bench.driver.refund(too_much, ref, IDS.uuid7())).outcome is REFUSED
    free = await bench.driver.refund(part, "", IDS.uuid7())
    assert free.outcome is APPROVED
    assert (await bench.rig.taken())[asked.payment_id] == 600


async def test_with_the_hub_as_keeper_it_gets_a_token_and_the_terminal_keeps_nothing(
    tmp_path: Path,
) -> None:
    rig = TerminalRig(
        tmp_path / "t", (free_port(RANDOM), free_port(RANDOM)), more=["--custody", "hub"]
    )
    await rig.start()
    bench = Bench(rig)
    try:
        await bench.claim(custody="hub")
        await rig.act("offline")
        answer = await bench.driver.sale(charge(offline=True))
        assert answer.outcome is OFFLINE
        assert answer.token is not None
        assert answer.token.decode() not in repr(answer)
        assert (await rig.ledger())["stored_count"] == 0
    finally:
        await bench.keeper.stop()
        await rig.stop()


async def test_keys_are_changed_on_one_side_after_the_other_without_a_stop(bench: Bench) -> None:
    keys = Path(bench.rig.told["keys_file"])
    old = tuple((one[0], int(one[1]), one[2]) for one in [keys.read_text().split()])
    new = ("simulated", 2, "a new passphrase of several words")
    ours = keys.with_name("hub-keys")
    write_keys(ours, [new, *old])
    await bench.keeper.stop()
    await bench.claim(keys_file=str(ours))  # the terminal doesn't have it yet
    assert (await bench.driver.sale(charge())).outcome is APPROVED
    write_keys(keys, [new, *old])
    await bench.rig.read_keys()
    assert (await bench.driver.sale(charge())).outcome is APPROVED
    write_keys(keys, [new])
    await bench.rig.read_keys()
    await until(lambda: not bench.keeper.ready)  # it notices at the next look, and tries all keys
    bench.keeper.poke()
    await until(lambda: bench.keeper.ready)
    assert (await bench.driver.sale(charge())).outcome is APPROVED
    newest = ("simulated", 3, "another passphrase")
    write_keys(keys, [newest, new])
    await bench.rig.read_keys()
    write_keys(ours, [newest, new])

    async def seals_anew() -> bool:
        return bench.keeper.ready and bench.driver.seals_with == 3

    await until(seals_anew)
    assert (await bench.driver.sale(charge())).outcome is APPROVED


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"certificate_name": "another.test.terminal.invalid"}, "certificate"),
        ({"poi_id": "Another-1"}, "key"),
        ({"keys_file": "/nowhere/keys"}, "can't be read"),
        ({"root_file": "/etc/hostname"}, "holds no certificate"),
        ({"root_file": "/etc/ssl/certs/ca-certificates.crt"}, "certificate"),
    ],
)
async def test_a_terminal_that_is_not_the_one_that_was_set_up_is_not_claimed(
    bench: Bench, wrong: dict[str, Any], words: str
) -> None:
    keeper = Keeper("t-2", driver_at(bench.rig, **wrong))
    keeper.start()
    try:
        await until(lambda: bool(keeper.state.reason))
        assert not keeper.ready
        assert words in keeper.state.reason
    finally:
        await keeper.stop()


@pytest.mark.parametrize(
    "options", [{}, {"poi_id": "P-1"}, {"custody": "bank"}, {"keys_file": "relative"}]
)
async def test_settings_that_can_not_be_meant_so_are_refused_at_once(
    options: dict[str, Any],
) -> None:
    with pytest.raises(Misconfigured):
        Catalogue(WORLD).make(
            Entry("t-1", "nexo-terminal", "tcp://127.0.0.1:8443", options=options), lambda _: None
        )
