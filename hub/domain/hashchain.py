"""A hash chain over rows, so that a changed, missing or moved row shows.

Each row's hash is SHA-256 over a label, the hash before it and the row's canonical bytes, each with
its length in front (so that no two inputs share their bytes).  Canonical bytes are JSON as RFC 8785
writes it, restricted to what the shop stores: no floats, keys are strings.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from hub.domain.errors import Invalid, Json

GENESIS: Final = bytes(32)
"""The hash before the first row."""
MAX_DEPTH: Final = 32
_FLAT: Final = frozenset({int, str, bool, type(None)})
_ENCODER: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical(value: Json | Mapping[str, Json]) -> bytes:
    """UTF-8 JSON with sorted keys and no spaces: equal values give equal bytes.

    Floats, other key types, lone surrogates and nesting beyond 32 → ``validation``.
    """
    if not (type(value) is list and all(type(item) in _FLAT for item in value)):
        _check(value)
    text = _ENCODER.encode(dict(value) if isinstance(value, Mapping) else value)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise Invalid("The text holds half a character (a lone surrogate): send UTF-8.") from None


def digest(value: Json | Mapping[str, Json]) -> str:
    """SHA-256 of the canonical bytes, 64 hexadecimal characters."""
    return sha256(canonical(value)).hexdigest()


def chain_hash(label: str, previous: bytes, payload: Json | Mapping[str, Json]) -> bytes:
    """The hash of a row whose predecessor's is ``previous`` (32 bytes).

    ``label`` names the chain (``audit``, ``stock``): a row of one never fits another.
    """
    return link(label, previous, canonical(payload))


def link(label: str, previous: bytes, payload: bytes) -> bytes:
    """The same of a payload whose canonical bytes are at hand."""
    assert len(previous) == 32
    return sha256(
        b"".join(
            (
                len(label).to_bytes(8, "big"),
                label.encode("ascii"),
                b"\0\0\0\0\0\0\0\x20",
                previous,
                len(payload).to_bytes(8, "big"),
                payload,
            )
        )
    ).digest()


@dataclass(frozen=True, slots=True)
class ChainRow:
    """A stored row: contiguous ``seq``, its payload, and the hash written with it."""

    seq: int
    payload: Json | Mapping[str, Json]
    hash: bytes


def verify(
    label: str,
    rows: Iterable[ChainRow],
    *,
    first_seq: int = 1,
    previous: bytes = GENESIS,
    head: tuple[int, bytes] | None = None,
) -> int | None:
    """The first broken position, or None if the chain holds.

    ``previous`` is the hash before ``first_seq`` (to verify a tail).  ``head`` is a sequence number
    and hash kept elsewhere (the cloud has the audit log's): a chain that ends before it or has
    another hash there is broken at that place.  A chain rewritten as a whole shows only by it.
    """
    seq = first_seq
    for row in rows:
        if row.seq != seq:
            return seq
        previous = chain_hash(label, previous, row.payload)
        if row.hash != previous or (head is not None and head[0] == seq and head[1] != previous):
            return seq
        seq += 1
    if head is not None and head[0] >= seq:
        return seq
    return None


def _check(value: object) -> None:
    stack: list[tuple[object, int]] = [(value, 0)]
    while stack:
        node, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise Invalid(f"The value is nested deeper than {MAX_DEPTH}: flatten it.")
        match node:
            case None | bool() | int() | str():
                pass
            case list() | tuple():
                stack.extend((item, depth + 1) for item in node)
            case Mapping():
                if not all(isinstance(key, str) for key in node):
                    raise Invalid("A canonical object has text keys only: convert the others.")
                stack.extend((item, depth + 1) for item in node.values())
            case _:
                raise Invalid(
                    f"A {type(node).__name__} has no canonical form: use integers, text, booleans,"
                    " lists and objects."
                )
