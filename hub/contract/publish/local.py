"""``contract/hub.openapi.yaml``: the hub's own HTTP API (OpenAPI 3.1).

``CALLS`` is the table of all its paths besides the operations, ``routes`` the list to compare a
running server's routes with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Literal

from pydantic import BaseModel

from hub.contract import admin, health, local
from hub.contract.pages.table import READS
from hub.contract.problems import MEANINGS, Code, Problem
from hub.contract.publish import local_samples, pages, samples
from hub.contract.publish.local_prose import description
from hub.contract.publish.openapi import Document, body, head, operation_id, problems
from hub.contract.publish.schemas import Schema, component_schemas, doc_of, ref, summary_of
from hub.contract.registry import OPERATIONS, Door, Operation

_SLOW_BODY: Final = (408, Code.EXPIRED)
BASE: Final = "/api/1"
OPERATION_ROUTE: Final = f"{BASE}/{{service}}/{{operation}}"
ACTION_ROUTE: Final = f"{BASE}/actions/{{key}}"
COOKIE: Final = "__Host-store-hub"
CSRF_HEADER: Final = "X-CSRF-Token"
IDEMPOTENCY_HEADER: Final = "Idempotency-Key"


class Access(Enum):
    """Who may call: anyone; whoever is signed in; the same with the session's CSRF token."""

    ANYONE = auto()
    SIGNED_IN = auto()
    CHANGES = auto()


@dataclass(frozen=True, slots=True)
class LocalCall:
    """One call that is not an operation of the registry.

    ``reply`` is a model, the name of a schema written here, or None; ``media`` its content type.
    """

    method: Literal["GET", "POST", "DELETE"]
    path: str
    summary: str
    access: Access = Access.ANYONE
    request: type[BaseModel] | None = None
    reply: type[BaseModel] | str | None = None
    media: str = "application/json"
    status: int = 200
    codes: tuple[Code, ...] = ()
    parameters: tuple[str, ...] = ()
    """Parts of the path, by their names among the components."""
    bare: tuple[tuple[int, Code], ...] = ()
    """Problems under another status than their code's own."""


CALLS: Final[tuple[LocalCall, ...]] = (
    LocalCall("GET", f"{BASE}/hello", "Who this hub is", reply=local.Hello),
    LocalCall(
        "GET",
        f"{BASE}/ca",
        "The hub's CA certificate, PEM: compare its SHA-256 fingerprint, then trust it",
        reply="Pem",
        media="application/x-pem-file",
    ),
    LocalCall(
        "POST",
        f"{BASE}/pair",
        "Spend a pairing code",
        request=local.PairRequest,
        reply=local.PairReply,
        codes=(Code.FORBIDDEN, Code.STORAGE_FULL),
    ),
    LocalCall("POST", f"{BASE}/renewals/nonce", "Begin a renewal", reply=local.RenewalNonce),
    LocalCall(
        "POST",
        f"{BASE}/renewals",
        "Renew a device's certificate by proof of its key",
        request=local.RenewalRequest,
        reply=local.PairReply,
        codes=(Code.FORBIDDEN, Code.CONFLICT, Code.STORAGE_FULL),
    ),
    LocalCall(
        "POST",
        f"{BASE}/session",
        "Sign in to the page: with the technician's code, or staff number and PIN",
        request=local.TechnicianSignIn,
        reply="PageSession",
        codes=(Code.FORBIDDEN, Code.UNAUTHENTICATED, Code.STORAGE_FULL),
    ),
    LocalCall(
        "GET",
        f"{BASE}/session",
        "The present session and its CSRF token",
        Access.SIGNED_IN,
        reply="PageSession",
    ),
    LocalCall(
        "DELETE",
        f"{BASE}/session",
        "Sign out",
        Access.CHANGES,
        status=204,
        codes=(Code.STORAGE_FULL,),
    ),
    LocalCall(
        "GET",
        f"{BASE}/me",
        "Who is signed in, and what they may do",
        Access.SIGNED_IN,
        reply=local.PageUser,
    ),
    LocalCall("GET", f"{BASE}/status", "How the hub is", Access.SIGNED_IN, reply=local.HubStatus),
    LocalCall(
        "GET",
        f"{BASE}/status/stream",
        "The same, live: server-sent events `status`, and `signed-out` at the session's end",
        Access.SIGNED_IN,
        reply="EventStream",
        media="text/event-stream",
    ),
    LocalCall(
        "GET",
        f"{BASE}/actions",
        "What the hub can do to mend itself",
        Access.SIGNED_IN,
        reply=health.Actions,
    ),
    LocalCall(
        "POST",
        ACTION_ROUTE,
        "Do it: written to the audit log before and after",
        Access.CHANGES,
        reply=health.ActionDone,
        parameters=("actionKey",),
        codes=(Code.NOT_FOUND, Code.CONFLICT, Code.STORAGE_FULL),
    ),
    LocalCall(
        "POST",
        f"{BASE}/pairing/open",
        "Make a one-time pairing code, shown once",
        Access.CHANGES,
        request=admin.OpenPairing,
        reply="PairingOpenedHere",
        codes=(Code.NOT_FOUND, Code.CONFLICT, Code.STORAGE_FULL),
    ),
    LocalCall(
        "GET",
        "/mqtt",
        "MQTT over WebSocket, subprotocol `mqtt` (see asyncapi.yaml)",
        status=101,
        codes=(Code.UNAVAILABLE,),
        bare=((400, Code.VALIDATION),),
    ),
)


