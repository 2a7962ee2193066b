"""Filling a store's empty data sets: from files, with the demo shop, or for a check."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub.clock import Randomness
from hub.contract.oms_datasets import DATASETS, DatasetName

from . import demo
from .datasets import check_row, load_rows
from .returnkeys import give_known_keys

if TYPE_CHECKING:
    from sqlite3 import Connection

SCRATCH_SKUS = 25


def fill_store(
    db: Connection,
    store: str,
    skus: int,
    folder: Path | None,
    randomness: Randomness,
    *,
    with_demo: bool = True,
) -> None:
    """Fill what is empty: from ``folder/{data set}.jsonl`` where there is one, else the demo shop.

    Raises ValueError naming the file and line of a row that is wrong.
    """
    is_new = _is_empty(db, store, "policies")
    for dataset in DATASETS:
        if not _is_empty(db, store, dataset):
            continue
        path = None if folder is None else folder / f"{dataset}.jsonl"
        if path is not None and path.exists():
            load_rows(db, store, dataset, _rows_of(path, dataset))
        elif with_demo:
            load_rows(db, store, dataset, _demo_rows(dataset, skus, randomness))
    if is_new:
        give_known_keys(db, store)


def fill_scratch(db: Connection, store: str) -> None:
    """A small catalogue, without staff."""
    if _is_empty(db, store, "catalog"):
        load_rows(db, store, "catalog", (row for row, _ in demo.products(SCRATCH_SKUS)))
        load_rows(db, store, "policies", demo.policy_rows())


def _is_empty(db: Connection, store: str, dataset: DatasetName) -> bool:
    found = db.execute(
        "SELECT 1 FROM dataset_rows WHERE store=? AND dataset=? LIMIT 1", (store, dataset)
    ).fetchone()
    return found is None


def _rows_of(path: Path, dataset: DatasetName) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                check_row(dataset, row)
            except (ValueError, AttributeError) as wrong:
                raise ValueError(f"{path}, line {number}: {wrong}") from None
            yield row


def _demo_rows(dataset: DatasetName, skus: int, randomness: Randomness) -> Iterator[dict[str, Any]]:
    match dataset:
        case "catalog":
            yield from (row for row, _ in demo.products(skus))
        case "prices":
            yield from (demo.price_row(row["sku"], price) for row, price in demo.products(skus))
        case "taxes":
            yield from demo.tax_rows()
        case "staff":
            yield from demo.role_rows()
            yield from demo.staff_rows(randomness)
        case "policies":
            yield from demo.policy_rows()
        case "promotions" | "customers":
            pass
