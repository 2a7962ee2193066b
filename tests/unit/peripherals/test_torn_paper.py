"""Half a receipt that a dead hub left on the paper doesn't become the head of the next one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.peripherals.model import Ended
from hub.documents.layout import Layout
from hub.service.handlers.printing import Begun
from tests.support.printing import BREAKS_OFF, TAKES_NOTHING, PrintShop


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[PrintShop]:
    made = PrintShop(tmp_path)
    yield made
    made.shop.check_laws()
    made.close()


@pytest.fixture
def after_torn(bench: PrintShop, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """Printer and whether it was told to cut off what stands above, for each layout."""
    told: list[tuple[str, bool]] = []
    goes_on = bench.printers.print

    async def look(printer_id: str, layout: Layout, job: Begun) -> Ended:
        told.append((printer_id, layout.after_torn))
        return await goes_on(printer_id, layout, job)

    monkeypatch.setattr(bench.printers, "print", look)
    return told


def test_the_first_job_after_a_death_in_mid_job_cuts_off_what_stands_above(
    bench: PrintShop, after_torn: list[tuple[str, bool]]
) -> None:
    bench.printers.routes[("till-2", "sale")] = ("kitchen",)
    bench.run(1)
    bench.sell()
    bench.crash_at = ("spooler.sent", 0)
    bench.run(5)
    assert bench.deaths == 1
    bench.printers.acts.append(TAKES_NOTHING)
    bench.sell()
    bench.run(5)
    bench.sell()
    bench.run(5)
    bench.sell("till-2")
    bench.run(5)
    assert after_torn == [
        ("counter", False),
        ("counter", True),
        ("counter", True),  # the one before took nothing
        ("counter", False),
        ("kitchen", False),
    ]


def test_what_nobody_has_answered_yet_may_still_stand_there_after_another_start(
    bench: PrintShop, after_torn: list[tuple[str, bool]]
) -> None:
    bench.printers.acts.append(BREAKS_OFF)
    bench.sell()
    bench.run(5)
    bench.die()
    bench.sell()
    bench.run(5)
    assert after_torn == [("counter", False), ("counter", True)]


def test_after_a_quiet_end_nothing_is_cut_off(
    bench: PrintShop, after_torn: list[tuple[str, bool]]
) -> None:
    bench.sell()
    bench.run(5)
    bench.die()
    bench.sell()
    bench.run(5)
    assert after_torn == [("counter", False), ("counter", False)]
