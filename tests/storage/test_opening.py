"""Opening the database: made, migrated as a whole or not at all, and refused with the next step."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from hub.service import auditlog, ledger
from hub.storage import database, sqlite
from hub.storage.database import (
    APPLICATION_ID,
    Migration,
    connect,
    open_database,
    statements,
)
from hub.storage.errors import DamagedDatabase, ForeignDatabase, NewerDatabase
from tests.storage.freeze import FROZEN
from tests.support.shop import Shop


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hub.db"


def test_a_new_database_has_its_marks_and_settings(path: Path) -> None:
    conn = open_database(path)

    def pragma(name: str) -> object:
        return conn.execute(f"PRAGMA {name}").fetchone()[0]

    assert pragma("application_id") == APPLICATION_ID
    assert pragma("user_version") == len(database.migrations())
    assert (pragma("journal_mode"), pragma("synchronous"), pragma("foreign_keys")) == ("wal", 2, 1)
    conn.close()


def test_a_database_is_opened_again(tmp_path: Path) -> None:
    shop = Shop(tmp_path, quick=False)
    shop.product("tea", 499, stock=3)
    shop.restart()

    assert shop.level("tea")["sellable"] == 3
    shop.close()


def test_one_of_a_newer_hub_is_refused(path: Path) -> None:
    conn = open_database(path)
    conn.execute("PRAGMA user_version = 999")
    conn.close()

    with pytest.raises(NewerDatabase, match="Install the newer"):
        open_database(path)


def test_a_stranger_s_database_is_refused_and_left_alone(path: Path) -> None:
    conn = connect(path)
    conn.execute("CREATE TABLE songs (name TEXT)")
    conn.close()
    before = path.read_bytes()

    with pytest.raises(ForeignDatabase, match=r"paths\.state"):
        open_database(path)
    assert path.read_bytes() == before


def test_what_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"receipts of 2019\n" * 1000)

    with pytest.raises(DamagedDatabase, match="restore"):
        open_database(path)


def test_a_damaged_page_is_found_at_the_start(tmp_path: Path) -> None:
    shop = Shop(tmp_path, quick=False)
    shop.product("tea", 499, stock=3)
    shop.core.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    page = shop.value("SELECT rootpage FROM sqlite_schema WHERE name = 'movements'")
    shop.close()
    content = bytearray(shop.path.read_bytes())
    content[(page - 1) * 4096 : page * 4096] = b"\x7f" * 4096
    shop.path.write_bytes(content)

    with pytest.raises(DamagedDatabase, match="restore"):
        open_database(shop.path)


def test_a_founding_cut_short_is_begun_again(path: Path) -> None:
    conn = connect(path)
    conn.execute("PRAGMA journal_mode = WAL")
    conn.close()
    assert path.stat().st_size > 0

    open_database(path).close()


NEXT = len(database.migrations()) + 1


def with_next_step(monkeypatch: pytest.MonkeyPatch, sql: str) -> None:
    steps = (*database.migrations(), Migration(NEXT, "next", sql))
    monkeypatch.setattr(database, "migrations", lambda: steps)
    database._expected_schema.cache_clear()


def test_a_migration_that_fails_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_database(path).close()
    with monkeypatch.context() as patched:
        with_next_step(
            patched, "CREATE TABLE more (a TEXT) STRICT;\nINSERT INTO nowhere VALUES (1);"
        )
        with pytest.raises(sqlite.OperationalError):
            open_database(path)
    database._expected_schema.cache_clear()

    open_database(path).close()


def test_a_migration_keeps_the_database_as_it_was_aside(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_database(path).close()
    path.with_name(f"hub.db.before-schema-{NEXT}.part").write_bytes(b"half a copy")
    with monkeypatch.context() as patched:
        with_next_step(patched, "CREATE TABLE more (a TEXT) STRICT;")
        conn = open_database(path)
        assert conn.execute("PRAGMA user_version").fetchone()[0] == NEXT
        conn.close()
    database._expected_schema.cache_clear()

    open_database(path.with_name(f"hub.db.before-schema-{NEXT}")).close()
    with pytest.raises(NewerDatabase):
        open_database(path)


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE sales ADD COLUMN tip INTEGER",
        "DROP INDEX holds_expiry",
        "CREATE TRIGGER t AFTER INSERT ON sales BEGIN DELETE FROM audit; END",
    ],
)
def test_a_schema_that_somebody_changed_is_refused(path: Path, change: str) -> None:
    conn = open_database(path)
    conn.execute(change)
    conn.close()

    with pytest.raises(DamagedDatabase, match="schema differs in"):
        open_database(path)


def test_a_replicator_s_own_tables_are_no_change(path: Path) -> None:
    conn = open_database(path)
    conn.execute("CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER)")
    conn.close()

    open_database(path).close()


def test_statements_are_taken_apart_where_they_end() -> None:
    script = """
    -- a comment; with a semicolon
    CREATE TABLE a (t TEXT DEFAULT 'x;y'); -- more
    CREATE TRIGGER r AFTER INSERT ON a BEGIN
        DELETE FROM a; SELECT 1;
    END;
    INSERT INTO a VALUES (';
    '); -- the end
    """
    found = statements(script)

    assert [one.split()[0] for one in found if not one.strip().startswith("--")] != []
    conn = sqlite.connect(":memory:", isolation_level=None)
    for one in found:
        conn.execute(one)
    assert conn.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (2,)
    conn.close()


def test_an_unfinished_statement_is_an_error() -> None:
    with pytest.raises(AssertionError, match="unfinished"):
        statements("CREATE TABLE a (t TEXT)")


@pytest.mark.parametrize("frozen", FROZEN, ids=lambda one: one.name)
def test_a_database_of_every_older_schema_opens_and_verifies(frozen: Path, tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    path.write_bytes(gzip.decompress(frozen.read_bytes()))
    open_database(path).close()
    shop = Shop(tmp_path, furnish=False, quick=False)

    assert ledger.verify(shop.rows).whole
    assert auditlog.verify(shop.rows).broken_seq is None
    shop.check_laws()
    assert shop.value("SELECT count(*) FROM sales") == 3
    shop.sign_in("till-1")
    assert shop.sell("till-1", "tea", 1, 499)["receipt_no"] == "001-000003"
    shop.check_laws()
    shop.close()


def test_an_older_database_knows_its_repeats(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    path.write_bytes(gzip.decompress(FROZEN[0].read_bytes()))
    shop = Shop(tmp_path, furnish=False, quick=False)
    key, reply = shop.all(
        "SELECT idk, reply FROM requests WHERE reply LIKE '%001-000001%' ORDER BY at_ms"
    )[0]
    sale_id = shop.value("SELECT sale_id FROM sales WHERE receipt_no = '001-000001'")
    body = {
        "sale_id": sale_id,
        "lines": [{"code": "tea", "qty": 2, "unit_price_minor": 499}],
        "total_minor": 998,
        "tenders": [{"kind": "cash", "amount_minor": 1000}],
    }

    again = shop.ask("till-1", "sale/commit", body, key=key)
    elsewhere = shop.ask("till-3", "sale/commit", body)

    assert again.body.pop("record")
    assert again.body == json.loads(reply)
    assert elsewhere.result == again.result
    shop.close()
