"""Processes that play plans, one after another; each is replaced before its dead weigh too much."""

from __future__ import annotations

import gc
import json
import logging
import os
import select
import subprocess
import sys
from collections.abc import Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict
from queue import SimpleQueue
from typing import Any

from tests.simulation.shop.plan import Plan

RUNS_PER_PROCESS = 20
RUN_S = 300.0
"""What takes longer never ends."""


class Broken(RuntimeError):
    """A process ended without a report; its last words are in the text."""


class _Worker:
    """A child that reads plans and writes reports, as JSON lines."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[str] | None = None
        self._runs = 0

    def play(self, plan: Plan) -> dict[str, Any]:
        """The report.  Errors: :class:`Broken`."""
        if self._runs >= RUNS_PER_PROCESS:
            self.end()
        if self._child is None:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "tests.simulation.pool"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        self._runs += 1
        child = self._child
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(json.dumps(asdict(plan)) + "\n")
            child.stdin.flush()
            answered, _, _ = select.select([child.stdout], [], [], RUN_S)
            line = child.stdout.readline() if answered else ""
        except BrokenPipeError:
            answered, line = [child.stdout], ""
        if not line:
            how = "ended without a word" if answered else f"was still at it after {RUN_S:.0f} s"
            self.end()
            raise Broken(f"the process that played seed {plan.seed} {how}")
        report: dict[str, Any] = json.loads(line)
        return report

    def end(self) -> None:
        """No more plans."""
        child, self._child, self._runs = self._child, None, 0
        if child is not None:
            assert child.stdin is not None
            assert child.stdout is not None
            child.kill()
            child.stdin.close()
            child.stdout.close()
            child.wait()


def played(plans: Iterable[Plan], jobs: int) -> Generator[dict[str, Any], None, None]:
    """Reports in the order in which runs end; a plan is drawn only when a process is free."""
    free: SimpleQueue[_Worker] = SimpleQueue()
    workers = [_Worker() for _ in range(jobs)]
    for worker in workers:
        free.put(worker)

    def play(plan: Plan) -> dict[str, Any]:
        worker = free.get()
        try:
            return worker.play(plan)
        except Broken as error:
            return _without_report(plan, error)
        finally:
            free.put(worker)

    with ThreadPoolExecutor(jobs) as pool:
        running: set[Future[dict[str, Any]]] = set()
        try:
            for plan in plans:
                running.add(pool.submit(play, plan))
                if len(running) >= jobs:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    yield from (one.result() for one in done)
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (one.result() for one in done)
        finally:
            for worker in workers:
                worker.end()


def _without_report(plan: Plan, error: Broken) -> dict[str, Any]:
    """A run that never told how it ended is a broken one."""
    return {
        "plan": asdict(plan),
        "violations": [str(error)],
        "counters": {},
        "virtual_days": 0.0,
        "cpu_s": 0.0,
        "trace": (),
    }


def main() -> None:
    """Play what comes in until there is no more."""
    from tests.simulation.command import play

    logging.disable(logging.CRITICAL)
    gc.set_threshold(50_000, 20, 100)
    for line in sys.stdin:
        print(json.dumps(play(Plan(**json.loads(line)))), flush=True)
        gc.collect()
        gc.freeze()  # what the next one need not look through again
    os._exit(0)  # the dead of twenty runs are not worth a tidy farewell


if __name__ == "__main__":
    main()
