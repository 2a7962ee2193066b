"""What a fact travels in: CloudEvents 1.0 envelopes, numbered within a stream of one source."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from hub.contract.base import Outgoing

MAX_INTEGER = 2**53 - 1
"""Integers stay within what every JSON reader keeps exactly (RFC 7493)."""

Stream = Literal["payments", "orders", "sales", "stock", "telemetry"]
STREAMS: tuple[Stream, ...] = ("payments", "orders", "sales", "stock", "telemetry")
"""The ordered streams of a source, most urgent first."""

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:\-]{0,63}$")]
Seq = Annotated[int, Field(strict=True, ge=0, le=MAX_INTEGER)]
Heads = dict[str, dict[Stream, Seq]]
"""Source URI → stream → the last sequence known there (0 = nothing yet)."""

_SOURCE_PATTERN = (
    r"^/stores/([A-Za-z0-9][A-Za-z0-9_-]{0,31})/hubs/([A-Za-z0-9][A-Za-z0-9._\-]{0,63})"
    r"/(0|[1-9][0-9]{0,8})(?:~([A-Za-z0-9]{1,32}))?$"
)
_SOURCE = re.compile(_SOURCE_PATTERN)


@dataclass(frozen=True, slots=True)
class EventSource:
    """Who wrote a row: ``/stores/{s}/hubs/{h}/{incarnation}`` with an optional ``~{fork}``.

    The fork tag marks rows written by a restored hub before its HELLO was answered.
    """

    store: str
    hub_id: str
    incarnation: int
    fork: str = ""

    @property
    def uri(self) -> str:
        tail = f"~{self.fork}" if self.fork else ""
        return f"/stores/{self.store}/hubs/{self.hub_id}/{self.incarnation}{tail}"

    @classmethod
    def parse(cls, uri: str) -> EventSource:
        """Raises ValueError quoting the URI when it isn't of that form."""
        found = _SOURCE.fullmatch(uri)
        if found is None:
            raise ValueError(
                f"event source {uri[:200]!r} is not /stores/<store>/hubs/<hub>/<incarnation>[~fork]"
            )
        return cls(found[1], found[2], int(found[3]), found[4] or "")


def sequence_text(seq: int) -> str:
    """A sequence as it travels: 20 digits, so that text order is number order."""
    if not 1 <= seq <= MAX_INTEGER:
        raise ValueError(f"a sequence is 1..{MAX_INTEGER}, not {seq}")
    return f"{seq:020d}"


def rfc3339(at_ms: int) -> str:
    """UTC milliseconds as the CloudEvents ``time`` attribute, e.g. 2026-11-22T05:37:54.120Z."""
    moment = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


class CloudEvent(Outgoing):
    """One fact (CloudEvents 1.0, JSON format), with the sequence and partitioning extensions.

    ``stream`` is an extension of this contract.  ``source``, ``stream`` and ``sequence`` are
    frozen when the row is written; other extension attributes are allowed and ignored.
    """

    specversion: Literal["1.0"] = "1.0"
    id: Id
    source: Annotated[str, Field(pattern=_SOURCE_PATTERN, max_length=200)]
    type: Annotated[
        str, Field(pattern=r"^com\.storehub\.[a-z_]{1,40}\.[a-z_]{1,40}\.v[1-9][0-9]?$")
    ]
    time: Annotated[str, Field(max_length=40)] | None = None
    subject: Annotated[str, Field(max_length=200)] | None = None
    datacontenttype: Literal["application/json"] = "application/json"
    stream: Stream
    sequence: Annotated[str, Field(pattern=r"^0{4}[0-9]{16}$")]
    partitionkey: Annotated[str, Field(min_length=1, max_length=128)]
    data: dict[str, JsonValue]

    @property
    def seq(self) -> int:
        return int(self.sequence)
