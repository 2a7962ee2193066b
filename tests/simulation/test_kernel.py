"""The world of the simulation itself: one seed, one course of events; the dead stay dead."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hub.crashpoints import crashpoint, on_crashpoint
from tests.simulation.kernel import Endless, Killed, Lost, Process, World
from tests.simulation.kernel.network import current


def chatter(root: Path, seed: int) -> str:
    """Three machines talk over bad links while one of them is killed again and again."""
    world = World(seed, root)

    async def start(process: Process) -> None:
        async def talk() -> None:
            names = set(world.machines) - {process.name}
            while True:
                await asyncio.sleep(process.randomness.uniform(0.01, 0.2))
                for name in sorted(names):
                    world.network.send(process, name, process.ids.uuid7())
                await asyncio.to_thread((process.directory / "log").write_text, "x")

        process.receive = lambda source, message: process.note(f"{source}: {message}")
        process.spawn(talk())

    for name in ("a", "b", "c"):
        world.add(name, start)
    for source in "abc":
        for target in "abc":
            link = world.network.link(source, target)
            link.loss, link.duplicate, link.reorder, link.delay_s = 0.2, 0.2, True, (0.0, 0.3)

    async def main() -> None:
        for machine in world.machines.values():
            machine.boot()
        for _ in range(5):
            await asyncio.sleep(1)
            world.machine("b").kill("test")
            await asyncio.sleep(0.1)
            world.machine("b").boot()

    world.run(main())
    assert world.counters["message lost"]
    assert world.counters["message twice"]
    return world.trace.digest


def test_one_seed_gives_one_trace_in_every_process_under_every_hash_seed(tmp_path: Path) -> None:
    here = chatter(tmp_path / "here", 7)
    code = (
        "import sys, pathlib; from tests.simulation.test_kernel import chatter;"
        "print(chatter(pathlib.Path(sys.argv[1]), 7))"
    )
    for hash_seed in ("1", "2"):
        found = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / hash_seed)],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert found.stdout.strip() == here
    assert chatter(tmp_path / "other", 8) != here


def test_time_passes_only_when_nothing_is_left_to_do(tmp_path: Path) -> None:
    world = World(1, tmp_path)

    async def main() -> None:
        before_s = world.loop.time()
        for _ in range(100):
            await asyncio.sleep(0)
        assert world.loop.time() == before_s
        await asyncio.sleep(86_400)
        assert world.loop.time() == before_s + 86_400

    world.run(main())


def test_a_killed_process_runs_no_finally_and_keeps_its_files(tmp_path: Path) -> None:
    world, ran = World(1, tmp_path), list[str]()

    async def start(process: Process) -> None:
        async def work() -> None:
            try:
                (process.directory / "file").write_text("written")
                await asyncio.sleep(100)
            finally:
                ran.append("finally")

        if process.number == 1:
            process.spawn(work())
        else:
            ran.append((process.directory / "file").read_text())

    async def main() -> None:
        machine = world.add("a", start)
        machine.boot()
        await asyncio.sleep(1)
        machine.kill("test")
        await asyncio.sleep(200)
        machine.boot()
        await asyncio.sleep(1)
        assert ran == ["written"]

    world.run(main())
    assert not world.violations


def test_a_process_that_dies_at_a_crash_point_leaves_the_disk_of_that_instant(
    tmp_path: Path,
) -> None:
    world, left = World(1, tmp_path), list[str]()

    def hook(name: str) -> None:
        process = current()
        assert process is not None
        assert name == "halfway"
        process.machine.kill(name)

    async def start(process: Process) -> None:
        file = process.directory / "file"
        if process.number == 2:
            left.append(file.read_text())
            return
        file.write_text("before")
        try:
            crashpoint("halfway")
        finally:
            file.write_text("a dead process writes")

    async def main() -> None:
        machine = world.add("a", start)
        machine.boot()
        await asyncio.sleep(1)
        machine.boot()
        await asyncio.sleep(1)

    on_crashpoint(hook)
    try:
        world.run(main())
    finally:
        on_crashpoint(None)
    assert left == ["before"]
    assert not world.violations, Killed


@pytest.mark.parametrize("down", ["machine", "there", "back"])
def test_a_call_whose_way_is_cut_is_lost(tmp_path: Path, down: str) -> None:
    world, served = World(1, tmp_path), list[str]()

    async def server(process: Process) -> None:
        async def serve(_source: str, request: Any) -> Any:
            served.append(request)
            return request

        process.serve = serve

    async def client(process: Process) -> None:
        with pytest.raises(Lost):
            await world.network.call(process, "server", "lost", 5)
        world.network.heal()
        if down == "machine":
            world.machine("server").boot()
            await asyncio.sleep(1)
        served.append(await world.network.call(process, "server", "heard", 5))

    async def main() -> None:
        world.add("server", server)
        if down != "machine":
            world.machine("server").boot()
        world.network.link("client", "server").up = down != "there"
        world.network.link("server", "client").up = down != "back"
        world.add("client", client).boot()
        await asyncio.sleep(60)

    world.run(main())
    assert served == (["lost"] if down == "back" else []) + ["heard", "heard"]
    assert not world.violations


def test_whoever_stops_a_machine_that_is_killed_meanwhile_goes_on(tmp_path: Path) -> None:
    world = World(1, tmp_path)

    async def start(process: Process) -> None:
        process.at_stop(lambda: asyncio.sleep(1_000_000))

    machine = world.add("a", start)

    async def main() -> None:
        machine.boot()
        await asyncio.sleep(1)
        stopping = asyncio.get_running_loop().create_task(machine.stop())
        await asyncio.sleep(1)
        machine.kill("test")
        await stopping

    world.run(main())
    assert world.loop.time() < 10
    assert machine.process is None


def test_a_run_that_does_not_end_is_cut_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.simulation.kernel.loop.STEPS_MAX", 1_000)

    async def main() -> None:
        while True:
            await asyncio.sleep(1)

    with pytest.raises(Endless, match="doesn't end"):
        World(1, tmp_path).run(main())
