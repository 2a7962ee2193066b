"""Jobs reach paper once: retries, stand-ins, full disks, deaths, and what people are asked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devices.peripherals.choosing import Pace
from hub.crashpoints import PRINT_CRASH_POINTS
from hub.storage.errors import (
    NotStored,
    OutcomeUnknown,
    QueueFull,
    StorageError,
    StorageFull,
    WriterStopped,
)
from tests.support.printing import (
    BREAKS_OFF,
    CONFIRMS,
    FAILS,
    REFUSES,
    STANDS_STILL,
    TAKES_NOTHING,
    Act,
    PrintShop,
)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[PrintShop]:
    made = PrintShop(tmp_path)
    yield made
    made.shop.check_laws()
    made.close()


def test_a_receipt_is_on_paper_a_moment_after_its_sale(bench: PrintShop) -> None:
    job = bench.sell()
    assert bench.state(job) == "queued"
    bench.run(1)
    seen = bench.job(job)
    assert (seen["state"], seen["printer_id"], seen["attempt"]) == ("printed", "counter", 1)
    assert seen["confirmed"] is False
    assert bench.printers.sheets[job] == 1


def test_what_the_printer_itself_confirms_is_known_to_be_printed(bench: PrintShop) -> None:
    bench.printers.usual_act = CONFIRMS
    job = bench.sell()
    bench.run(1)
    assert bench.job(job)["confirmed"] is True


def test_a_printer_prints_one_thing_at_a_time_in_the_order_of_the_sales(bench: PrintShop) -> None:
    jobs = [bench.sell() for _ in range(5)]
    bench.run(5)
    assert bench.printers.most_at_work == {"counter": 1}
    began = [bench.job(job)["began_at_ms"] for job in jobs]
    assert began == sorted(began)
    assert all(bench.printers.sheets[job] == 1 for job in jobs)


def test_different_printers_print_at_once(bench: PrintShop) -> None:
    bench.printers.routes[("till-2", "sale")] = ("kitchen",)
    bench.printers.usual_act = Act(before_s=10.0)
    one, other = bench.sell(), bench.sell("till-2")
    bench.run(5)
    assert bench.spooler.under_way() == {"counter": one, "kitchen": other}
    bench.run(10)
    assert bench.state(one) == bench.state(other) == "printed"


def test_what_had_not_begun_is_tried_again_until_it_is_printed(bench: PrintShop) -> None:
    bench.printers.acts.extend([TAKES_NOTHING] * 3)
    job = bench.sell()
    bench.run(60)
    seen = bench.job(job)
    assert (seen["state"], seen["attempt"]) == ("printed", 4)
    assert bench.printers.sheets[job] == 1


def test_a_job_waits_for_its_printer_and_goes_on_when_that_is_back(bench: PrintShop) -> None:
    bench.printers.down.add("counter")
    job = bench.sell()
    bench.run(600)
    assert bench.state(job) == "queued"
    bench.printers.down.clear()
    bench.spooler.printer_ready("counter")
    bench.run(1)
    assert bench.state(job) == "printed"


def test_another_printer_stands_in_only_after_a_while(bench: PrintShop) -> None:
    bench.printers.usual = ("counter", "office")
    bench.printers.down.add("counter")
    job = bench.sell()
    bench.run(bench.pace.fallback_after_s - 2)
    assert bench.state(job) == "queued"
    bench.run(4)
    assert (bench.state(job), bench.job(job)["printer_id"]) == ("printed", "office")


def test_a_printer_that_takes_nothing_is_stood_in_for_as_well(bench: PrintShop) -> None:
    bench.printers.usual = ("counter", "office")
    bench.printers.acts.extend([TAKES_NOTHING] * 8)
    job = bench.sell()
    bench.run(120)
    assert bench.state(job) == "printed"
    assert bench.printers.sheets[job] == 1


def test_a_job_for_a_certain_printer_is_printed_there_or_nowhere(bench: PrintShop) -> None:
    bench.printers.down.add("office")
    bench.shop.peripheral("office")
    job = bench.sell()
    bench.run(1)
    sale = bench.job(job)["subject"]
    copy = bench.shop.ok("till-1", "print/reprint", {"sale_id": sale, "printer_id": "office"})
    bench.run(100)
    assert bench.state(copy["job_id"]) == "queued"
    bench.printers.down.clear()
    bench.run(40)
    assert bench.job(copy["job_id"])["printer_id"] == "office"


def test_what_broke_off_is_never_repeated_and_blocks_nobody(bench: PrintShop) -> None:
    bench.printers.acts.append(BREAKS_OFF)
    doubtful, next_one = bench.sell(), bench.sell()
    bench.run(600)
    assert (bench.state(doubtful), bench.state(next_one)) == ("ambiguous", "printed")
    assert bench.printers.sheets[doubtful] == 1


def test_a_driver_with_a_fault_leaves_a_doubt_behind(bench: PrintShop) -> None:
    bench.printers.acts.append(FAILS)
    job = bench.sell()
    bench.run(10)
    seen = bench.job(job)
    assert seen["state"] == "ambiguous"
    assert "the driver has a fault" in seen["reason"]


def test_a_printer_that_stands_still_is_given_up_after_a_time(bench: PrintShop) -> None:
    bench.printers.acts.append(STANDS_STILL)
    job = bench.sell()
    bench.run(bench.pace.stopped_max_s - 5)
    assert bench.state(job) == "printing"
    bench.run(10)
    seen = bench.job(job)
    assert seen["state"] == "ambiguous"
    assert "stood still for 600 s" in seen["reason"]


def test_what_a_printer_refuses_has_failed(bench: PrintShop) -> None:
    bench.printers.acts.append(REFUSES)
    job, next_one = bench.sell(), bench.sell()
    bench.run(10)
    assert (bench.state(job), bench.job(job)["reason"]) == ("failed", "it said so")
    assert bench.state(next_one) == "printed"


def test_what_can_t_be_composed_has_failed_and_was_never_begun(bench: PrintShop) -> None:
    job = bench.sell()
    bench.shop.run('UPDATE print_jobs SET document = \'{"unprintable":1,"is_copy":false}\'')
    next_one = bench.sell()
    bench.run(5)
    seen = bench.job(job)
    assert (seen["state"], seen["attempt"]) == ("failed", 0)
    assert "no such letters" in seen["reason"]
    assert bench.state(next_one) == "printed"


def test_a_job_that_waited_too_long_expires_even_while_its_printer_is_away(
    bench: PrintShop,
) -> None:
    bench.printers.down.add("counter")
    job = bench.sell()
    bench.run(3_700)
    seen = bench.job(job)
    assert seen["state"] == "expired"
    assert "printed again" in seen["reason"]
    bench.printers.down.clear()
    bench.run(100)
    assert bench.printers.sheets[job] == 0


def test_a_drawer_opens_before_the_receipt_is_printed(bench: PrintShop) -> None:
    bench.drawers.add("till-1")
    receipt = bench.sell()
    kick = bench.shop.value("SELECT job_id FROM print_jobs WHERE kind = 'drawer-kick'")
    bench.run(2)
    assert bench.state(kick) == bench.state(receipt) == "printed"
    assert bench.job(kick)["began_at_ms"] < bench.job(receipt)["began_at_ms"]
    assert bench.printers.sheets[kick] == 1


def test_a_drawer_that_was_late_stays_closed(bench: PrintShop) -> None:
    bench.drawers.add("till-1")
    bench.printers.down.add("counter")
    bench.sell()
    kick = bench.shop.value("SELECT job_id FROM print_jobs WHERE kind = 'drawer-kick'")
    bench.run(6)
    assert bench.state(kick) == "expired"
    bench.printers.down.clear()
    bench.run(60)
    assert bench.printers.sheets[kick] == 0


@pytest.mark.parametrize("act", [BREAKS_OFF, FAILS, STANDS_STILL])
def test_nobody_is_asked_about_a_drawer(bench: PrintShop, act: Act) -> None:
    bench.drawers.add("till-1")
    bench.printers.acts.append(act)
    bench.sell()
    kick = bench.shop.value("SELECT job_id FROM print_jobs WHERE kind = 'drawer-kick'")
    bench.run(60)
    assert bench.state(kick) == "expired"


# The database takes nothing ----------------------------------------------------------------------


@pytest.mark.parametrize("error", [QueueFull("full"), NotStored("busy"), StorageFull("full")])
def test_nothing_is_sent_while_it_can_t_be_begun(bench: PrintShop, error: StorageError) -> None:
    bench.run(1)
    bench.gate.refuses.extend([error] * 4)
    job = bench.sell()
    bench.run(120)
    assert bench.state(job) == "printed"
    assert bench.printers.sheets[job] == 1


def test_an_end_is_written_when_the_database_takes_it_again(bench: PrintShop) -> None:
    bench.run(1)
    bench.gate.refuses.extend([None, *[StorageFull("full")] * 6])
    job = bench.sell()
    bench.run(60)
    assert (bench.state(job), bench.printers.sheets[job]) == ("printed", 1)


@pytest.mark.parametrize("error", [StorageFull("full"), OutcomeUnknown("the disk failed")])
def test_an_end_that_can_t_be_written_for_long_is_written_in_the_end(
    bench: PrintShop, error: StorageError
) -> None:
    bench.printers.usual_act = Act(before_s=5.0)
    job, next_one = bench.sell(), bench.sell()
    bench.run(1)
    assert bench.state(job) == "printing"
    bench.gate.broken = error
    bench.run(3_000)
    assert (bench.state(job), bench.printers.sheets[job]) == ("printing", 1)
    assert bench.spooler.under_way() == {"counter": job}  # nothing else is begun there
    assert bench.printers.sheets[next_one] == 0
    bench.gate.broken = None
    bench.run(20)
    assert (bench.state(job), bench.state(next_one)) == ("printed", "printed")
    assert bench.printers.sheets == {job: 1, next_one: 1}


def test_an_end_that_a_stop_cuts_off_is_a_doubt_after_the_next_start(bench: PrintShop) -> None:
    bench.printers.usual_act = Act(before_s=5.0)
    job = bench.sell()
    bench.run(1)
    bench.gate.broken = StorageFull("full")
    bench.run(60)
    bench.stop()
    assert (bench.state(job), bench.spooler.under_way()) == ("printing", {})
    bench._boot()
    bench.run(5)
    assert (bench.state(job), bench.printers.sheets[job]) == ("ambiguous", 1)


def test_an_end_that_no_writer_takes_any_more_is_a_doubt_for_the_next_job(
    bench: PrintShop,
) -> None:
    bench.run(1)
    bench.gate.refuses.extend([None, WriterStopped("it has ended")])
    job = bench.sell()
    bench.run(60)
    assert (bench.state(job), bench.printers.sheets[job]) == ("printing", 1)
    next_one = bench.sell()
    bench.run(10)
    assert (bench.state(job), bench.state(next_one)) == ("ambiguous", "printed")


def test_the_spooler_waits_with_its_start_until_the_database_answers(tmp_path: Path) -> None:
    bench = PrintShop(tmp_path)
    bench.gate.refuses.extend([StorageFull("full")] * 5)
    job = bench.sell()
    bench.run(120)
    assert bench.state(job) == "printed"
    bench.close()


# Deaths ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", PRINT_CRASH_POINTS)
def test_a_death_leaves_a_doubt_or_a_job_that_never_began(bench: PrintShop, point: str) -> None:
    bench.run(1)
    job = bench.sell()
    bench.crash_at = (point, 0)
    bench.run(30)
    assert bench.deaths == 1
    began = point != "spooler.before-begin"
    assert bench.state(job) == ("ambiguous" if began else "printed")
    assert bench.printers.sheets[job] <= 1
    assert (bench.printers.sheets[job] == 1) == (point != "spooler.begun")


def test_a_drawer_under_way_at_a_death_doesn_t_open_later(bench: PrintShop) -> None:
    bench.drawers.add("till-1")
    bench.run(1)
    receipt = bench.sell()
    kick = bench.shop.value("SELECT job_id FROM print_jobs WHERE kind = 'drawer-kick'")
    bench.crash_at = ("spooler.begun", 0)
    bench.run(30)
    assert (bench.state(kick), bench.printers.sheets[kick]) == ("expired", 0)
    assert bench.state(receipt) == "printed"


def test_a_drawer_that_waited_when_the_hub_died_doesn_t_open_when_it_is_back(
    bench: PrintShop,
) -> None:
    """The time that drawers are late by stands still while the hub is down."""
    bench.drawers.add("till-1")
    bench.run(1)
    receipt = bench.sell()
    kick = bench.shop.value("SELECT job_id FROM print_jobs WHERE kind = 'drawer-kick'")
    bench.crash_at = ("spooler.before-begin", 0)
    bench.run(30)
    assert bench.deaths == 1
    assert (bench.state(kick), bench.printers.sheets[kick]) == ("expired", 0)
    assert bench.state(receipt) == "printed"


def test_a_long_queue_is_not_looked_through_at_every_sale(bench: PrintShop) -> None:
    """Each look takes time of the loop that answers the tills."""
    bench.printers.down.add("counter")
    for _ in range(4):
        bench.sell()
    bench.run(1)
    spent_s, looks = 0.0, 0
    clock: Any = bench.shop.clock
    usual = clock.monotonic_s
    clock.monotonic_s = lambda: usual() + spent_s

    def slow_route(device_id: str, kind: str) -> tuple[str, ...]:
        nonlocal spent_s, looks
        spent_s, looks = spent_s + 0.005, looks + 1
        return ("counter",)

    bench.printers.route = slow_route  # type: ignore[method-assign]

    async def sell_much() -> None:
        for _ in range(1000):
            bench.spooler.wake()
            await asyncio.sleep(0.002)

    bench.loop.run_until_complete(sell_much())
    assert 1 <= looks / 4 <= 20


def test_a_stop_lets_a_job_come_to_its_end(bench: PrintShop) -> None:
    bench.printers.usual_act = Act(before_s=3.0)
    job, waiting = bench.sell(), bench.sell()
    bench.run(1)
    bench.stop()
    assert (bench.state(job), bench.state(waiting)) == ("printed", "queued")


def test_a_stop_cuts_off_what_stands_still_and_says_so(bench: PrintShop) -> None:
    bench.printers.acts.append(STANDS_STILL)
    job = bench.sell()
    bench.run(1)
    bench.stop()
    seen = bench.job(job)
    assert seen["state"] == "ambiguous"
    assert "stopped" in seen["reason"]


def test_a_fault_of_who_knows_the_printers_doesn_t_end_printing(
    bench: PrintShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.run(1)
    job = bench.sell()
    with monkeypatch.context() as patch:
        patch.setattr(bench.printers, "route", lambda _till, _kind: 1 // 0)
        bench.spooler.wake()
        bench.run(5)
        assert bench.state(job) == "queued"
    bench.run(60)
    assert bench.state(job) == "printed"


def test_a_hundred_receipts_of_a_broken_printer_don_t_hold_up_the_others(tmp_path: Path) -> None:
    bench = PrintShop(tmp_path, pace=Pace())
    bench.printers.routes[("till-2", "sale")] = ("kitchen",)
    bench.printers.down.add("counter")
    for _ in range(100):
        bench.sell()
    other = bench.sell("till-2")
    bench.run(2)
    assert bench.state(other) == "printed"
    bench.close()
