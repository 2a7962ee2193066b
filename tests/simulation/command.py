"""The command line: one seed to look into, or as many as there is time for."""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.simulation.pool import played
from tests.simulation.shop.cardcover import cover
from tests.simulation.shop.coverage import GIFT_CARDS, GIFT_SEEDS, MUST_FIRE
from tests.simulation.shop.plan import STORM_EVERY, Plan, draw

TRACE_LINES = 60
KIND = "simulation"
SCRATCH = "STORE_HUB_SIMULATION_SCRATCH"
"""Where processes that are killed leave what their parent removes."""
EXAMPLES = """examples:
  python -m tests.simulation --seed 17            one run: what went wrong, and the trace's end
  python -m tests.simulation --seed 17 --trace    the same, with every line of the trace
  python -m tests.simulation --trials 50          seeds 1 to 50, as JSON lines
  python -m tests.simulation --seconds 600        as many seeds as there is time for
  python -m tests.simulation --storms --trials 50 --coverage
                                                  which steps card payments take in 50 storms

Exit code 0: no promise was broken. A broken one prints the command that plays it again.
"""


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    options = _options(arguments)
    logging.disable(logging.CRITICAL)
    if options.seed is not None:
        return _one(options)
    return Campaign(options).run()


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation",
        description="Simulate whole shops on virtual time, each decided by one seed.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, help="play one seed, for a person")
    parser.add_argument("--trace", action="store_true", help="with --seed: print every line")
    parser.add_argument("--first", type=int, default=1, help="the first seed (1)")
    parser.add_argument("--trials", type=int, help="how many seeds")
    parser.add_argument("--seconds", type=float, help="how long")
    parser.add_argument("--days", type=int, help="store-days of each run (drawn)")
    parser.add_argument(
        "--anti-entropy",
        choices=("on", "off", "drawn"),
        default="drawn",
        help="compare stock with the cloud now and then (off hides no fault of the outbox)",
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument(
        "--stop-at-first", action="store_true", help="end with the first broken promise"
    )
    parser.add_argument(
        "--storms", action="store_true", help="only seeds that are about nothing but card payments"
    )
    parser.add_argument(
        "--coverage",
        action="store_true",
        help="print which states and steps of card payments the runs came through, not JSON",
    )
    parser.add_argument("--only", help="with --seed: just these faults, separated by commas")
    return parser.parse_args(arguments)


def plan_of(seed: int, anti_entropy: str, days: int | None) -> Plan:
    """The plan of a seed under the command's options."""
    wanted = None if anti_entropy == "drawn" else anti_entropy == "on"
    return draw(seed, anti_entropy=wanted, days=days)


def _scratch() -> Path:
    memory = os.environ.get(SCRATCH) or "/dev/shm"
    return Path(tempfile.mkdtemp(prefix="shop-", dir=memory if Path(memory).is_dir() else None))


def play(plan: Plan, *, echo: Any = None) -> dict[str, Any]:
    """One run, as plain values."""
    from tests.simulation.shop.scenario import Scenario

    root = _scratch()
    try:
        report = asdict(Scenario(plan, root, echo=echo).run())
    finally:
        shutil.rmtree(root, ignore_errors=True)
    report["trace"] = report["trace"][-TRACE_LINES:] if report["violations"] else ()
    return report


def _one(options: argparse.Namespace) -> int:
    plan = plan_of(options.seed, options.anti_entropy, options.days)
    if options.only is not None:
        wanted = [name.strip() for name in options.only.split(",") if name.strip()]
        faults = {name: rate for name, rate in plan.faults.items() if name in wanted}
        plan = Plan(**{**asdict(plan), "faults": faults})
    print(json.dumps(asdict(plan)))
    report = play(plan, echo=print if options.trace else None)
    if not options.trace:
        print(*report["trace"], sep="\n")
    for name, count in report["counters"].items():
        print(f"{count:8d}  {name}")
    print(
        f"{report['virtual_days']:.2f} store-days in {report['cpu_s']:.2f} s of processor time,"
        f" trace {report['digest']}"
    )
    for violation in report["violations"]:
        print(f"VIOLATION: {violation}")
    sys.stdout.flush()
    return 1 if report["violations"] else 0


@dataclass
class Campaign:
    """Many seeds in several processes; see the trials' protocol in scripts/campaign."""

    options: argparse.Namespace
    counters: Counter[str] = field(default_factory=Counter)
    findings: list[dict[str, str]] = field(default_factory=list)
    seeds: int = 0
    gifts: int = 0
    broken: int = 0
    days: float = 0.0
    cpu_s: float = 0.0
    told_s: float = 0.0

    def run(self) -> int:
        """The exit code."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        scratch = os.environ[SCRATCH] = str(_scratch())
        try:
            self._play()
        except KeyboardInterrupt:
            return 130
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        self._tell(done=True)
        if self.options.coverage:
            print(*cover(self.counters).lines(), sep="\n", flush=True)
        return 1 if self.broken else 0

    def _play(self) -> None:
        options = self.options
        reports = played(self._plans(time.monotonic()), options.jobs)
        for report in reports:
            self._take(report)
            if options.stop_at_first and self.broken:
                reports.close()
                return

    def _plans(self, began_s: float) -> Iterator[Plan]:
        options = self.options
        number = 0
        while options.trials is None or number < options.trials:
            if options.seconds is not None and time.monotonic() - began_s >= options.seconds:
                return
            if options.trials is None and options.seconds is None and number >= 1:
                return
            yield plan_of(self._seed(number), options.anti_entropy, options.days)
            number += 1

    def _seed(self, number: int) -> int:
        first: int = self.options.first
        if not self.options.storms:
            return first + number
        return (-(-first // STORM_EVERY) + number) * STORM_EVERY

    def _take(self, report: dict[str, Any]) -> None:
        self.seeds += 1
        self.gifts += report["plan"]["gift_cards"]
        self.days += report["virtual_days"]
        self.cpu_s += report["cpu_s"]
        self.counters.update(report["counters"])
        if report["violations"]:
            self.broken += 1
            plan, what = report["plan"], report["violations"][0]
            replay = f"python -m tests.simulation --seed {plan['seed']}"
            if self.options.days is not None:  # what isn't drawn changes what is
                replay += f" --days {self.options.days}"
            if self.options.anti_entropy != "drawn":
                replay += f" --anti-entropy {self.options.anti_entropy}"
            self.findings.append({"what": what, "replay": replay})
            print(f"{replay}: {what}", file=sys.stderr, flush=True)
        if time.monotonic() - self.told_s > 1.5:
            self._tell(done=False)

    def _tell(self, *, done: bool) -> None:
        self.told_s = time.monotonic()
        rate = self.days / self.cpu_s if self.cpu_s else 0.0
        covered = cover(self.counters)
        if self.options.coverage:
            print(f"{self.seeds} seeds: {covered.figures()}", file=sys.stderr, flush=True)
            return
        told: dict[str, Any] = {
            "kind": KIND,
            "trials": self.seeds,
            "unit": "seeds",
            "faults": dict(sorted(self.counters.items())),
            "violations": self.broken,
            "note": f"{self.days:.0f} store-days, {rate:.1f} per CPU second,"
            f" {covered.figures()['payment_steps_visited']} of {len(covered.steps)} steps of card"
            " payments",
            "done": done,
        }
        if done:
            told["findings"] = self.findings[:50]
            told["figures"] = {
                "store_days": round(self.days, 1),
                "store_days_per_cpu_s": round(rate, 2),
                **covered.figures(),
            }
            told["not_visited"] = covered.unseen
            told["must_fire"] = [*MUST_FIRE, *(GIFT_CARDS if self.gifts >= GIFT_SEEDS else ())]
        print(json.dumps(told), flush=True)
