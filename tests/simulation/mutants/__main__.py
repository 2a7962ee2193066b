"""Plant each bug in a copy of the tree and let the simulation look for it."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.simulation.mutants.planting import Mutant, NotPlanted, mutants, plant, refresh, remember

SEEDS = 100
HUNT_S = 900.0
STOPPED = threading.Event()
HUNTING: set[subprocess.Popen[str]] = set()
"""Children at work, which end with this process."""
SOUND = Mutant("(none)", 1, "the tree as it is", Path())
EXAMPLES = """examples:
  python -m tests.simulation.mutants                       every mutant, 100 seeds at most each
  python -m tests.simulation.mutants --only no-dedupe      one of them
  python -m tests.simulation.mutants --list
  python -m tests.simulation.mutants --refresh             write the patches anew, for this tree
  python -m tests.simulation.mutants --remember            begin where each was found last

A mutant is a patch in tests/simulation/mutants/patches. One that survives is a missing checker; one
that doesn't apply, or with which the shop can't sell at all, is a fault of the mutant. The tree
without any bug is hunted through, too, and has to come out clean (--control).
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """``fault``: what is wrong with the mutant itself; '' when it was hunted."""

    mutant: Mutant
    caught_by: int | None = None
    violation: str = ""
    sold: int = 0
    fault: str = ""
    took_s: float = 0.0

    @property
    def is_caught(self) -> bool:
        """Found within the seeds."""
        return self.caught_by is not None and not self.fault


def hunted(mutant: Mutant, seeds: int, folder: Path) -> Outcome:
    """Plant and hunt one.  Never raises."""
    began_s = time.monotonic()
    tree = folder / mutant.name
    try:
        plant(None if mutant is SOUND else mutant, tree)
        found = _hunt(tree, seeds, mutant)
    except NotPlanted as error:
        return Outcome(mutant, fault=str(error))
    finally:
        shutil.rmtree(tree, ignore_errors=True)
    took_s = time.monotonic() - began_s
    if isinstance(found, str):
        return Outcome(mutant, fault=found, took_s=took_s)
    fault = "" if found["sold"] else "the shop can't sell at all with it"
    return Outcome(
        mutant, found["caught_by"], found["violation"], found["sold"], fault, round(took_s, 1)
    )


def _hunt(tree: Path, seeds: int, mutant: Mutant) -> dict[str, Any] | str:
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.simulation.mutants.hunt"),
            *("--seeds", str(seeds), "--least", str(mutant.least)),
            *("--first", *map(str, mutant.seeds)),
        ],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        HUNTING.add(child)
        try:
            if STOPPED.is_set():
                child.kill()
            out, err = child.communicate(timeout=HUNT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            return f"the hunt did not end within {HUNT_S:.0f} s"
        finally:
            HUNTING.discard(child)
    lines = out.strip().splitlines()
    try:
        found: dict[str, Any] = json.loads(lines[-1])
    except (IndexError, ValueError):
        return f"the hunt broke down: {err.strip()[-400:]}"
    return found


def main() -> int:
    """The exit code: 0 if every mutant was caught and the sound tree is clean."""
    options = _options()
    chosen = [one for one in mutants() if options.only is None or one.name in options.only]
    if options.list:
        for one in chosen:
            print(f"{one.promise}  {one.name:<32} {one.what}")
        return 0
    if options.refresh:
        return _refresh(chosen)
    outcomes: list[Outcome] = []
    began_s = time.monotonic()
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="mutants-", dir=memory if memory.is_dir() else None))
    skipped = 0
    pool = ThreadPoolExecutor(options.jobs)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        wanted = [SOUND, *chosen] if options.control else chosen
        pending = {pool.submit(_in_time, one, options, folder, began_s) for one in wanted}
        for future in as_completed(pending):
            outcome = future.result()
            if outcome is None:
                skipped += 1
            else:
                outcomes.append(outcome)
                if options.remember and outcome.is_caught and outcome.caught_by:
                    remember({outcome.mutant.name: outcome.caught_by})
            _tell(outcomes, len(chosen), skipped, done=False)
    except KeyboardInterrupt:
        STOPPED.set()
        for child in list(HUNTING):
            child.kill()
        return 130
    finally:
        pool.shutdown(cancel_futures=True)
        shutil.rmtree(folder, ignore_errors=True)
    return _tell(outcomes, len(chosen), skipped, done=True)


def _refresh(chosen: list[Mutant]) -> int:
    lost = 0
    for one in chosen:
        with tempfile.TemporaryDirectory() as folder:
            try:
                done = "written anew" if refresh(one, Path(folder) / one.name) else "as it was"
            except NotPlanted as error:
                lost, done = lost + 1, str(error)
        print(f"{one.name:<42} {done}")
    return 1 if lost else 0


def _in_time(
    mutant: Mutant, options: argparse.Namespace, folder: Path, began_s: float
) -> Outcome | None:
    if STOPPED.is_set() or (
        options.seconds is not None and time.monotonic() - began_s > options.seconds
    ):
        return None
    return hunted(mutant, options.seeds, folder)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation.mutants",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=int, default=SEEDS, help="at most for each (100)")
    parser.add_argument("--seconds", type=float, help="begin with no further one after that")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at a time")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these mutants")
    parser.add_argument("--list", action="store_true", help="what there is")
    parser.add_argument("--refresh", action="store_true", help="mend patches that came loose")
    parser.add_argument(
        "--remember", action="store_true", help="write down where each was found: begin there"
    )
    parser.add_argument("--control", action="store_true", help="hunt the sound tree as well")
    return parser.parse_args()


def _tell(outcomes: list[Outcome], planted: int, skipped: int, *, done: bool) -> int:
    """Print how far it is (JSON, one line); the exit code."""
    real = [one for one in outcomes if one.mutant is not SOUND]
    caught = [one for one in real if one.is_caught]
    findings = [_finding(one) for one in outcomes if _finding(one) is not None]
    told: dict[str, Any] = {
        "kind": "mutants",
        "trials": len(real),
        "unit": "mutants",
        "faults": {f"caught {one.mutant.name}": 1 for one in caught},
        "violations": len(findings),
        "note": f"{len(caught)} of {planted} caught"
        + (f", {skipped} not begun in time" if skipped else ""),
        "done": done,
    }
    if done:
        told |= {
            "findings": findings,
            "figures": {
                "caught": len(caught),
                "planted": planted,
                "worst_seed": max((one.caught_by or 0 for one in caught), default=0),
                "seeds": {one.mutant.name: one.caught_by for one in caught},
            },
            "must_fire": [],
        }
    print(json.dumps(told), flush=True)
    return 0 if not findings and len(caught) == planted else 1


def _finding(one: Outcome) -> dict[str, str] | None:
    name = one.mutant.name
    replay = f"python -m tests.simulation.mutants --only {name}"
    if one.mutant is SOUND:
        if one.caught_by is None and not one.fault:
            return None
        what = one.fault or f"the sound tree breaks: seed {one.caught_by}: {one.violation}"
        return {"what": what, "replay": f"python -m tests.simulation --seed {one.caught_by}"}
    if one.fault:
        return {"what": f"{name}: {one.fault}", "replay": replay}
    if one.caught_by is None:
        return {"what": f"{name} survives: {one.mutant.what}", "replay": replay}
    return None


if __name__ == "__main__":
    sys.exit(main())
