"""The data sets the cloud is the authority for: snapshots in chunks, then a log of changes.

A snapshot: ``GET manifest``, then every chunk.  A chunk is JSON Lines (one row a line, ``\\n``
after each), sent with ``Content-Encoding`` zstd or gzip as asked; ``sha256`` and ``bytes`` are of
the text after decompression.  Then ``GET changes`` from ``as_of_cursor``; 410 ``cursor-gone``
means: take a new snapshot.  Rows ignore unknown fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from hub.contract.base import AmountMinor, InstantMs, Outgoing, Sku, StaffId

DatasetName = Literal["catalog", "prices", "promotions", "taxes", "customers", "staff", "policies"]
DATASETS: tuple[DatasetName, ...] = (
    "catalog",
    "prices",
    "promotions",
    "taxes",
    "customers",
    "staff",
    "policies",
)
MAX_CHANGES = 1000
RETURN_KEYS_POLICY = "return_keys."
"""With a shop's id behind it: the policy of that shop's keys."""
MAX_CHUNK_BYTES = 4 * 1024 * 1024
"""Most bytes of one chunk after decompression."""


class Chunk(Outgoing):
    """One piece of a snapshot; ``url`` is absolute or relative to the OMS's root."""

    index: int
    rows: int
    bytes: int
    sha256: str
    url: str


class Manifest(Outgoing):
    """A frozen snapshot.  The same generation always has the same bytes."""

    dataset: DatasetName
    generation: str
    as_of_cursor: str
    rows: int
    chunks: tuple[Chunk, ...]
    oms_incarnation: str


class Change(Outgoing):
    """A whole new row, or (``delete``) at least the key fields of the row that went."""

    op: Literal["upsert", "delete"]
    row: dict[str, JsonValue]


class Changes(Outgoing):
    """What follows the cursor; ``more`` = ask again at once."""

    changes: tuple[Change, ...]
    cursor: str
    more: bool
    oms_incarnation: str


class CatalogRow(Outgoing):
    """A product.  ``barcodes`` are GTIN-14; ``scale`` says what a base unit is (kg at 3 = gram)."""

    sku: Sku
    name: Annotated[str, Field(min_length=1, max_length=200)]
    barcodes: tuple[Annotated[str, Field(pattern=r"^[0-9]{14}$")], ...] = ()
    uom: Annotated[str, Field(max_length=16)]
    scale: Annotated[int, Field(ge=0, le=6)]
    tax_code: Annotated[str, Field(max_length=32)]
    category: Annotated[str, Field(max_length=100)] = ""
    active: bool = True
    age_min: int | None = None


class PriceRow(Outgoing):
    """Price of one unit (of one kg when the uom is kg), in the book currency.  The row of a SKU
    with the latest ``valid_from_ms`` that has begun and not ended is in force; key: sku and
    valid_from_ms."""

    sku: Sku
    price_minor: AmountMinor
    valid_from_ms: InstantMs | None = None
    valid_to_ms: InstantMs | None = None


class TaxPolicyRow(Outgoing):
    """How tax is computed; exactly one such row."""

    kind: Literal["policy"] = "policy"
    mode: Literal["inclusive", "exclusive"]
    rounding_scope: Literal["line", "total"]
    rounding: Literal["half_up", "half_even", "down"]


class TaxRateRow(Outgoing):
    """A rate in parts per million (19 % = 190000); key: tax_code."""

    kind: Literal["rate"] = "rate"
    tax_code: Annotated[str, Field(max_length=32)]
    name: Annotated[str, Field(max_length=100)] = ""
    rate_ppm: Annotated[int, Field(strict=True, ge=0, le=1_000_000)]


class StaffRow(Outgoing):
    """A member of staff; ``pin_hash`` is an argon2id encoded string (19 MiB, t=2)."""

    kind: Literal["staff"] = "staff"
    staff_id: StaffId
    name: Annotated[str, Field(max_length=100)]
    role: Annotated[str, Field(max_length=32)]
    pin_hash: Annotated[str, Field(pattern=r"^\$argon2id\$", max_length=200)]
    active: bool = True


class RoleRow(Outgoing):
    """What a role may do: permission → the most (minor units), None = without limit."""

    kind: Literal["role"] = "role"
    role: Annotated[str, Field(max_length=32)]
    permissions: dict[str, int | None]


class PolicyRow(Outgoing):
    """A setting of the shop; key: key.

    ``return_keys.{store}``: the public keys (base64url with padding) that receipts of a shop were
    ever signed under, the newest first; a hub tries up to 16.
    """

    key: Annotated[str, Field(max_length=64)]
    value: JsonValue


ROW_MODELS: Mapping[DatasetName, tuple[type[Outgoing], ...]] = MappingProxyType(
    {
        "catalog": (CatalogRow,),
        "prices": (PriceRow,),
        "promotions": (),
        "taxes": (TaxPolicyRow, TaxRateRow),
        "customers": (),
        "staff": (StaffRow, RoleRow),
        "policies": (PolicyRow,),
    }
)
"""The row models of each data set, told apart by ``kind``; empty: not laid down yet."""

_KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "catalog": ("sku",),
        "prices": ("sku", "valid_from_ms"),
        "taxes": ("kind", "tax_code"),
        "staff": ("kind", "staff_id", "role"),
        "policies": ("key",),
        "promotions": ("promotion_id",),
        "customers": ("customer_id",),
    }
)


def row_key(dataset: DatasetName, row: Mapping[str, Any]) -> str:
    """The text that identifies a row within its data set.

    A ``staff`` row is keyed by kind and staff_id alone: a change of role is a change of the row.
    """
    names = _KEYS[dataset]
    if dataset == "staff":
        names = ("kind", "staff_id") if row.get("kind", "staff") == "staff" else ("kind", "role")
    return "|".join("" if row.get(name) is None else str(row[name]) for name in names)
