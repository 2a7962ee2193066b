"""Look for a broken promise in the tree this runs in, seed after seed; the last line says how.

``{"sold": n, "caught_by": seed or null, "violation": text, "seeds": n}``
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

from tests.simulation.command import play
from tests.simulation.shop.plan import Plan, draw

FAIR_WEATHER = 1_000_001
"""The seed of the run without faults, in which the shop has to sell."""


def main() -> int:
    """The exit code: 0 unless the tree can't even sell."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutants.hunt")
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--least", type=int, default=1, help="the first of the seeds")
    parser.add_argument("--first", type=int, nargs="*", default=[], help="seeds to begin with")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    _check_tree()
    seeds = set(range(options.least, options.least + options.seeds))
    first = [seed for seed in options.first if seed in seeds]
    found = _looked_at(first) or _from_fair_weather_on(seeds, first)
    print(json.dumps(found), flush=True)
    os._exit(0 if found["sold"] else 1)  # the dead of a hundred runs are not worth a tidy farewell


def _looked_at(seeds: list[int]) -> dict[str, Any] | None:
    """What the first of these that finds anything has found, in a shop that sold something before;
    None: look at fair weather."""
    for number, seed in enumerate(seeds, start=1):
        report = play(draw(seed, anti_entropy=False, days=1))
        if report["violations"]:
            return _found(seed, report) | {"seeds": number} if _sold(report) else None
    return None


def _from_fair_weather_on(seeds: set[int], first: list[int]) -> dict[str, Any]:
    """A run without faults, in which the shop has to sell; then these seeds, then the cheapest."""
    calm = play(Plan(seed=FAIR_WEATHER, sales_per_day=40, anti_entropy=False))
    if calm["violations"]:
        return _found(0, calm) | {"seeds": 0}
    sold = _sold(calm)
    others = _cheapest_first(seeds - set(first))
    for number, seed in enumerate((*first, *others), start=1):
        report = play(draw(seed, anti_entropy=False, days=1))
        if report["violations"]:
            return _found(seed, report) | {"sold": sold, "seeds": number}
    return {"sold": sold, "caught_by": None, "violation": "", "seeds": len(seeds)}


def _sold(report: dict[str, Any]) -> int:
    sold: int = report["counters"].get("answered sale/commit", 0)
    return sold


def _found(seed: int, report: dict[str, Any]) -> dict[str, Any]:
    return {"sold": _sold(report), "caught_by": seed, "violation": report["violations"][0]}


def _cheapest_first(seeds: set[int]) -> list[int]:
    """By what a run of it may take: customers, and how much goes wrong; among later seeds those
    with gift cards, tips and links come first."""
    plans = [draw(seed, anti_entropy=False, days=1) for seed in sorted(seeds)]
    plans.sort(
        key=lambda plan: (
            -(plan.gift_cards + plan.tips + plan.links),
            plan.sales_per_day + 8 * len(plan.faults),
        )
    )
    return [plan.seed for plan in plans]


def _check_tree() -> None:
    import hub

    here = Path.cwd().resolve()
    assert hub.__file__ is not None
    if here not in Path(hub.__file__).resolve().parents:
        raise SystemExit(f"hub is imported from {hub.__file__}, not from {here}")


if __name__ == "__main__":
    sys.exit(main())
