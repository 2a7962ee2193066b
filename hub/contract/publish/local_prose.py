"""What a user of the hub's own HTTP API has to know besides paths and schemas."""

from __future__ import annotations

from typing import Final

from hub.contract.problems import MEANINGS

_TEXT: Final = """\
The HTTPS server of one hub: pairing and renewal of devices, the status page's data, and the
operations of technicians. Devices do their daily work over MQTT (asyncapi.yaml).

Within version 1 there are additions only. Readers ignore fields they don't know in replies; unknown
fields in requests are refused. A field without value is left out. Bodies are JSON
(`Content-Type: application/json`), at most 262144 bytes, read for 10 seconds (408 after that).
Integers are written without a fraction (`1`, not `1.0`).

## Trust

The server's certificate is from the hub's own authority. A device that pairs fetches
`GET /api/1/ca` unchecked, keeps the certificate with the fingerprint from the pairing code, and
uses checked connections from there on. `POST /api/1/pair` spends the one-time code: good for 10
minutes and 5 wrong tries; too many tries from one address are answered `busy`.

A renewal proves the old key: `signature` is over the bytes `store-hub certificate renewal v1`, a
zero byte, the nonce (ASCII) and the new certificate request (DER), in base64.

## Sessions

`POST /api/1/session` sets a cookie, for one of two things: `{"code": "R4TN-8KWP"}` spends the
technician's code (shown by `store-hub run`, or by `store-hub pair --technician` on the box);
`{"staff_no": …, "pin": …}` is a member of staff with the PIN of the tills. Wrong PINs are counted
as on a till: after 5 the person is locked out of the page for 30 seconds, then for longer.
Calls that change something, and all operations, also need the header `X-CSRF-Token`. A session ends
after 15 minutes without use and after 8 hours in any case (configurable); a member of staff's also
when the person is blocked, gets another PIN, or loses the permission.

`GET /api/1/me` says who it is. Reading needs a session only; what changes something needs a right:

| role | who | may |
|---|---|---|
| `viewer` | staff with `hub.view` | read |
| `technician` | the technician's code | everything but `staff` |
| `manager` | staff with `hub.manage` or `hub.admin` | everything |

Other calls are answered `forbidden`, with the permission that is missing as `permission`. The
rights: `actions` (mending, the clock), `pairing`, `devices` (rename, revoke), `outbox`,
`log-level`, `support`, `drill`, `peripherals`, `printing` (copies, answers, test pages), and
`staff` (clearing a lock-out).

On the box itself the same operations are served on the unix socket `admin.sock` in the hub's
runtime directory, without session, to root and the hub's own user.

## Pages

What the technician's pages read are GETs with query parameters: devices, products, sales, the link
to the cloud, the log, the settings. Unknown parameters are refused, as is one given twice. A list
has a `limit` and a `cursor`: `next_cursor` of an answer is the `cursor` of the next request and is
absent at the end; what it looks like may change. The log and a device's traffic are followed by
asking again; that alone doesn't keep a session open. A support bundle holds no secrets, no people
and no content of sales; its preview is exactly what is then downloaded.

## Operations

`POST /api/1/{service}/{operation}` with the command as the body; the answer is the result, or a
problem with its status. An operation that changes something needs an `Idempotency-Key`: the same
request under the same key gets the same answer for 30 days.

## Problems

RFC 9457 problem details; `type` is `urn:store-hub:problem:{code}`. *Retryable*: the same request
with the same key can succeed later.

| code | status | retryable | meaning |
|---|---|---|---|
"""


def description() -> str:
    """The document's text, in Markdown."""
    rows = "\n".join(
        f"| `{code}` | {meaning.status} | {'yes' if meaning.retryable else 'no'} | "
        f"{meaning.title} |"
        for code, meaning in MEANINGS.items()
    )
    return f"{_TEXT}{rows}\n"