def admin_operations() -> tuple[Operation, ...]:
    """The operations offered at the admin's door, in the registry's order."""
    return tuple(row for row in OPERATIONS.values() if Door.ADMIN in row.doors)


def path_of(row: Operation) -> str:
    """Where an operation is called."""
    return f"{BASE}/{'/'.join(row.address)}"


def routes() -> frozenset[tuple[str, str]]:
    """(method, path) of everything published; ``OPERATION_ROUTE`` stands for all operations."""
    reads = {("GET", read.path) for read in READS}
    return frozenset(
        {("POST", OPERATION_ROUTE)} | {(call.method, call.path) for call in CALLS} | reads
    )


def build() -> Document:
    """The whole document."""
    paths: Document = {}
    for call in CALLS:
        paths.setdefault(call.path, {})[call.method.lower()] = _call(call)
    paths |= pages.paths()
    for row in admin_operations():
        paths[path_of(row)] = {"post": _operation(row)}
    return {
        **head("Store Hub: local HTTP API", description()),
        "servers": [
            {
                "url": "https://{host}:{port}",
                "variables": {
                    "host": {"default": "store-hub.local"},
                    "port": {"default": "8443"},
                },
            }
        ],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "parameters": {
                "actionKey": _action_key(),
                "csrf": _csrf(),
                "idempotencyKey": _key(),
            },
            "headers": {
                "Retry-After": {
                    "description": "Seconds to wait at least.",
                    "schema": {"type": "integer", "minimum": 0},
                }
            },
            "securitySchemes": {
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": COOKIE,
                    "description": "Set by sign-in: Secure, HttpOnly, SameSite=Strict.",
                }
            },
        },
    }


def _call(call: LocalCall) -> Document:
    found: Document = {
        "operationId": operation_id(call.method, call.path.removeprefix(BASE)),
        "summary": call.summary,
        "security": [] if call.access is Access.ANYONE else [{"session": []}],
    }
    names = [*call.parameters, *(["csrf"] if call.access is Access.CHANGES else [])]
    if names:
        found["parameters"] = [{"$ref": f"#/components/parameters/{name}"} for name in names]
    if call.request is not None:
        example = local_samples.REQUESTS[call.request.__name__]
        found["requestBody"] = {"required": True, "content": body(ref(call.request), example)}
    done: Document = {"description": "Done."}
    if call.reply is not None:
        name = call.reply if isinstance(call.reply, str) else call.reply.__name__
        done["content"] = body(ref(name), local_samples.REPLIES[name], call.media)
    if call.method == "POST" and call.reply == "PageSession":
        done["headers"] = {"Set-Cookie": {"schema": {"type": "string"}}}
    codes = [Code.BUSY, Code.UNAVAILABLE, *call.codes, *_access_codes(call.access)]
    codes += [Code.VALIDATION, Code.TOO_LARGE] if call.request is not None else []
    bare = [*call.bare, *([_SLOW_BODY] if call.request is not None else [])]
    found["responses"] = {str(call.status): done} | _problems(codes, bare)
    return found


