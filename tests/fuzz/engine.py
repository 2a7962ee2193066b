"""What a fuzz target is, how one input is tried, and what counts as a fault.

A target is a function of bytes.  It may raise the errors it names (a parser's typed refusals); any
other exception is a finding, and so is an input that keeps the processor for too long.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import hashlib
import json
import shutil
import tempfile
import time
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from tests.fuzz.mutate import mutate

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
SLOW_S = 5.0
HISTORY_MAX = 400
FINDINGS_MAX = 50


def nothing() -> None:
    """A target without state has nothing to begin anew."""


@dataclass(frozen=True, slots=True)
class Target:
    """One door that takes bytes.

    ``prefix`` bytes at the beginning choose how the rest is used.  ``fresh`` drops what earlier
    inputs left behind; a finding of a target that has it keeps the inputs since then.
    """

    name: str
    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    allowed: tuple[type[Exception], ...] = ()
    prefix: int = 0
    weight: int = 4
    fresh: Callable[[], None] = nothing
    fresh_every: int = 0
    tokens: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: what came out, and the file that shows it again."""

    target: str
    what: str
    trace: str
    inputs: tuple[bytes, ...]

    def save(self, folder: Path) -> Path:
        """Write the inputs for ``--replay``."""
        folder.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(b"\0".join(self.inputs)).hexdigest()[:12]
        path = folder / f"{self.target}-{name}.json"
        body = {
            "target": self.target,
            "what": self.what,
            "inputs": [base64.b64encode(one).decode() for one in self.inputs],
        }
        path.write_text(json.dumps(body, indent=1))
        return path


def read_finding(path: Path) -> tuple[str, list[bytes]]:
    """Target and inputs of a saved finding."""
    body = json.loads(path.read_text())
    return body["target"], [base64.b64decode(one) for one in body["inputs"]]


@dataclass(slots=True)
class Runner:
    """Tries inputs; keeps counts and the first finding of each place."""

    targets: tuple[Target, ...]
    trials: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    findings: dict[str, Finding] = field(default_factory=dict)
    _history: dict[str, list[bytes]] = field(default_factory=dict)

    def try_one(self, target: Target, data: bytes) -> bool:
        """False when it showed a fault."""
        history = self._history.setdefault(target.name, [])
        if target.fresh_every:
            if len(history) >= target.fresh_every:
                target.fresh()
                history.clear()
            history.append(data)
        self.trials[target.name] = self.trials.get(target.name, 0) + 1
        began_s = time.process_time()
        try:
            target.run(data)
        except target.allowed:
            self.refused[target.name] = self.refused.get(target.name, 0) + 1
        except Exception as error:
            self._found(target, data, f"{type(error).__name__}: {error}"[:500], error)
            return False
        if time.process_time() - began_s > SLOW_S:
            self._found(target, data, f"one input took more than {SLOW_S} s of the processor", None)
            return False
        return True

    def _found(self, target: Target, data: bytes, what: str, error: Exception | None) -> None:
        trace = "".join(traceback.format_exception(error)) if error else ""
        place = f"{target.name}: {type(error).__name__} {_place(error)}"
        history = tuple(self._history.get(target.name, ())[-HISTORY_MAX:])
        if target.fresh_every:
            target.fresh()
            self._history[target.name] = []
        if place in self.findings or len(self.findings) >= FINDINGS_MAX:
            return
        inputs: tuple[bytes, ...] = (data,)
        if target.fresh_every and not _fails_alone(target, data):
            inputs = history
        if target.fresh_every:
            target.fresh()
        self.findings[place] = Finding(target.name, what, trace[-6000:], inputs)


def _fails_alone(target: Target, data: bytes) -> bool:
    try:
        target.run(data)
    except target.allowed:
        return False
    except Exception:
        return True
    return False


def _place(error: Exception | None) -> str:
    """The innermost line of the project, so that one fault is told once."""
    if error is None:
        return "slow"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if "site-packages" not in frame.filename and str(ROOT) in frame.filename:
            return f"{Path(frame.filename).name}:{frame.lineno}"
    return "outside"


def random_input(target: Target, rng: Random) -> bytes:
    """A mutation of one of the target's seeds."""
    seed = rng.choice(target.seeds)
    return mutate(rng, seed, target.seeds, target.tokens, target.prefix)


# What targets share ------------------------------------------------------------------------------


@functools.cache
def scratch() -> Path:
    """A directory for the targets' files, in memory where the machine has such a place."""
    memory = Path("/dev/shm")
    parent = memory if memory.is_dir() else None
    return Path(tempfile.mkdtemp(prefix="fuzz-", dir=parent))


@functools.cache
def loop() -> asyncio.AbstractEventLoop:
    """The one event loop of the targets that need one."""
    made = asyncio.new_event_loop()
    made.set_exception_handler(_unhandled)
    return made


_lost: list[str] = []


def _unhandled(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    _lost.append(f"{context.get('message')}: {error!r}")


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """The value of ``work``; errors that nobody took are raised, too."""
    _lost.clear()
    value = loop().run_until_complete(work)
    if _lost:
        raise AssertionError(f"an error that nobody took: {_lost[0]}")
    return value


def close() -> None:
    """End the shared loop and its threads, and remove the files."""
    if loop.cache_info().currsize:
        made = loop()
        made.run_until_complete(made.shutdown_default_executor())
        made.close()
        loop.cache_clear()
    remove_scratch()


def remove_scratch() -> None:
    """The files alone."""
    if scratch.cache_info().currsize:
        shutil.rmtree(scratch(), ignore_errors=True)
        scratch.cache_clear()


class Dice:
    """Small choices out of an input's bytes; zeros when they are used up."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def below(self, bound: int) -> int:
        """0 to ``bound`` - 1."""
        size = 1 if bound <= 256 else 4
        raw = self._data[self._at : self._at + size]
        self._at += size
        return int.from_bytes(raw, "big") % bound

    def rest(self) -> bytes:
        """What was not used."""
        return self._data[self._at :]
