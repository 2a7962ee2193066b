"""What a backup holds is known by its digests, however large the database is."""

from __future__ import annotations

import hashlib
import tracemalloc
from pathlib import Path

from hub.app.backup import MANIFEST, digests

LARGE = 96 << 20


def test_a_large_database_is_not_read_into_memory_as_a_whole(tmp_path: Path) -> None:
    with (tmp_path / "hub.db").open("wb") as file:
        file.truncate(LARGE)
    tracemalloc.start()
    try:
        found = digests(tmp_path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.keys() == {"hub.db"}
    assert peak < LARGE / 16


def test_every_file_but_the_manifest_has_its_digest(tmp_path: Path) -> None:
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls" / "box.key").write_bytes(b"key")
    (tmp_path / MANIFEST).write_text("{}")
    assert digests(tmp_path) == {"tls/box.key": hashlib.sha256(b"key").hexdigest()}
