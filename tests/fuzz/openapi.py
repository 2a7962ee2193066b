"""A trial: schemathesis on the HTTP doors of hub and sandbox OMS.

``python -m tests.fuzz.openapi --seconds N [--seed S] [--door hub|oms]`` starts the real processes,
sends them what their published documents allow and forbid, and prints JSON lines: the progress, at
last the findings.  One trial is one request.  A document that lies is tried first and has to be
found out.  Every round has its own seed and, for the OMS, its
own types of events.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import json
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any

from hub.contract.oms_events import EVENT_DATA
from tests.fuzz.cloud_door import opened_cloud
from tests.fuzz.explorer import Broken, Opened, Seen, explore
from tests.fuzz.hub_door import opened_hub

KIND = "openapi"
PHASES = ("examples", "coverage", "fuzzing", "stateful")
EXAMPLES = 20
LATE_S = 60.0
TELL_EVERY_S = 1.5
KINDS_AT_ONCE = 4
FINDINGS_MAX = 20
DOORS = ("hub", "oms")
_MET: dict[str, Callable[[int], bool]] = {
    "accepted": lambda status: status < 300,
    "refused": lambda status: 400 <= status < 500,
    "unauthenticated": lambda status: status == 401,
    "wrong-method": lambda status: status == 405,
    "invalid": lambda status: status == 422,
}
"""What a request may meet; each has to happen at each door."""
LIE = "lie-found-out"
_BLIND = Broken("control", "a lying document", "response_schema_conformance", "not found", "", "")


@dataclass
class Tally:
    """Both doors together."""

    rounds: int = 0
    requests: int = 0
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    by_door: Counter[str] = field(default_factory=Counter)
    checks: int = 0
    controls: int = 0
    broken: list[tuple[Broken, str]] = field(default_factory=list)

    def add(self, door: str, seen: Seen, replay: str) -> None:
        self.rounds += 1
        self.requests += seen.requests
        self.by_door[door] += seen.requests
        self.checks += seen.checks.total()
        self.statuses += _at(door, seen)
        self.broken += [(one, replay) for one in seen.broken]

    def different(self) -> list[tuple[Broken, str]]:
        """The first finding of each check at each operation: one fault shows in many requests."""
        first: dict[tuple[str, str, str], tuple[Broken, str]] = {}
        for one, replay in self.broken:
            first.setdefault((one.door, one.operation, one.check), (one, replay))
        return list(first.values())

    def faults(self, doors: Sequence[str], now: tuple[str, Seen] | None) -> dict[str, int]:
        """What the requests met, for the coverage; ``now`` is the round under way."""
        met = self.statuses + (_at(*now) if now else Counter())
        found = {
            f"{door}: {what}": sum(
                n for (at, status), n in met.items() if at == door and is_(status)
            )
            for door in doors
            for what, is_ in _MET.items()
        }
        return {**found, LIE: self.controls}


def _at(door: str, seen: Seen) -> Counter[tuple[str, int]]:
    return Counter({(door, status): times for status, times in seen.statuses.items()})


class Progress:
    """JSON lines."""

    def __init__(self, tally: Tally, doors: Sequence[str]) -> None:
        self._tally = tally
        self._doors = doors
        self._told_s = 0.0

    def tell(self, now: tuple[str, Seen] | None, *, done: bool = False, note: str = "") -> None:
        """At most every 1.5 s, and at the end."""
        if not done and time.monotonic() - self._told_s < TELL_EVERY_S:
            return
        self._told_s = time.monotonic()
        tally = self._tally
        seen = now[1] if now else Seen()
        line: dict[str, Any] = {
            "kind": KIND,
            "trials": tally.requests + seen.requests,
            "unit": "requests",
            "faults": tally.faults(self._doors, now),
            "violations": len(tally.broken) + len(seen.broken),
            "note": note,
            "done": done,
        }
        if done:
            line["findings"] = [
                {"what": str(one)[:2000], "replay": replay}
                for one, replay in tally.different()[:FINDINGS_MAX]
            ]
            line["figures"] = {
                "rounds": tally.rounds,
                "checks": tally.checks,
                "controls": tally.controls,
                **{f"requests_{door}": times for door, times in tally.by_door.items()},
            }
            line["must_fire"] = list(line["faults"])
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def one_round(
    door: Opened, seen: Seen, seed: int, *, examples: int, until_s: float
) -> Iterator[Seen]:
    """One run, ended early when the time is over; on a slow machine a little later, so that all
    that a request may meet is met."""
    for found in explore(door, seen, seed=seed, examples=examples, phases=PHASES):
        yield found
        late_s = time.monotonic() - until_s
        all_met = all(any(is_(status) for status in seen.statuses) for is_ in _MET.values())
        if late_s >= 0 and (all_met or late_s >= LATE_S):
            return


async def _try(options: argparse.Namespace, tally: Tally, progress: Progress) -> None:
    until_s = time.monotonic() + options.seconds
    doors = _doors(options)
    seed, turn = options.seed, 0
    while turn == 0 or (time.monotonic() < until_s and tally.requests < options.trials):
        name = doors[turn % len(doors)]
        last_s = until_s if turn or len(doors) == 1 else time.monotonic() + options.seconds / 2
        await _one_door(name, seed, last_s, options, tally, progress)
        turn += 1
        if turn % len(doors) == 0:
            seed += 1


def _doors(options: argparse.Namespace) -> tuple[str, ...]:
    return (options.door,) if options.door else DOORS


def lying(door: Opened) -> Opened:
    """The same door with a document that promises what the server doesn't do."""
    document = copy.deepcopy(door.document)
    path = "/api/1/hello" if door.name == "hub" else "/v1/stores/{store}/health"
    document["paths"] = {path: document["paths"][path]}
    replies = document["paths"][path]["get"]["responses"]
    replies["200"]["content"] = {"application/json": {"schema": {"type": "array"}}}
    return replace(door, document=document)


