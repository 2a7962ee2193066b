"""Who may do what at the broker: the document of Mosquitto's dynamic-security plugin.

One role per device with every allowed topic spelled out (``%u`` patterns need 2.1); everything
else is denied.  The document is written before each start of the broker; while it runs,
:mod:`hub.mqtt.dynsec_control` makes the same roles through the plugin's control topic.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from hub.mqtt.topics import Topics, is_device_id
from hub.security.passwords import PasswordHash

HUB_USERNAME: Final = "$hub"
"""The hub's own account; no device id can start with ``$``, so no certificate names it."""

HUB_ROLE: Final = "hub"


@dataclass(frozen=True, slots=True)
class DeviceAccess:
    """One paired device.  ``password_hash`` (``str`` of a PasswordHash) exactly with ``password``.

    A device with a certificate has no password: the plugin then refuses it on the password
    listener and on the WebSocket bridge, whatever it sends.
    """

    device_id: str
    auth: Literal["mtls", "password"]
    password_hash: str | None = None

    def __post_init__(self) -> None:
        if not is_device_id(self.device_id):
            raise ValueError(f"device id {self.device_id!r}: expected 3-40 of a-z, 0-9, '-'")
        if (self.auth == "password") != (self.password_hash is not None):
            raise ValueError(f"device {self.device_id}: a password hash goes with auth 'password'")


@dataclass(frozen=True, slots=True)
class HubAccess:
    """The hub's own account, with a password drawn anew for each run of the hub."""

    password_hash: str
    username: str = HUB_USERNAME


def device_role_name(device_id: str) -> str:
    return f"device-{device_id}"


def device_acls(topics: Topics, device_id: str) -> list[dict[str, Any]]:
    """All that one device may do: write its own topics, read its own and the common ones."""
    root = topics.device(device_id)
    writes = [f"{root}/{own}" for own in ("state", "meta", "req/#", "evt/#", "cmd-rep/#")]
    reads = [f"{root}/rep", f"{root}/cmd/#", f"{topics.prefix}/hub/#", f"{topics.prefix}/bcast/#"]
    return [
        *(_allow("publishClientSend", topic) for topic in writes),
        *(_allow("publishClientReceive", topic) for topic in reads),
        *(_allow("subscribePattern", topic) for topic in reads),
    ]


def device_role(topics: Topics, device_id: str) -> dict[str, Any]:
    return {"rolename": device_role_name(device_id), "acls": device_acls(topics, device_id)}


def hub_role(topics: Topics) -> dict[str, Any]:
    """The hub's rights; ``$CONTROL`` and ``$SYS`` are never covered by a bare ``#``."""
    own = f"{topics.prefix}/#"
    return {
        "rolename": HUB_ROLE,
        "acls": [
            *(_allow("publishClientSend", topic) for topic in (own, "$CONTROL/#")),
            *(_allow("publishClientReceive", topic) for topic in (own, "$CONTROL/#", "$SYS/#")),
            *(_allow("subscribePattern", topic) for topic in (own, "$CONTROL/#", "$SYS/#")),
        ],
    }


def build_document(topics: Topics, hub: HubAccess, devices: Iterable[DeviceAccess]) -> str:
    """The text of ``dynamic-security.json``: a secret (0600), though only hashes are in it.

    Raises ``ValueError`` for a device listed twice or a malformed hash.
    """
    listed = sorted(devices, key=lambda device: device.device_id)
    names = [device.device_id for device in listed]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"device {twice} is listed twice")
    document = {
        "defaultACLAccess": {
            "publishClientSend": False,
            "publishClientReceive": False,
            "subscribe": False,
            "unsubscribe": True,  # giving up what one never had harms nobody
        },
        "roles": [hub_role(topics), *(device_role(topics, name) for name in names)],
        "clients": [
            _client(hub.username, "hub", HUB_ROLE, hub.password_hash),
            *(
                _client(d.device_id, d.auth, device_role_name(d.device_id), d.password_hash)
                for d in listed
            ),
        ],
        "groups": [],
    }
    return json.dumps(document, indent=1) + "\n"


def _allow(kind: str, topic: str) -> dict[str, Any]:
    return {"acltype": kind, "topic": topic, "priority": 0, "allow": True}


def _client(username: str, auth: str, role: str, password_hash: str | None) -> dict[str, Any]:
    # The plugin can't be asked whether a client has a password: its text name keeps that.
    client: dict[str, Any] = {"username": username, "textname": auth, "roles": [{"rolename": role}]}
    if password_hash is not None:
        client |= PasswordHash.parse(password_hash).fields()
    return client
