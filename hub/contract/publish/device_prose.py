"""What an implementer of a store device has to know besides topics and schemas."""

from __future__ import annotations

from hub.contract.base import MAX_LINES, MAX_MESSAGE_BYTES
from hub.contract.problems import MEANINGS

_INTRODUCTION = """\
What a store device (till, kiosk, scanner, printer, display) and a Store Hub say to each other:
JSON over MQTT 5, with a fall-back for MQTT 3.1.1. The device is the application described here:
it *sends* requests and facts, it *receives* replies, commands and notices.

The words MUST, SHOULD and MAY are those of RFC 2119. `{store}` and `{deviceId}` are told at
pairing. Money is in integer minor units of the shop's currency (`*_minor`), quantities in integer
base units (`qty`; what a base unit is, the product's `uom` and `scale` say: kg at scale 3 is
grams), instants in UTC milliseconds since 1970 (`*_ms`).

Within version 1 of this contract there are additions only. Readers ignore fields they don't know
in replies, notices and commands; the hub refuses fields it doesn't know in requests and facts.
A field that has no value is left out by the hub; a device MAY leave it out or send null."""

_PAIRING = """\
## Becoming a device: pairing

1. Find the hub by DNS-SD: `_store-hub._tcp.local.`. Its SRV port is HTTPS; its TXT record has
   `txtvers=1`, `store`, `name`, `mqtt` (port for devices with a password), `mtls` (port for
   devices with a certificate), `wss` (path of MQTT over WebSocket on the HTTPS port) and `fp`
   (SHA-256 of the CA certificate's DER in hexadecimal digits). Or take the address from the QR
   code. What mDNS says is a claim, not a proof.
2. A technician opens pairing on the hub's page, or with `store-hub pair`. The hub shows a code of
   8 characters, good once, for 10 minutes and 5 tries, and a QR code
   `storehub://pair?host=…&port=…&fp=…&code=…`.
3. `GET https://{host}:{port}/api/1/ca` without checking the certificate. Of the certificates that
   come, keep the one whose SHA-256 fingerprint is `fp`; if there is none, stop. From here on, trust
   that authority only, and check the host name.
4. Make a key (EC P-256; Ed25519 and RSA of 2048 to 8192 bits are taken too) and a certificate
   request (PKCS #10; its subject is ignored).
5. `POST https://{host}:{port}/api/1/pair` with `{"code": …, "csr": …}` (the request as PEM), or
   `{"code": …, "auth": "password"}` where the device can't use client certificates.
   The answer has `device_id`, `store`, `ca` (PEM, may hold several certificates:
   trust them all), `certificate` or `username` and `password`, and `mqtt` with host and ports. If
   the answer got lost, the same code with the same key is answered again until the device was seen.
6. Renew the certificate in its last third: `POST /api/1/renewals/nonce`, then
   `POST /api/1/renewals` with a signature by the old key; possible up to 12 months after the end.

`contract/hub.openapi.yaml` has these calls in full; `docs/selling-by-hand.md` does all of this with
curl, openssl and mosquitto_pub."""

