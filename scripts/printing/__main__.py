"""``python -m scripts.printing``: a thousand receipts, each once, while the hub is killed."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts.printing.plan import AIMS
from scripts.printing.trial import Score, Wanted, run
from scripts.rig.emulator import NotPrepared, runtime
from scripts.rig.playing import INTERRUPTED, played, tell

_ABOUT = """\
Print a thousand receipts while the hub is killed with SIGKILL, and count them on the printers.

Real tills sell at the real daemon over MQTT and TLS; every sale wants its receipt, which comes out
of an emulated printer (emupos, an independent program, over TCP). First they sell in peace: nobody
may be asked about any receipt. Then the hub is killed: at random, right after a sale's answer,
before a job's first byte, in the middle of one, and when it is on paper and the hub doesn't know
yet. People answer some of the questions, mostly with "again". In the end every job of the hub's
database is compared with the paper: printed exactly once, or a person was asked and it is there at
most once; nothing twice without a person's word; in doubt only what was in hand at a kill; every
copy says COPY; no paper that no job knows of.
"""
_MORE = """\
Prints JSON lines: progress every second, the verdict as the last ("done": true).
Without --seconds and --trials it is 1,000 jobs.  From 50 on, and with --seconds, a hub with a
planted fault has its turn in the end: its double prints have to be found.
Set up the emulator once with
  python -m scripts.rig.emulator --setup

exit status: 0 all of that was so; 1 a violation, or a planted fault that was not seen;
2 it can't be run here; 130 interrupted.
"""
_JOBS = 1000
_MANY = 400


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status as told by ``--help``."""
    parser = _parser()
    args = parser.parse_args(argv)
    if args.seconds is not None and args.trials is not None:
        parser.error("give either --seconds or --trials")
    if not 1 <= args.printers <= 8:
        parser.error("--printers is 1 to 8")
    jobs = args.trials or (_JOBS if args.seconds is None else None)
    wanted = Wanted(seed=args.seed, printers=args.printers, jobs=jobs, seconds=args.seconds)
    try:
        runtime()
    except NotPrepared as error:
        print(f"printing: {error}", file=sys.stderr)
        return 2
    base = Path(tempfile.mkdtemp(prefix="shp-", dir="/tmp"))
    score = Score()
    if not played(run(wanted, base, score), lambda: _line(score)):
        shutil.rmtree(base, ignore_errors=True)
        return INTERRUPTED
    if score.sound:
        shutil.rmtree(base)
    else:
        print(f"printing: databases and logs are kept in {base}", file=sys.stderr)
    tell(_line(score) | _verdict(wanted, score))
    return 0 if score.sound else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.printing",
        description=_ABOUT,
        epilog=_MORE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, help="go on for about so long")
    parser.add_argument("--trials", "--jobs", type=int, help=f"print so many jobs ({_JOBS})")
    parser.add_argument("--seed", default="1", help="same seed, same strikes and baskets (1)")
    parser.add_argument("--printers", type=int, default=3, help="how many printers print (3)")
    return parser


def _line(score: Score) -> dict[str, Any]:
    return {
        "kind": "printing",
        "trials": score.jobs,
        "unit": "jobs",
        "faults": dict(score.seen),
        "violations": score.violations,
        "note": f"{score.note}, {score.kills} kills",
    }


def _verdict(wanted: Wanted, score: Score) -> dict[str, Any]:
    how_many = f"--trials {wanted.jobs}" if wanted.jobs else f"--seconds {wanted.seconds:g}"
    replay = (
        f"python -m scripts.printing {how_many} --seed {wanted.seed} --printers {wanted.printers}"
    )
    missed = [f"the verdict did not see that {what}" for what in score.controls_missed]
    controls = f"{score.controls - len(score.controls_missed)}/{score.controls}"
    return {
        "findings": [{"what": what, "replay": replay} for what in score.findings + missed],
        "figures": {**score.figures, "controls": controls},
        "must_fire": must_fire(score.jobs),
        "done": True,
    }


def must_fire(jobs: int) -> list[str]:
    """The counters that a trial of this size can't leave at zero."""
    names = ["kill", "restart", "jobs-in-peace", "job-in-hand", "ambiguous", "on-paper"]
    if jobs >= _MANY:
        names += [*AIMS, "torn-paper", "copy", "said-again", "said-printed", "said-forget"]
    return sorted(set(names))


if __name__ == "__main__":
    sys.exit(main())
