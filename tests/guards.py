"""What no test may do: block the event loop, or leave a thread, a task or a child behind.

``tests/conftest.py`` takes this module's hooks and fixtures over.  A test that has a good reason
says so with ``@pytest.mark.may_block`` or ``@pytest.mark.may_leak``.

Blocking is looked for in two ways that a busy machine can't confuse: calls that wait (sleep,
locks, sockets, child processes, fsync) from a guarded package while a loop runs in the thread,
and single steps of the loop by the processor time of their own thread.  Short reads of local
files and of single rows by the loop's own SQLite connection are allowed.
"""

from __future__ import annotations

import asyncio
import asyncio.runners
import contextlib
import functools
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from blockbuster import BlockBuster, BlockBusterFunction
from blockbuster import blockbuster as blockbuster_module

from tests.support.nursery import nursery_pid

STEP_LIMIT_S = 1.0
GRACE_S = "20"
_KEY = pytest.StashKey["Watch"]()


@dataclass
class Watch:
    """What was there before the test, and what was seen during it."""

    threads: set[threading.Thread]
    children: set[int]
    blocked: list[str] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(
        "guarded_packages",
        "Packages whose calls must not block a running event loop.",
        type="args",
        default=["hub", "devices", "cloud_link"],
    )
    parser.addini(
        "leak_grace_s",
        "For threads and children that are ending just now; a busy machine needs seconds.",
        default=GRACE_S,
    )


POOL = ("asyncio_",)
"""Names of the threads of a loop's own executor."""


@pytest.fixture(autouse=True)
def _watched(request: pytest.FixtureRequest) -> Iterator[None]:
    # Function scope: what fixtures of wider scopes have started by now is theirs to end.
    watch = Watch(set(threading.enumerate()), _children())
    request.node.stash[_KEY] = watch
    packages = request.config.getini("guarded_packages")
    _current[-1] = watch
    with contextlib.ExitStack() as stack:
        if request.node.get_closest_marker("may_block") is None:
            stack.enter_context(_waiting_refused(watch, packages))
            stack.enter_context(_long_steps_noted(watch))
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    watch = item.stash.get(_KEY, None)
    try:
        outcome = yield  # the runner closes its loop after our fixture has gone
    finally:
        _current[-1] = None
    if watch is None:
        return outcome
    grace_s = float(item.config.getini("leak_grace_s"))
    faults = [f"blocked the event loop: {what}" for what in watch.blocked]
    if item.get_closest_marker("may_leak") is None:
        faults += [f"left a task behind: {name}" for name in watch.tasks]
        pooled = POOL if _shares_a_loop(item) else ()
        found = _leaked_threads(watch, grace_s, pooled)
        faults += [f"left a thread behind: {name}" for name in found]
        faults += [
            f"left a child process behind: {name}" for name in _leaked_children(watch, grace_s)
        ]
    if faults:
        pytest.fail("the test " + "; ".join(faults), pytrace=False)
    return outcome


@contextlib.contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextlib.contextmanager
def _waiting_refused(watch: Watch, packages: list[str]) -> Iterator[None]:
    class Noted(blockbuster_module.BlockingError):
        # Code that survives the error, by logging it for example, is still found out.
        def __init__(self, func: str) -> None:
            super().__init__(func)
            watch.blocked.append(func)

    # A test session inside of a test guards what is guarded already.
    nested = blockbuster_module.BlockingError is not _NOT_NOTED
    buster = _made(packages) if nested else _kept(tuple(packages))
    with _replaced(blockbuster_module, "BlockingError", Noted):
        buster.activate()
        try:
            yield
        finally:
            buster.deactivate()


def _made(packages: Sequence[str]) -> BlockBuster:
    buster = BlockBuster(list(packages))
    for name in list(buster.functions):
        if name.startswith(("os.", "io.")):
            del buster.functions[name]
    for owner, name in ((os, "fsync"), (os, "fdatasync"), (subprocess.Popen, "wait")):
        buster.functions[name] = BlockBusterFunction(owner, name, scanned_modules=list(packages))
    return buster


_kept = functools.cache(_made)
_NOT_NOTED = blockbuster_module.BlockingError


@contextlib.contextmanager
def _long_steps_noted(watch: Watch) -> Iterator[None]:
    run: Callable[[asyncio.Handle], None] = asyncio.Handle._run

    def timed(handle: asyncio.Handle) -> None:
        before = time.thread_time()
        run(handle)
        used = time.thread_time() - before
        if used > STEP_LIMIT_S:
            watch.blocked.append(f"{used:.1f} s of processor time in one step of {handle!r}")

    with _replaced(asyncio.Handle, "_run", timed):
        yield


def _note_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """In the place of asyncio's own, once for the whole session: wrapping it anew for each test
    would have to be undone in an order that fixtures and hooks don't keep."""
    if (watch := _current[-1]) is not None:
        names = [repr(task) for task in asyncio.all_tasks(loop) if not task.done()]
        watch.tasks += [name for name in names if name not in watch.tasks]
    _cancel_all_tasks(loop)


_runners: Any = asyncio.runners
_current: list[Watch | None] = [None]
if getattr(_runners._cancel_all_tasks, "__module__", "") == "asyncio.runners":
    _cancel_all_tasks: Callable[[asyncio.AbstractEventLoop], None] = _runners._cancel_all_tasks
    _runners._cancel_all_tasks = _note_tasks


def _shares_a_loop(item: pytest.Item) -> bool:
    """Whether its event loop, and the threads which that works with, live longer than it."""
    marker = item.get_closest_marker("asyncio")
    return marker is not None and marker.kwargs.get("loop_scope", "function") != "function"


def _leaked_threads(watch: Watch, grace_s: float, pooled: tuple[str, ...]) -> list[str]:
    deadline = time.monotonic() + grace_s
    leaked = [
        thread
        for thread in threading.enumerate()
        if thread not in watch.threads and not thread.name.startswith(pooled or "\0")
    ]
    for thread in leaked:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [thread.name for thread in leaked if thread.is_alive()]


def _leaked_children(watch: Watch, grace_s: float) -> list[str]:
    deadline = time.monotonic() + grace_s
    while (leaked := _children() - watch.children) and time.monotonic() < deadline:
        time.sleep(0.02)
    return [f"{pid} {_command(pid)}" for pid in sorted(leaked)]


def _children() -> set[int]:
    """Our direct children, zombies too, and what was born in our nursery."""
    pids = {pid for pid in _children_of(os.getpid()) if "resource_tracker" not in _command(pid)}
    nursery = nursery_pid()
    if nursery in pids:
        pids = pids - {nursery} | _children_of(nursery)
    return pids


def _children_of(parent: int) -> set[int]:
    """Linux: proc(5), /proc/pid/task/tid/children."""
    pids: set[int] = set()
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{parent}/task").iterdir():
            # A thread may end while we look.
            with contextlib.suppress(OSError):
                pids |= {int(pid) for pid in (task / "children").read_text().split()}
    return pids


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip() or "(zombie)"
    except OSError:
        return "(gone)"
