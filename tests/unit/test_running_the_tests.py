"""``scripts/test`` fails when a test or a check does, and says what both found."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "test"


def run(
    folder: Path, *arguments: str, tests: int = 0, checks: int = 0
) -> subprocess.CompletedProcess[str]:
    """The script among stand-ins that end as they are told."""
    stand_ins = {
        "scripts/setup": "echo set up",
        "scripts/check": f"echo checked; exit {checks}",
        ".venv/bin/python": f'echo "tested $*"; exit {tests}',
    }
    for name, what in stand_ins.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{what}\n")
        path.chmod(0o755)
    script = shutil.copy2(SCRIPT, folder / "scripts" / "test")
    return subprocess.run(
        [script, *arguments], capture_output=True, text=True, timeout=200, check=False
    )


@pytest.mark.parametrize(
    ("tests", "checks", "code"), [(0, 0, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1), (2, 0, 1)]
)
def test_tests_and_checks_decide_together(
    tmp_path: Path, tests: int, checks: int, code: int
) -> None:
    done = run(tmp_path, "-k", "basket", tests=tests, checks=checks)
    assert done.returncode == code, done.stderr
    first, second, third = done.stdout.splitlines()
    assert (first, third) == ("set up", "checked")
    assert second.startswith("tested -m pytest")
    assert second.endswith("-k basket")


def test_what_the_checks_found_stands_before_the_summary(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeconftest("from tests.besides import pytest_configure, pytest_terminal_summary")
    pytester.makepyfile("import os\ndef test_it(): assert 'STORE_HUB_CHECKS' not in os.environ")
    found = pytester.path / "found"
    found.write_text("ruff: 3 faults\n")
    (pytester.path / "found.done").touch()
    monkeypatch.setenv("STORE_HUB_CHECKS", str(found))
    monkeypatch.setenv("PYTHONPATH", str(SCRIPT.parents[1]))
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    lines = [line for line in done.outlines if line]
    assert "ruff: 3 faults" in lines
    assert "1 passed" in lines[-1]
    assert not found.exists()


def test_the_tests_alone_decide_where_no_checks_are_wanted(tmp_path: Path) -> None:
    done = run(tmp_path, "--no-check", checks=1)
    assert done.returncode == 0
    assert "checked" not in done.stdout
