"""Days of card payments at random, one after the other, each told by its seed.

``python -m tests.flow.payments.walk --seconds 600`` plays days until the time is over and says how
often each step of the state table was taken; ``--seed N --trials 1`` plays one day again.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any, Final

from hub.domain.payments.declines import DeclineCode
from hub.domain.payments.states import TRANSITIONS
from tests.support.cardday import CardDay
from tests.support.cardsteps import STEPS
from tests.support.cardworld import Fault, Refs

USUAL: Final = (
    *("forward",) * 10,
    *("end", "late_requests_arrive", "answer_again", "processor_tells", "void_sale") * 2,
)
"""What happens more often than the rest."""
_KEPT: Final = {"till": "till-1", "qty": 1, "own": True, "sell": True, "token": True}
_ROUND: Final = {"will": "approved", "code": DeclineCode.FRAUD, "tells": False, "minutes": 1}
_LOST: Final = ("forward", _ROUND | {"fault": Fault.REQUEST_LATE})
_GOES: Final = ("forward", _ROUND | {"fault": Fault.NONE})
_ARRIVES: Final[tuple[str, dict[str, Any]]] = ("late_requests_arrive", {})
_PAY: Final = ("pay_offline", _KEPT)
PRELUDES: Final[tuple[tuple[tuple[str, dict[str, Any]], ...], ...]] = (
    (_PAY, _LOST, ("void_sale", {"n": 0}), _GOES, _ARRIVES, ("processor_tells", {"n": 0})),
    (_PAY, _LOST, _GOES, _GOES, _ARRIVES, _GOES),
)
"""How some episodes begin: what was looked up as never done, and voided or presented again, arrives
after all."""
EPISODES: Final = 12
"""Of a day; after each everything is cleared up and compared."""
REACHED: Final = (
    "stored>leased",
    "forwarding>approved",
    "forwarding>declined",
    "forwarding>in_doubt",
    "retry_wait>leased",
    "void_pending>leased",
    "voided>late_approval",
    "captured>refunded",
    "stored>deadline",
    "recovery>write_off",
)
"""Steps without which a long walk proves little."""


def play(seed: int, *, episodes: int = EPISODES, trail: list[str] | None = None) -> Counter[str]:
    """Play one day; the steps that payments have taken in it.  Raises ``AssertionError`` for
    whatever isn't so; ``trail`` is filled with what was done."""
    random = Random(seed)
    directory = Path(tempfile.mkdtemp(prefix="sh-cards-"))
    day = CardDay(directory, random.choice(list(Refs)), by_key=random.random() < 0.5, seed=seed)
    try:
        for _ in range(episodes):
            _episode(day, random, trail if trail is not None else [])
            day.finish()
        day.shop.check_laws()
        taken = day.shop.all(
            "SELECT before || '>' || event, count(*) FROM payment_steps WHERE before NOT IN"
            " ('', after) GROUP BY 1"
        )
        return Counter({name: int(count) for name, count in taken})
    finally:
        day.shop.close()
        shutil.rmtree(directory, ignore_errors=True)


def _episode(day: CardDay, random: Random, trail: list[str]) -> None:
    """A payment or two, and what befalls them."""
    names = (*STEPS, *USUAL)
    trail.append("-- an episode")
    if random.random() < 0.2:
        for name, how in random.choice(PRELUDES):
            _step(day, name, how, trail)
    steps = ["pay_offline"] * random.randrange(1, 3) + random.choices(names, k=random.randrange(25))
    for name in steps:
        how = {key: random.choice(choices) for key, choices in STEPS[name].items()}
        _step(day, name, how, trail)


def _step(day: CardDay, name: str, how: dict[str, Any], trail: list[str]) -> None:
    trail.append(f"{name}({', '.join(f'{key}={one!s}' for key, one in how.items())})")
    getattr(day, name)(**how)
    day.check()


def main() -> int:
    """See the module's text; prints progress as JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="end after so long")
    parser.add_argument("--seed", type=int, default=1, help="the first day's seed")
    parser.add_argument("--trials", type=int, default=None, help="end after so many days")
    asked = parser.parse_args()
    began_s = told_s = time.monotonic()
    taken: Counter[str] = Counter()
    findings: list[dict[str, str]] = []
    days = 0
    while asked.trials is None or days < asked.trials:
        now_s = time.monotonic()
        if asked.trials is None and now_s - began_s > asked.seconds:
            break
        if now_s - told_s > 1.5:
            told_s = now_s
            _print(days, taken, findings, done=False)
        seed, trail = asked.seed + days, list[str]()
        days += 1
        try:
            taken += play(seed, trail=trail)
        except Exception as error:
            sys.stderr.write(f"day {seed}: {error!r}\n  " + "\n  ".join(trail) + "\n")
            replay = f"python -m tests.flow.payments.walk --trials 1 --seed {seed}"
            findings.append({"what": str(error)[:300] or repr(error)[:300], "replay": replay})
    _print(days, taken, findings, done=True)
    return 1 if findings else 0


def _print(days: int, taken: Counter[str], findings: list[dict[str, str]], *, done: bool) -> None:
    ways = {f"{before}>{event}" for before, event in TRANSITIONS}
    line: dict[str, Any] = {
        "kind": "card-days",
        "trials": days,
        "unit": "days",
        "faults": dict(sorted(taken.items())),
        "violations": len(findings),
        "note": f"{len(ways & taken.keys())} of {len(ways)} steps of the table taken",
        "done": done,
    }
    if done:
        line["findings"] = findings
        line["figures"] = {"steps_taken": len(ways & taken.keys()), "steps_known": len(ways)}
        line["must_fire"] = list(REACHED)
        line["faults"] |= {name: taken[name] for name in REACHED}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
