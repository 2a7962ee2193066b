"""Whatever printers do, whenever the hub dies and whatever people say: sheets are counted."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hub.crashpoints import PRINT_CRASH_POINTS
from hub.storage.errors import NotStored, OutcomeUnknown, StorageFull
from hub.storage.printrows import DRAWER_KICK
from tests.support.printing import (
    BREAKS_OFF,
    BREAKS_OFF_BLANK,
    FAILS,
    PRINTS,
    REFUSES,
    STANDS_STILL,
    TAKES_NOTHING,
    Act,
    PrintShop,
)

SLOW = Act(before_s=2.0, after_s=2.0, confirmed=True)
ACTS = st.sampled_from(
    [PRINTS, SLOW, TAKES_NOTHING, REFUSES, BREAKS_OFF, BREAKS_OFF_BLANK, FAILS, STANDS_STILL]
)
SPANS = st.sampled_from([0.05, 0.5, 3.0, 40.0, 700.0])
PRINTERS = ("counter", "office")


class Printing(RuleBasedStateMachine):
    """Two tills with drawers, two printers that stand in for each other."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="sh-printing-"))
        self.bench = PrintShop(self.directory)
        self.bench.drawers |= {"till-1", "till-2"}
        self.bench.printers.usual = PRINTERS
        self.bench.printers.routes[("till-2", "sale")] = PRINTERS[::-1]
        self.sales: list[tuple[str, str]] = []
        self.words: dict[str, int] = {}
        self.harmed = False

    @rule(till=st.sampled_from(["till-1", "till-2"]))
    def sell(self, till: str) -> None:
        job = self.bench.sell(till)
        self.sales.append((till, self.bench.job(job)["subject"]))

    @rule(till=st.sampled_from(["till-1", "till-2"]), act=ACTS, seconds=SPANS)
    def sell_and_misbehave(self, till: str, act: Act, seconds: float) -> None:
        self.bench.drawers.clear()
        self.sell(till)
        self.bench.drawers |= {"till-1", "till-2"}
        self.printers_misbehave([act])
        self.time_passes(seconds)

    @rule(till=st.sampled_from(["till-1", "till-2"]), seconds=SPANS)
    def an_end_can_t_be_written(self, till: str, seconds: float) -> None:
        self.sell(till)
        self.harmed = True
        self.bench.gate.refuses.extend([None, OutcomeUnknown("the disk failed")])
        self.time_passes(seconds)

    @rule(seconds=SPANS)
    def time_passes(self, seconds: float) -> None:
        self.bench.run(seconds)

    @rule(acts=st.lists(ACTS, min_size=1, max_size=3))
    def printers_misbehave(self, acts: list[Act]) -> None:
        self.bench.printers.acts.extend(acts)
        self.harmed |= any(
            act in (BREAKS_OFF, BREAKS_OFF_BLANK, FAILS, STANDS_STILL) for act in acts
        )

    @rule(printer=st.sampled_from(PRINTERS))
    def a_printer_goes_or_comes(self, printer: str) -> None:
        down = self.bench.printers.down
        if printer in down:
            down.remove(printer)
            self.bench.spooler.printer_ready(printer)
        else:
            down.add(printer)

    @rule(point=st.sampled_from(PRINT_CRASH_POINTS), passes=st.integers(0, 2), seconds=SPANS)
    def the_hub_dies_at(self, point: str, passes: int, seconds: float) -> None:
        self.bench.crash_at = (point, passes)
        deaths = self.bench.deaths
        self.bench.run(seconds)
        self.bench.crash_at = ("", 0)
        self.harmed |= self.bench.deaths > deaths

    @rule(seconds=SPANS)
    def the_hub_dies_after(self, seconds: float) -> None:
        self.bench.run(seconds)
        self.harmed = True
        self.bench.die()

    @rule(full=st.booleans(), times=st.integers(1, 6))
    def the_database_takes_nothing(self, full: bool, times: int) -> None:
        error = StorageFull("full") if full else NotStored("busy")
        self.bench.gate.refuses.extend([error] * times)

    @precondition(lambda self: self.sales)
    @rule(data=st.data())
    def somebody_wants_a_copy(self, data: st.DataObject) -> None:
        till, sale = data.draw(st.sampled_from(self.sales))
        if self.bench.shop.ask(till, "print/reprint", {"sale_id": sale}).ok:
            self.words[sale] = self.words.get(sale, 0) + 1

    @rule(answer=st.sampled_from(["printed", "again", "forget"]))
    def somebody_answers(self, answer: str) -> None:
        shop = self.bench.shop
        for job in shop.ok("till-1", "print/list", {"state": "ambiguous"})["jobs"][:1]:
            body = {"job_id": job["job_id"], "answer": answer}
            shop.ok(job["device_id"], "print/settle", body)
            if answer == "again":
                self.words[job["subject"]] = self.words.get(job["subject"], 0) + 1

    @rule()
    def somebody_cancels(self) -> None:
        shop = self.bench.shop
        for job in shop.ok("till-1", "print/list")["jobs"][:1]:
            shop.ask(job["device_id"], "print/cancel", {"job_id": job["job_id"]})

    @rule()
    def housekeeping(self) -> None:
        self.bench.shop.housekeep()

    @invariant()
    def nothing_is_printed_twice_without_a_word(self) -> None:
        sheets = self.bench.printers.sheets
        assert all(count == 1 for count in sheets.values()), "a job is on paper twice"
        by_sale: dict[str, int] = {}
        for job_id, subject, copy in self.bench.shop.all(
            "SELECT job_id, subject, copy FROM print_jobs WHERE kind <> ?", DRAWER_KICK
        ):
            by_sale[subject] = by_sale.get(subject, 0) + sheets[job_id]
            assert copy <= self.words.get(subject, 0), "a copy nobody asked for"
        for subject, count in by_sale.items():
            assert count <= 1 + self.words.get(subject, 0), "more sheets than words"

    @invariant()
    def what_is_said_of_a_job_is_true(self) -> None:
        sheets = self.bench.printers.sheets
        for job_id, kind, state, answer, attempt in self.bench.shop.all(
            "SELECT job_id, kind, state, answer, attempt FROM print_jobs"
        ):
            match state:
                case "printed" if not answer:
                    assert sheets[job_id] == 1, "it counts as printed and isn't on paper"
                case "queued" | "failed":
                    assert sheets[job_id] == 0, "it is on paper and counts as not"
                case "cancelled" | "expired" if not answer and kind != DRAWER_KICK:
                    assert sheets[job_id] == 0, "it is on paper and counts as not"
                case "ambiguous":
                    assert self.harmed, "nothing was broken off, and a person is asked"
                    assert attempt > 0

    @invariant()
    def each_printer_does_one_thing_at_a_time(self) -> None:
        assert max(self.bench.printers.most_at_work.values(), default=0) <= 1

    @invariant()
    def the_laws_hold(self) -> None:
        self.bench.shop.check_laws()

    def teardown(self) -> None:
        self._come_to_rest()
        self.bench.close()
        shutil.rmtree(self.directory)

    def _come_to_rest(self) -> None:
        """When everything works again, nothing is left but what waits for a person."""
        self.bench.gate.refuses.clear()
        self.bench.printers.acts.clear()
        for printer in PRINTERS:
            self.bench.printers.down.discard(printer)
            self.bench.spooler.printer_ready(printer)
        self.bench.run(self.bench.pace.stopped_max_s + 120)
        states = {row[0] for row in self.bench.shop.all("SELECT DISTINCT state FROM print_jobs")}
        assert "queued" not in states
        self.nothing_is_printed_twice_without_a_word()
        self.what_is_said_of_a_job_is_true()
        self.the_laws_hold()


TestPrintingAtRandom = Printing.TestCase
TestPrintingAtRandom.settings = settings(
    max_examples=20,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
