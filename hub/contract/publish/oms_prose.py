"""What an implementer of a cloud OMS has to know besides paths and schemas."""

from __future__ import annotations

from pydantic import BaseModel

from hub.contract import oms
from hub.contract.oms import OMS_MEANINGS
from hub.contract.oms_datasets import MAX_CHUNK_BYTES, ROW_MODELS
from hub.contract.oms_envelope import STREAMS
from hub.contract.oms_events import EVENT_DATA
from hub.contract.publish.schemas import markdown, summary_of

_INTRODUCTION = """\
What a cloud order management system (OMS) offers the hub of a store. The hub is the client: it
needs no open port. `store-hub oms-check URL` checks an OMS against this contract;
`store-hub sandbox-oms` is a small OMS that keeps it.

Within version 1 there are additions only. Readers ignore fields they don't know in replies, events
and rows; unknown fields in requests are refused. Money is integer minor units, quantities are
integer base units, instants UTC milliseconds; integers stay below 2⁵³ (RFC 7493) and are written
without a fraction (`1`, not `1.0`)."""

_SESSIONS = """\
## Sessions, incarnations, epochs

Before anything else the hub says HELLO (`POST /hub-sessions`) and gets an incarnation, an epoch and
a session token; all other calls but `GET /health` carry `Store-Hub-Incarnation` and
`Store-Hub-Session`. The OMS gives out incarnations and refuses lower ones with 409 `superseded`: an
old box switched on again, or a cloned disk, can do no harm. 409 `hello-required`: say HELLO again.

Every reply carries `Store-Oms-Incarnation`. A new value says that the OMS was restored from a
backup, and that its watermarks may have gone back: the hub says HELLO and sends again what isn't
acked."""

_EVENTS = """\
## Events

CloudEvents 1.0 in JSON batches. The streams of a source, most urgent first: {streams}. Within a
source and stream `sequence` counts 1, 2, 3 … as a text of 20 digits, without gaps; source and
sequence of an event never change. The OMS

- MUST make what it acks durable first;
- MUST take a stream's events in order, and answer 409 `sequence-gap` with `expected` at a gap; the
  batch's other streams are taken all the same;
- MUST know an event by its `id`, whatever its source, and ack one it knows without effect
  (`duplicate`); the same holds for sale, return and payment ids in the data;
- MUST apply `movements` of any event to its stock levels, also of types it has no model for;
- answers 422 `poison-event` for one it can't understand; nothing after it is taken. The hub then
  puts an `outbox.parked` marker in its place and sends the mended event later under a new sequence,
  with `original_id`.

`partitionkey` is the aggregate: events of one aggregate come in order.

| type | data |
|---|---|
{types}"""

_DATASETS = """\
## Data sets

The OMS is the authority. `GET …/manifest` describes a frozen snapshot in chunks, `GET …/chunks/…`
fetches them, `GET …/changes` follows from `as_of_cursor`; 410 `cursor-gone` says: take a new
snapshot. A chunk is JSON Lines, at most {chunk} bytes; `sha256` and `bytes` are of the text after
decompression. A cursor is opaque; the empty text is the beginning.

| data set | rows |
|---|---|
{rows}"""

_COMMANDS = """\
## Commands

A durable log, read by long poll: `GET /commands?cursor=…&wait=50` answers at once when there is
something, or with nothing after `wait` seconds. Asking from a cursor confirms everything up to it.
Delivery is at least once; `id` tells repeats. A command of an unknown type is passed over."""

_ORDERS = """\
## Online orders

Optional: of an OMS that gives online orders to shops, by the commands `order.assigned`
(`OrderAssigned`), `order.changed` (`OrderChanged`) and `order.cancelled` (`OrderCancelled`).

- `order_id` names one shop's part of an order for ever; `version` rises with every command about
  it. A hub that knows the same or a higher one does nothing: repeats and late ones are harmless.
- The shop answers with `fulfilment.accepted` when all of it is reserved, `fulfilment.short` when
  goods are missing: the order is kept all the same, and `accepted` follows when they have come. An
  order that can't be taken in is answered by `fulfilment.rejected`, any command about orders that
  fails by `command.ended`.
- `order_id` and `number` may be any (302-1234567-1234567), but no card's number as cards show it:
  in one piece or in groups of four. Notes and names are looked at more closely.
- People in the shop don't work on orders with the hub yet: what became of one, the OMS tells by
  `state` in `order.changed`. With `handed_over` and `shipped` the goods leave the shop's stock,
  told by `fulfilment.handed_over` and `.shipped` with their movements.
- `open_orders` in the answer to HELLO: with all their fields and their `version` a hub that was
  put back, or is new, takes them in again; one without `version` is passed over.
- The customer's name and the note are kept while the order is open, shown to signed-in staff, and
  never told again."""

