"""The cloud's data sets: rows checked and shaped, staged, swapped in, changed; searching them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, ClassVar

from pydantic import Field, TypeAdapter, ValidationError

from hub.contract.base import Command
from hub.contract.catalog import Search, SearchHit, SearchResult
from hub.contract.oms_datasets import (
    CatalogRow,
    Change,
    DatasetName,
    PolicyRow,
    PriceRow,
    RoleRow,
    StaffRow,
    TaxPolicyRow,
    TaxRateRow,
)
from hub.domain.cards import mask, screen
from hub.service import pagestaff
from hub.service.gate import Reader, ReadUnit
from hub.service.internal import InternalCommand
from hub.service.notices import DatasetSwapped
from hub.service.unit import Unit
from hub.storage import catalogrows, datasetrows, searchindex
from hub.storage.datasetrows import DatasetRow, TableRow
from hub.storage.rows import Rows

SYNCED: tuple[DatasetName, ...] = ("taxes", "policies", "staff", "catalog", "prices")
"""What this version keeps, what selling needs first; the order of the first sync."""
ROWS_PER_JOB = 250
TOO_BIG = "a number is larger than 64 bits hold"


# Rows --------------------------------------------------------------------------------------------


class BadRow(ValueError):
    """A row that fits no model of its data set; the message names it."""


class SafetyCatalogRow(CatalogRow):
    """A product with the stock kept back from remote promises."""

    safety_qty: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0


@cache
def _adapter(dataset: str) -> TypeAdapter[Any]:
    match dataset:
        case "catalog":
            return TypeAdapter(SafetyCatalogRow)
        case "prices":
            return TypeAdapter(PriceRow)
        case "taxes":
            return TypeAdapter(Annotated[TaxPolicyRow | TaxRateRow, Field(discriminator="kind")])
        case "staff":
            return TypeAdapter(Annotated[StaffRow | RoleRow, Field(discriminator="kind")])
        case "policies":
            return TypeAdapter(PolicyRow)
        case _:
            raise ValueError(f"{dataset} is not a data set this hub keeps")


def read_lines(
    dataset: str, text: bytes, *, where: str, first_line: int = 1
) -> tuple[int, list[TableRow]]:
    """JSON Lines as ``(rows, table rows)``.  Errors: :class:`BadRow` naming ``where`` and the line.

    Plain work of the processor: for a thread.
    """
    validate = _adapter(dataset).validate_json
    found: list[TableRow] = []
    count = 0
    for number, line in enumerate(text.split(b"\n"), start=first_line):
        if not line or line.isspace():
            continue
        try:
            shaped = table_rows(validate(line))
        except ValidationError as wrong:
            raise BadRow(f"{where}, line {number}: {_why(wrong)}") from None
        except BadRow as wrong:
            raise BadRow(f"{where}, line {number}: {wrong}") from None
        if not _fits(shaped):
            raise BadRow(f"{where}, line {number}: {TOO_BIG}")
        found += shaped
        count += 1
    return count, found


def _fits(rows: Iterable[TableRow]) -> bool:
    """Whether the database can hold every number."""
    return all(
        type(value) is not int or -(2**63) <= value < 2**63
        for _, values in rows
        for value in values
    )


def _why(wrong: ValidationError) -> str:
    first = wrong.errors(include_url=False, include_context=False)[0]
    value = repr(first.get("input"))
    shown = value if len(value) <= 80 else value[:80] + "…"
    return f"{'.'.join(map(str, first['loc'])) or 'row'}: {first['msg']} (got {shown})"


def table_rows(row: Any) -> list[TableRow]:
    """A data set's row as rows of tables; card numbers in its texts become stars.

    Errors: :class:`BadRow`."""
    match row:
        case SafetyCatalogRow():
            product = (
                row.sku, mask(row.name), mask(row.uom), row.scale, row.tax_code, mask(row.category),
                row.age_min, int(row.active), row.safety_qty,
            )  # fmt: skip
            codes = [("barcodes", (gtin, row.sku)) for gtin in row.barcodes]
            return [("products", product), *codes]
        case PriceRow():
            begins = row.valid_from_ms or 0
            return [("prices", (row.sku, begins, row.valid_to_ms, row.price_minor))]
        case TaxPolicyRow():
            return [("taxes", ("", row.model_dump_json()))]
        case TaxRateRow(tax_code=""):
            raise BadRow("a rate without its tax_code: it would take the policy's place")
        case TaxRateRow():
            named = row.model_copy(update={"name": mask(row.name)})
            return [("taxes", (row.tax_code, named.model_dump_json()))]
        case StaffRow():
            values = (row.staff_id, mask(row.name), row.role, row.pin_hash, int(row.active))
            return [("staff", values)]
        case RoleRow():
            return [("roles", (row.role, json.dumps(row.permissions)))]
        case PolicyRow():
            return [("policies", (row.key, json.dumps(_masked(row.value))))]
        case _:
            raise AssertionError(f"{type(row).__name__} has no table")


def _masked(value: Any) -> Any:
    """A policy's value with stars for card numbers, as texts where they were numbers."""
    match value:
        case str():
            return mask(value)
        case dict():
            return {mask(key): _masked(inner) for key, inner in value.items()}
        case list():
            return [_masked(inner) for inner in value]
        case int() | float() if screen(value) is not None:
            return mask(str(value))
        case _:
            return value


