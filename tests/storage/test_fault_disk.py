"""The faulty disk itself: what is synced stays, what isn't may go, and each fault has its code."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from hub.storage import sqlite
from hub.storage.sqlite import Connection
from tests.support.faultdisk import Counts, Cut, Fault, FaultDisk, Files, Op

pytestmark = pytest.mark.may_block  # files are written and compiled; no loop runs here

ROOT = Path(__file__).parents[2]
ROWS = 200


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[FaultDisk]:
    with FaultDisk(tmp_path) as made:
        yield made


def connect(path: Path, synchronous: str = "FULL") -> Connection:
    conn = sqlite.connect(path, isolation_level=None)
    conn.execute("PRAGMA journal_mode = WAL")
    conn.execute(f"PRAGMA synchronous = {synchronous}")
    conn.execute("CREATE TABLE IF NOT EXISTS t (x)")
    return conn


def fill(conn: Connection, rows: int = ROWS) -> None:
    for _ in range(rows):
        conn.execute("INSERT INTO t VALUES (randomblob(100))")


def count(path: Path) -> int:
    conn = sqlite.connect(path)
    try:
        assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return int(conn.execute("SELECT count(*) FROM t").fetchone()[0])
    finally:
        conn.close()


@pytest.mark.parametrize("keep", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("sector", [512, 4096])
def test_what_was_synced_survives_every_cut(
    disk: FaultDisk, tmp_path: Path, keep: float, sector: int
) -> None:
    conn = connect(tmp_path / "a.db")
    for round_ in range(1, 20):
        fill(conn)
        if round_ % 3 == 0:
            conn.execute("PRAGMA wal_checkpoint(PASSIVE)")
        conn.execute("BEGIN")
        fill(conn, 3)  # never committed
        disk.cut(round_, sector_bytes=sector, keep_probability=keep)
        with pytest.raises(sqlite.OperationalError):
            conn.execute("COMMIT")
        conn.close()
        assert count(tmp_path / "a.db") == round_ * ROWS
        conn = connect(tmp_path / "a.db")
    conn.close()


def test_what_was_not_synced_is_gone_when_nothing_is_kept(disk: FaultDisk, tmp_path: Path) -> None:
    conn = connect(tmp_path / "a.db", "NORMAL")
    fill(conn, 10)
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    fill(conn)
    cut = disk.cut(1, keep_probability=0.0)
    conn.close()
    assert (cut.kept, cut.torn) == (0, 0)
    assert cut.lost > ROWS
    assert count(tmp_path / "a.db") == 10


def test_sectors_are_kept_lost_and_torn_by_chance(disk: FaultDisk, tmp_path: Path) -> None:
    conn = connect(tmp_path / "a.db", "OFF")
    fill(conn)
    cut = disk.cut(1, keep_probability=0.7)
    conn.close()
    assert min(cut.kept, cut.lost, cut.torn) > 0


def test_a_file_that_was_never_synced_may_vanish_and_a_deleted_one_come_back(
    disk: FaultDisk, tmp_path: Path
) -> None:
    path = tmp_path / "a.db"
    conn = sqlite.connect(path)
    conn.execute("PRAGMA synchronous = OFF")
    conn.execute("CREATE TABLE t (x)")
    conn.close()
    assert disk.cut(1, keep_probability=0.0) == Cut(0, 0, 0, files_gone=1, files_back=0)
    assert not path.exists()

    conn = connect(path)
    fill(conn)
    assert (tmp_path / "a.db-wal").exists()
    conn.close()  # the last one out deletes the log, without syncing the directory
    assert not (tmp_path / "a.db-wal").exists()
    assert disk.cut(2, keep_probability=0.0).files_back == 1
    assert (tmp_path / "a.db-wal").exists()
    assert count(path) == ROWS


def test_a_directory_that_was_taken_away_stays_away(disk: FaultDisk, tmp_path: Path) -> None:
    """A copy that failed is removed by the file system's means, not by SQLite's."""
    home = tmp_path / "copy"
    home.mkdir()
    conn = sqlite.connect(home / "a.db", isolation_level=None)
    conn.execute("CREATE TABLE t (x)")
    fill(conn, 3)  # each commit deletes its journal
    conn.close()
    shutil.rmtree(home)
    disk.cut(1, keep_probability=0.0)
    assert not home.exists()


def test_the_index_in_shared_memory_vanishes(disk: FaultDisk, tmp_path: Path) -> None:
    conn = connect(tmp_path / "a.db")
    assert (tmp_path / "a.db-shm").exists()
    disk.cut(1)
    conn.close()
    assert not (tmp_path / "a.db-shm").exists()


def test_a_failed_sync_loses_its_pages_though_a_later_one_succeeds(
    disk: FaultDisk, tmp_path: Path
) -> None:
    path = tmp_path / "a.db"
    conn = connect(path)
    fill(conn)
    disk.fail(Op.SYNC)
    with pytest.raises(sqlite.OperationalError):
        fill(conn, 1)
    conn.execute("PRAGMA wal_checkpoint(PASSIVE)")
    assert disk.fired() == 1
    assert disk.cut(1, keep_probability=1.0).lost > 0
    conn.close()
    assert count(path) == ROWS


def test_a_killed_process_leaves_what_it_wrote_and_lets_its_locks_go(
    disk: FaultDisk, tmp_path: Path
) -> None:
    path = tmp_path / "a.db"
    conn = connect(path, "NORMAL")
    fill(conn)
    conn.execute("BEGIN IMMEDIATE")  # dies holding the writer's lock
    fill(conn, 1)
    disk.kill()
    other = connect(path)
    fill(other, 1)
    assert other.execute("SELECT count(*) FROM t").fetchone() == (ROWS + 1,)
    for text in ("COMMIT", "SELECT count(*) FROM t"):
        with pytest.raises(sqlite.OperationalError):
            conn.execute(text)
    conn.close()
    fill(other, 1)
    other.close()
    assert count(path) == ROWS + 2


def test_a_cut_after_a_kill_still_takes_what_was_never_synced(
    disk: FaultDisk, tmp_path: Path
) -> None:
    conn = connect(tmp_path / "a.db", "NORMAL")
    fill(conn, 5)
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    fill(conn)
    disk.kill()
    conn.close()
    disk.cut(3, keep_probability=0.0)
    assert count(tmp_path / "a.db") == 5


@pytest.mark.parametrize(
    ("op", "fault", "files", "name"),
    [
        (Op.WRITE, Fault.EIO, Files.WAL, "SQLITE_IOERR"),
        (Op.WRITE, Fault.ENOSPC, Files.WAL, "SQLITE_FULL"),
        (Op.WRITE, Fault.SHORT_WRITE, Files.WAL, "SQLITE_FULL"),
        (Op.SYNC, Fault.EIO, Files.WAL, "SQLITE_IOERR"),
        (Op.SYNC, Fault.ENOSPC, Files.WAL, "SQLITE_IOERR"),
        (Op.READ, Fault.EIO, Files.DB, "SQLITE_IOERR"),
        (Op.READ, Fault.SHORT_READ, Files.DB, "SQLITE_CORRUPT"),
    ],
)
def test_each_fault_surfaces_with_its_code(
    disk: FaultDisk, tmp_path: Path, op: Op, fault: Fault, files: Files, name: str
) -> None:
    conn = connect(tmp_path / "a.db")
    fill(conn)
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    conn.execute("PRAGMA cache_size = 1")
    disk.fail(op, fault=fault, files=files)
    with pytest.raises(sqlite.Error) as caught:
        conn.execute("INSERT INTO t SELECT x FROM t")
    assert caught.value.sqlite_errorname == name
    assert disk.fired() == 1
    conn.close()
    disk.clear()
    assert count(tmp_path / "a.db") == ROWS


@pytest.mark.parametrize(
    ("op", "sql", "name"),
    [
        (Op.TRUNCATE, "PRAGMA wal_checkpoint(TRUNCATE)", "SQLITE_IOERR"),
        (Op.LOCK, "PRAGMA journal_mode = DELETE", "SQLITE_IOERR"),
        (Op.OPEN, "ATTACH 'DIR/b.db' AS b", "SQLITE_CANTOPEN"),
    ],
)
def test_other_operations_fail_with_their_codes(
    disk: FaultDisk, tmp_path: Path, op: Op, sql: str, name: str
) -> None:
    conn = connect(tmp_path / "a.db")
    fill(conn)
    with disk.failing(op), pytest.raises(sqlite.OperationalError) as caught:
        conn.execute(sql.replace("DIR", str(tmp_path))).fetchall()
    assert caught.value.sqlite_errorname == name
    conn.close()


def test_deleting_and_shared_memory_fail_too(disk: FaultDisk, tmp_path: Path) -> None:
    conn = sqlite.connect(tmp_path / "a.db", isolation_level=None)
    with disk.failing(Op.DELETE), pytest.raises(sqlite.OperationalError) as caught:
        conn.execute("CREATE TABLE t (x)")
    assert caught.value.sqlite_errorname == "SQLITE_IOERR"
    conn.execute("PRAGMA journal_mode = WAL")
    with disk.failing(Op.SHM, fault=Fault.ENOSPC), pytest.raises(sqlite.OperationalError) as caught:
        conn.execute("CREATE TABLE t (x)")
    assert caught.value.sqlite_errorname == "SQLITE_IOERR"
    conn.close()


def test_the_nth_operation_fails_as_often_as_it_is_told(disk: FaultDisk, tmp_path: Path) -> None:
    conn = connect(tmp_path / "a.db")
    disk.fail(Op.SYNC, nth=3, times=2, files=Files.WAL)
    ended = []
    for _ in range(6):
        try:
            fill(conn, 1)
            ended.append(True)
        except sqlite.OperationalError:
            ended.append(False)
    assert ended == [True, True, False, False, True, True]
    assert disk.fired_by_kind() == Counts(0, 0, 0, 2, 0, 0, 0, 0)
    conn.close()


def test_an_impossible_order_is_refused(disk: FaultDisk) -> None:
    with pytest.raises(ValueError, match="can't meet"):
        disk.fail(Op.DELETE, fault=Fault.ENOSPC)


def test_disks_don_t_know_each_other_and_files_elsewhere_are_let_alone(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with FaultDisk(tmp_path / "one") as one, FaultDisk(tmp_path / "two") as two:
        first, second, third = (connect(tmp_path / d / "a.db") for d in ("one", "two", "."))
        with one.failing(Op.ALL):
            fill(second, 3)
            fill(third, 3)
            with pytest.raises(sqlite.OperationalError):
                fill(first, 1)
        before = two.counts()
        one.cut(1)
        fill(second, 3)
        assert two.counts().sync == before.sync + 3
        for conn in (first, second, third):
            conn.close()
    assert count(tmp_path / "two" / "a.db") == 6


SCENE = """
import sys
from pathlib import Path
from tests.storage.test_fault_disk import scene
print(scene(Path(sys.argv[1])))
"""


def scene(directory: Path) -> str:
    """A few cuts; a hash of every file's bytes after each."""
    digest = sha256()
    directory.mkdir()
    FaultDisk.seed_sqlite(1)
    with FaultDisk(directory) as disk:
        for seed in range(5):
            conn = connect(directory / "a.db", "OFF")
            for number in range(100):
                conn.execute("INSERT INTO t VALUES (?)", (f"{seed} {number}" * 9,))
            found = disk.cut(seed, keep_probability=0.999)
            conn.close()
            digest.update(repr(found).encode())
            for path in sorted(directory.iterdir()):
                digest.update(path.name.encode() + path.read_bytes())
                path.unlink()  # OFF: it may be damaged
    FaultDisk.seed_sqlite(None)
    return digest.hexdigest()


def test_a_seed_gives_the_same_in_another_process_and_place(tmp_path: Path) -> None:
    here = scene(tmp_path / "here")
    assert scene(tmp_path / "there") == here
    done = subprocess.run(
        [sys.executable, "-c", SCENE, str(tmp_path / "elsewhere")],
        cwd=ROOT,
        env={"PYTHONHASHSEED": "99", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    assert done.stdout.strip() == here
