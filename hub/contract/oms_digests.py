"""Comparing stock with the cloud: bucket hashes at an agreed sequence, then what differs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hub.contract.base import Incoming, LevelQty, Outgoing, Sku
from hub.contract.oms_envelope import Heads, Seq
from hub.contract.oms_facts import PhysicalBucket

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
DigestBucket = Annotated[int, Field(strict=True, ge=0, le=255)]


class BucketDigest(Incoming):
    """The hash over the non-zero levels of the SKUs of one digest bucket (see ``digests``)."""

    bucket: DigestBucket
    hash: Sha256
    rows: Seq


class DigestRequest(Incoming):
    """``POST /digests``: my levels at these heads; a bucket not listed is empty."""

    heads: Heads
    kind: Literal["stock"] = "stock"
    buckets: Annotated[tuple[BucketDigest, ...], Field(max_length=256)]


class DigestReply(Outgoing):
    """``behind``: the OMS has not yet got all events up to the heads; send them first."""

    status: Literal["equal", "differs", "behind"]
    differing: tuple[int, ...] = ()
    oms_incarnation: str = ""


class SkuLevels(Incoming):
    """Quantities per stock bucket; zeros may be left out."""

    sku: Sku
    levels: dict[PhysicalBucket, LevelQty]


class DigestDetailRequest(Incoming):
    """``POST /digests/detail``: all my non-zero SKUs of one digest bucket at these heads."""

    heads: Heads
    bucket: DigestBucket
    rows: Annotated[tuple[SkuLevels, ...], Field(max_length=8000)]


class SkuDifference(Outgoing):
    """Quantities per stock bucket on both sides, zeros left out."""

    sku: str
    hub: dict[str, int]
    oms: dict[str, int]


class DigestDetailReply(Outgoing):
    status: Literal["compared", "behind"]
    differences: tuple[SkuDifference, ...] = ()
    oms_incarnation: str = ""


# --- the rest -------------------------------------------------------------------------------------
