"""Power cuts under a selling shop: what was answered is there afterwards, once.

A shop sells, takes goods back and in, tells the cloud and moves its log; at a random write, sync,
truncate, delete or open the power goes, and each sector that wasn't synced is kept, lost or torn by
chance.  After opening the database again everything that was answered has to be there, repeats get
the stored answers, what wasn't answered can be asked again, and the laws hold.  Sometimes the power
goes again while the database is opened, or while it is founded.

The same with synchronous=NORMAL has to lose answered sales: otherwise this proves nothing.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from hub.storage import hubrow, outbox, sqlite
from hub.storage.database import open_database
from hub.storage.errors import StorageError
from hub.storage.rows import Tx
from hub.storage.writer import Job
from tests.storage.together import Asked, BusyShop, Wanted, bare
from tests.storage.trials import GOODS, STOCK, Report, scratch
from tests.support import laws
from tests.support.faultdisk import FaultDisk, Op
from tests.support.shop import HUB_ID, STORE

CUTS = 16
"""Cuts that one shop lives through."""
CONTROL_EVERY = 8
TILLS = ("till-1", "till-2", "till-3")
POWER = Op.CHANGES | Op.OPEN
SKUS = tuple(GOODS)
MUST_FIRE = [
    *("cut", "cut-at-work", "cut-idle", "cut-after-closing", "cut-opening", "cut-founding"),
    *("batch-shared", "sector-lost", "sector-kept", "sector-torn", "log-came-back", "unknown"),
    *("checkpoint", "ack", "return"),
]
RARE = ["new-file-lost"]
"""In two of a thousand cuts: many have to show it, few don't."""
MANY = 3000
log = logging.getLogger(__name__)


def furnished(directory: Path) -> Path:
    """A founded shop's database with goods and a few sales, closed."""
    shop = BusyShop(directory)
    for sku, price in GOODS.items():
        shop.product(sku, price, stock=STOCK)
    for till in TILLS:
        shop.sign_in(till, "mia")
    for number in range(20):
        shop.sell("till-1", SKUS[number % len(SKUS)], 1, GOODS[SKUS[number % len(SKUS)]])
    shop.close()
    return shop.path


