"""``contract/asyncapi.yaml``: what a store device speaks (AsyncAPI 3.0)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub.contract.base import CONTRACT_VERSION, MAX_MESSAGE_BYTES
from hub.contract.publish import samples
from hub.contract.publish.device_messages import (
    BINDING,
    NOTICES,
    Document,
    device_operations,
    messages,
    name_of,
    schemas,
    service_of,
)
from hub.contract.publish.device_prose import description
from hub.contract.publish.schemas import doc_of, summary_of
from hub.contract.registry import Operation
from hub.contract.scans import SCAN_LIFE_S
from hub.contract.topics import TREE_VERSION

ROOT = f"sh/{TREE_VERSION}/{{store}}"
DEV = f"{ROOT}/dev/{{deviceId}}"
PERIPHERAL = f"{ROOT}/hub/dev/{{peripheralId}}"
EXPIRY_S = 10


def build() -> Document:
    """The whole document."""
    rows = device_operations()
    return {
        "asyncapi": "3.0.0",
        "id": f"urn:store-hub:contract:device:{CONTRACT_VERSION}",
        "info": {
            "title": "Store Hub: devices",
            "version": f"{CONTRACT_VERSION}.0.0",
            "description": description(),
            "license": {
                "name": "Apache-2.0",
                "url": "https://www.apache.org/licenses/LICENSE-2.0",
            },
            "tags": [
                {"name": name} for name in (*dict.fromkeys(service_of(row) for row in rows), "link")
            ],
        },
        "defaultContentType": "application/json",
        "servers": _servers(),
        "channels": _channels(rows),
        "operations": _operations(rows),
        "components": {
            "schemas": schemas(rows),
            "messages": messages(rows),
            "parameters": _parameters(),
            "securitySchemes": {
                "certificate": {
                    "type": "X509",
                    "description": "The device's certificate from its pairing.",
                },
                "password": {
                    "type": "userPassword",
                    "description": "The user name (the device's id) and password from its pairing.",
                },
            },
        },
    }


# Servers -----------------------------------------------------------------------------------------


def _servers() -> Document:
    host = {"description": "The hub's address, from discovery or pairing.", "examples": ["hub.lan"]}
    bindings = {
        "mqtt": {
            "clientId": "{deviceId}",
            "cleanSession": True,
            "keepAlive": 10,
            "sessionExpiryInterval": 0,
            "maximumPacketSize": MAX_MESSAGE_BYTES,
            "lastWill": {
                "topic": f"{DEV}/state",
                "qos": 1,
                "retain": True,
                "message": '{"state":"lost","session":"{session}"}',
            },
            **BINDING,
        }
    }

    def server(port: int, scheme: str, title: str, **more: Any) -> Document:
        return {
            "host": "{host}:{port}",
            "protocol": more.pop("protocol", "secure-mqtt"),
            "protocolVersion": "5.0",
            "title": title,
            **more,
            "variables": {
                "host": host,
                "port": {"default": str(port), "description": "As told at pairing."},
            },
            "security": [{"$ref": f"#/components/securitySchemes/{scheme}"}],
            "bindings": bindings,
        }

    return {
        "certificate": server(8884, "certificate", "MQTT over mutual TLS (preferred)"),
        "password": server(8883, "password", "MQTT over TLS with user name and password"),
        "websocket": server(
            8443,
            "password",
            "MQTT over WebSocket over TLS, subprotocol mqtt, on the HTTPS port",
            protocol="wss",
            pathname="/mqtt",
        ),
    }


# Channels ----------------------------------------------------------------------------------------


def _parameters() -> Document:
    return {
        "store": {"description": "The store's id, told at pairing.", "examples": [samples.STORE]},
        "deviceId": {
            "description": "The device's id, told at pairing.",
            "examples": [samples.DEVICE],
        },
        "type": {
            "description": "What kind of fact: 1 to 64 of `A-Z a-z 0-9 . _ -`.",
            "examples": ["paper-low", "scan"],
        },
        "operation": {"description": "What the hub asks for.", "examples": ["show-message"]},
        "peripheralId": {
            "description": "The id of what hangs on the hub, as it was set up there.",
            "examples": ["scanner-1"],
        },
    }


def _channel(address: str, text: str, messages: Iterable[str]) -> Document:
    names = [part[1:-1] for part in address.split("/") if part.startswith("{")]
    return {
        "address": address,
        "description": text,
        "parameters": {name: {"$ref": f"#/components/parameters/{name}"} for name in names},
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
    }


def _channels(rows: tuple[Operation, ...]) -> Document:
    replies = ["refusal", "fact.reply", *(f"{name_of(row)}.reply" for row in rows)]
    return {
        "hub.state": _channel(f"{ROOT}/hub/state", "Retained; also its last will.", ["hub.state"]),
        "device.state": _channel(
            f"{DEV}/state", "Retained; its last will says `lost`.", ["device.state"]
        ),
        "device.meta": _channel(f"{DEV}/meta", "Retained.", ["device.meta"]),
        "rep": _channel(f"{DEV}/rep", "Answers to this device, matched by correlation.", replies),
        **{
            f"req.{name_of(row)}": _channel(
                f"{DEV}/req/{'/'.join(row.address)}",
                summary_of(row.command) + ".",
                [f"{name_of(row)}.request"],
            )
            for row in rows
        },
        "evt": _channel(f"{DEV}/evt/{{type}}", "Facts from the device.", ["fact"]),
        "cmd": _channel(
            f"{DEV}/cmd/{{operation}}",
            "What the hub asks of the device; `scan` is told and not answered.",
            ["command", "scan"],
        ),
        "cmd-rep": _channel(f"{DEV}/cmd-rep", "The device's answers.", ["command.reply"]),
        "peripheral.state": _channel(
            f"{PERIPHERAL}/state", "Retained: how what hangs on the hub is.", ["device.state"]
        ),
        "peripheral.meta": _channel(f"{PERIPHERAL}/meta", "Retained: what it is.", ["device.meta"]),
        "peripheral.evt": _channel(
            f"{PERIPHERAL}/evt/{{type}}",
            "What happened there; `scan`: a code that came to nothing.",
            ["peripheral.event", "peripheral.scan"],
        ),
        **{
            f"bcast.{name}": _channel(f"{ROOT}/bcast/{name}", text, [f"bcast.{name}"])
            for name, (text, _, _) in NOTICES.items()
        },
    }


# Operations --------------------------------------------------------------------------------------


def _operation(
    action: str, channel: str, summary: str, messages: Iterable[str], **more: Any
) -> Document:
    tag, binding = more.pop("tag", "link"), more.pop("binding", {"qos": 1})
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        **more,
        "tags": [{"name": tag}],
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages],
        "bindings": {"mqtt": {**binding, **BINDING}},
    }


def _reply(channel: str, messages: Iterable[str]) -> Document:
    return {
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages],
    }


def _operations(rows: tuple[Operation, ...]) -> Document:
    retained = {"qos": 1, "retain": True}
    found: Document = {
        "hub.state": _operation(
            "receive", "hub.state", "Hear how the hub is", ["hub.state"], binding=retained
        ),
        "device.state": _operation(
            "send", "device.state", "Say how this device is", ["device.state"], binding=retained
        ),
        "device.meta": _operation(
            "send", "device.meta", "Say what this device is", ["device.meta"], binding=retained
        ),
    }
    for row in rows:
        found[name_of(row)] = _operation(
            "send",
            f"req.{name_of(row)}",
            summary_of(row.command),
            [f"{name_of(row)}.request"],
            description=_text(row),
            tag=service_of(row),
            binding={"qos": 1, "retain": False, "messageExpiryInterval": EXPIRY_S},
            reply=_reply("rep", [f"{name_of(row)}.reply", "refusal"]),
        )
    found["fact"] = _operation(
        "send",
        "evt",
        "Report something that happened",
        ["fact"],
        binding={"qos": 1, "retain": False},
        reply=_reply("rep", ["fact.reply", "refusal"]),
    )
    found["command"] = _operation(
        "receive",
        "cmd",
        "Do what the hub asks",
        ["command"],
        reply=_reply("cmd-rep", ["command.reply"]),
    )
    found |= _peripheral_operations()
    for name, (text, _, _) in NOTICES.items():
        found[f"bcast.{name}"] = _operation(
            "receive", f"bcast.{name}", f"Hear of {name}", [f"bcast.{name}"], description=text
        )
    return found


def _peripheral_operations() -> Document:
    """What a device hears of what hangs on the hub."""
    found: Document = {
        "scan": _operation(
            "receive",
            "cmd",
            "Hear what a scanner at the hub has read for this device",
            ["scan"],
            binding={"qos": 0, "retain": False, "messageExpiryInterval": SCAN_LIFE_S},
        )
    }
    for leaf, text in (("state", "Hear how what hangs on the hub is"), ("meta", "Hear what it is")):
        channel = f"peripheral.{leaf}"
        messages = [f"device.{leaf}"]
        binding = {"qos": 1, "retain": True}
        found[channel] = _operation("receive", channel, text, messages, binding=binding)
    found["peripheral"] = _operation(
        "receive",
        "peripheral.evt",
        "Hear what happened at what hangs on the hub",
        ["peripheral.event", "peripheral.scan"],
        binding={"qos": 0, "retain": False},
    )
    return found


def _text(row: Operation) -> str:
    how = (
        "A query: needs no idempotency key."
        if row.is_query
        else "Changes something: needs an idempotency key (`idk`)."
    )
    return f"{doc_of(row.command)}\n\n{how}\n"
