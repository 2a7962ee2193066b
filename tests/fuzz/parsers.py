"""Fuzz every parser for as long as asked.

Each input is a changed example of what the door expects.  With ``atheris`` installed, inputs that
reach new code are kept and changed further (coverage guidance); without it every input is a change
of an example.  A fault is written to ``var/fuzz`` with the command that shows it again.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Never

if TYPE_CHECKING:
    from tests.fuzz.engine import Runner, Target

ROOT = Path(__file__).resolve().parents[2]
FINDINGS = ROOT / "var" / "fuzz"
PROGRESS_S = 1.5
INTERRUPTED = 130
MUST_FIRE = ("refused", "taken")


class Trial:
    """One run: bounds, progress on stdout, and the last line."""

    def __init__(self, runner: Runner, *, ends_s: float, trials: int, note: str) -> None:
        self.runner = runner
        self._note = note
        self._trials_max = trials
        self._began_s = time.monotonic()
        self._ends_s = ends_s
        self._told_s = 0.0

    @property
    def count(self) -> int:
        """Inputs tried."""
        return sum(self.runner.trials.values())

    def over(self) -> bool:
        """Whether a bound is reached; tells the progress now and then."""
        now_s = time.monotonic()
        if now_s - self._told_s >= PROGRESS_S:
            self._told_s = now_s
            print(json.dumps(self._line(done=False)), flush=True)
        return now_s >= self._ends_s or bool(self._trials_max and self.count >= self._trials_max)

    def finish(self) -> int:
        """Write findings and the last line; the exit code."""
        findings = []
        for one in self.runner.findings.values():
            path = one.save(FINDINGS)
            replay = f"python -m tests.fuzz.parsers --replay {path.relative_to(ROOT)}"
            findings.append({"what": f"{one.target}: {one.what}", "replay": replay})
            print(f"{one.target}: {one.what}\n{one.trace}\n{replay}", file=sys.stderr)
        took_s = max(0.001, time.monotonic() - self._began_s)
        line = self._line(done=True) | {
            "findings": findings,
            "figures": {
                "inputs_per_s": round(self.count / took_s, 1),
                "targets": len(self.runner.targets),
                "inputs": dict(sorted(self.runner.trials.items())),
            },
            "must_fire": [*MUST_FIRE, *(f"target:{one.name}" for one in self.runner.targets)],
        }
        print(json.dumps(line), flush=True)
        return 1 if findings else 0

    def _line(self, *, done: bool) -> dict[str, Any]:
        refused = sum(self.runner.refused.values())
        counts = {f"target:{name}": count for name, count in self.runner.trials.items()}
        return {
            "kind": "parsers",
            "trials": self.count,
            "unit": "inputs",
            "faults": {"refused": refused, "taken": self.count - refused, **counts},
            "violations": len(self.runner.findings),
            "note": self._note,
            "done": done,
        }


def seeds_first(runner: Runner) -> None:
    """Every example as it stands."""
    for target in runner.targets:
        for seed in target.seeds:
            runner.try_one(target, seed)


def by_mutation(trial: Trial, rng: Random) -> None:
    """Changes of examples, target by target by their weight."""
    from tests.fuzz.engine import random_input

    line = [target for target in trial.runner.targets for _ in range(target.weight)]
    while True:
        rng.shuffle(line)
        for target in line:
            if trial.over():
                return
            trial.runner.try_one(target, random_input(target, rng))


def by_coverage(atheris: Any, trial: Trial, rng: Random) -> None:
    """Let libFuzzer choose; ends the process."""
    from tests.fuzz.engine import scratch
    from tests.fuzz.mutate import mutate

    targets = trial.runner.targets
    line = [index for index, target in enumerate(targets) for _ in range(target.weight)]

    def one_input(data: bytes) -> None:
        try:
            if trial.over():
                _leave(trial.finish())
            if data:
                trial.runner.try_one(targets[data[0] % len(targets)], data[1:])
        except KeyboardInterrupt:
            _leave(INTERRUPTED)

    def custom(data: bytes, max_size: int, seed: int) -> bytes:
        dice = Random(seed)
        index = data[0] % len(targets) if data and dice.random() < 0.7 else dice.choice(line)
        target = targets[index]
        same = bool(data) and data[0] % len(targets) == index and len(data) > 1
        base = data[1:] if same and dice.random() < 0.7 else dice.choice(target.seeds)
        made = mutate(dice, base, target.seeds, target.tokens, target.prefix)
        return (bytes((index,)) + made)[:max_size]

    corpus = scratch() / "corpus"
    corpus.mkdir()
    for index, target in enumerate(targets):
        for number, seed in enumerate(target.seeds):
            (corpus / f"{index}-{number}").write_bytes(bytes((index,)) + seed)
    FINDINGS.mkdir(parents=True, exist_ok=True)
    options = [
        sys.argv[0],
        str(corpus),
        f"-seed={rng.randrange(1, 2**31)}",
        f"-artifact_prefix={FINDINGS}/libfuzzer-",
        "-max_len=65536",
        "-timeout=60",
        "-rss_limit_mb=2048",
        "-verbosity=0",
        "-print_final_stats=0",
        "-close_fd_mask=0",
        "-handle_int=0",
        "-handle_term=0",
    ]
    atheris.Setup(options, one_input, custom_mutator=custom)
    try:
        atheris.Fuzz()
    except KeyboardInterrupt:
        _leave(INTERRUPTED)
    _leave(trial.finish())


def _leave(code: int) -> Never:
    """End at once: libFuzzer has no other way out."""
    from tests.fuzz.engine import remove_scratch
    from tests.fuzz.table import close

    try:
        close()
    except Exception as error:  # what was interrupted half-way can't always be closed
        print(f"parsers: not all was closed: {error!r}", file=sys.stderr)
    remove_scratch()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def replay(path: Path, targets: Sequence[Target]) -> int:
    """Try a saved finding again; 1 if it still shows."""
    from tests.fuzz.engine import read_finding

    name, inputs = read_finding(path)
    target = next(one for one in targets if one.name == name)
    for data in inputs:
        try:
            target.run(data)
        except target.allowed:
            continue
    print(f"{name}: {len(inputs)} inputs, no fault any more", file=sys.stderr)
    return 0


def _guided(wanted: bool) -> tuple[Any, str, Callable[[], Any]]:
    """``(atheris or None, note, how to import the targets)``."""

    def plain() -> Any:
        from tests.fuzz import table

        return table

    if not wanted:
        return None, "changed examples", plain
    try:
        import atheris  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        return None, "changed examples only: atheris is not installed", plain

    def instrumented() -> Any:
        with atheris.instrument_imports(include=["hub", "cloud_link", "devices"]):
            return plain()

    return atheris, "guided by coverage", instrumented


def main() -> int:
    """See the module's text."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.parsers", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (default: 60)")
    parser.add_argument("--seed", type=int, default=1, help="of the changes (default: 1)")
    parser.add_argument("--trials", type=int, default=0, help="end after so many inputs")
    parser.add_argument("--target", action="append", help="only this one (may be repeated)")
    parser.add_argument("--plain", action="store_true", help="without atheris, even if it's there")
    parser.add_argument("--list", action="store_true", help="name the targets and end")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="try a saved finding again")
    given = parser.parse_args()
    ends_s = time.monotonic() + given.seconds  # loading the targets counts, too
    logging.disable(logging.WARNING)
    logging.getLogger().addHandler(
        logging.NullHandler()
    )  # what a door logs is not for the terminal
    guide, note, load = _guided(not given.plain and given.replay is None and not given.list)
    table = load()
    from tests.fuzz.engine import Runner

    targets = tuple(
        one for one in table.all_targets() if not given.target or one.name in given.target
    )
    if given.list:
        print("\n".join(one.name for one in targets), file=sys.stderr)
        return 0
    if given.replay is not None:
        try:
            return replay(given.replay, targets)
        finally:
            table.close()
    runner = Runner(targets)
    trial = Trial(runner, ends_s=ends_s, trials=given.trials, note=note)
    rng = Random(given.seed)
    try:
        seeds_first(runner)
        if guide is not None:
            by_coverage(guide, trial, rng)
        by_mutation(trial, rng)
        code = trial.finish()
    except KeyboardInterrupt:
        code = INTERRUPTED
    _leave(code)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # tidy up for whoever asks
    sys.exit(main())
