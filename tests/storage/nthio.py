"""A day of the shop with its nth disk operation failing, for every n until none is left to fail.

The day opens the database, signs people in, sells at several tills at once, takes goods back and
in, swaps a data set, moves the cloud's watermark and the log, closes, is copied, and opens again.
Each way of failing is tried at each operation.  When the writer gives up, the hub starts again as
systemd would start it.  In the end the disk is healed, then loses its power, and then everything
that was answered has to be there once, whatever wasn't answered can be asked again, and the laws
hold; every error on the way has to say what happened in the hub's own words.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from hub.storage import hubrow, sqlite
from hub.storage.database import open_database, refusing
from hub.storage.errors import StorageError
from hub.storage.rows import Tx
from hub.storage.sqlite import Connection
from tests.storage.nthday import Broken, Day, Way
from tests.storage.powercut import furnished
from tests.storage.trials import Report, scratch
from tests.support.faultdisk import Fault, FaultDisk, Op
from tests.support.shop import HUB_ID, STORE

log = logging.getLogger(__name__)


RARE = Op.OPEN | Op.SYNC | Op.TRUNCATE | Op.DELETE | Op.LOCK | Op.SHM
WAYS = (
    Way("eio-rare", Fault.EIO, 1, RARE),
    Way("syncs-for-good", Fault.EIO, None, Op.SYNC),
    Way("eio-once", Fault.EIO, 1),
    Way("eio-for-good", Fault.EIO, None),
    Way("enospc-once", Fault.ENOSPC, 1, Op.OPEN | Op.WRITE | Op.SYNC | Op.TRUNCATE | Op.SHM),
    Way("enospc-for-good", Fault.ENOSPC, None, Op.OPEN | Op.WRITE | Op.SYNC | Op.SHM),
    Way("short-read", Fault.SHORT_READ, 1, Op.READ),
    Way("short-write", Fault.SHORT_WRITE, 1, Op.WRITE),
)
MUST_FIRE = [
    *(way.name for way in WAYS),
    *("open", "read", "write", "sync", "truncate", "delete", "lock", "shm"),
    *("storage-full", "outcome-unknown", "refused-to-open", "no-backup", "went-on", "restarted"),
    *("of-founding", "of-the-day", "power-cut-afterwards", "killed-instead-of-stopped"),
]
NEVER = 1 << 40
FEW = 2
NAMES = {op: str(op.name).lower() for op in Op if op.name and op.bit_count() == 1}


def run_day(template: Path, way: Way, nth: int, report: Report) -> int:
    """The day with its ``nth`` operation failing; how many such operations it had, at the least."""
    with scratch("nth") as place, FaultDisk(place) as disk:
        FaultDisk.seed_sqlite(nth)
        shutil.copy(template, place / "hub.db")
        disk.fail(way.ops, nth=nth, fault=way.fault, times=way.times)
        day = Day(place, disk, report, way, nth)
        try:
            day.run()
            had = _count(disk, way, report)
            report.faults["of-the-day"] += disk.fired() > 0
            report.faults["power-cut-afterwards"] += nth % 2 == 0
            found = list(day.settle(power=nth % 2 == 0))
        except Broken as broken:
            found, had = [str(broken)], 0
        except (sqlite.Error, StorageError, AssertionError) as error:
            log.error("an error of no kind", exc_info=error)
            found, had = [f"an error of no kind: {error!r}"], 0
        finally:
            day.end()
            FaultDisk.seed_sqlite(None)
    if found:
        report.finding(f"{way.name} at {nth}: {'; '.join(found)}", replay(way, nth))
    return had


def found_shop(_: Path, way: Way, nth: int, report: Report) -> int:
    """Founding a shop with its ``nth`` operation failing; how many such operations it had."""
    with scratch("nth") as place, FaultDisk(place) as disk:
        disk.fail(way.ops, nth=nth, fault=way.fault, times=way.times)
        found = ""
        try:
            _founded(place / "hub.db").close()
        except StorageError as error:
            log.debug("founding failed: %s", error)
        except sqlite.Error as error:
            found = f"an error of no kind: {error!r}"
        had = _count(disk, way, report)
        report.faults["of-founding"] += disk.fired() > 0
        disk.clear()
        if nth % 2 == 0:
            disk.cut(nth, keep_probability=0.0)
        try:
            _founded(place / "hub.db").close()
        except (StorageError, sqlite.Error) as error:
            found = f"what failed can't be done again: {error}"
    if found:
        report.finding(f"founding, {way.name} at {nth}: {found}", replay(way, nth, "founding"))
    return had


def _founded(path: Path) -> Connection:
    conn = open_database(path)
    try:
        with refusing(path):
            conn.execute("BEGIN IMMEDIATE")
            if conn.execute("SELECT count(*) FROM hub").fetchone() == (0,):
                hubrow.found(Tx(conn, 0, 0), STORE, HUB_ID, "machine", "a1")
            conn.execute("COMMIT")
    except BaseException:
        conn.close()
        raise
    return conn


def _count(disk: FaultDisk, way: Way, report: Report) -> int:
    done, failed = disk.counts(), disk.fired_by_kind()
    for name in NAMES.values():
        report.faults[name] += getattr(failed, name) > 0
    report.faults[way.name] += failed.total > 0
    return sum(getattr(done, name) for op, name in NAMES.items() if op in way.ops)


Run = Callable[[Path, Way, int, Report], int]
Todo = tuple[Run, Way, int]
TRIALS: dict[str, Run] = {
    "day": run_day,
    "founding": found_shop,
}


def replay(way: Way, nth: int, trial: str = "day") -> str:
    """The command that shows it again."""
    return f"python -m tests.storage.nthio --trial {trial} --way {way.name} --nth {nth}"


def run(report: Report, seed: int = 0, *, rare_first: bool = True) -> dict[str, Any]:
    """Every way at every operation, in an order of the seed's; the last line.

    A first run without a fault tells how many operations there are: up to its nth operation a
    failing run is the same.
    """
    with scratch("template") as place:
        template = furnished(place)
        sound = Report(report.kind, report.unit, quiet=True)
        todo = [
            (trial, way, nth)
            for trial in TRIALS.values()
            for way in WAYS
            for nth in range(1, trial(template, way, NEVER, sound) + 1)
        ]
        report.violations, report.findings = sound.violations, sound.findings
        Random(seed).shuffle(todo)
        if rare_first:
            todo = ordered(todo)
        for trial, way, nth in todo:
            if not report.go_on():
                break
            trial(template, way, nth, report)
            report.trials += 1
            report.note = f"{report.trials} of {len(todo)} operations failed"
            report.progress()
    figures = {"days": report.trials, "operations": len(todo)}
    return report.finish(figures, MUST_FIRE)


def ordered(todo: list[Todo]) -> list[Todo]:
    """A few of each way, then all of the rare operations, then the many others."""
    seen: Counter[tuple[Any, str]] = Counter()

    def turn(one: Todo) -> int:
        trial, way, _ = one
        seen[trial, way.name] += 1
        return 0 if seen[trial, way.name] <= FEW else 1 if way in WAYS[:2] else 2

    return sorted(todo, key=turn)


def main() -> int:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, help="how long; without it: until nothing is left")
    parser.add_argument("--trials", type=int, help="how many days")
    parser.add_argument("--seed", type=int, default=0, help="of the order")
    parser.add_argument("--trial", choices=TRIALS, default="day", help="with --nth")
    parser.add_argument("--way", choices=[way.name for way in WAYS], help="with --nth")
    parser.add_argument("--nth", type=int, help="only this operation")
    options = parser.parse_args()
    logging.getLogger("hub").setLevel(logging.CRITICAL + 1)  # failing disks are what is asked for
    report = Report("nth-io", "days", seconds=options.seconds, limit=options.trials)
    if options.nth is None:
        run(report, options.seed)
        return 1 if report.violations else 0
    (way,) = [way for way in WAYS if way.name == options.way]
    with scratch("template") as place:
        TRIALS[options.trial](furnished(place), way, options.nth, report)
    report.finish({}, [])
    return 1 if report.violations else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # tidy up for whoever asks
    sys.exit(main())
