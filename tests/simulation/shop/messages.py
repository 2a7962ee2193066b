"""What travels between the tills, the broker and the hub: MQTT 5 PUBLISH, as far as it matters."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Publish:
    """``sender`` is the authenticated client (the broker's access rules make it part of topics)."""

    sender: str
    topic: str
    payload: bytes
    correlation: bytes | None = None
    idk: str | None = None
    expiry_s: int | None = None
    retain: bool = False
    record: str | None = None


@dataclass(frozen=True, slots=True)
class Connect:
    """A client's session begins; the broker answers with what it retains for it."""

    client: str
    topics: tuple[str, ...] = ()
