"""``python -m scripts.replacing``: lose the box, replace it, and count what is missing."""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random
from statistics import median

from hub.app.replica import ReplicaRefused, find_litestream
from scripts.replacing.trial import Loss, Replacement

_ABOUT = """\
Two tills sell as fast as they are answered, the cloud is cut off, and at a random moment the hub
and its replicator get SIGKILL at once, as when a box dies. The box is then replaced from replica
and escrow file by `store-hub restore`.

Printed for each trial: the answered sales that the replica doesn't have, how long before the end
the oldest of them was answered, how long the restore took, how long until the hub was ready again,
and how many of these sales the tills then brought back from their journals.
"""
_MORE = """\
exit status: 0 every sale was there in the end; 1 one is missing for good; 2 there is no litestream
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status as told by ``--help``."""
    parser = argparse.ArgumentParser(
        prog="scripts/replacement",
        description=_ABOUT,
        epilog=_MORE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--trials", type=int, default=5, help="boxes lost, 1 to 90 (default: 5)")
    parser.add_argument(
        "--sync-ms", type=int, default=1000, help="replica.sync_every_ms (default: 1000)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the moments (default: 1)")
    parser.add_argument("--json", action="store_true", help="print one JSON value instead")
    args = parser.parse_args(argv)
    if not 1 <= args.trials <= 90:
        parser.error("--trials is 1 to 90: each box begins a series of its own")
    try:
        find_litestream("litestream")
    except ReplicaRefused as error:
        print(f"replacement: {error}", file=sys.stderr)
        return 2
    base = Path(tempfile.mkdtemp(prefix="shr-"))
    try:
        losses = asyncio.run(_run(base, args.trials, args.sync_ms, Random(args.seed), args.json))
    finally:
        shutil.rmtree(base, ignore_errors=True)
    if args.json:
        print(json.dumps(_figures(losses, args.sync_ms), indent=1))
    else:
        print(_summary(losses, args.sync_ms))
    return 1 if any(one.missing for one in losses) else 0


async def _run(base: Path, trials: int, sync_ms: int, random: Random, quiet: bool) -> list[Loss]:
    losses: list[Loss] = []
    async with Replacement(base, sync_ms) as shop:
        for number in range(1, trials + 1):
            loss = await shop.lose_the_box(random.uniform(2.0, 5.0))
            losses.append(loss)
            if not quiet:
                print(f"{number:3d}  {loss}", flush=True)
    return losses


def _figures(losses: Sequence[Loss], sync_ms: int) -> dict[str, object]:
    return {
        "sync_ms": sync_ms,
        "trials": len(losses),
        "answered": sum(one.answered for one in losses),
        "lost_sales": [one.lost for one in losses],
        "lost_s": [round(one.lost_s, 2) for one in losses],
        "restore_s": [round(one.restore_s, 2) for one in losses],
        "ready_s": [round(one.ready_s, 2) for one in losses],
        "missing_for_good": sum(one.missing for one in losses),
    }


def _summary(losses: Sequence[Loss], sync_ms: int) -> str:
    lost_s, lost = [one.lost_s for one in losses], [one.lost for one in losses]
    restore_s, ready_s = [one.restore_s for one in losses], [one.ready_s for one in losses]
    return (
        f"\n{len(losses)} boxes lost, replica.sync_every_ms {sync_ms},"
        f" {sum(one.answered for one in losses)} sales answered\n"
        f"not in the replica: median {median(lost):.0f} sales, {median(lost_s):.2f} s;"
        f" at most {max(lost)} sales, {max(lost_s):.2f} s\n"
        f"restore: median {median(restore_s):.1f} s, at most {max(restore_s):.1f} s;"
        f" ready again: at most {max(ready_s):.1f} s more\n"
        f"missing after the tills were back: {sum(one.missing for one in losses)}"
    )


if __name__ == "__main__":
    sys.exit(main())
