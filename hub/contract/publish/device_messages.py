"""Messages and schemas of the device contract."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from hub.contract import envelope, keeping, lending
from hub.contract.catalog import LevelView
from hub.contract.peripherals import PeripheralEvent
from hub.contract.problems import Code, Problem
from hub.contract.publish import order_samples, payment_samples, peripheral_samples, samples
from hub.contract.publish.schemas import Schema, component_schemas, ref, summary_of
from hub.contract.registry import OPERATIONS, Door, Operation
from hub.contract.scans import Scan, ScanEvent

Document = dict[str, Any]
BINDING = {"bindingVersion": "0.2.0"}
_DATASETS = ("catalog", "prices", "promotions", "taxes", "customers", "staff", "policies")

NOTICES: dict[str, tuple[str, Schema, Document]] = {
    "stock": (
        "Levels after a change, at most 100 a message, or `resync`: too much changed, ask anew.",
        {"levels": {"type": "array", "items": ref(LevelView)}, "resync": {"type": "boolean"}},
        {"levels": samples.RESULTS["Levels"]["levels"]},
    ),
    "approvals": (
        "An approval was asked for or decided.",
        {name: {"type": "string"} for name in ("approval_id", "state", "permission", "device_id")},
        {
            "approval_id": samples.APPROVAL,
            "state": "pending",
            "permission": "sale.discount",
            "device_id": samples.DEVICE,
        },
    ),
    "baskets": (
        "A basket was suspended, resumed or ended.",
        {name: {"type": "string"} for name in ("basket_id", "state", "owner")},
        {"basket_id": samples.BASKET, "state": "suspended", "owner": samples.DEVICE},
    ),
    "printing": (
        "A print job has ended, or nobody knows how: `ambiguous` asks a person (`print/settle`).",
        {name: {"type": "string"} for name in ("job_id", "device_id", "kind", "state", "reason")},
        {
            "job_id": samples.PRINT_JOB,
            "device_id": samples.DEVICE,
            "kind": "sale",
            "state": "ambiguous",
            "reason": "the hub stopped while it was being printed",
        },
    ),
    "orders": (
        "An online order came, changed or ended; `short`: goods are missing. `order/get` tells.",
        {
            "order_id": {"type": "string"},
            "state": {"type": "string"},
            "short": {"type": "boolean"},
        },
        order_samples.BROADCAST,
    ),
    "payments": (
        "A card payment is in another state, or something is to be done: `payment/get` tells.",
        {
            name: {"type": "string"}
            for name in ("payment_id", "sale_id", "device_id", "terminal_id", "state")
        },
        {
            "payment_id": payment_samples.PAYMENT,
            "sale_id": samples.SALE,
            "device_id": samples.DEVICE,
            "terminal_id": "terminal-1",
            "state": "authorised",
        },
    ),
    **{
        name: (
            f"The data set `{name}` changed: a new snapshot is in force, or changes were applied.",
            {
                "dataset": {"type": "string"},
                "label": {"type": "string", "description": "which generation is in force"},
                "snapshot": {"type": "boolean"},
            },
            {"dataset": name, "label": "g17", "snapshot": True},
        )
        for name in _DATASETS
    },
}
"""Topic below ``bcast/`` → what it says, the fields of ``data``, an example of ``data``."""


def device_operations() -> tuple[Operation, ...]:
    """The operations offered at the device's door, in the registry's order."""
    return tuple(row for row in OPERATIONS.values() if Door.DEVICE in row.doors)


def service_of(row: Operation) -> str:
    return row.command.service


def name_of(row: Operation) -> str:
    return ".".join(row.address)


# Messages ----------------------------------------------------------------------------------------


def _message(name: str, title: str, payload: Schema, example: Document, **more: Any) -> Document:
    headers = more.pop("sample_headers", None)
    shown = {"name": "example", **({"headers": headers} if headers else {}), "payload": example}
    return {
        "name": name,
        "title": title,
        "contentType": "application/json",
        **more,
        "payload": payload,
        "examples": [shown],
    }


_CORRELATED: Document = {
    "correlationId": {
        "description": "MQTT 3.1.1: in the body. MQTT 5: the correlation data.",
        "location": "$message.payload#/correlation",
    },
    "bindings": {
        "mqtt": {
            "correlationData": {"type": "string", "description": "Unique per request under way."},
            **BINDING,
        }
    },
}


def messages(rows: tuple[Operation, ...]) -> Document:
    found: Document = {
        "hub.state": _plain("hub.state", envelope.HubState),
        "device.state": _plain("device.state", envelope.DeviceState),
        "device.meta": _plain("device.meta", envelope.DeviceMeta),
        "refusal": _message(
            "refusal",
            "The answer is no",
            ref("Refusal"),
            {"ok": False, "seq": 0, "problem": samples.ENVELOPES["Problem"]},
            **_CORRELATED,
        ),
    }
    for row in rows:
        found[f"{name_of(row)}.request"] = _request(row)
        found[f"{name_of(row)}.reply"] = _message(
            f"{name_of(row)}.reply",
            f"Answer of {'/'.join(row.address)}",
            ref(_reply_schema_name(row)),
            {"ok": True, "seq": 0 if row.is_query else 4711, "result": _result(row)},
            **_CORRELATED,
        )
    fact_id = f"{samples.JOURNAL}:1"
    found["fact"] = _plain("fact", envelope.Fact)
    found["fact.reply"] = _message(
        "fact.reply",
        "The fact is stored",
        ref("FactReply"),
        {"ok": True, "seq": 0, "result": {}, "correlation": fact_id},
        **_CORRELATED,
    )
    found["command"] = _plain("command", envelope.DeviceCommand)
    found["command.reply"] = _message(
        "command.reply",
        "What became of a command",
        ref("CommandReply"),
        {"ok": True, "result": {}, "correlation": samples.COMMAND},
        **_CORRELATED,
    )
    told = peripheral_samples.ENVELOPES
    found["scan"] = _message(
        "scan", "A scanner at the hub has read a code", _scan(), told["ScanCommand"]
    )
    for name, model in (("peripheral.event", PeripheralEvent), ("peripheral.scan", ScanEvent)):
        found[name] = _message(name, summary_of(model), ref(model), told[model.__name__])
    for name, (text, _, example) in NOTICES.items():
        notice = {**samples.ENVELOPES["Broadcast"], "data": example}
        found[f"bcast.{name}"] = _message(
            f"bcast.{name}", text.split(":")[0].split(", ")[0].rstrip("."), _notice(name), notice
        )
    return found


def _plain(name: str, model: type[BaseModel]) -> Document:
    example = samples.ENVELOPES[model.__name__]
    return _message(name, model.__name__, ref(model), example, summary=summary_of(model) + ".")


def _result(row: Operation) -> Document:
    return samples.RESULTS[row.result.__name__]


def _reply_schema_name(row: Operation) -> str:
    return f"{row.result.__name__}Reply"


def _request(row: Operation) -> Document:
    name = f"{name_of(row)}.request"
    more: Document = dict(_CORRELATED)
    if not row.is_query:
        more["headers"] = ref("RequestHeaders")
        more["sample_headers"] = {"idk": samples.KEY}
    example = samples.REQUESTS[row.address]
    return _message(name, f"Ask for {'/'.join(row.address)}", ref(row.command), example, **more)


def _scan() -> Schema:
    return {"allOf": [ref("DeviceCommand"), {"type": "object", "properties": {"data": ref(Scan)}}]}


def _notice(name: str) -> Schema:
    data = {"type": "object", "properties": NOTICES[name][1]}
    return {"allOf": [ref("Broadcast"), {"type": "object", "properties": {"data": data}}]}


# Schemas -----------------------------------------------------------------------------------------

_FALLBACK_FIELDS: Schema = {
    "idempotency_key": {
        "type": "string",
        "pattern": "^[!-~]{8,64}$",
        "description": "MQTT 3.1.1 only: in place of the user property `idk`.",
    },
    "record": {
        "type": "string",
        "maxLength": envelope.MAX_RECORD_CHARS,
        "description": "MQTT 3.1.1 only: in place of the user property `record`.",
    },
    "correlation": {
        "type": "string",
        "maxLength": 200,
        "description": "MQTT 3.1.1 only: in place of the correlation data.",
    },
}
_CORRELATION: Schema = {
    "type": "string",
    "description": "The request's `correlation`, for devices without MQTT 5 properties.",
}
_RECORD: Schema = {
    "type": "string",
    "maxLength": envelope.MAX_RECORD_CHARS,
    "description": "The hub's own, of a change: keep it unread with the request and send it along "
    "when the request is offered again to another incarnation.",
}
_SEQ: Schema = {
    "type": "integer",
    "description": "Where in the hub's work this is written (see safe_seq); 0: nowhere.",
}


def schemas(rows: tuple[Operation, ...]) -> dict[str, Schema]:
    models: list[type[BaseModel]] = [row.command for row in rows]
    models += [row.result for row in rows]
    models += [Problem, envelope.HubState, envelope.DeviceState, envelope.DeviceMeta]
    models += [envelope.Fact, envelope.Broadcast, envelope.DeviceCommand, LevelView]
    models += [Scan, ScanEvent, PeripheralEvent]
    models += [keeping.PaymentCopy, keeping.CopyKept, keeping.DropCopies, keeping.AskCopies]
    models += [keeping.Copies]
    models += [lending.LentPrinter, lending.PrintPiece, lending.PieceTaken, lending.DrawerKick]
    found = component_schemas(models)
    found["Code"] = {"type": "string", "description": found["Code"]["description"]}
    found["Code"]["examples"] = [str(code) for code in Code]
    for row in rows:
        schema = found[row.command.__name__]
        fields = dict(_FALLBACK_FIELDS)
        if row.is_query:
            del fields["idempotency_key"], fields["record"]
        schema["properties"] = {**schema.get("properties", {}), **fields}
        found[_reply_schema_name(row)] = _yes(ref(row.result))
    found["FactReply"] = _yes({"type": "object"})
    found["Refusal"] = _no()
    found["CommandReply"] = {
        "description": "The device's answer to a command; `correlation` is its `command_id`.",
        "type": "object",
        "properties": {
            "ok": {"type": "boolean"},
            "result": {"type": "object"},
            "problem": ref(Problem),
            "correlation": {"type": "string"},
        },
        "required": ["ok", "correlation"],
    }
    found["RequestHeaders"] = {
        "description": "MQTT 5 user properties.",
        "type": "object",
        "properties": {
            "idk": {
                "type": "string",
                "pattern": "^[!-~]{8,64}$",
                "description": "The idempotency key; a UUIDv7 is recommended.",
            },
            "record": {
                "type": "string",
                "maxLength": envelope.MAX_RECORD_CHARS,
                "description": "The `record` of the reply that another incarnation gave to this "
                "request.",
            },
        },
    }
    return dict(sorted(found.items()))


def _yes(result: Schema) -> Schema:
    return {
        "type": "object",
        "properties": {
            "ok": {"const": True},
            "seq": _SEQ,
            "result": result,
            "record": _RECORD,
            "correlation": _CORRELATION,
        },
        "required": ["ok", "seq", "result"],
    }


def _no() -> Schema:
    return {
        "type": "object",
        "properties": {
            "ok": {"const": False},
            "seq": {"type": "integer"},
            "problem": ref(Problem),
            "correlation": _CORRELATION,
        },
        "required": ["ok", "problem"],
    }
