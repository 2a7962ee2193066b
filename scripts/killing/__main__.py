"""``python -m scripts.killing``: kill -9 of hub, broker and cloud while the shop sells."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts.killing.plan import KINDS, Kind
from scripts.killing.trial import Score, Wanted, run
from scripts.rig.playing import INTERRUPTED, played, tell

_ABOUT = """\
Kill the hub, its broker and the sandbox cloud with SIGKILL, again and again, while real tills sell,
void, take back and receive over MQTT and TLS; then prove that every answer was true.

After each kill some answered sales are asked for again; every 100 kills, and at the end, every
answer is compared with the hub's database and the cloud's.
"""
_MORE = """\
Prints JSON lines: progress every second, the verdict as the last ("done": true).
--against thingsboard also kills the event storages of thingsboard-gateway as often, in an
environment of its own below var/, and reports what they lost of what they had accepted.

exit status: 0 nothing was lost or doubled; 1 a violation, or a control that was not seen;
130 interrupted.
"""
_MANY = 40
_SHARE = 0.75
"""Of the seconds: what the shop gets when another gateway's storage is killed as often."""
_MOMENTS = ("hub-in-commit", "hub-in-committed", "oms-in-commit", "oms-in-committed")
_STARTS = ("hub-during-start", "broker-during-start", "oms-during-start", "leftover-broker")
_OUTCOMES = ("stored-but-unanswered", "not-yet-stored", "two-at-once")


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status as told by ``--help``."""
    parser = _parser()
    args = parser.parse_args(argv)
    if (args.seconds is None) == (args.trials is None):
        parser.error("give either --seconds or --trials")
    targets = tuple(kind for kind in KINDS if kind in args.target.split(","))
    if not targets or len(targets) != len(set(args.target.split(","))):
        parser.error(f"--target is some of {','.join(KINDS)}")
    share = _SHARE if args.against else 1.0
    wanted = Wanted(
        targets=targets,
        seed=args.seed,
        tills=args.tills,
        seconds=None if args.seconds is None else args.seconds * share,
        kills=args.trials,
    )
    base = Path(tempfile.mkdtemp(prefix="shk-", dir="/tmp"))
    score = Score()
    if not played(run(wanted, base, score), lambda: _line(wanted, score)):
        shutil.rmtree(base, ignore_errors=True)
        return INTERRUPTED
    if score.sound:
        shutil.rmtree(base)
    else:
        print(f"killing: databases and logs are kept in {base}", file=sys.stderr)
    figures = dict(score.figures)
    if args.against:
        try:
            figures["thingsboard"] = _against(score, wanted)
        except KeyboardInterrupt:
            return INTERRUPTED
    tell(_line(wanted, score) | _verdict(wanted, score, figures))
    return 0 if score.sound else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.killing",
        description=_ABOUT,
        epilog=_MORE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, help="go on for about so long")
    parser.add_argument("--trials", "--kills", type=int, help="kill each target so often")
    parser.add_argument("--target", default=",".join(KINDS), help="some of hub,broker,oms (all)")
    parser.add_argument("--seed", default="1", help="same seed, same strikes and baskets (1)")
    parser.add_argument("--tills", type=int, default=6, help="how many tills sell (6)")
    parser.add_argument(
        "--against", choices=["thingsboard"], help="do the same to another gateway's storage"
    )
    return parser


def _against(score: Score, wanted: Wanted) -> dict[str, Any]:
    """Ours, and the other gateway's storages, killed as often as the hub was.  SIGTERM is taken
    for Ctrl-C."""
    from scripts.killing.thingsboard import kill_storages

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    ours = {"kills": score.kills.total(), "accepted": len(score.books.sales)}
    lost = {"lost": 0 if score.sound else None, "twice": 0 if score.sound else None}

    def show(note: str) -> None:
        score.note = note
        tell(_line(wanted, score) | {"done": False})

    left_s = wanted.seconds and wanted.seconds / _SHARE * (1 - _SHARE)
    kills = score.kills["hub"] or score.kills.total()
    return {"store_hub": ours | lost, **kill_storages(kills, wanted.seed, show, left_s)}


def _line(wanted: Wanted, score: Score) -> dict[str, Any]:
    return {
        "kind": "kill-9",
        "trials": score.kills.total(),
        "unit": "kills",
        "faults": {**{kind: score.kills[kind] for kind in wanted.targets}, **score.seen},
        "violations": score.books.violations,
        "note": f"{score.note}, {len(score.books.sales):,} sales answered",
    }


def _verdict(wanted: Wanted, score: Score, figures: dict[str, Any]) -> dict[str, Any]:
    how_many = f"--trials {wanted.kills}" if wanted.kills else f"--seconds {wanted.seconds:g}"
    replay = (
        f"python -m scripts.killing {how_many} --seed {wanted.seed}"
        f" --target {','.join(wanted.targets)} --tills {wanted.tills}"
    )
    missed = [f"the verdict did not see that {what}" for what in score.controls_missed]
    return {
        "findings": [{"what": what, "replay": replay} for what in score.books.findings + missed],
        "figures": figures,
        "must_fire": must_fire(wanted.targets, score.kills),
        "done": True,
    }


def must_fire(targets: Sequence[Kind], kills: dict[Kind, int]) -> list[str]:
    """The counters that a trial of this size can't leave at zero."""
    names: list[str] = [*targets, "requests-in-flight", "restart", "full-comparison"]
    most = max((kills[kind] for kind in targets), default=0)
    if "hub" in targets and most >= 10:
        names += ["repeat-by-key", "look-up", "hub-founding"]
    if set(targets) == set(KINDS) and most >= _MANY:
        names += [*_MOMENTS, *_STARTS, *_OUTCOMES]
    return sorted(set(names))


if __name__ == "__main__":
    sys.exit(main())
