"""What the cloud's order management (OMS) offers a hub: the calls under ``/v1/stores/{store}``.

Sessions, events, commands, digests and errors are here; the facts that travel up are in
``oms_events``, the data sets that travel down in ``oms_datasets``, body signatures in
``oms_signing``, the hashing both sides share in ``digests``.  ``CALLS`` is the table of all calls.

Requests refuse unknown fields; replies are read with unknown fields ignored.  Bodies are JSON,
optionally ``Content-Encoding: zstd`` or ``gzip``.  Every reply carries ``Store-Oms-Incarnation``;
a new value means the OMS was restored from a backup and its watermarks may have gone back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, JsonValue

from hub.contract.base import CONTRACT_VERSION, Incoming, InstantMs, Outgoing
from hub.contract.oms_datasets import Changes, Manifest
from hub.contract.oms_digests import (
    DigestDetailReply,
    DigestDetailRequest,
    DigestReply,
    DigestRequest,
)
from hub.contract.oms_envelope import CloudEvent, Heads, Id
from hub.contract.oms_links import LinkCancel, LinkReply, LinkRequest
from hub.contract.oms_orders import OpenOrder
from hub.contract.oms_payments import (
    PaymentCharge,
    PaymentEffect,
    PaymentRefund,
    PaymentRefundReply,
    PaymentReply,
)
from hub.contract.oms_remote import SupportPiece, SupportPieceReply
from hub.contract.oms_value import (
    ValueBalance,
    ValueBalanceReply,
    ValueCapture,
    ValueHold,
    ValueHoldReply,
    ValueRefund,
    ValueRefundReply,
    ValueRelease,
)

CONTRACT_RANGE = (CONTRACT_VERSION, CONTRACT_VERSION)

MAX_BATCH_EVENTS = 200
MAX_BATCH_BYTES = 256 * 1024
"""Most bytes of a request body as sent (that is, compressed)."""
MAX_BODY_BYTES = 1024 * 1024
"""Most bytes of a request body after decompression."""
MAX_WAIT_S = 50
MAX_COMMANDS = 200
MAX_EVENTS_PAGE = 200
ACKED_ROWS_KEPT_DAYS = 30

HEADER_INCARNATION = "Store-Hub-Incarnation"
HEADER_SESSION = "Store-Hub-Session"
HEADER_OMS_INCARNATION = "Store-Oms-Incarnation"
BATCH_CONTENT_TYPE = "application/cloudevents-batch+json"
PROBLEM_CONTENT_TYPE = "application/problem+json"

Cursor = Annotated[str, Field(max_length=128)]
"""Opaque; the empty string is the beginning."""


class OmsCode(StrEnum):
    """What went wrong, for machines; ``OMS_MEANINGS`` has the status and what to do."""

    VALIDATION = "validation"
    POISON_EVENT = "poison-event"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not-found"
    SUPERSEDED = "superseded"
    HELLO_REQUIRED = "hello-required"
    SEQUENCE_GAP = "sequence-gap"
    SEQUENCE_REUSED = "sequence-reused"
    NONCE_REUSED = "nonce-reused"
    CURSOR_GONE = "cursor-gone"
    CONFLICT = "conflict"
    TOO_LARGE = "too-large"
    UNSUPPORTED_ENCODING = "unsupported-encoding"
    UNSUPPORTED_CONTRACT = "unsupported-contract"
    BUSY = "busy"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class OmsMeaning:
    """The fixed part of a code: HTTP status, title, whether repeating the same call can succeed."""

    status: int
    title: str
    retryable: bool = False


OMS_MEANINGS: Mapping[OmsCode, OmsMeaning] = MappingProxyType(
    {
        OmsCode.VALIDATION: OmsMeaning(422, "The request is not well formed"),
        OmsCode.POISON_EVENT: OmsMeaning(422, "An event can't be understood; park it"),
        OmsCode.UNAUTHENTICATED: OmsMeaning(401, "The token or signature is not accepted"),
        OmsCode.FORBIDDEN: OmsMeaning(403, "This token is not for this store"),
        OmsCode.NOT_FOUND: OmsMeaning(404, "There is no such thing here"),
        OmsCode.SUPERSEDED: OmsMeaning(409, "Another box has taken this hub's place"),
        OmsCode.HELLO_REQUIRED: OmsMeaning(409, "This session is not known; say HELLO again"),
        OmsCode.SEQUENCE_GAP: OmsMeaning(409, "Events are missing before this one"),
        OmsCode.SEQUENCE_REUSED: OmsMeaning(409, "This place holds another event; not acked"),
        OmsCode.NONCE_REUSED: OmsMeaning(422, "This nonce was used for another HELLO"),
        OmsCode.CURSOR_GONE: OmsMeaning(410, "The log no longer reaches back that far"),
        OmsCode.CONFLICT: OmsMeaning(409, "It contradicts what is known here"),
        OmsCode.TOO_LARGE: OmsMeaning(413, "The request is too large"),
        OmsCode.UNSUPPORTED_ENCODING: OmsMeaning(415, "This content encoding is not spoken here"),
        OmsCode.UNSUPPORTED_CONTRACT: OmsMeaning(422, "This contract version is not spoken here"),
        OmsCode.BUSY: OmsMeaning(429, "Too many requests", retryable=True),
        OmsCode.UNAVAILABLE: OmsMeaning(503, "The OMS can't answer just now", retryable=True),
    }
)


class EventResult(Outgoing):
    """What became of one event of a batch.

    ``applied``; ``duplicate``: it (or the same sale or return) is known already, nothing changed;
    ``parked``: a marker that took a poison event's place; ``rejected``: kept and its movements
    counted, but it contradicts what is known (``problem`` says how) and a person has to look.
    All four advance the stream.  ``parked_for`` names the parked event this one resolves.
    """

    id: str
    status: Literal["applied", "duplicate", "parked", "rejected"]
    parked_for: str | None = None
    problem: OmsProblem | None = None


class OmsProblem(Outgoing):
    """RFC 9457 problem details.  ``detail`` says what to do next.

    ``sequence-gap`` sets source, stream and expected (the next sequence taken): send from there;
    the batch's other streams were taken.  ``poison-event`` sets event_id, source, stream and
    expected (its own sequence): nothing after it was taken.  ``sequence-reused`` sets the same: the
    place holds an event of another id, which a copied or restored database does; HELLO with
    ``restored``.  These three set ``acked`` and ``results``: what is durable all the same.
    ``server_time_ms`` lets a hub with a wrong clock see that it is wrong.
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None
    code: str
    retryable: bool = False
    retry_after_ms: int | None = None
    oms_incarnation: str = ""
    server_time_ms: int = 0
    source: str | None = None
    stream: str | None = None
    expected: int | None = None
    event_id: str | None = None
    acked: Heads | None = None
    results: tuple[EventResult, ...] | None = None