def key_rows(dataset: str, row: Mapping[str, Any]) -> list[TableRow]:
    """The keys of a row that went."""
    match dataset:
        case "catalog":
            return [("products", (row.get("sku"),))]
        case "prices":
            return [("prices", (row.get("sku"), row.get("valid_from_ms") or 0))]
        case "taxes":
            # The policy is replaced, never gone: without one nothing could be sold.
            return (
                [] if row.get("kind") == "policy" else [("taxes", (row.get("tax_code") or None,))]
            )
        case "staff":
            if row.get("kind") == "role":
                return [("roles", (row.get("role"),))]
            return [("staff", (row.get("staff_id"),))]
        case "policies":
            return [("policies", (row.get("key"),))]
        case _:
            raise ValueError(f"{dataset} is not a data set this hub keeps")


def jobs(rows: Sequence[TableRow]) -> Iterator[Sequence[TableRow]]:
    """Pieces that the writer takes without keeping a till waiting."""
    for start in range(0, len(rows), ROWS_PER_JOB):
        yield rows[start : start + ROWS_PER_JOB]


# Staging -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BeginStaging(InternalCommand):
    """Stage a new generation called ``label``; the value is the :class:`DatasetRow`."""

    dataset: str
    label: str


@dataclass(frozen=True, slots=True)
class StageRows(InternalCommand):
    """Write rows of the generation that is being staged; the last piece of a chunk sets
    ``chunks_done``.  The value is False when another generation is being staged by now."""

    background: ClassVar[bool] = True
    dataset: str
    staging: int
    rows: Sequence[TableRow]
    chunks_done: int | None


@dataclass(frozen=True, slots=True)
class SwapStaging(InternalCommand):
    """Put the staged generation in force."""

    dataset: str
    staging: int
    label: str
    cursor: str
    rows: int


@dataclass(frozen=True, slots=True)
class DropStaging(InternalCommand):
    """Give up what is staged."""

    dataset: str


@dataclass(frozen=True, slots=True)
class PurgeGenerations(InternalCommand):
    """Delete some rows of old generations; how many."""

    background: ClassVar[bool] = True
    dataset: str


@dataclass(frozen=True, slots=True)
class ApplyChanges(InternalCommand):
    """A page of changes to generation ``generation`` and the cursor after it."""

    dataset: str
    generation: int
    removed: Sequence[TableRow]
    written: Sequence[TableRow]
    changes: int
    cursor: str


def begin_staging(unit: Unit, command: BeginStaging) -> DatasetRow:
    """See :class:`BeginStaging`."""
    return datasetrows.begin_staging(unit.tx, command.dataset, command.label)


def stage_rows(unit: Unit, command: StageRows) -> bool:
    """See :class:`StageRows`."""
    if datasetrows.get(unit.tx, command.dataset).staging != command.staging:
        return False
    datasetrows.add(unit.tx, command.staging, command.rows)
    if command.chunks_done is not None:
        datasetrows.set_chunk(unit.tx, command.dataset, command.chunks_done)
    return True


def swap_staging(unit: Unit, command: SwapStaging) -> bool:
    """See :class:`SwapStaging`; False when something else is staged by now."""
    if datasetrows.get(unit.tx, command.dataset).staging != command.staging:
        return False
    if command.dataset == "taxes" and not datasetrows.has_tax_policy(unit.tx, command.staging):
        raise BadRow("the taxes have no row of kind policy: nothing could be sold by them")
    datasetrows.swap(
        unit.tx, command.dataset, label=command.label, cursor=command.cursor, rows=command.rows
    )
    if command.dataset == "staff":
        pagestaff.end_sessions(unit)
    unit.note("dataset.swapped", command.dataset, {"label": command.label, "rows": command.rows})
    unit.tell(DatasetSwapped(command.dataset, command.label, snapshot=True))
    return True


