"""Those proofs that are tests of their own, run as one kind: access, full disks, card numbers.

A file that can't be tried on this machine (full disks need the right to mount) is not counted, and
then the campaign says that it never happened.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

FILES = (
    "tests/flow/test_acl_matrix.py",
    "tests/flow/test_canary_cards.py",
    "tests/flow/test_hub_full_disk.py",
)
KIND = "doors"
TELL_EVERY_S = 1.0
TIDY_S = 25.0
FINDINGS_MAX = 20
INTERRUPTED = 130


@dataclass(slots=True)
class Cases:
    """Names as ``file::test``."""

    passed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def add(self, other: Cases) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def line(self, note: str, *, done: bool) -> dict[str, Any]:
        """As every kind tells it; a test counts as tried when it passed or failed."""
        tried = [*self.passed, *self.failed]
        faults = {
            Path(file).stem.removeprefix("test_"): sum(one.startswith(file) for one in tried)
            for file in FILES
        }
        found: dict[str, Any] = {
            "kind": KIND,
            "trials": len(tried),
            "unit": "tests",
            "faults": faults,
            "violations": len(self.failed),
            "note": note,
            "done": done,
        }
        if done:
            findings = list(dict.fromkeys(self.failed))[:FINDINGS_MAX]
            found["findings"] = [
                {"what": name, "replay": f".venv/bin/pytest -n 0 '{name}'"} for name in findings
            ]
            found["figures"] = {"skipped": len(self.skipped)}
            found["must_fire"] = list(faults)
        return found


def main() -> int:
    """The exit code: 0 when all passed, 130 when interrupted."""
    parser = argparse.ArgumentParser(prog="python -m scripts.campaigns.doors", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=0.0, help="once; again as long as another time fits in"
    )
    until_s = time.monotonic() + parser.parse_args().seconds
    cases, took_s = Cases(), 0.0
    try:
        while not took_s or (not cases.failed and time.monotonic() + took_s < until_s):
            began_s = time.monotonic()
            cases.add(_once(cases))
            took_s = time.monotonic() - began_s
    except KeyboardInterrupt:
        return INTERRUPTED
    note = f"{len(cases.skipped)} not possible on this machine" if cases.skipped else ""
    _print(cases.line(note, done=True))
    return 1 if cases.failed or not cases.passed else 0


def _once(before: Cases) -> Cases:
    """All files, with a line of progress every second."""
    with tempfile.TemporaryDirectory(prefix="doors-") as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-n", "0", f"--junitxml={report}", *FILES]
        child = subprocess.Popen(command, stdout=sys.stderr)
        try:
            while child.poll() is None:
                _print(before.line("running", done=False))
                with suppress(subprocess.TimeoutExpired):
                    child.wait(TELL_EVERY_S)
        except BaseException:
            _end(child)
            raise
        return read_report(report)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Its tests unmount and remove what they made."""
    child.send_signal(signal.SIGINT)
    try:
        child.wait(TIDY_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def read_report(report: Path) -> Cases:
    """pytest's JUnit report.  One that is missing or broken is a failure of everything."""
    found = Cases()
    try:
        tree = ElementTree.parse(report)
    except (OSError, ElementTree.ParseError) as error:
        print(f"{KIND}: no report of the tests: {error}", file=sys.stderr)
        found.failed += FILES
        return found
    for case in tree.iter("testcase"):
        file = re.sub(r"\.", "/", case.get("classname", "")) + ".py"
        name = f"{file}::{case.get('name')}"
        if any(case.find(tag) is not None for tag in ("failure", "error")):
            found.failed.append(name)
        elif case.find("skipped") is not None:
            found.skipped.append(name)
        else:
            found.passed.append(name)
    return found


def _print(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # tidy up for whoever asks
    sys.exit(main())