def _access_codes(access: Access) -> list[Code]:
    match access:
        case Access.ANYONE:
            return []
        case Access.SIGNED_IN:
            return [Code.UNAUTHENTICATED]
        case Access.CHANGES:
            return [Code.UNAUTHENTICATED, Code.FORBIDDEN]


def _operation(row: Operation) -> Document:
    parameters = [{"$ref": "#/components/parameters/csrf"}]
    if not row.is_query:
        parameters.append({"$ref": "#/components/parameters/idempotencyKey"})
    return {
        "operationId": operation_id("post", path_of(row).removeprefix(BASE)),
        "summary": summary_of(row.command),
        "description": doc_of(row.command),
        "security": [{"session": []}],
        "parameters": parameters,
        "requestBody": {
            "required": True,
            "content": body(ref(row.command), samples.REQUESTS[row.address]),
        },
        "responses": {"200": {"description": "Done.", "content": _result(row)}}
        | _problems([code for code in Code if code is not Code.EXPIRED], [_SLOW_BODY]),
    }


def _result(row: Operation) -> Document:
    return body(ref(row.result), samples.RESULTS[row.result.__name__])


def _problems(codes: list[Code], bare: Sequence[tuple[int, Code]] = ()) -> Document:
    pairs = [*bare, *((MEANINGS[code].status, code) for code in MEANINGS if code in codes)]
    return problems(
        pairs, "Problem", headers={"Retry-After": {"$ref": "#/components/headers/Retry-After"}}
    )


def _csrf() -> Document:
    return {
        "name": CSRF_HEADER,
        "in": "header",
        "required": True,
        "description": "`csrf` of the session; not needed on the admin socket.",
        "schema": {"type": "string"},
        "example": local_samples.CSRF,
    }


def _key() -> Document:
    return {
        "name": IDEMPOTENCY_HEADER,
        "in": "header",
        "required": True,
        "description": "8 to 64 printable ASCII characters; the same key for every repeat.",
        "schema": {"type": "string", "pattern": "^[!-~]{8,64}$"},
        "example": samples.KEY,
    }


def _action_key() -> Document:
    return {
        "name": "key",
        "in": "path",
        "required": True,
        "description": "`key` of one of `GET /api/1/actions`.",
        "schema": {"type": "string", "pattern": "^[a-z]+\\.[a-z]+$", "maxLength": 40},
        "example": "outbox.retry",
    }


def _schemas() -> dict[str, Schema]:
    models: list[type[BaseModel]] = [Problem, admin.PairingOpened, *pages.replies()]
    for call in CALLS:
        models += [one for one in (call.request, call.reply) if isinstance(one, type)]
    for row in admin_operations():
        models += [row.command, row.result]
    found = component_schemas(models)
    found["Code"] = {"type": "string", "description": found["Code"]["description"]}
    found["Code"]["examples"] = [str(code) for code in Code]
    found["Problem"]["examples"] = [samples.ENVELOPES["Problem"]]
    found["Pem"] = {"type": "string", "description": "Certificates in PEM (RFC 7468)."}
    found["Zip"] = {"type": "string", "format": "binary", "description": "A .zip file."}
    found["EventStream"] = {
        "type": "string",
        "description": "`event: status`, `data:` a HubStatus in JSON; `event: beat` when there"
        " was no news for 10 s.",
    }
    found["PageSession"] = _page_session()
    found["PairingOpenedHere"] = {
        "allOf": [
            ref(admin.PairingOpened),
            {
                "type": "object",
                "properties": {
                    "qr_svg": {"type": "string", "description": "The QR code as an SVG."}
                },
            },
        ]
    }
    return dict(sorted(found.items()))


def _page_session() -> Schema:
    whole = {"type": "integer"}
    return {
        "description": "A session of the page; `csrf` goes back in X-CSRF-Token.",
        "type": "object",
        "properties": {
            "role": {"type": "string"},
            "csrf": {"type": "string"},
            "idle_s": {**whole, "description": "Seconds without use that end it."},
            "ends_in_s": {**whole, "description": "Seconds until it ends in any case."},
        },
        "required": ["role", "csrf", "idle_s", "ends_in_s"],
    }