_CONNECTING = """\
## Connecting

- Port 8884 with the client certificate, or 8883 with user name and password, or `wss://…/mqtt`
  (subprotocol `mqtt`) with user name and password. TLS 1.2 or newer. The ports may be others: use
  those of the pairing.
- Client id = user name = common name of the certificate = `{deviceId}`. The broker enforces it: a
  second connection of the same device ends the first.
- MQTT 5, clean start, keep-alive 10 to 30 s. Ask for MQTT 5: with 3.1.1 the broker can't say that
  a message was denied or that nobody listened.
- Last will: topic `…/dev/{deviceId}/state`, QoS 1, retained, payload `{"state": "lost",
  "session": …}`, with a `session` made anew for every connection (a UUIDv7, say). A late will of an
  old connection can then not mark a newer one lost.
- Subscribe with QoS 1 to `…/dev/{deviceId}/rep`, `…/dev/{deviceId}/cmd/#`, `…/hub/#` and
  `…/bcast/#`; when all are granted, publish `state` `ready` (retained, the same `session`) and
  `meta` (retained). Leaving on purpose: publish `disconnected`, wait for the PUBACK, DISCONNECT.
- What is the matter with what is attached (no paper, drawer open) stands in `state`'s
  `conditions`: publish `state` again, with all that holds, whenever one comes or goes. The
  technician's page says what to do. Leave the field out if the device can't know.
- After a break: reconnect with a pause drawn from 0 to min(15 s, 0.5 s · 2ⁿ). After a restart of
  the broker all devices come at once; without that jitter they shut each other out. A device that
  has not restated itself 60 s later is shown as lost.
- A device may write only its own `state`, `meta`, `req`, `evt` and `cmd-rep`, and read only its own
  `rep` and `cmd`, `hub` and `bcast`. A subscription to anything else may be granted and stays
  silent."""

_REQUESTS = """\
## Requests and replies

- Publish to `…/dev/{deviceId}/req/{service}/{operation}` with QoS 1, not retained. The body is one
  JSON object (an empty body counts as `{}`).
- **Correlation data** (MQTT 5): any bytes, unique per request under way, sent back on the reply.
  With MQTT 3.1.1 put the text `correlation` (at most 200 characters) into the body; the reply's
  body repeats it.
- **Idempotency key** of a request that changes something: user property `idk` (MQTT 5) or field
  `idempotency_key` (MQTT 3.1.1), 8 to 64 printable ASCII characters without spaces. A UUIDv7 is
  recommended; its time is checked. Queries need none. Make a fresh key for every new request, keep
  it for every repeat of the same request.
- **Message expiry** (MQTT 5): 10 s on every request. A request whose time is over is answered
  `expired` or not at all, and never executed.
- The reply comes on `…/dev/{deviceId}/rep` and nowhere else: a response topic is not followed.
  `{"ok": true, "seq": …, "result": {…}}`, or `{"ok": false, "seq": 0, "problem": {…}}`.
- **The PUBACK is not the answer.** Only a reply says that something is stored; it is sent after the
  hub's COMMIT. Reason code 0x10 of a PUBACK says that no hub listens, 0x80 and above that the
  broker refuses the topic.

### Repeating

No reply within 5 s, a lost connection, a `retryable` problem, or `expired`: send the same body with
the same key again, at the earliest after `retry_after_ms`, with growing pauses and jitter (100 ms
to 10 s, say). Under the same key

- the same request gets the same reply for 30 days, a refusal included (except retryable ones,
  `expired` and `superseded`);
- another request gets `idempotency-mismatch`;
- a key made more than 30 days ago gets `idempotency-expired`: ask for the sale by its id first.

`sale_id`, `return_id` and `payment_id` are unique in the shop for ever: the same sale from another
device, or after 30 days, finds the original; another sale under a known id is `conflict`.

### What the hub has is not yet what survives: seq and safe_seq

`seq` of a reply names the place in the hub's work up to which the request's effects are written.
`hub/state` tells `safe_seq`: up to there everything is also kept outside the box. A device MUST
journal its sales, returns and voids on disk before it sends them, and keep them with key and body
until `safe_seq` of the same `incarnation` ≥ the reply's `seq`. When `hub/state` shows another
`incarnation`, the box was replaced or restored: send everything kept that is not covered again,
oldest first, with the same keys. Nothing is sold twice, and what the box forgot is there again.

A yes to a change may carry a `record` (at most 49,152 characters, the hub's own word on what it
did). Keep it unread with the request, and when you send that again to another `incarnation`, send
it along: user property `record` (MQTT 5) or field `record` (MQTT 3.1.1). The hub then takes the
change in as it was, with the same receipt number, whoever is signed in by then. Leave the record
out where body and record together would be over 261,120 bytes; without it the request is judged as
if it were new. `busy` with `context.waits_for` means that it builds on a sale which another device
has yet to send again: go on with your other requests, and repeat this one later. An answer with
`seq` 0 needs no keeping.

A mode `superseded` means that this box is out of service; `away` is the hub's own last will."""