_PAYMENTS = """\
## Card payments

Optional: of a shop that keeps payments itself while the processor is out of reach
(`payments.processor = "oms"`). The OMS passes them to the processor that it has.

- A payment is known by its `payment_id` for ever; an effect (charge, capture, reversal, refund) by
  its `key` for at least 24 hours. The same request under the same key MUST be done once and
  answered alike; the same key for something else is 409 `conflict`.
- A payment that stands (approved, captured or pending) MUST NOT be charged again under any key: it
  is answered as it stands. A declined one may be charged again under another key.
- A refusal (a problem below 500 other than 408, 409 and 425) MUST mean that nothing was done. After
  anything else, and after no answer, the hub looks up before it repeats.
- `GET /payments/{payment_id}` MUST be 404 `not-found` only when no charge of it was taken over.
- An outcome that comes later than the answer is told by the command `payment.outcome`. Its
  `approved_minor`, like the `amount_minor` of a look-up, SHOULD be what the card was charged in
  all: the hub books what is more than it knows as a tip (`surcharge_minor`: as a surcharge), and
  gives it back where everything goes back.

A payment link asks a customer for what the shop is owed: a card that was declined after the goods
went out. Optional, too: an OMS that sends none answers `POST /payments/{payment_id}/link` with 404.

- The same request under the same key MUST send one message at most and be answered alike; the same
  key for something else is 409 `conflict`. The payment need not be one that the OMS has charged.
- The contact is for this message only and SHOULD NOT be kept beyond it.
- What a customer pays by a link is told by the command `payment.link_paid` (`LinkPaid`), once or
  more often, with the processor's reference (`psp_ref`) of each payment.
  `GET /payments/{payment_id}/link` says how the last one stands.
- A link for what isn't owed any more (paid otherwise, written off, taken back) is called back by
  `POST /payments/{payment_id}/link/cancel`. Once that is answered with `cancelled` the link MUST
  NOT be paid, nor sent by a repeat of its request; one that was paid before is answered as `paid`
  and stays so. A repeat is answered alike. 404 `not-found` for a link that isn't known, and by an
  OMS that can call none back: what is paid by it then is told as ever."""

_VALUE = """\
## Gift cards and store credit

Optional: of a shop whose OMS keeps their value.

- A hold is known by its `hold_id` (the payment's id) for ever; the same `hold_id` MUST be held once
  and answered as it stands. A hold is all or nothing. `balance_minor` lets a till offer the rest in
  another tender. After no answer the hub looks up before it does anything else.
- A hold that isn't captured by `expires_at_ms` is let go by the OMS; its capture is `declined`.
- A release of an unknown `hold_id` MUST be remembered: a capture that comes later is `declined`.
- `gift_card.allotted` tells what is set aside of one card for this shop, per `epoch` of HELLO and
  cumulative: `granted_minor`, and `recalled_minor` that is wanted back. The OMS MUST count
  `granted - returned - captured` as spent until the shop gives it back
  (`gift_card.allotment_returned`; the larger word counts). A capture with `allotment` MUST be taken
  however late it comes. What an older epoch left stays set aside until a person knows that the box
  of that time is gone.
- `gift_card.issued` is store credit that the shop gave: the OMS keeps it from then on, all of it
  set aside for that shop in `epoch` (0: nothing is). A capture that comes before it is 404
  `not-found`, and comes again."""

_DIGESTS = """\
## Digests

Both sides hash their stock levels and compare. The digest bucket of a SKU is the first byte of
SHA-256(SKU in UTF-8). The hash of a bucket is SHA-256 over one line per SKU that has any level
other than 0, sorted by the SKU's bytes: `sku|sellable|staged|quarantine|refurbish|damaged|`
`transit_in` and a line feed. Drift is reported; the OMS never overwrites a shop's stock."""

_AUTH = """\
## Who may call

TLS with a checked certificate. The hub shows an access token (OAuth 2.0 client credentials,
`POST /oauth/token`, or one that was configured), or a client certificate. Bodies may be signed as
well, by Standard Webhooks v1: HMAC-SHA256 over `webhook-id.webhook-timestamp.body`, the body as
sent, in the headers `webhook-id`, `webhook-timestamp` and `webhook-signature`; 5 minutes off is
too much."""

_RETRIES = """\
## Repeats

Every call may be repeated. The hub waits between attempts for a time drawn from 0 to
min(60 s, 1 s · 2ⁿ), at least `Retry-After`, and gives up never."""


def description() -> str:
    """The document's text, in Markdown."""
    types = "\n".join(
        f"| `{name}` | {model.__name__}{_hint(model)} |" for name, model in EVENT_DATA.items()
    )
    rows = "\n".join(
        f"| {name} | {', '.join(model.__name__ for model in models) or 'not laid down yet'} |"
        for name, models in ROW_MODELS.items()
    )
    parts = (
        _INTRODUCTION,
        _AUTH,
        _SESSIONS,
        _EVENTS.format(streams=", ".join(STREAMS), types=types),
        _COMMANDS,
        _DATASETS.format(chunk=MAX_CHUNK_BYTES, rows=rows),
        _DIGESTS,
        _ORDERS,
        _PAYMENTS,
        _VALUE,
        _RETRIES,
        _limits(),
        _errors(),
    )
    return "\n\n".join(parts) + "\n"


def _hint(model: type[BaseModel]) -> str:
    return f": {summary_of(model)}" if model.__doc__ else ""


def _limits() -> str:
    return f"""\
## Limits

- {oms.MAX_BATCH_EVENTS} events and {oms.MAX_BATCH_BYTES} bytes per batch as sent (compressed);
  {oms.MAX_BODY_BYTES} bytes per body after decompression. `Content-Encoding` zstd, gzip or none.
- {oms.MAX_COMMANDS} commands, {oms.MAX_EVENTS_PAGE} events per page; `wait` at most
  {oms.MAX_WAIT_S} s.
- The hub keeps acked events for {oms.ACKED_ROWS_KEPT_DAYS} days."""


def _errors() -> str:
    rows = "\n".join(
        f"| `{code}` | {meaning.status} | {'yes' if meaning.retryable else 'no'} | "
        f"{markdown(meaning.title)} |"
        for code, meaning in OMS_MEANINGS.items()
    )
    return f"""\
## Problems

RFC 9457 problem details; `type` is `urn:store-hub:oms-problem:{{code}}`.

| code | status | retryable | meaning |
|---|---|---|---|
{rows}"""
