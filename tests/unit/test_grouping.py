"""Tests that belong together are run by one worker."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

from tests.grouping import mixed

ROOT = Path(__file__).resolve().parents[2]
TESTS = """
import os, pytest
{mark}

@pytest.mark.parametrize("number", range(12))
def test_it(number):
    with open({log!r}, "a") as log:
        log.write(os.environ["PYTEST_XDIST_WORKER"] + "\\n")
"""


def run(tmp_path: Path, workers: int) -> subprocess.CompletedProcess[str]:
    """The folder's tests, in several processes."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-n", str(workers), "--dist", "loadgroup"),
            *("-p", "xdist.plugin", "-p", "tests.grouping", "--rootdir", str(tmp_path)),
            *("-c", os.devnull, str(tmp_path)),
        ],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )


def workers(tmp_path: Path, mark: str) -> set[str]:
    """Who ran the tests of a module with this mark."""
    log = tmp_path / "log"
    (tmp_path / "test_some.py").write_text(TESTS.format(mark=mark, log=str(log)))
    done = run(tmp_path, 3)
    assert done.returncode == 0, done.stdout + done.stderr
    return set(log.read_text().split())


def test_a_module_that_says_so_stays_in_one_process(tmp_path: Path) -> None:
    assert len(workers(tmp_path, "pytestmark = pytest.mark.xdist_group('one')")) == 1


def test_a_module_with_a_fixture_of_its_own_stays_in_one_process(tmp_path: Path) -> None:
    mark = '@pytest.fixture(scope="module", autouse=True)\ndef shared():\n    yield'
    assert len(workers(tmp_path, mark)) == 1


def test_other_tests_are_spread(tmp_path: Path) -> None:
    assert len(workers(tmp_path, "")) > 1


def test_a_worker_that_dies_fails_one_test_and_holds_up_none(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(
        "import os, pytest, time\n"
        "@pytest.mark.parametrize('number', range(40))\n"
        "def test_it(number):\n"
        "    time.sleep(0.05)\n"
        "    if number == 4:\n"
        "        os._exit(9)\n"
    )
    done = run(tmp_path, 2)
    assert done.returncode == 1
    assert "1 failed, 39 passed" in done.stdout, done.stdout + done.stderr


def test_folders_are_run_side_by_side_and_the_long_ones_are_done_with_before_the_end() -> None:
    names = [f"tests/{folder}/test_a.py::test_{n}" for folder in ("e2e", "unit") for n in range(4)]
    order = [names[number].split("/")[1] for number in mixed(names)]
    assert order == ["e2e", "unit", "e2e", "unit", "e2e", "e2e", "unit", "unit"]
    assert sorted(mixed(names)) == list(range(8))
    assert mixed(["test_b.py::test_1", "test_a.py::test_1"]) == [0, 1]


def test_what_was_loaded_for_the_tests_is_not_looked_through_again_and_again() -> None:
    assert gc.get_freeze_count() > 0
