"""Spans: who took how long for what, as OpenTelemetry has them.

Nothing in one was typed by a person or sold: ids, codes and numbers only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal, NamedTuple

from hub.events import Value
from hub.service.screening import is_card_id

SpanKind = Literal["internal", "server", "client", "producer"]
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NOBODY: Final = "0" * 32
"""An id that W3C Trace Context forbids."""


class Place(NamedTuple):
    """Where a span stands: the ids of its trace (32 hexadecimal digits) and its own (16)."""

    trace_id: str
    span_id: str


@dataclass(frozen=True, slots=True)
class Span:
    """Instants are nanoseconds since 1970; ``failure``: the code of what went wrong."""

    place: Place
    name: str
    kind: SpanKind
    began_ns: int
    ended_ns: int
    attributes: Mapping[str, Value]
    parent_id: str = ""
    links: tuple[Place, ...] = ()
    failure: str = ""


def trace_id_of(caller: str, key: str) -> str:
    """The trace that a request belongs to, the same for every repeat of it.

    An idempotency key that is a UUID is the id itself, so that a device's journal, the log and the
    trace name one request alike; of any other key, and of one that looks like a card's number, a
    digest is taken.
    """
    if is_plain(key):
        return key.replace("-", "")
    return sha256(f"{caller}\0{key}".encode(errors="surrogatepass")).hexdigest()[:32]


def is_plain(key: str) -> bool:
    """Whether a key may be shown: a UUID that no card number hides in."""
    if not _UUID.fullmatch(key):
        return False
    return key.replace("-", "") != _NOBODY and not is_card_id(key)
