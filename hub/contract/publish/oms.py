"""``contract/oms.openapi.yaml``: what the cloud's order management offers a hub (OpenAPI 3.1)."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from hub.contract import oms
from hub.contract.oms import (
    BATCH_CONTENT_TYPE,
    CALLS,
    HEADER_INCARNATION,
    HEADER_OMS_INCARNATION,
    HEADER_SESSION,
    MAX_BATCH_EVENTS,
    OMS_MEANINGS,
    Call,
    OmsCode,
)
from hub.contract.oms_datasets import DATASETS, MAX_CHANGES, ROW_MODELS, CatalogRow
from hub.contract.oms_envelope import CloudEvent
from hub.contract.oms_events import EVENT_DATA
from hub.contract.oms_links import LinkPaid
from hub.contract.oms_orders import ORDER_COMMANDS
from hub.contract.oms_payments import PaymentOutcome
from hub.contract.oms_remote import REMOTE_COMMANDS
from hub.contract.oms_value import TOKEN_PATTERN, GiftCardAllotted
from hub.contract.publish import (
    oms_event_samples,
    oms_link_samples,
    oms_payment_samples,
    oms_samples,
    oms_value_samples,
    samples,
)
from hub.contract.publish.oms_prose import description
from hub.contract.publish.openapi import Document, body, head, operation_id, problems
from hub.contract.publish.schemas import Schema, component_schemas, ref

BASE = "/v1/stores/{store}"
TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path
_CHUNK = "/datasets/{name}/chunks/{generation}/{index}"

_SUMMARIES: dict[tuple[str, str], str] = {
    ("POST", "/hub-sessions"): "HELLO: open a session",
    ("POST", "/events"): "Send facts up",
    ("GET", "/events"): "Get a hub's own facts back, after a restore",
    ("GET", "/commands"): "Read the log of commands (long poll)",
    ("GET", "/datasets/{name}/manifest"): "A frozen snapshot of a data set",
    ("GET", _CHUNK): "One chunk of a snapshot",
    ("GET", "/datasets/{name}/changes"): "What changed since a cursor",
    ("POST", "/digests"): "Compare stock by hashes",
    ("POST", "/digests/detail"): "Compare the levels of one digest bucket",
    ("POST", "/support-bundles"): "Post a piece of a support bundle that a command asked for",
    ("POST", "/payments"): "Charge a card payment that the shop has stored",
    ("GET", "/payments/{payment_id}"): "How a payment stands",
    ("POST", "/payments/{payment_id}/capture"): "Take what was authorised",
    ("POST", "/payments/{payment_id}/reversal"): "Let go of what was authorised",
    ("POST", "/payments/{payment_id}/refunds"): "Give captured money back",
    ("GET", "/payments/{payment_id}/refunds/{key}"): "How a refund stands",
    ("POST", "/payments/{payment_id}/link"): "Send the customer a link to pay what is owed",
    ("GET", "/payments/{payment_id}/link"): "How the last link of a payment stands",
    ("POST", "/payments/{payment_id}/link/cancel"): "Let nobody pay by a link any more",
    ("POST", "/gift-cards/{token}/holds"): "Hold value of a gift card or store credit",
    ("GET", "/gift-cards/holds/{hold_id}"): "How a hold stands",
    ("POST", "/gift-cards/holds/{hold_id}/capture"): "Take what is held, or was set aside",
    ("POST", "/gift-cards/holds/{hold_id}/release"): "Let go of what is held",
    ("POST", "/gift-cards/holds/{hold_id}/refunds"): "Give captured value back",
    ("GET", "/gift-cards/holds/{hold_id}/refunds/{key}"): "How a refund of value stands",
    ("POST", "/gift-cards/balance"): "What is on a card",
    ("GET", "/availability"): "Other shops' stock",
    ("GET", "/health"): "Is the OMS there?",
}

_PARAMETERS: dict[str, tuple[Schema, str]] = {
    "store": ({"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$"}, "The store."),
    "name": ({"type": "string", "enum": list(DATASETS)}, "The data set."),
    "generation": ({"type": "string", "maxLength": 64}, "As the manifest names it."),
    "index": ({"type": "integer", "minimum": 0}, "As the manifest counts them."),
    "payment_id": ({"type": "string", "maxLength": 36}, "The payment, as the shop calls it."),
    "hold_id": ({"type": "string", "maxLength": 36}, "The payment, as the shop calls it."),
    "token": ({"type": "string", "pattern": TOKEN_PATTERN}, "As read from the card: not logged."),
    "key": ({"type": "string", "maxLength": 100}, "The effect, as the shop calls it."),
    "after": ({"type": "string", "default": ""}, "Cursor; empty is the beginning."),
    "source_prefix": ({"type": "string", "maxLength": 200}, "Only sources that begin so."),
    "cursor": ({"type": "string", "maxLength": 128, "default": ""}, "Empty is the beginning."),
    "wait": (
        {"type": "integer", "minimum": 0, "maximum": oms.MAX_WAIT_S, "default": 0},
        "Seconds to wait for something to come.",
    ),
    "sku": ({"type": "string", "minLength": 1, "maxLength": 64}, "The product."),
}
_REQUIRED_QUERY = frozenset({"sku"})
_EXAMPLES = {
    "store": samples.STORE,
    "name": "catalog",
    "generation": "g17",
    "index": 0,
    "source_prefix": f"/stores/{samples.STORE}/",
    "sku": "A-100",
    "payment_id": oms_payment_samples.PAYMENT,
    "key": oms_payment_samples.REFUND_KEY,
    "hold_id": oms_value_samples.HOLD,
    "token": oms_value_samples.TOKEN,
}

_IN_PATHS = (
    "store",
    "name",
    "generation",
    "index",
    "payment_id",
    "hold_id",
    "token",
    "key",
)
_SAMPLES = (oms_samples, oms_payment_samples, oms_link_samples, oms_value_samples)
_REQUESTS = {name: one for module in _SAMPLES for name, one in module.REQUESTS.items()}
REPLIES = {name: one for module in _SAMPLES for name, one in module.REPLIES.items()}

_ALWAYS = (
    OmsCode.VALIDATION,
    OmsCode.UNAUTHENTICATED,
    OmsCode.FORBIDDEN,
    OmsCode.NOT_FOUND,
    OmsCode.BUSY,
    OmsCode.UNAVAILABLE,
)
_WITH_SESSION = (OmsCode.SUPERSEDED, OmsCode.HELLO_REQUIRED)
_WITH_BODY = (OmsCode.TOO_LARGE, OmsCode.UNSUPPORTED_ENCODING)
_OWN_CODES: dict[tuple[str, str], tuple[OmsCode, ...]] = {
    ("POST", "/hub-sessions"): (
        OmsCode.SUPERSEDED,
        OmsCode.NONCE_REUSED,
        OmsCode.UNSUPPORTED_CONTRACT,
    ),
    ("POST", "/events"): (OmsCode.SEQUENCE_GAP, OmsCode.SEQUENCE_REUSED, OmsCode.POISON_EVENT),
    ("GET", "/events"): (OmsCode.CURSOR_GONE,),
    ("GET", "/commands"): (OmsCode.CURSOR_GONE,),
    ("GET", _CHUNK): (OmsCode.CURSOR_GONE,),
    ("POST", "/support-bundles"): (OmsCode.CONFLICT,),
    ("POST", "/payments"): (OmsCode.CONFLICT,),
    ("POST", "/payments/{payment_id}/capture"): (OmsCode.CONFLICT,),
    ("POST", "/payments/{payment_id}/reversal"): (OmsCode.CONFLICT,),
    ("POST", "/payments/{payment_id}/refunds"): (OmsCode.CONFLICT,),
    ("POST", "/payments/{payment_id}/link"): (OmsCode.CONFLICT,),
    ("POST", "/gift-cards/{token}/holds"): (OmsCode.CONFLICT,),
    ("POST", "/gift-cards/holds/{hold_id}/refunds"): (OmsCode.CONFLICT,),
    ("GET", "/datasets/{name}/changes"): (OmsCode.CURSOR_GONE,),
}


def build() -> Document:
    """The whole document."""
    paths: Document = {}
    for call in CALLS:
        paths.setdefault(BASE + call.path, {})[call.method.lower()] = _operation(call)
    paths[TOKEN_PATH] = {"post": _token_operation()}
    return {
        **head("Store Hub: cloud OMS", description()),
        "servers": [{"url": "https://oms.example.com", "description": "As configured."}],
        "security": [{"bearer": []}, {"clientCredentials": []}, {"certificate": []}],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "parameters": {name: _parameter(name, "path") for name in _IN_PATHS}
            | {"hubIncarnation": _header(HEADER_INCARNATION, "integer", 3)}
            | {"hubSession": _header(HEADER_SESSION, "string", oms_event_samples.TOKEN)},
            "headers": _reply_headers(),
            "securitySchemes": _security(),
        },
    }


def _operation(call: Call) -> Document:
    inside = [part[1:-1] for part in (BASE + call.path).split("/") if part.startswith("{")]
    parameters = [{"$ref": f"#/components/parameters/{name}"} for name in inside]
    if call.session:
        parameters += [
            {"$ref": f"#/components/parameters/{name}"} for name in ("hubIncarnation", "hubSession")
        ]
    parameters += [_parameter(name, "query", call) for name in call.query]
    if call.request is not None:
        parameters.append(_encoding())
    found: Document = {
        "operationId": operation_id(call.method, call.path),
        "summary": _SUMMARIES[(call.method, call.path)],
        "parameters": parameters,
    }
    if call.request is not None:
        found["requestBody"] = {"required": True, "content": _request(call.request)}
    ok: Document = {"description": "Done.", "headers": _header_refs()}
    ok["content"] = _chunk() if call.reply is None else _content(call.reply)
    found["responses"] = {"200": ok} | problems(
        [(OMS_MEANINGS[code].status, code) for code in _codes(call)],
        "OmsProblem",
        headers=_header_refs("Retry-After"),
    )
    return found


def _codes(call: Call) -> Sequence[OmsCode]:
    codes = [*_ALWAYS, *_OWN_CODES.get((call.method, call.path), ())]
    codes += _WITH_SESSION if call.session else ()
    codes += _WITH_BODY if call.request is not None else ()
    return [code for code in OMS_MEANINGS if code in codes]


def _content(model: type[BaseModel]) -> Document:
    return body(ref(model), REPLIES[model.__name__])


def _request(model: type[BaseModel]) -> Document:
    example = _REQUESTS[model.__name__]
    if model is CloudEvent:
        return body(ref("EventBatch"), example, BATCH_CONTENT_TYPE)
    return body(ref(model), example)


def _chunk() -> Document:
    text = "JSON Lines: one row a line, a line feed after each; zstd or gzip as accepted."
    schema: Schema = {"type": "string", "description": text}
    line = CatalogRow.model_validate(oms_samples.ROWS["CatalogRow"]).model_dump_json()
    return body(schema, line + "\n", "application/jsonl")


def _parameter(name: str, place: str, call: Call | None = None) -> Document:
    if name == "limit":
        most = MAX_CHANGES if call and "datasets" in call.path else oms.MAX_EVENTS_PAGE
        schema: Schema = {"type": "integer", "minimum": 1, "maximum": most, "default": most}
        text = "At most so many."
    else:
        schema, text = _PARAMETERS[name]
    found = {
        "name": name,
        "in": place,
        "required": place == "path" or name in _REQUIRED_QUERY,
        "description": text,
        "schema": schema,
    }
    if name in _EXAMPLES:
        found["example"] = _EXAMPLES[name]
    return found


def _header(name: str, kind: str, example: object) -> Document:
    return {
        "name": name,
        "in": "header",
        "required": True,
        "description": "From the answer to HELLO.",
        "schema": {"type": kind},
        "example": example,
    }


def _encoding() -> Document:
    return {
        "name": "Content-Encoding",
        "in": "header",
        "required": False,
        "schema": {"type": "string", "enum": ["zstd", "gzip", "identity"]},
    }


def _header_refs(*more: str) -> Document:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (_LIFE, *more)}


_LIFE = HEADER_OMS_INCARNATION


def _reply_headers() -> Document:
    return {
        _LIFE: {
            "required": True,
            "description": "Another value than before: the OMS was restored; say HELLO.",
            "schema": {"type": "string"},
            "example": oms_event_samples.OMS,
        },
        "Retry-After": {
            "description": "Seconds to wait at least.",
            "schema": {"type": "integer", "minimum": 0},
        },
    }


def _token_operation() -> Document:
    fields = {name: {"type": "string"} for name in ("client_id", "client_secret")}
    form: Schema = {
        "type": "object",
        "properties": {"grant_type": {"const": "client_credentials"}, **fields},
        "required": ["grant_type", "client_id", "client_secret"],
    }
    codes = (OmsCode.VALIDATION, OmsCode.UNAUTHENTICATED, OmsCode.BUSY, OmsCode.UNAVAILABLE)
    return {
        "operationId": "postOauthToken",
        "summary": "An access token for client credentials (RFC 6749, section 4.4)",
        "security": [],
        "requestBody": {
            "required": True,
            "content": body(form, None, "application/x-www-form-urlencoded"),
        },
        "responses": {
            "200": {"description": "Done.", "content": _content(oms.TokenReply)},
            **problems([(OMS_MEANINGS[code].status, code) for code in codes], "OmsProblem"),
        },
    }


def _security() -> Document:
    return {
        "bearer": {"type": "http", "scheme": "bearer"},
        "clientCredentials": {
            "type": "oauth2",
            "flows": {"clientCredentials": {"tokenUrl": TOKEN_PATH, "scopes": {}}},
        },
        "certificate": {"type": "mutualTLS"},
    }


def _schemas() -> dict[str, Schema]:
    models: list[type[BaseModel]] = [oms.OmsProblem, oms.TokenReply, *EVENT_DATA.values()]
    models += [*REMOTE_COMMANDS.values(), *ORDER_COMMANDS.values()]
    models += [PaymentOutcome, LinkPaid, GiftCardAllotted]
    models += [model for rows in ROW_MODELS.values() for model in rows]
    for call in CALLS:
        models += [model for model in (call.request, call.reply) if model is not None]
    found = component_schemas(models)
    for name, example in oms_samples.ROWS.items():
        found[name]["examples"] = [example]
    found["OmsProblem"]["examples"] = [oms_samples.PROBLEM]
    event = found["CloudEvent"]
    event["required"] = ["specversion", *event["required"]]
    event["allOf"] = [
        {
            "if": {"properties": {"type": {"const": kind}}, "required": ["type"]},
            "then": {"properties": {"data": ref(model)}},
        }
        for kind, model in EVENT_DATA.items()
    ]
    event["examples"] = [oms_event_samples.event_of(kind) for kind in EVENT_DATA]
    found["EventBatch"] = {
        "type": "array",
        "maxItems": MAX_BATCH_EVENTS,
        "items": ref(CloudEvent),
    }
    return dict(sorted(found.items()))