def oms_problem(code: OmsCode, detail: str, **members: Any) -> OmsProblem:
    """The problem of ``code`` with its fixed title and status; ``members`` are its other fields."""
    meaning = OMS_MEANINGS[code]
    return OmsProblem(
        type=f"urn:store-hub:oms-problem:{code}",
        title=meaning.title,
        status=meaning.status,
        detail=detail,
        code=code.value,
        retryable=meaning.retryable,
        **members,
    )


# --- sessions -------------------------------------------------------------------------------------

HelloReason = Literal["start", "restored", "new", "reconnect"]


ContractNumber = Annotated[int, Field(strict=True)]


class Hello(Incoming):
    """``POST /hub-sessions``: who I am, what I have, and why I come.

    ``incarnation`` is the last one the OMS gave (0 = none yet); ``fork`` the tag of rows written
    since a restore and before this HELLO; ``last_seqs`` the last sequence written per source and
    stream.  ``restored`` and ``new`` are a person's decision to put this box in the hub's place.

    The answer: incarnation and epoch stay for ``start``/``reconnect`` with the newest incarnation,
    the same hub and the same machine.  ``restored``, ``new``, incarnation 0, another hub id or
    another machine raise both by one (never below the hub's own incarnation + 1), the command
    ``epoch.closed`` is issued, and the older session is superseded.  ``start``/``reconnect`` with a
    lower incarnation → 409 ``superseded``.  The same nonce gets the same answer (only
    ``server_time_ms`` is fresh); another hub, machine, incarnation or reason → ``nonce-reused``.
    """

    hub_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._\-]{0,63}$")]
    nonce: Annotated[str, Field(pattern=r"^[A-Za-z0-9._~\-]{16,64}$")]
    machine_id_hash: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{8,128}$")]
    incarnation: Annotated[int, Field(strict=True, ge=0, le=999_999_999)]
    fork: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{0,32}$")] = ""
    last_seqs: Heads = Field(default_factory=dict)
    contract: tuple[ContractNumber, ContractNumber] = CONTRACT_RANGE
    reason: HelloReason


class SessionCursors(Outgoing):
    """Where a hub with an empty database may begin; a hub that has its own cursors keeps them.

    ``commands`` is what this shop's hub last asked from; ``datasets`` the present ends of the
    change logs (take a snapshot first, it has its own cursor).
    """

    commands: Cursor = ""
    datasets: dict[str, Cursor] = Field(default_factory=dict)


class HelloReply(Outgoing):
    """The session.  ``acked`` holds every source of this hub the OMS has rows of."""

    incarnation: int
    epoch: int
    oms_incarnation: str
    session_token: str
    cursors: SessionCursors
    acked: Heads
    open_orders: tuple[OpenOrder, ...] = ()
    server_time_ms: InstantMs
    oldest_contract: int
    nonce: str


# --- events ---------------------------------------------------------------------------------------


class EventsReply(Outgoing):
    """``POST /events`` took the whole batch.  ``acked`` is per source and stream of the batch."""

    acked: Heads
    results: tuple[EventResult, ...]
    oms_incarnation: str


class EventsPage(Outgoing):
    """``GET /events``: a hub's own facts back, in the order the OMS took them, each once.

    ``cursor`` continues after the last one of this page; keep it when the page is empty.
    """

    events: tuple[CloudEvent, ...]
    cursor: Cursor
    more: bool
    oms_incarnation: str


