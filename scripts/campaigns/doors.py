"""Those proofs that are tests of their own, run as one kind: access, full disks, card numbers."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

FILES = (
    "tests/flow/test_acl_matrix.py",
    "tests/flow/test_canary_cards.py",
    "tests/flow/test_hub_full_disk.py",
)
KIND = "doors"


def main() -> int:
    """The exit code: 0 when all passed."""
    parser = argparse.ArgumentParser(prog="python -m scripts.campaigns.doors", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=0.0, help="at least once, again until then"
    )
    parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        _tell(0, 0, "running", {})
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-n", "0", f"--junitxml={report}", *FILES],
            stdout=sys.stderr,
            check=False,
        )
        cases, failed = _read(report)
    faults = {Path(file).stem: sum(file in case for case in cases) for file in FILES}
    _tell(
        len(cases),
        len(failed),
        "",
        {Path(file).stem.removeprefix("test_"): faults[Path(file).stem] for file in FILES},
        findings=[{"what": name, "replay": f".venv/bin/pytest -n 0 {name}"} for name in failed],
        done=True,
    )
    return 1 if failed or not cases else 0


def _read(report: Path) -> tuple[list[str], list[str]]:
    """All cases as ``file::name``, and those that failed; skipped ones count as failed."""
    cases, failed = [], []
    for case in ElementTree.parse(report).iter("testcase"):
        file = re.sub(r"\.", "/", case.get("classname", "")) + ".py"
        name = f"{file}::{case.get('name')}"
        cases.append(name)
        if any(case.find(tag) is not None for tag in ("failure", "error", "skipped")):
            failed.append(name)
    return cases, failed


def _tell(
    trials: int,
    violations: int,
    note: str,
    faults: dict[str, int],
    *,
    findings: list[dict[str, str]] | None = None,
    done: bool = False,
) -> None:
    told = {
        "kind": KIND,
        "trials": trials,
        "unit": "tests",
        "faults": faults,
        "violations": violations,
        "note": note,
        "done": done,
    }
    if done:
        told |= {"findings": findings or [], "figures": {}, "must_fire": list(faults)}
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    sys.exit(main())