def control_fails(door: Opened, seed: int) -> bool:
    """Whether the lie was found out, as it must be."""
    seen = Seen()
    for _ in explore(lying(door), seen, seed=seed, examples=1, phases=("examples", "coverage")):
        pass
    return any(one.check == "response_schema_conformance" for one in seen.broken)


async def _one_door(
    name: str,
    seed: int,
    until_s: float,
    options: argparse.Namespace,
    tally: Tally,
    progress: Progress,
) -> None:
    replay = f"python -m tests.fuzz.openapi --seconds 600 --trials 1 --seed {seed} --door {name}"
    with tempfile.TemporaryDirectory(prefix="doors-") as folder:
        first = seed * KINDS_AT_ONCE % len(EVENT_DATA)
        opened = (
            opened_hub(Path(folder))
            if name == "hub"
            else opened_cloud(Path(folder), slice(first, first + KINDS_AT_ONCE))
        )
        progress.tell(None, note=f"starting {name}")
        async with opened as door:
            seen, leave = Seen(), Event()

            def run() -> None:
                if control_fails(door, seed):
                    tally.controls += 1
                else:
                    tally.broken.append((_BLIND, replay))
                for _ in one_round(door, seen, seed, examples=options.examples, until_s=until_s):
                    progress.tell((name, seen), note=f"{name}, seed {seed}")
                    if leave.is_set():
                        return

            try:
                await asyncio.to_thread(run)
            finally:
                leave.set()  # interrupted: the thread would go on without its door
            tally.add(name, seen, replay)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when no check failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.openapi", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--trials", type=int, default=10**9, help="no new round after so many")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--door", choices=DOORS, default="")
    parser.add_argument("--examples", type=int, default=EXAMPLES, help="per operation and phase")
    options = parser.parse_args(arguments)
    tally = Tally()
    progress = Progress(tally, _doors(options))
    asyncio.run(_try(options, tally, progress))
    progress.tell(None, done=True)
    return 1 if tally.broken else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # tidy up for whoever asks
    raise SystemExit(main())
