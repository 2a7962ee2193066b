"""What the long-running proofs of this room share: progress as JSON lines, scratch space, goods."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

PROGRESS_S = 1.0
FINDINGS_MAX = 20
GOODS = {"tea": 499, "milk": 129, "apples": 299, "bread": 259}
STOCK = 100_000


@dataclass(frozen=True, slots=True)
class Finding:
    """A promise that didn't hold, and the command that shows it again."""

    what: str
    replay: str


@dataclass(slots=True)
class Report:
    """How a proof goes; prints its progress."""

    kind: str
    unit: str
    seconds: float | None = None
    limit: int | None = None
    trials: int = 0
    violations: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    note: str = ""
    quiet: bool = False
    _began_s: float = field(default_factory=time.monotonic)
    _told_s: float = 0.0

    def go_on(self) -> bool:
        """False once the time or the number of trials is used up."""
        if self.limit is not None and self.trials >= self.limit:
            return False
        return self.seconds is None or self.elapsed_s() < self.seconds

    def elapsed_s(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began_s

    def finding(self, what: str, replay: str) -> None:
        """Something that must not happen happened."""
        self.violations += 1
        print(f"{self.kind}: {what}\n  {replay}", file=sys.stderr)
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(what, replay))

    def progress(self) -> None:
        """Print a line if the last one is a second ago."""
        now_s = time.monotonic()
        if not self.quiet and now_s - self._told_s >= PROGRESS_S:
            self._told_s = now_s
            print(json.dumps(self._line() | {"done": False}), flush=True)

    def finish(self, figures: dict[str, Any], must_fire: list[str]) -> dict[str, Any]:
        """Print the last line; the same as a value."""
        last = self._line() | {
            "done": True,
            "findings": [asdict(one) for one in self.findings],
            "figures": figures,
            "must_fire": must_fire,
        }
        if not self.quiet:
            print(json.dumps(last), flush=True)
        return last

    def _line(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "trials": self.trials,
            "unit": self.unit,
            "faults": dict(sorted(self.faults.items())),
            "violations": self.violations,
            "note": self.note,
        }


@contextmanager
def scratch(name: str) -> Iterator[Path]:
    """A directory in memory where there is one, removed afterwards."""
    memory = Path("/dev/shm")
    base = memory if os.access(memory, os.W_OK) else None
    place = Path(tempfile.mkdtemp(prefix=f"sh-{name}-", dir=base))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
