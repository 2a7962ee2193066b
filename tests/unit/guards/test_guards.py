"""Each guard fails a test that does what it guards against, and lets a good one pass."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
_CONFTEST = """
from tests.guards import _watched, pytest_addoption, pytest_runtest_teardown
"""
_SHOP = """
import os, subprocess, sys, threading, time

def nap():
    time.sleep(0.01)

def nap_and_shrug():
    try:
        time.sleep(0.01)
    except Exception:
        pass

def sync_to_disk():
    with open("f", "w") as file:
        os.fsync(file.fileno())

def wait_for_child():
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    try:
        child.wait()
    finally:
        while child.poll() is None:
            pass

def wait_for_lock():
    lock = threading.Lock()
    lock.acquire()
    lock.acquire(timeout=0.01)

def calculate():
    end = time.thread_time() + 1.1
    while time.thread_time() < end:
        pass

def read_a_small_file():
    with open("shopcode.py") as file:
        return file.read()
"""
_BAD = """
import asyncio, subprocess, threading
import pytest, shopcode

kept = []

@pytest.mark.parametrize(
    "name",
    ["nap", "nap_and_shrug", "sync_to_disk", "wait_for_child", "wait_for_lock", "calculate"],
)
async def test_blocks(name):
    getattr(shopcode, name)()

def test_leaves_a_thread():
    threading.Thread(target=threading.Event().wait, args=(300,), daemon=True).start()

async def test_leaves_a_task():
    kept.append(asyncio.create_task(asyncio.sleep(60), name="forgotten"))

def test_leaves_a_child():
    kept.append(subprocess.Popen(["sleep", "60"]))
"""
_CLEAN = """
import asyncio, subprocess, threading, time
import pytest, shopcode

kept = []

async def test_waiting_the_right_way():
    await asyncio.to_thread(shopcode.nap)
    await asyncio.create_task(asyncio.sleep(0))
    shopcode.read_a_small_file()

def test_blocking_without_a_loop():
    shopcode.nap()
    subprocess.run(["true"], check=True)
    thread = threading.Thread(target=shopcode.nap)
    thread.start()

async def test_its_own_waiting():
    time.sleep(0.01)

@pytest.mark.may_block
async def test_a_marked_one():
    shopcode.nap()

@pytest.mark.may_leak
async def test_a_marked_leak():
    kept.append(asyncio.create_task(asyncio.sleep(60)))

@pytest.fixture(scope="module")
def clerk():
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    yield
    done.set()
    thread.join()

def test_a_wider_fixtures_thread(clerk):
    pass
"""


@pytest.fixture
def shop(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeconftest(_CONFTEST)
    pytester.makepyfile(shopcode=_SHOP)
    pytester.makeini(
        f"[pytest]\nasyncio_mode = auto\npythonpath = {ROOT} .\nguarded_packages = shopcode\n"
        "asyncio_default_fixture_loop_scope = function\naddopts = -p pytest_asyncio.plugin\n"
        "leak_grace_s = 2\nmarkers =\n    may_block\n    may_leak\n"
    )
    return pytester


def test_each_guard_fails_a_test_that_does_what_it_guards_against(shop: pytest.Pytester) -> None:
    shop.makepyfile(_BAD)
    result = shop.runpytest_subprocess()
    # Those that swallow the error, or get none, pass by themselves: the guard fails their end.
    result.assert_outcomes(passed=5, failed=4, errors=9)
    result.stdout.fnmatch_lines_random(
        [
            "*ERROR*test_blocks[[]nap[]]* blocked the event loop: time.sleep",
            "*ERROR*test_blocks[[]nap_and_shrug[]]* blocked the event loop: time.sleep",
            "*ERROR*test_blocks[[]sync_to_disk[]]* blocked the event loop: os.fsync",
            "*ERROR*test_blocks[[]wait_for_child[]]* blocked the event loop: Popen.wait",
            "*ERROR*test_blocks[[]wait_for_lock[]]* blocked the event loop: lock.acquire",
            "*ERROR*test_blocks[[]calculate[]]* of processor time in one step*",
            "*ERROR*test_leaves_a_thread* left a thread behind: *",
            "*ERROR*test_leaves_a_task* left a task behind: *forgotten*",
            "*ERROR*test_leaves_a_child* left a child process behind: * sleep 60",
        ]
    )


def test_clean_and_marked_tests_pass(shop: pytest.Pytester) -> None:
    shop.makepyfile(_CLEAN)
    shop.runpytest_subprocess().assert_outcomes(passed=6)


def test_the_pool_of_a_loop_that_several_tests_share_is_not_left_behind_by_one(
    shop: pytest.Pytester,
) -> None:
    shop.makepyfile(
        """
        import asyncio, pytest

        pytestmark = pytest.mark.asyncio(loop_scope="module")

        async def test_works_with_a_thread():
            await asyncio.to_thread(str)

        async def test_works_with_two():
            await asyncio.gather(asyncio.to_thread(str), asyncio.to_thread(str))
        """
    )
    shop.runpytest_subprocess().assert_outcomes(passed=2)
