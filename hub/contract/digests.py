"""Hashing of stock levels, shared by hub and OMS so that they can compare without sending all.

A SKU's digest bucket is the first byte of sha256(SKU as UTF-8).  A bucket's hash is the sha256
over one line per SKU with any non-zero level, sorted by the SKU's UTF-8 bytes:
``sku|sellable|staged|quarantine|refurbish|damaged|transit_in\\n``.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping

from hub.contract.oms_digests import BucketDigest
from hub.contract.oms_facts import PHYSICAL_BUCKETS

EMPTY_HASH = hashlib.sha256(b"").hexdigest()


def digest_bucket(sku: str) -> int:
    """0..255."""
    return hashlib.sha256(sku.encode()).digest()[0]


def level_line(sku: str, levels: Mapping[str, int]) -> bytes | None:
    """The line hashed for a SKU, or None when all its levels are zero.

    ``levels``: stock bucket → base units; missing ones are zero, others are ignored.
    """
    numbers = [levels.get(name, 0) for name in PHYSICAL_BUCKETS]
    if not any(numbers):
        return None
    return f"{sku}|{'|'.join(map(str, numbers))}\n".encode()


def bucket_digests(rows: Iterable[tuple[str, Mapping[str, int]]]) -> tuple[BucketDigest, ...]:
    """The digests of all non-empty buckets, by number.  Each SKU may come once."""
    lines: defaultdict[int, list[tuple[bytes, bytes]]] = defaultdict(list)
    for sku, levels in rows:
        line = level_line(sku, levels)
        if line is not None:
            lines[digest_bucket(sku)].append((sku.encode(), line))
    return tuple(_digest(bucket, lines[bucket]) for bucket in sorted(lines))


def _digest(bucket: int, lines: list[tuple[bytes, bytes]]) -> BucketDigest:
    digest = hashlib.sha256()
    for _, line in sorted(lines):
        digest.update(line)
    return BucketDigest(bucket=bucket, hash=digest.hexdigest(), rows=len(lines))


def differing_buckets(
    mine: Iterable[BucketDigest], theirs: Iterable[BucketDigest]
) -> tuple[int, ...]:
    """The buckets whose hashes differ; a bucket one side doesn't list is empty there."""
    left = {row.bucket: row.hash for row in mine}
    right = {row.bucket: row.hash for row in theirs}
    return tuple(
        number
        for number in sorted(left.keys() | right.keys())
        if left.get(number, EMPTY_HASH) != right.get(number, EMPTY_HASH)
    )
