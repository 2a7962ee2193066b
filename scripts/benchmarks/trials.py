"""Figures of other proofs: how fast shops are simulated, and what another gateway's storage loses
at kill -9.  Each is run as its own program, as a person would."""

from __future__ import annotations

import json
import sys
from typing import Any

from scripts.benchmarks.bench import Bench, Missing
from scripts.benchmarks.figures import Aim, Failed, Sheet
from scripts.benchmarks.measure import bare_figure, figure
from scripts.benchmarks.programs import output_of

NAMES = ("simulation.days", "instead.thingsboard")
_PLATFORM = "away"
"""The cloud is away: what is kept then is what the storage is for."""


async def run_simulation(bench: Bench) -> None:
    """Store-days per second of processor time, over the same first seeds each time."""
    rounds, seeds = bench.runs(1, 5), bench.size(1, 3)
    found = []
    for turn in range(rounds):
        bench.say(f"simulating shops, seeds {1 + turn * seeds} to {(turn + 1) * seeds}")
        last = await _last_line(
            "tests.simulation",
            *("--first", str(1 + turn * seeds), "--trials", str(seeds), "--jobs", "1"),
            timeout_s=400.0,
        )
        found.append(float(last["figures"]["store_days_per_cpu_s"]))
    bench.add(
        bare_figure(
            "simulation.days",
            found,
            unit="days/CPU s",
            aim=Aim(value_at_least=5),
            explanation="store-days simulated per second of processor time, faults and checkers "
            f"included, {seeds} seeds a round",
        )
    )


async def run_kills(bench: Bench) -> None:
    """Our hub and its event storages, killed as often."""
    kills = bench.size(10, 25)  # with fewer, its controls have too little to find
    bench.say(f"killing hub and storages {kills} times each")
    last = await _last_line(
        "scripts.killing",
        *("--trials", str(kills), "--target", "hub", "--against", "thingsboard"),
        timeout_s=600.0,
        codes=(0, 1),
    )
    found = last["figures"].get("thingsboard", {})
    ours = found.get("store_hub", {})
    if ours.get("lost") is None:
        findings = "; ".join(one["what"] for one in last["findings"])
        bench.outcomes.append(Failed("instead.thingsboard", f"our own run found: {findings}"))
        return
    if "storages" not in found:
        raise Missing(str(found.get("note", "thingsboard-gateway was not tried")))
    version = f"thingsboard-gateway {found['version']}"
    away = [one for one in found["storages"] if one["platform"] == _PLATFORM]
    for one in away:
        if one["storage"] == "sqlite":
            _add_loss(bench, version, ours, one)
    rows = [("Store Hub, whole", "reached", ours), *_rows(found["storages"])]
    bench.show(
        Sheet(
            "What kill -9 loses",
            ("storage", "platform", "kills", "accepted", "lost", "came twice"),
            tuple(
                (name, platform, *(f"{one[key]:,}" for key in _COLUMNS))
                for name, platform, one in rows
            ),
            f"Accepted: the storage's put returned True, or the till was answered.  {version}, "
            "with the settings of its packaged configuration.",
        )
    )


_COLUMNS = ("kills", "accepted", "lost", "twice")


def _rows(storages: list[dict[str, Any]]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(f"thingsboard {one['storage']}", one["platform"], one) for one in storages]


def _add_loss(bench: Bench, version: str, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    lost = _lost_ppm(theirs)
    what = f"of {version}'s SQLite storage, platform away, {theirs['kills']} kills"
    explanation = (
        f"answered sales that were lost at kill -9, {ours['kills']} kills of the hub under load"
    )
    if lost == 0:
        bench.add(
            bare_figure(
                "instead.thingsboard",
                [_lost_ppm(ours)],
                unit="lost/million",
                aim=Aim(value_at_most=0),
                explanation=f"{explanation} (events {what}: none either in this run)",
            )
        )
        return
    bench.add(
        figure(
            "instead.thingsboard",
            [(_lost_ppm(ours), lost)],
            unit="lost/million",
            floor_name=f"accepted events {what}",
            aim=Aim(value_at_most=0),
            explanation=explanation,
        )
    )


def _lost_ppm(one: dict[str, Any]) -> float:
    return float(one["lost"] / max(1, one["accepted"]) * 1e6)


async def _last_line(
    module: str, *arguments: str, timeout_s: float, codes: tuple[int, ...] = (0,)
) -> dict[str, Any]:
    """The object that a trial ends with.  Errors: :class:`Missing` when its packages aren't here,
    RuntimeError."""
    try:
        out = await output_of(
            [sys.executable, "-m", module, *arguments], timeout_s=timeout_s, codes=codes
        )
    except RuntimeError as error:
        if "ModuleNotFoundError" in str(error):
            raise Missing(f"{module} needs the packages of scripts/setup: {error}") from error
        raise
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found
