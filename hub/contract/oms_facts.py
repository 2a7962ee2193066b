"""What every fact that goes up to the cloud is made of."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from hub.contract.base import Outgoing
from hub.contract.oms_envelope import Id

PREFIX = "com.storehub."

PhysicalBucket = Literal["sellable", "staged", "quarantine", "refurbish", "damaged", "transit_in"]
PHYSICAL_BUCKETS: tuple[PhysicalBucket, ...] = (
    "sellable",
    "staged",
    "quarantine",
    "refurbish",
    "damaged",
    "transit_in",
)
"""Buckets that hold goods; the order is the one the digests hash them in."""

Place = Literal[
    "sellable",
    "staged",
    "quarantine",
    "refurbish",
    "damaged",
    "transit_in",
    "supplier",
    "customer",
    "other_store",
    "shrink",
]

Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Day = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class Fact(Outgoing):
    """The data of an event; ``original_id`` names the parked event this one is sent in place of."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    original_id: Id | None = None


class Part(Outgoing):
    """A part of a fact."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)
