"""Data sets: rows, the log of their changes, and frozen snapshots in chunk files."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub.contract.oms import OmsCode
from hub.contract.oms_datasets import (
    MAX_CHANGES,
    ROW_MODELS,
    Change,
    Changes,
    Chunk,
    DatasetName,
    Manifest,
    row_key,
)

from .cursors import cursor_text, split_cursor
from .problems import refuse

if TYPE_CHECKING:
    from sqlite3 import Connection

CHUNK_ROWS = 5000
CHUNK_BYTES = 1024 * 1024
CHANGES_KEPT = 100_000
GENERATIONS_KEPT = 3


def check_row(dataset: DatasetName, row: Mapping[str, Any]) -> None:
    """Raises ValueError (pydantic's included) for a row that fits no model of the data set."""
    models = ROW_MODELS[dataset]
    kinds = {model.model_fields["kind"].default: model for model in models if _has_kind(model)}
    if kinds:
        chosen = kinds.get(row.get("kind"))
        if chosen is None:
            raise ValueError(f"a row of {dataset} has kind {' or '.join(map(str, kinds))}")
        chosen.model_validate(row)
    elif models:
        models[0].model_validate(row)


def _has_kind(model: type[Any]) -> bool:
    return "kind" in model.model_fields


def load_rows(
    db: Connection, store: str, dataset: DatasetName, rows: Iterable[Mapping[str, Any]]
) -> None:
    """The first filling of a data set: not written to the change log."""
    db.executemany(
        "INSERT OR REPLACE INTO dataset_rows VALUES (?, ?, ?, ?)",
        ((store, dataset, row_key(dataset, row), _text(row)) for row in rows),
    )


def _text(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"))


def change_rows(
    db: Connection,
    store: str,
    dataset: DatasetName,
    upserts: Iterable[Mapping[str, Any]],
    deletes: Iterable[Mapping[str, Any]],
) -> None:
    """Change rows and log it; the log keeps the last 100,000 changes of a data set."""
    for op, rows in (("upsert", upserts), ("delete", deletes)):
        for row in rows:
            key = row_key(dataset, row)
            if op == "upsert":
                db.execute(
                    "INSERT OR REPLACE INTO dataset_rows VALUES (?, ?, ?, ?)",
                    (store, dataset, key, _text(row)),
                )
            else:
                db.execute(
                    "DELETE FROM dataset_rows WHERE store=? AND dataset=? AND key=?",
                    (store, dataset, key),
                )
            db.execute(
                "INSERT INTO dataset_changes (store, dataset, op, row) VALUES (?, ?, ?, ?)",
                (store, dataset, op, _text(row)),
            )
    db.execute(
        "DELETE FROM dataset_changes WHERE store=? AND dataset=? AND n<=("
        " SELECT n FROM dataset_changes WHERE store=? AND dataset=?"
        " ORDER BY n DESC LIMIT 1 OFFSET ?)",
        (store, dataset, store, dataset, CHANGES_KEPT),
    )


def changes_head(db: Connection, store: str, dataset: str) -> int:
    """The number of the last change (0 = none since the first filling)."""
    row = db.execute(
        "SELECT max(n) FROM dataset_changes WHERE store=? AND dataset=?", (store, dataset)
    ).fetchone()
    return int(row[0] or 0)


def changes_after(
    db: Connection, store: str, dataset: DatasetName, cursor: str, limit: int, life: str
) -> Changes:
    """The next changes; 410 when the log can't tell (another life, or older than what is kept)."""
    if not cursor:
        raise refuse(OmsCode.CURSOR_GONE, "The log has no beginning; ask for the manifest.")
    given_life, start = split_cursor(cursor)
    (oldest, count) = db.execute(
        "SELECT min(n), count(*) FROM dataset_changes WHERE store=? AND dataset=?",
        (store, dataset),
    ).fetchone()
    dropped = count >= CHANGES_KEPT and start < oldest
    if given_life != life or dropped or start > changes_head(db, store, dataset):
        raise refuse(
            OmsCode.CURSOR_GONE, f"The changes of {dataset} don't reach back; take a new snapshot."
        )
    rows = db.execute(
        "SELECT n, op, row FROM dataset_changes WHERE store=? AND dataset=? AND n>?"
        " ORDER BY n LIMIT ?",
        (store, dataset, start, min(limit, MAX_CHANGES) + 1),
    ).fetchall()
    page = rows[: min(limit, MAX_CHANGES)]
    return Changes(
        changes=tuple(Change(op=op, row=json.loads(row)) for _, op, row in page),
        cursor=cursor_text(life, page[-1][0] if page else start),
        more=len(rows) > len(page),
        oms_incarnation=life,
    )


class Snapshots:
    """Chunk files under ``root/{store}/{dataset}/{generation}/``, zstd; three generations kept."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def manifest(self, db: Connection, store: str, dataset: DatasetName, life: str) -> Manifest:
        """The manifest of the present rows, writing their snapshot if it isn't there yet."""
        head = changes_head(db, store, dataset)
        generation = f"{life}-{head}"
        folder = self._root / store / dataset / generation
        known = folder / "manifest.json"
        if known.exists():
            return Manifest.model_validate_json(known.read_text("utf-8"))
        fresh = folder.with_name(generation + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        chunks = tuple(
            _write_chunk(
                fresh,
                index,
                count,
                text,
                f"/v1/stores/{store}/datasets/{dataset}/chunks/{generation}/{index}",
            )
            for index, (count, text) in enumerate(_chunk_texts(db, store, dataset))
        )
        manifest = Manifest(
            dataset=dataset,
            generation=generation,
            as_of_cursor=cursor_text(life, head),
            rows=sum(chunk.rows for chunk in chunks),
            chunks=chunks,
            oms_incarnation=life,
        )
        (fresh / "manifest.json").write_text(manifest.model_dump_json(), "utf-8")
        fresh.replace(folder)
        self._drop_old(folder)
        return manifest

    def _drop_old(self, newest: Path) -> None:
        others = [one for one in newest.parent.iterdir() if one != newest]
        others.sort(key=lambda one: one.stat().st_mtime_ns, reverse=True)
        for one in others[GENERATIONS_KEPT - 1 :]:
            shutil.rmtree(one)

    def chunk(self, store: str, dataset: DatasetName, generation: str, index: int) -> bytes:
        """One chunk as zstd; 410 when its generation is gone."""
        path = self._root / store / dataset / generation / f"{index}.jsonl.zst"
        try:
            return path.read_bytes()
        except FileNotFoundError:
            raise refuse(
                OmsCode.CURSOR_GONE, "This snapshot is no longer kept; ask for the manifest again."
            ) from None


def _chunk_texts(db: Connection, store: str, dataset: str) -> Iterator[tuple[int, bytes]]:
    count, size = 0, 0
    parts: list[bytes] = []
    for (row,) in db.execute(
        "SELECT row FROM dataset_rows WHERE store=? AND dataset=? ORDER BY key", (store, dataset)
    ):
        line = row.encode() + b"\n"
        if parts and (count >= CHUNK_ROWS or size + len(line) > CHUNK_BYTES):
            yield count, b"".join(parts)
            count, size, parts = 0, 0, []
        parts.append(line)
        count, size = count + 1, size + len(line)
    if parts:
        yield count, b"".join(parts)


def _write_chunk(folder: Path, index: int, count: int, text: bytes, url: str) -> Chunk:
    import zstandard

    (folder / f"{index}.jsonl.zst").write_bytes(zstandard.compress(text, 3))
    return Chunk(
        index=index,
        rows=count,
        bytes=len(text),
        sha256=hashlib.sha256(text).hexdigest(),
        url=url,
    )
