"""The link to the cloud: what waits, what was sent, what waits aside, what came down.

- ``GET /api/1/cloud``                 → :class:`CloudPage`
- ``GET /api/1/cloud/events``          → :class:`EventsPage`
- ``GET /api/1/cloud/events/{outbox_id}`` → :class:`EventWhole`
- ``GET /api/1/cloud/parked``          → :class:`ParkedPage`
- ``GET /api/1/cloud/commands``        → :class:`CommandsPage`
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from hub.contract.base import Incoming, Outgoing
from hub.contract.local import CloudStatus
from hub.contract.pages.base import PageQuery

Stream = Literal["payments", "orders", "sales", "stock", "telemetry"]


class StreamView(Outgoing):
    """How far one stream of one source is written and acked."""

    source: str
    stream: str
    head_seq: int
    acked_seq: int
    waiting: int
    oldest_at_ms: int | None = Field(default=None, description="Of what waits.")


class DatasetView(Outgoing):
    """A data set that the cloud gave."""

    dataset: str
    generation: str = Field(description="The cloud's name of what is in force; empty: none yet.")
    rows: int
    changes: int = Field(description="Applied since the snapshot.")
    swapped_at_ms: int | None = None
    staging: str | None = Field(default=None, description="What is being fetched.")
    staging_chunks: int = 0


class CloudPage(Outgoing):
    """The link as it stands."""

    link: CloudStatus
    incarnation: str
    epoch: int
    seq: int = Field(description="The newest event's number.")
    safe_seq: int = Field(description="Everything up to here is safe in the cloud.")
    depth: int
    parked: int
    streams: tuple[StreamView, ...]
    datasets: tuple[DatasetView, ...]


class CloudQuery(Incoming):
    """Nothing to choose."""


class EventQuery(Incoming):
    """Which event."""

    outbox_id: int = Field(ge=1, le=1 << 53)


class ParkedQuery(PageQuery):
    """Which page."""


class CommandsQuery(PageQuery):
    """Which page."""


class EventsQuery(PageQuery):
    """``state``: ``waiting`` ones in the order they go, else the newest first."""

    stream: Stream | None = None
    state: Literal["all", "waiting"] = "all"


class EventOnPage(Outgoing):
    """An event of the outbox; ``marker`` stands in the place of one that is parked."""

    outbox_id: int
    stream: str
    seq: int
    event_id: str
    type: str
    aggregate: str
    at_ms: int
    bytes: int
    state: Literal["waiting", "acked"]
    marker: bool = False


class EventsPage(Outgoing):
    """Events of the outbox."""

    events: tuple[EventOnPage, ...]
    next_cursor: str | None = None


class EventWhole(Outgoing):
    """One event as it is written; of a parked one, what waits aside.  What names people, payments
    or cards is left out of ``data``."""

    event: EventOnPage
    parked: ParkedOnPage | None = None
    data: dict[str, Any]
    left_out: tuple[str, ...] = Field(default=(), description="Names of fields.")


class ParkedOnPage(Outgoing):
    """An event that waits aside."""

    outbox_id: int
    stream: str
    seq: int
    event_id: str
    type: str
    aggregate: str
    at_ms: int
    parked_at_ms: int
    code: str = Field(description="`follows` for one that waits behind another of its aggregate.")
    reason: str
    may_give_up: bool = Field(description="Only what isn't about money, goods or orders.")
    why_not: str = ""


class ParkedPage(Outgoing):
    """Events that wait aside, oldest first."""

    parked: tuple[ParkedOnPage, ...]
    total: int
    next_cursor: str | None = None


class CommandOnPage(Outgoing):
    """A command of the cloud and what became of it."""

    number: int
    command_id: str
    type: str
    outcome: Literal["done", "failed", "passed_over"]
    why: str = ""
    at_ms: int = Field(description="When it was carried out here.")


class CommandsPage(Outgoing):
    """The last commands of the cloud, newest first; the hub keeps 1,000."""

    commands: tuple[CommandOnPage, ...]
    next_cursor: str | None = None