_SELLING = """\
## Selling

- Sign in with `staff/sign-in` first (a kiosk may sell with nobody signed in).
- Either keep the basket at the hub (`basket/open`, `basket/add-line`, …, then `sale/commit` with
  `basket_id` and `version`), or ring up at the till and send `lines` with `sale/commit`. A basket
  has one owner and a version: every change names the present version, and its answer has the next.
- Prices are the hub's: `unit_price_minor` and `total_minor` say what the customer was told, and
  `price-changed` refuses another amount. `catalog/look-up` tells the price.
- The tenders cover the total. Change is given from cash only. A card tender was approved by its
  terminal before and needs the `payment_id` that the terminal was asked with.
- A discount or another price needs a `reason` and its permission; above a person's limit the answer
  is `approval-required` with the permission to lend. Then `approval/request`, a manager's
  `approval/decide` on any device, and the same action again with `approval_id`, under a fresh key.
  A line with both asks for both: one permission in `permission`, the other in `also`.
- `insufficient-stock`: a customer who holds the goods wins. Send `stock_override` with a reason.

### Card payments

- `payment/start` with a fresh `payment_id`, the `sale_id` that the sale is going to have, the
  basket if there is one, and the amount. With `terminal` `own` the device asks its own terminal,
  under that id, and tells with `payment/report` what it said; else the hub asks one of its own, and
  `bcast/payments` and `payment/get` tell what becomes of it. `offline_allowed` false: it may only
  be approved by the processor, for the reasons in `offline_refused`.
- `tip_minor` on top of `amount_minor`, where the shop takes tips: the card is charged both, the
  card tender of the sale is `amount_minor`. The same when the customer adds one at your terminal:
  report it as `card.tip_minor`. A surcharge that your terminal adds for paying by this card is
  `card.surcharge_minor`, on top of both; nobody else adds one.
- `contact` (`email`, `phone`), where the customer gave one, lets the shop send a payment link if
  the payment comes to be owed; the hub keeps it sealed and only as long (`contact_kept`).
- While the outcome isn't known the basket can't be changed (`conflict` with the `payment_id`), and
  `sale/commit` with it is `outcome-unknown`. Wait, or take another tender: `payment/give-up` first,
  and if the card turns out approved, it goes back by itself.
- When the payment is `tenderable`, `sale/commit` takes it as a card tender: the same `sale_id`, the
  same amount. Several cards pay one sale one after the other. What was begun for the sale and isn't
  among its tenders goes back.
- Voids and returns: what has `by` `hub` in `refund` the hub gives back itself. For the rest ask
  your terminal, and where the hub knows the payment tell it by `payment/report`, for a return with
  its `return_id`: `reversed` (the terminal let the whole payment go), `refunded` (it was taken and
  given back) or `refused` (the terminal won't). Until then it counts as going back. To the card
  goes `amount_minor`, with `tip_minor` and `surcharge_minor` on top where they are there.
- A terminal that the hub knows nothing of works as ever: a card tender with a `payment_id` of its
  own, which the hub neither forwards nor gives back.

### Online orders

- `order/list` and `order/get` show the orders that the cloud has given to this shop: what is
  reserved for them can't be sold without an override, and what is missing. `bcast/orders` says that
  there is something new. Whose an order is, `order/get` tells while it is open and somebody is
  signed in on the device. Picking, packing and handing over with the hub are yet to come: until
  then the cloud tells how an order ended.

### Card data

Never send a card number, track data, EMV tags 57 or 5A, or a PIN block, in no field and no fact:
the hub looks at every free text and answers `card-data-refused`, and the value goes nowhere. The
terminal's token and the last four digits are all that may come here."""

