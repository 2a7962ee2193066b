"""The verdict on a campaign: one object, and whether every promise was shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scripts.campaigns.kinds import MUTANTS_MIN, SEEDS_MIN
from scripts.campaigns.trial import State, Trial


def summary(trials: Sequence[Trial], *, minutes: float, took_s: float) -> dict[str, Any]:
    """``ok`` only if no promise was broken, every mutant was caught, every counter that has to be
    above zero is, and enough seeds were reached; ``missing`` says what isn't so, ``skipped`` what
    can't be had on this machine and why."""
    kinds = {trial.kind.name: _kind(trial) for trial in trials}
    missing = [f"{trial.kind.name}: {problem}" for trial in trials for problem in trial.problems]
    missing += [
        f"{trial.kind.name}: did not run" for trial in trials if trial.state is State.WAITING
    ]
    found: dict[str, Any] = {
        "minutes": minutes,
        "took_s": round(took_s),
        "violations": sum(trial.violations for trial in trials),
    }
    if "simulation" in kinds:
        one = kinds["simulation"]
        found["seeds"] = one["trials"]
        found["seeds_per_s"] = one["per_s"]
        found["store_days"] = one["figures"].get("store_days", 0)
        if one["trials"] < SEEDS_MIN:
            missing.append(f"only {one['trials']} of at least {SEEDS_MIN} seeds: give it more time")
    if "mutants" in kinds:
        figures = kinds["mutants"]["figures"]
        found["mutants"] = {name: figures.get(name, 0) for name in ("caught", "planted")}
        caught, planted = (int(found["mutants"][name]) for name in ("caught", "planted"))
        if caught < planted or planted < MUTANTS_MIN:
            missing.append(f"{caught} of {planted} mutants caught, at least {MUTANTS_MIN} wanted")
    found["skipped"] = {
        trial.kind.name: str(trial.told.get("note", ""))
        for trial in trials
        if trial.state is State.SKIPPED
    }
    return found | {"kinds": kinds, "missing": missing, "ok": not missing}


def _kind(trial: Trial) -> dict[str, Any]:
    told = trial.told
    return {
        "state": trial.state.value,
        "trials": trial.trials,
        "unit": told.get("unit", ""),
        "per_s": round(trial.trials / trial.took_s, 3) if trial.took_s else 0.0,
        "took_s": round(trial.took_s, 1),
        "violations": trial.violations,
        "faults": told.get("faults", {}),
        "must_fire": told.get("must_fire", []),
        "figures": told.get("figures", {}),
        "findings": told.get("findings", []),
        "problems": trial.problems,
    }