class Episode:
    """One shop from its template through :data:`CUTS` cuts."""

    def __init__(self, template: Path, place: Path, seed: int, mode: str, report: Report) -> None:
        self.random = Random(seed)
        self.mode = mode
        self.report = report
        self.lost = 0
        self.sold: list[Asked] = []
        self.open: list[Wanted] = []
        self.acked: dict[tuple[str, str], int] = {}
        FaultDisk.seed_sqlite(seed)
        self.disk = FaultDisk(place)
        shutil.copy(template, place / "hub.db")
        self.shop = BusyShop(place, seed=1000 + seed, furnish=False)
        self.level = self._shelf()
        self.sales = self.shop.value("SELECT count(*) FROM sales")
        self.shop.answered.clear()

    def close(self) -> None:
        """End it."""
        self.shop.close()
        self.disk.close()
        FaultDisk.seed_sqlite(None)

    # Trading -----------------------------------------------------------------------------------

    def trade(self) -> None:
        """Sell until the power goes, or until enough was sold."""
        shop, random = self.shop, self.random
        shop.core.conn.execute(f"PRAGMA wal_autocheckpoint = {random.choice((1000, 5, 20, 60))}")
        shop.core.conn.execute(f"PRAGMA synchronous = {self.mode}")
        batches = random.randint(1, 4)
        reach = 80 if self.mode == "FULL" else 400  # the control has to have sold something
        self.disk.fail(POWER, nth=random.randint(1, reach * batches), times=None)
        before = self.disk.fired()
        for _ in range(batches):
            if shop.core.fatal is None:
                self._batch()
        if self.disk.fired() == before and random.random() < 0.5:
            shop.close()  # the log is deleted, but no directory is synced
            self._count("cut-after-closing")
        self._count("cut-idle" if self.disk.fired() == before else "cut-at-work")

    def _batch(self) -> None:
        shop, random = self.shop, self.random
        shop.clock.advance(random.uniform(0.1, 5.0))
        wanted = [self._wanted() for _ in range(random.choice((1, 1, 2, 3, 6)))]
        batches = shop.core.batches
        for asked in shop.together(wanted):
            self._heard(asked)
        if shop.core.batches == batches + 1 and len(wanted) > 1:
            self._count("batch-shared")
        if shop.core.fatal is None and random.random() < 0.25:
            shop.core.checkpoint()
            self._count("checkpoint")
        if shop.core.fatal is None and random.random() < 0.25:
            self._ack()

    def _heard(self, asked: Asked) -> None:
        """Keep what a reply says."""
        if not asked.final:
            self.open.append((asked.device, asked.address, asked.body, asked.key))
            self._count("unknown")
        elif asked.ok:
            self._book(asked)

    def _book(self, asked: Asked) -> None:
        lines = asked.body.get("lines", [])
        match asked.address:
            case "sale/commit":
                self.sales += 1
                self.sold.append(asked)
                sign = -1
            case "return/commit":
                self._count("return")
                sku = self._sale(asked.body["sale_id"])["code"]
                lines = [{"code": sku, "qty": lines[0]["qty"]}]
                sign = 1
            case _:
                sign = 1
        for line in lines:
            self.level[line.get("code") or line["sku"]] += sign * line["qty"]

    def _sale(self, sale_id: str) -> dict[str, Any]:
        """The only line of a sale."""
        found = next(one for one in self.sold if one.body["sale_id"] == sale_id)
        line: dict[str, Any] = found.body["lines"][0]
        return line

    def _wanted(self) -> Wanted:
        shop, random = self.shop, self.random
        till, key, dice = random.choice(TILLS), shop.id(), random.random()
        sku, qty = random.choice(SKUS), random.randint(1, 3)
        if dice < 0.1 and self.sold:
            back = {"line_no": 1, "qty": 1, "disposition": "resellable", "reason": "x"}
            sale_id = random.choice(self.sold).body["sale_id"]
            body = {"return_id": shop.id(), "sale_id": sale_id, "lines": [back]}
            return till, "return/commit", body, key
        if dice < 0.2:
            lines = [{"sku": sku, "qty": qty}]
            return till, "stock/receive", {"receipt_id": shop.id(), "lines": lines}, key
        line = {"code": sku, "qty": qty, "unit_price_minor": GOODS[sku]}
        return till, "sale/commit", shop.sale(line, total_minor=qty * GOODS[sku]), key

    def _shelf(self) -> dict[str, int]:
        sql = "SELECT k.sku, s.sellable FROM stock s JOIN skus k ON k.id = s.sku_id ORDER BY k.sku"
        return dict(self.shop.rows.all(sql))

    def _ack(self) -> None:
        head = self.random.choice(outbox.heads(self.shop.rows))
        seq = self.random.randint(head.acked_seq, head.head_seq)

        def work(tx: Tx) -> None:
            outbox.set_acked(tx, head.source_uri, head.stream, seq)

        core = self.shop.core
        core.offer(Job(work))
        (outcome,) = core.run_once()
        if outcome.error is None:
            self.acked[(head.source_uri, head.stream)] = seq
            self._count("ack")

    # Power -------------------------------------------------------------------------------------

    def cut(self) -> None:
        """The power goes and comes back; sometimes it goes again while the hub starts."""
        self._cut()
        if self.random.random() < 0.2:
            self.disk.fail(Op.ALL, nth=self.random.randint(1, 60), times=None)
            try:
                self.shop.restart()
            except (StorageError, sqlite.Error) as error:
                log.debug("opening was cut: %s", error)
                self._count("cut-opening")
            self._cut()
        self.shop.restart()

    def _cut(self) -> None:
        random = self.random
        found = self.disk.cut(
            random.getrandbits(64),
            sector_bytes=random.choice((512, 4096)),
            keep_probability=random.choice((0.0, 0.1, 0.5, 0.9, 1.0)),
        )
        self.disk.clear()
        faults = self.report.faults
        faults["cut"] += 1
        faults["sector-lost"] += found.lost
        faults["sector-kept"] += found.kept
        faults["sector-torn"] += found.torn
        faults["log-came-back"] += found.files_back
        faults["new-file-lost"] += found.files_gone

    def _count(self, name: str) -> None:
        self.report.faults[name] += 1

    # Checking ----------------------------------------------------------------------------------

    def missing(self) -> int:
        """How many answered requests of this stretch the database doesn't know."""
        gone = sum(self.shop.stored(one) != bare(one.text) for one in self.shop.answered)
        self.lost += gone
        return gone

    def problems(self) -> Iterator[str]:
        """What doesn't hold after a cut."""
        shop = self.shop
        if gone := self.missing():
            yield f"{gone} answered requests are gone"
            return
        for one in self.random.sample(shop.answered, min(3, len(shop.answered))):
            (again,) = shop.together([(one.device, one.address, one.body, one.key)])
            if bare(again.text) != bare(one.text):
                yield f"a repeat is answered otherwise: {one.text} / {again.text}"
        while self.open:
            (asked,) = shop.together([self.open.pop(0)])
            if not asked.final:
                yield f"a repeat of what wasn't answered fails: {asked.text}"
            elif asked.ok:
                self._book(asked)
        shop.answered.clear()
        yield from self._books()
        yield from laws.broken(shop.rows, quick=self.random.random() < 0.75)

    def _books(self) -> Iterator[str]:
        shop = self.shop
        if shop.value("PRAGMA integrity_check") != "ok":
            yield "the database is damaged"
        sales = shop.value("SELECT count(*) FROM sales")
        if sales != self.sales:
            yield f"{sales} sales are there, {self.sales} were answered"
        if (found := self._shelf()) != self.level:
            yield f"{found} are on the shelf, it should be {self.level}"
        for head in outbox.heads(shop.rows):
            if head.acked_seq < self.acked.get((head.source_uri, head.stream), 0):
                yield f"the watermark of {head.stream} went back to {head.acked_seq}"


