"""Large databases are kept for the next run as long as they are what would be written today."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hub.config import Settings
from hub.storage.sqlite import Connection
from scripts.benchmarks import programs, seeding, seeds
from scripts.benchmarks.bench import Bench, Missing

pytestmark = pytest.mark.may_block(reason="the benchmark itself furnishes its database on the loop")
LARGE = seeds.KEPT_BYTES // 10 + 1


class Filler:
    """Counts how often a database had to be written."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, settings: Settings, on_piece: seeds.OnPiece) -> Connection:
        self.times += 1
        conn = seeding.found_shop(settings, 3, staff=False)
        seeding.add_pending_events(conn, 5, on_piece=on_piece)
        return conn


def bench_of(tmp_state: Path) -> Bench:
    folder = tmp_state / "scratch"
    folder.mkdir(exist_ok=True)
    return Bench(folder, True, frozenset(), lambda text: None, tmp_state / "seeds")


async def events_in(bench: Bench, each_bytes: int, fill: seeds.Fill) -> int:
    async with seeds.database(bench, "events", 10, each_bytes, fill) as (_, conn):
        try:
            return int(conn.execute("SELECT count(*) FROM outbox").fetchone()[0])
        finally:
            conn.close()


async def test_a_large_database_is_written_once(tmp_state: Path) -> None:
    bench, fill = bench_of(tmp_state), Filler()
    assert [await events_in(bench, LARGE, fill) for _ in range(2)] == [5, 5]
    assert fill.times == 1


async def test_a_small_database_is_thrown_away(tmp_state: Path) -> None:
    bench, fill = bench_of(tmp_state), Filler()
    assert [await events_in(bench, 1000, fill) for _ in range(2)] == [5, 5]
    assert fill.times == 2
    assert not list((tmp_state / "seeds").iterdir())


async def test_a_database_of_another_schema_or_half_written_makes_room(tmp_state: Path) -> None:
    bench, fill = bench_of(tmp_state), Filler()
    old = tmp_state / "seeds" / "events-10-0123456789ab"
    old.mkdir(parents=True)
    await events_in(bench, LARGE, fill)
    assert not old.exists()
    (kept,) = (tmp_state / "seeds").glob("events-10-*")
    (kept / "written.json").unlink()
    await events_in(bench, LARGE, fill)
    assert fill.times == 2


async def test_what_fails_to_be_written_is_not_kept(tmp_state: Path) -> None:
    def fill(settings: Settings, on_piece: seeds.OnPiece) -> Connection:
        settings.paths.state.mkdir(parents=True)
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        await events_in(bench_of(tmp_state), LARGE, fill)
    assert not list((tmp_state / "seeds").glob("events-10-*"))


async def test_too_small_a_disk_is_said_before_it_is_full(tmp_state: Path) -> None:
    with pytest.raises(Missing, match="MiB and as much to spare"):
        await events_in(bench_of(tmp_state), 1 << 50, Filler())


async def test_a_program_s_output_is_read_and_its_failure_quoted() -> None:
    heard: list[str] = []
    out = await programs.output_of(
        [sys.executable, "-c", "print('one'); print('two')"], timeout_s=60, on_line=heard.append
    )
    assert out == "one\ntwo\n"
    assert heard == ["one\n", "two\n"]
    with pytest.raises(RuntimeError, match="ended with status 3: why"):
        await programs.output_of(
            [sys.executable, "-c", "import sys; print('why', file=sys.stderr); sys.exit(3)"],
            timeout_s=60,
        )


async def test_a_program_that_takes_too_long_is_ended() -> None:
    with pytest.raises(TimeoutError):
        await programs.output_of(
            [sys.executable, "-c", "import time; time.sleep(600)"], timeout_s=0.2
        )
