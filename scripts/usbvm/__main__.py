"""``python -m scripts.usbvm``: printers and scanners as real USB devices, plugged and unplugged."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts.rig.playing import INTERRUPTED, played, tell
from scripts.usbvm.machine import NotPrepared, prepare, prepared
from scripts.usbvm.qemu import Machine, MachineFailed

KIND = "usb-vm"
ROUNDS = (
    *("sale", "unplugged-in-job", "unplugged-in-transfer", "unplugged-before-job"),
    *("unplugged-on-paper", "switched-off-in-job", "unplugged-idle", "paper-out"),
    *("hub-killed-in-job", "keyboard-scan", "serial-scan", "ftdi-scan", "raw-printer"),
)
_LIMIT_S = 1500.0
_PATIENCE = 0.65
"""Of the time that is given: where opening the shop takes more, nothing is tried."""
_ABOUT = """\
Plug, unplug and break off real USB devices in a virtual machine, while the real hub uses them.

A small Debian boots in QEMU (emulated: KVM is not needed). Linux itself plays the devices there:
a receipt printer, a scanner on a serial line and one that is a keyboard are gadgets of its kernel,
each on a controller of its own; a second serial scanner is QEMU's. The kernel's own drivers find
them (usblp, cdc_acm, ftdi_sio, usbhid), udev names them, and the daemon, run by a user with the
groups of docs/peripherals.md, finds, claims and uses them. The cable is pulled out before a job,
in its middle, in the middle of a transfer, and when it is on paper but not confirmed; the printer
is switched off; another one takes its /dev/usb/lp0, and is then taken from usblp by raw USB; the
paper ends; the hub is killed; scanners go in the middle of a code. Every receipt is counted on
paper, every code at the till.
"""
_MORE = f"""\
Prints JSON lines: progress every second, the verdict as the last ("done": true).
--trials counts rounds; from {len(ROUNDS)} on each kind of round is in it. Without
--seconds and --trials it is each kind once. What is missing (QEMU, the machine's disk in
var/usbvm) is made first, which takes two minutes and root; --setup does only that.

exit status: 0 all of that was so, or it can't be run here (the note says why, and no round was
played); 1 a violation, or a planted fault that was not seen; 130 interrupted.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status as told by ``--help``."""
    args = _parser().parse_args(argv)
    if args.setup:
        try:
            prepare()
        except (NotPrepared, subprocess.SubprocessError) as error:
            print(f"setup: {error}", file=sys.stderr)
            return 1
        return 0
    began_s = time.monotonic()
    line: dict[str, Any] = _line({"note": "making the machine"})
    try:
        files = prepared() if _is_prepared() else _made(line)
    except (NotPrepared, subprocess.SubprocessError, OSError) as error:
        print(f"usbvm: skipped: {error}", file=sys.stderr)
        tell(_line({"note": f"skipped: {error}"}) | _end([], {}, []))
        return 0
    left_s = None if args.seconds is None else max(1.0, args.seconds - time.monotonic() + began_s)
    return _play(args, files, left_s)


def _play(args: argparse.Namespace, files: Path, left_s: float | None) -> int:
    trials = args.trials if args.trials or args.seconds is not None else len(ROUNDS)
    wanted = {
        "seed": args.seed,
        "trials": trials,
        "seconds": left_s,
        "patience_s": None if args.seconds is None else _PATIENCE * args.seconds,
        "controls": trials is None or trials >= len(ROUNDS),
    }
    base = Path(tempfile.mkdtemp(prefix="shu-", dir="/tmp"))
    last: dict[str, Any] = {"note": "switching on"}

    def told(line: dict[str, Any]) -> None:
        last.clear()
        last.update(line)

    problems: list[str] = []

    async def run() -> None:
        try:
            await Machine(files, base, told).run(wanted, (left_s or 0) + _LIMIT_S)
        except (MachineFailed, OSError, TimeoutError) as error:
            problems.append(f"{type(error).__name__}: {error}")

    if not played(run(), lambda: _line(last)):
        shutil.rmtree(base, ignore_errors=True)
        return INTERRUPTED
    if not last.get("done") and not problems:
        problems.append("the machine went out without a last word")
    verdict = _verdict(args, trials, last, problems)
    if verdict["violations"]:
        print(f"usbvm: the machine's console and lines are kept in {base}", file=sys.stderr)
    else:
        shutil.rmtree(base)
    tell(verdict)
    return 1 if verdict["violations"] else 0


def _verdict(
    args: argparse.Namespace, trials: int | None, last: dict[str, Any], problems: list[str]
) -> dict[str, Any]:
    """A fault planted on purpose that wasn't seen counts as a violation, too."""
    missed = [f"it was not seen that {what}" for what in last.get("missed", ())]
    findings = [*last.get("findings", ()), *missed, *problems]
    figures = dict(last.get("figures", {}))
    if controls := last.get("controls"):
        figures["controls"] = f"{controls - len(missed)}/{controls}"
    how_many = f"--trials {trials}" if trials else f"--seconds {args.seconds:g}"
    replay = f"python -m scripts.usbvm {how_many} --seed {args.seed}"
    whole = trials is None or trials >= len(ROUNDS)
    names = must_fire(whole) if last.get("trials") or findings else []
    end = _end([{"what": one, "replay": replay} for one in findings], figures, names)
    return _line(last | {"violations": len(findings)}) | end


def must_fire(whole: bool) -> list[str]:
    """The counters that can't stay at zero; ``whole``: each round was to be played."""
    more = (
        "in-doubt",
        "replugged",
        "node-moved",
        "kept-to-itself",
        "found-by-new-hub",
        "said-again",
        "raw-replugged",
        "driver-given-back",
    )
    return ["found", *ROUNDS, *more] if whole else ["found"]


def _line(last: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": KIND,
        "trials": last.get("trials", 0),
        "unit": "rounds",
        "faults": last.get("faults", {}),
        "violations": last.get("violations", 0),
        "note": last.get("note", ""),
    }


def _end(
    findings: list[dict[str, str]], figures: dict[str, Any], names: list[str]
) -> dict[str, Any]:
    return {"findings": findings, "figures": figures, "must_fire": names, "done": True}


def _is_prepared() -> bool:
    try:
        prepared()
    except NotPrepared:
        return False
    return True


def _made(line: dict[str, Any]) -> Path:
    """Make the machine, with a line of progress every second.  Raises as :func:`prepare`."""
    import asyncio

    async def make() -> None:
        kept.append(await asyncio.to_thread(prepare))

    kept: list[Path] = []
    if not played(make(), lambda: line):
        sys.exit(INTERRUPTED)
    return kept[0]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.usbvm",
        description=_ABOUT,
        epilog=_MORE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    bound = parser.add_mutually_exclusive_group()
    bound.add_argument("--seconds", type=float, help="go on for about so long")
    bound.add_argument("--trials", type=int, help=f"play so many rounds ({len(ROUNDS)})")
    bound.add_argument("--setup", action="store_true", help="make the machine and end")
    parser.add_argument("--seed", default="1", help="same seed, same rounds and moments (1)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
