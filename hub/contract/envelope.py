"""What wraps a message on MQTT: replies, facts and the retained states."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field

from hub.contract.base import (
    DeviceId,
    Incoming,
    InstantMs,
    Outgoing,
    UniqueId,
)
from hub.contract.conditions import Told
from hub.contract.problems import Problem

MAX_RECORD_CHARS = 49_152
"""A user property of MQTT 5 has 65,535 bytes at most, and body and record share one message."""


class Reply(Outgoing):
    """The answer to one request, on ``dev/{id}/rep``.

    ``seq`` is the hub's work sequence up to which this answer's effects are written; the device
    keeps what it was answered until ``hub/state.safe_seq`` of the same incarnation reaches it.
    ``record`` is the hub's own, to be kept unread with a change and sent with it when it is offered
    again to another incarnation.  ``correlation`` repeats the request's for devices without MQTT 5
    properties.
    """

    ok: bool
    seq: int = 0
    result: dict[str, Any] | None = None
    problem: Problem | None = None
    record: str | None = None
    correlation: str | None = None


class Fact(Incoming):
    """Something that happened at a device, on ``dev/{id}/evt/{type}``; journalled until acked.

    Keyed (device, journal_id, evt_seq); ``journal_id`` is random per journal, so that a restored
    tablet can't reuse numbers.  The hub answers with a :class:`Reply` whose correlation is
    ``{journal_id}:{evt_seq}``.
    """

    journal_id: UniqueId
    evt_seq: int = Field(ge=1, strict=True)
    occurred_at_ms: InstantMs
    data: dict[str, Any] = Field(default_factory=dict)


class HubMode(StrEnum):
    """``online``: selling and the cloud is reached; ``offline``: selling, cloud away;
    ``recovery``: fenced after a restore, selling over the counter only; ``away``: the hub is down
    (its last will); ``superseded``: another box has taken over, nothing is accepted here."""

    ONLINE = "online"
    OFFLINE = "offline"
    RECOVERY = "recovery"
    SUPERSEDED = "superseded"
    AWAY = "away"


class HubState(Outgoing):
    """Retained on ``hub/state``."""

    mode: HubMode
    session: str
    incarnation: str = Field(description="number, or number~fork before the cloud was met")
    epoch: int
    seq: int
    safe_seq: int
    time_ms: InstantMs
    contract: tuple[int, int] = (1, 1)


class DevicePresence(StrEnum):
    """Life of a device's connection; ``lost`` is its last will."""

    INIT = "init"
    READY = "ready"
    SLEEPING = "sleeping"
    DISCONNECTED = "disconnected"
    LOST = "lost"


class DeviceState(Incoming):
    """Retained on ``dev/{id}/state``; ``session`` keeps a late last will from an old connection
    from marking a newer one lost.

    ``conditions`` are the whole truth about what is attached, told anew with each change; a last
    will has none.  What isn't told with ``ready`` or ``sleeping`` doesn't hold.
    """

    state: DevicePresence
    session: str = Field(max_length=64)
    conditions: Told | None = None


class DeviceMeta(Incoming):
    """Retained on ``dev/{id}/meta``."""

    kind: str = Field(max_length=32)
    model: str = Field(default="", max_length=64)
    firmware: str = Field(default="", max_length=64)
    contract: tuple[int, int] = (1, 1)
    capabilities: tuple[str, ...] = Field(default=(), max_length=64)


class Broadcast(Outgoing):
    """On ``bcast/{topic}``: a change notice; the truth is fetched by a query."""

    version: int
    time_ms: InstantMs
    data: dict[str, Any]


class DeviceCommand(Outgoing):
    """On ``dev/{id}/cmd/{operation}``: the hub asks a device; answered on ``cmd-rep``."""

    command_id: UniqueId
    device_id: DeviceId
    operation: str
    data: dict[str, Any]