def drop_staging(unit: Unit, command: DropStaging) -> None:
    """See :class:`DropStaging`."""
    datasetrows.drop_staging(unit.tx, command.dataset)


def purge_generations(unit: Unit, command: PurgeGenerations) -> int:
    """See :class:`PurgeGenerations`."""
    return datasetrows.purge(unit.tx, command.dataset)


def apply_changes(unit: Unit, command: ApplyChanges) -> bool:
    """See :class:`ApplyChanges`; False when another generation is in force by now."""
    now = datasetrows.get(unit.tx, command.dataset)
    if now.generation != command.generation:
        return False
    datasetrows.remove(unit.tx, command.generation, command.removed)
    datasetrows.add(unit.tx, command.generation, command.written)
    datasetrows.set_cursor(unit.tx, command.dataset, command.cursor, changes=command.changes)
    if command.dataset == "staff":
        pagestaff.end_sessions(unit)
    if command.changes:
        unit.tell(DatasetSwapped(command.dataset, now.label, snapshot=False))
    return True


# Changes -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shaped:
    """A page of changes as table rows; ``bad`` says which rows were left out and why."""

    removed: tuple[TableRow, ...]
    written: tuple[TableRow, ...]
    bad: tuple[str, ...]


def shape_changes(rows: Rows, dataset: str, generation: int, changes: Sequence[Change]) -> Shaped:
    """Changes as table rows, the last one of each key.  For a reader's thread.

    A bad row is left out and named, so that one mistake doesn't hold back a price change; a
    product's old barcodes go with it.
    """
    validate = _adapter(dataset).validate_python
    latest: dict[TableRow, list[TableRow]] = {}
    bad: list[str] = []
    for change in changes:
        keys = key_rows(dataset, change.row)
        if not all(isinstance(value, str | int) for _, values in keys for value in values):
            bad.append(f"a row without its key: {str(dict(change.row))[:100]}")
            continue
        try:
            written = table_rows(validate(change.row)) if change.op == "upsert" else []
        except ValidationError as wrong:
            bad.append(f"{keys}: {_why(wrong)}")
            continue
        if not _fits(keys) or not _fits(written):
            bad.append(f"{str(keys)[:100]}: {TOO_BIG}")
            continue
        key = keys[0] if keys else ("taxes", ("",))
        if change.op == "upsert" or keys:
            latest.pop(key, None)
            latest[key] = written
    removed = list(latest)
    if dataset == "catalog" and latest:
        skus = [str(values[0]) for _, values in latest]
        stale = datasetrows.barcodes_of(rows, generation, skus)
        removed += [("barcodes", (gtin,)) for gtin, _ in stale]
    written_rows = [row for found in latest.values() for row in found]
    return Shaped(tuple(removed), tuple(written_rows), tuple(bad))


# Reading -----------------------------------------------------------------------------------------


def dataset_row(rows: Rows, dataset: str) -> DatasetRow:
    """Where a data set stands."""
    return datasetrows.get(rows, dataset)


def dataset_rows(rows: Rows) -> list[DatasetRow]:
    """Where all data sets stand."""
    return datasetrows.listed(rows)


def staged_rows(rows: Rows, dataset: str, generation: int) -> int:
    """How many rows of a generation are there."""
    return datasetrows.staged_rows(rows, dataset, generation)


def search(unit: ReadUnit, query: Search) -> SearchResult:
    """See :class:`Search`."""
    found = searchindex.search(unit.rows, query.text, query.limit + 1)
    hits = []
    for hit in found[: query.limit]:
        product = catalogrows.by_sku(unit.rows, hit.sku, unit.now_ms)
        if product is not None and product.active:
            hits.append(
                SearchHit(
                    sku=product.sku,
                    name=product.name,
                    price_minor=product.price_minor,
                    category=product.category,
                )
            )
    return SearchResult(hits=tuple(hits), more=len(found) > query.limit)


SLOW_READS: dict[type[Command], Reader] = {Search: search}
INTERNAL: dict[type[Any], Callable[[Unit, Any], Any]] = {
    BeginStaging: begin_staging,
    StageRows: stage_rows,
    SwapStaging: swap_staging,
    DropStaging: drop_staging,
    PurgeGenerations: purge_generations,
    ApplyChanges: apply_changes,
}
