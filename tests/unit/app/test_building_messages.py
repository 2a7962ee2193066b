"""Messages are built when they are first used, and those of the counter before that."""

from __future__ import annotations

import subprocess
import sys

_HEAD = """
import asyncio
import hub.app.service
from hub.app import tuning
from hub.contract.basket import AddLine
from hub.contract.oms import Manifest
from hub.contract.oms_events import SaleCompleted
from hub.contract.sale import CommitSale, SaleDone

counter = (AddLine, CommitSale, SaleDone, SaleCompleted)
tuning.BUILD_PAUSE_S = 0
"""


def _run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _HEAD + code], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_a_hub_that_starts_builds_no_message() -> None:
    assert _run("print([one.__pydantic_complete__ for one in counter])") == str([False] * 4)


def test_what_the_counter_needs_is_built_before_it_is_asked_for() -> None:
    code = "asyncio.run(tuning.build_messages())\n"
    code += "print([one.__pydantic_complete__ for one in (*counter, Manifest)])"
    assert _run(code) == str([True] * 4 + [False])


def test_many_threads_may_use_a_message_for_the_first_time_at_once() -> None:
    code = """
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from hub.contract.registry import OPERATIONS

sys.setswitchinterval(1e-6)
start = Barrier(8)
models = [row.result for row in OPERATIONS.values()]


def use(_number):
    start.wait()
    for model in models:
        model.__pydantic_validator__.isinstance_python(None)
        model.__pydantic_serializer__.to_json(model.model_construct(), warnings=False)


with ThreadPoolExecutor(8) as pool:
    print(len(list(pool.map(use, range(8)))))
"""
    assert _run(code) == "8"