def run_episode(template: Path, seed: int, report: Report) -> None:
    """A shop, its cuts, and what they show."""
    with episode(template, seed, "FULL", report) as one:
        for _ in range(CUTS):
            one.trade()
            one.cut()
            report.trials += 1
            report.progress()
            if found := list(one.problems()):
                report.finding("; ".join(found), replay(seed))
                return


def run_control(template: Path, seed: int, report: Report) -> tuple[int, int]:
    """The same without a sync per commit: (cuts, those that lost something answered)."""
    aside = Report(report.kind, report.unit)
    losing = 0
    for number in range(CUTS):
        with episode(template, seed * CUTS + number, "NORMAL", aside) as one:
            one.trade()
            one.cut()
            losing += one.missing() > 0
    report.progress()
    return CUTS, losing


@contextmanager
def episode(template: Path, seed: int, mode: str, report: Report) -> Iterator[Episode]:
    """A shop on a faulty disk of its own."""
    with scratch("cut") as place:
        one = Episode(template, place, seed, mode, report)
        try:
            yield one
        finally:
            one.close()


def cut_founding(seed: int, report: Report) -> None:
    """The power goes while the database is made: the next start makes it."""
    random = Random(seed)
    with scratch("found") as place, FaultDisk(place) as disk:
        disk.fail(POWER, nth=random.randint(1, 40), times=None)
        try:
            _found(place / "hub.db")
        except (StorageError, sqlite.Error) as error:
            log.debug("founding was cut: %s", error)
            report.faults["cut-founding"] += 1
        disk.cut(seed, keep_probability=random.choice((0.0, 0.5, 1.0)))
        disk.clear()
        report.trials += 1
        try:
            _found(place / "hub.db")
        except (StorageError, sqlite.Error) as error:
            report.finding(f"a founding that was cut can't be done again: {error}", replay(seed))


def _found(path: Path) -> None:
    conn = open_database(path)
    try:
        conn.execute("BEGIN IMMEDIATE")
        if conn.execute("SELECT count(*) FROM hub").fetchone() == (0,):
            hubrow.found(Tx(conn, 0, 0), STORE, HUB_ID, "machine", "a1")
        conn.execute("COMMIT")
    finally:
        conn.close()


def replay(seed: int) -> str:
    """The command that shows a seed again."""
    return f"python -m tests.storage.powercut --seed {seed} --trials 1"


def run(report: Report, seed: int) -> dict[str, Any]:
    """Episodes until the report's bounds; the last line."""
    control_cuts = control_lost = episodes = 0
    with scratch("template") as place:
        template = furnished(place)
        while report.go_on():
            if episodes % CONTROL_EVERY == 0:
                cuts, losing = run_control(template, seed + episodes, report)
                control_cuts, control_lost = control_cuts + cuts, control_lost + losing
            cut_founding(seed + episodes, report)
            run_episode(template, seed + episodes, report)
            episodes += 1
            report.note = f"NORMAL loses in {control_lost} of {control_cuts}"
    if not control_lost:
        report.finding("synchronous=NORMAL lost nothing: the disk doesn't lose", replay(seed))
    figures = {
        "cuts_per_s": round(report.trials / max(report.elapsed_s(), 0.001), 1),
        "normal_cuts": control_cuts,
        "normal_cuts_losing": control_lost,
        "full_lost": report.violations,
    }
    return report.finish(figures, MUST_FIRE + RARE * (report.trials >= MANY))


def main() -> int:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, help="how long")
    parser.add_argument("--trials", type=int, help="how many cuts")
    parser.add_argument("--seed", type=int, default=1, help="of the first shop")
    options = parser.parse_args()
    logging.getLogger("hub").setLevel(logging.CRITICAL + 1)  # failing disks are what is asked for
    seconds = options.seconds if options.seconds or options.trials else 10.0
    report = Report("power-cut", "cuts", seconds=seconds, limit=options.trials)
    run(report, options.seed)
    return 1 if report.violations else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # tidy up for whoever asks
    sys.exit(main())