# --- commands -------------------------------------------------------------------------------------


class Command(Outgoing):
    """One row of the durable command log.

    Delivered at least once (after an OMS restore the log may begin again): ``id`` identifies it.
    Types: device.revoked {device_id, reason}, config.changed {key, value, for_s},
    support.requested {reason}, drill.requested {minutes} (these four may say who asked: asked_by,
    and are answered by the event command.ended), count.requested {sku|skus},
    dataset.changed {dataset}, payment.outcome (PaymentOutcome: how a payment stands, told late),
    payment.link_paid (LinkPaid: a customer has paid by a link),
    gift_card.allotted (GiftCardAllotted: what is set aside of one card for this shop),
    epoch.closed {epoch}, order.assigned (OrderAssigned), order.changed (OrderChanged),
    order.cancelled (OrderCancelled), allotment.status, transfer.announced, asn.announced,
    customer.arrived.  A type the hub doesn't know is passed over, with a line in its log.
    """

    cursor: Cursor
    id: Id
    type: Annotated[str, Field(pattern=r"^[a-z_]{1,40}\.[a-z_]{1,40}$")]
    data: dict[str, JsonValue] = Field(default_factory=dict)
    issued_at_ms: InstantMs


class CommandsReply(Outgoing):
    """``GET /commands?cursor&wait``: what follows the cursor, at most 200, or nothing after
    ``wait`` seconds (≤ 50).  Asking from a cursor confirms everything up to it."""

    commands: tuple[Command, ...]
    cursor: Cursor
    oms_incarnation: str


class OtherStock(Outgoing):
    store: str
    name: str
    available: int


class AvailabilityReply(Outgoing):
    """``GET /availability?sku``: other shops' stock in base units."""

    sku: str
    stores: tuple[OtherStock, ...]
    oms_incarnation: str = ""


class HealthReply(Outgoing):
    """``GET /health``; needs a token but no session."""

    status: Literal["ok"]
    oms_incarnation: str
    server_time_ms: InstantMs


class TokenReply(Outgoing):
    """``POST /oauth/token`` (form, ``grant_type=client_credentials``; RFC 6749 section 4.4)."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - the kind of token, not one
    expires_in: int


@dataclass(frozen=True, slots=True)
class Call:
    """One call: ``path`` below ``/v1/stores/{store}``; ``session`` = needs the session headers."""

    method: Literal["GET", "POST"]
    path: str
    reply: type[BaseModel] | None
    request: type[BaseModel] | None = None
    session: bool = True
    query: tuple[str, ...] = ()


CALLS: tuple[Call, ...] = (
    Call("POST", "/hub-sessions", HelloReply, Hello, session=False),
    Call("POST", "/events", EventsReply, CloudEvent),
    Call("GET", "/events", EventsPage, query=("after", "source_prefix", "limit")),
    Call("GET", "/commands", CommandsReply, query=("cursor", "wait")),
    Call("GET", "/datasets/{name}/manifest", Manifest),
    Call("GET", "/datasets/{name}/chunks/{generation}/{index}", None),
    Call("GET", "/datasets/{name}/changes", Changes, query=("cursor", "limit")),
    Call("POST", "/digests", DigestReply, DigestRequest),
    Call("POST", "/digests/detail", DigestDetailReply, DigestDetailRequest),
    Call("POST", "/support-bundles", SupportPieceReply, SupportPiece),
    Call("POST", "/payments", PaymentReply, PaymentCharge),
    Call("GET", "/payments/{payment_id}", PaymentReply),
    Call("POST", "/payments/{payment_id}/capture", PaymentReply, PaymentEffect),
    Call("POST", "/payments/{payment_id}/reversal", PaymentReply, PaymentEffect),
    Call("POST", "/payments/{payment_id}/refunds", PaymentRefundReply, PaymentRefund),
    Call("GET", "/payments/{payment_id}/refunds/{key}", PaymentRefundReply),
    Call("POST", "/payments/{payment_id}/link", LinkReply, LinkRequest),
    Call("GET", "/payments/{payment_id}/link", LinkReply),
    Call("POST", "/payments/{payment_id}/link/cancel", LinkReply, LinkCancel),
    Call("POST", "/gift-cards/{token}/holds", ValueHoldReply, ValueHold),
    Call("GET", "/gift-cards/holds/{hold_id}", ValueHoldReply),
    Call("POST", "/gift-cards/holds/{hold_id}/capture", ValueHoldReply, ValueCapture),
    Call("POST", "/gift-cards/holds/{hold_id}/release", ValueHoldReply, ValueRelease),
    Call("POST", "/gift-cards/holds/{hold_id}/refunds", ValueRefundReply, ValueRefund),
    Call("GET", "/gift-cards/holds/{hold_id}/refunds/{key}", ValueRefundReply),
    Call("POST", "/gift-cards/balance", ValueBalanceReply, ValueBalance),
    Call("GET", "/availability", AvailabilityReply, query=("sku",)),
    Call("GET", "/health", HealthReply, session=False),
)

EventResult.model_rebuild()
