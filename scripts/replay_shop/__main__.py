"""``python -m scripts.replay_shop``, started by ``scripts/replay``."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from devices.kit import KitError
from scripts.replay_shop.baskets import DatasetMissingError
from scripts.replay_shop.plan import NothingToSell
from scripts.replay_shop.progress import Voice
from scripts.replay_shop.report import Outcome, print_json, print_report
from scripts.replay_shop.run import Wanted, replay
from scripts.rig import ChildDied, Trouble

_ABOUT = """\
Sell real shopping baskets through a whole shop, and prove that nothing was lost.

The first N trading days of a real store are sold by real tills (paired over TLS, certificates of
their own) to a real hub with its broker, which tells a sandbox cloud. At the end an independent
judge compares data set = hub sales = hub ledger = cloud, to the cent and the unit.
"""
_MORE = """\
With --chaos the hub, its broker and the cloud are killed (kill -9) ten times each while requests
are in flight, and cables are cut meanwhile; the comparison must be exact all the same.

exit status: 0 exact; 1 something differs or was refused; 2 the replay could not run;
130 interrupted.  The rules of the game: docs/replay-mapping.md
"""
CHAOS_KILLS = 10
_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status as told by ``--help``."""
    parser = _parser()
    args = parser.parse_args(argv)
    if not 1 <= args.tills <= 100:
        parser.error("--tills is 1 to 100")
    if args.days is not None and args.days < 1:
        parser.error("--days is at least 1")
    if args.kills is not None and not 1 <= args.kills <= 1000:
        parser.error("--kills is 1 to 1000")
    wanted = Wanted(
        store=args.store,
        days=None if args.year else args.days,
        tills=args.tills,
        seed=args.seed,
        kills=(args.kills or CHAOS_KILLS) if args.chaos else 0,
        cards=args.cards,
    )
    try:
        outcome = _in_folder(wanted, args.keep, Voice())
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("replay: interrupted; everything is stopped", file=sys.stderr)
        return _INTERRUPTED
    except (
        *(Trouble, ChildDied, TimeoutError, NothingToSell, DatasetMissingError),
        *(KitError, OSError),
    ) as error:
        print(f"replay: {error}", file=sys.stderr)
        return 2
    if args.json:
        print_json(outcome)
    else:
        from rich.console import Console

        print_report(outcome, Console())
    return outcome.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/replay",
        description=_ABOUT,
        epilog=_MORE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--store", type=int, default=367, help="store of the data set (367)")
    period = parser.add_mutually_exclusive_group()
    period.add_argument("--days", type=int, default=30, help="its first N trading days (30)")
    period.add_argument("--year", action="store_true", help="the whole year")
    parser.add_argument("--tills", type=int, default=8, help="how many tills sell (8)")
    parser.add_argument("--chaos", action="store_true", help="with kill -9 and cut cables")
    parser.add_argument("--kills", type=int, help=f"kills of each sort ({CHAOS_KILLS})")
    parser.add_argument(
        "--cards",
        type=_per_cent,
        default=0,
        metavar="60%",
        help="so many baskets are paid by card through the hub, some offline; the judge compares"
        " its book with what the processor did (0%%)",
    )
    parser.add_argument("--seed", default="1", help="same seed, same ids and misfortunes (1)")
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="keep databases and logs in this empty directory"
    )
    return parser


def _per_cent(text: str) -> int:
    """``60%`` or ``60``."""
    try:
        found = int(text.removesuffix("%"))
    except ValueError:
        found = -1
    if not 0 <= found <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no share: 0% to 100%")
    return found


def _in_folder(wanted: Wanted, keep: Path | None, voice: Voice) -> Outcome:
    """Run in ``keep``, or in a directory of our own that stays only if something is wrong."""
    if keep is not None:
        if keep.exists() and any(keep.iterdir()):
            raise OSError(f"{keep} is not empty: give an empty directory, or remove it")
        return asyncio.run(_interruptible(wanted, keep, voice))
    base = Path(tempfile.mkdtemp(prefix="sh-replay-", dir="/tmp"))
    try:
        outcome = asyncio.run(_interruptible(wanted, base, voice))
    except (KeyboardInterrupt, asyncio.CancelledError):
        shutil.rmtree(base)
        raise
    except Exception:
        _leave(base, voice)
        raise
    if outcome.exit_code:
        _leave(base, voice)
    else:
        shutil.rmtree(base)
    return outcome


def _leave(base: Path, voice: Voice) -> None:
    """Say where everything is, if there is anything."""
    if any(base.iterdir()):
        voice.warn(f"databases and logs are kept in {base}")
    else:
        base.rmdir()


async def _interruptible(wanted: Wanted, base: Path, voice: Voice) -> Outcome:
    """Ctrl-C and SIGTERM stop everything in order."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        return await replay(wanted, base, voice)
    except BaseExceptionGroup as many:
        raise _first(many) from many


def _first(error: BaseException) -> BaseException:
    """The first error that something else followed from."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


if __name__ == "__main__":
    sys.exit(main())