_FACTS = """\
## Facts

What happened at a device (a scan, paper that runs low) goes to `…/dev/{deviceId}/evt/{type}` with
QoS 1 and without expiry. Journal it on disk first, keyed by `journal_id` (a random UUID per
journal) and `evt_seq` (1, 2, 3 … without gaps). The hub answers on `rep` with correlation
`{journal_id}:{evt_seq}`, both as correlation data and in the body. Repeat until answered; a fact
that is known is answered with yes again, and `conflict` with `context.expected` says that an
earlier one is missing."""

_COMMANDS = """\
## Commands of the hub

On `…/dev/{deviceId}/cmd/{operation}`, never retained. Answer each on `…/dev/{deviceId}/cmd-rep`
with `command_id` as correlation, both as correlation data and in the body; do a `command_id` that
was done before not again. Answer an operation you don't know with `not-found`.

`cmd/scan` is told, not asked: don't answer it. A scanner at the hub has read a code for this
device; `data` is a `Scan`, with the product or `why_not`. It comes with QoS 0 and lives for ten
seconds: what was scanned for a device that isn't there is gone. Scanners at the device ask
`scan/resolve` and get the same.

A device may lend its printer (`lends-printer` among the capabilities of its meta): it answers
`cmd/printer-look` with a `LentPrinter`, `cmd/print` (a `PrintPiece`) and `cmd/drawer-kick` (a
`DrawerKick`) with a `PieceTaken`. It prints a `job_id` once, when it has all its pieces: it writes
down on disk that it begins, answers a repeat as it did the first time, and says `unknown` of what
it had begun when it was switched off.

A device may keep copies of stored card payments (`keeps-payments` among the capabilities of its
meta; the hub's setting `payments.mirror` names it): it answers `cmd/payment-keep` (a `PaymentCopy`)
and `cmd/payment-drop` (`DropCopies`) with a `CopyKept` when that is on its disk, and
`cmd/payment-return` (`AskCopies`) with `Copies`. The text of a copy is for a hub only."""


_PERIPHERALS = """\
## What hangs on the hub

Printers, drawers, scanners, scales and displays of the box have topics like devices, below
`hub/`: `…/hub/dev/{peripheralId}/state` and `/meta` (retained) and `/evt/{type}` (QoS 0, not kept).
Every paired device may read them, none may write there: print, weigh and show by requests."""


def description() -> str:
    """The document's text, in Markdown."""
    parts = (
        _INTRODUCTION,
        _PAIRING,
        _CONNECTING,
        _REQUESTS,
        _SELLING,
        _FACTS,
        _COMMANDS,
        _PERIPHERALS,
        _limits(),
        _errors(),
    )
    return "\n\n".join(parts) + "\n"


def _limits() -> str:
    return f"""\
## Limits

- {MAX_MESSAGE_BYTES} bytes per MQTT packet, topic and properties included: 1 KiB less for the body.
  More closes the connection, or is answered `too-large`.
- {MAX_LINES} lines per sale, return or delivery; 20 tenders per sale; 100 SKUs per `stock/levels`.
- 20 requests under way per device; beyond what the hub can take it answers `busy` at once."""


def _errors() -> str:
    rows = "\n".join(
        f"| `{code}` | {meaning.status} | {'yes' if meaning.retryable else 'no'} | "
        f"{meaning.title} |"
        for code, meaning in MEANINGS.items()
    )
    return f"""\
## Problems

RFC 9457 problem details; `type` is `urn:store-hub:problem:{{code}}`. `detail` says what to do next,
`context` gives the facts, `approval.permission` what a manager has to lend. *Retryable*: the same
request with the same key can succeed later. A code that you don't know: go by `retryable`.

| code | status | retryable | meaning |
|---|---|---|---|
{rows}"""
