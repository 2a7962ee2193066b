"""The MQTT topic tree that a hub and its devices share.

::

    sh/1/{store}/hub/state                            retained; also the hub's last will
    sh/1/{store}/hub/dev/{id}/state | meta            retained: what hangs on the hub's own box
    sh/1/{store}/hub/dev/{id}/evt/{type}              what happened there
    sh/1/{store}/bcast/{topic}                        change notices for everybody
    sh/1/{store}/dev/{id}/state | meta                retained, written by the device
    sh/1/{store}/dev/{id}/req/{service}/{operation}   device -> hub
    sh/1/{store}/dev/{id}/rep                         hub -> device
    sh/1/{store}/dev/{id}/evt/{type}                  facts, device -> hub
    sh/1/{store}/dev/{id}/cmd/{operation}             hub -> device, answered on cmd-rep
    sh/1/{store}/dev/{id}/cmd-rep                     device -> hub

Parsing runs once per message: it splits, compares and allocates one tuple, nothing more.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

TREE_VERSION: Final = "1"

_STORE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_DEVICE = re.compile(r"[a-z0-9][a-z0-9-]{2,39}")
_LEVEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class RequestTopic(NamedTuple):
    """``dev/{device}/req/{service}/{operation}``."""

    device: str
    service: str
    operation: str


class FactTopic(NamedTuple):
    """``dev/{device}/evt/{kind}``."""

    device: str
    kind: str


class StateTopic(NamedTuple):
    """``dev/{device}/state``."""

    device: str


class MetaTopic(NamedTuple):
    """``dev/{device}/meta``."""

    device: str


class CommandReplyTopic(NamedTuple):
    """``dev/{device}/cmd-rep``."""

    device: str


class CommandTopic(NamedTuple):
    """``dev/{device}/cmd/{operation}``."""

    device: str
    operation: str


DeviceTopic = RequestTopic | FactTopic | StateTopic | MetaTopic | CommandReplyTopic


def is_device_id(text: str) -> bool:
    """Whether ``text`` may name a device: 3-40 of ``a-z 0-9 -``, not starting with ``-``."""
    return _DEVICE.fullmatch(text) is not None


class Topics:
    """Builds and reads the topics of one store.

    Raises ``ValueError`` when a name holds anything that could step out of its level
    (``/``, ``+``, ``#``, control characters): no topic built here can reach another device's.
    """

    __slots__ = ("_bcast", "_dev", "_dev_len", "hub_state", "prefix", "store")

    def __init__(self, store: str) -> None:
        if _STORE.fullmatch(store) is None:
            raise ValueError(
                f"store id {store!r}: expected 1-32 letters, digits, '-' or '_', "
                "starting with a letter or digit"
            )
        self.store = store
        self.prefix = f"sh/{TREE_VERSION}/{store}"
        self.hub_state = f"{self.prefix}/hub/state"
        self._bcast = f"{self.prefix}/bcast/"
        self._dev = f"{self.prefix}/dev/"
        self._dev_len = len(self._dev)

    # -- building ------------------------------------------------------------------------------

    def device(self, device: str) -> str:
        """The root of one device's topics, without a trailing slash."""
        if _DEVICE.fullmatch(device) is None:
            raise ValueError(f"device id {device!r}: expected 3-40 of a-z, 0-9, '-'")
        return self._dev + device

    def state(self, device: str) -> str:
        return f"{self.device(device)}/state"

    def meta(self, device: str) -> str:
        return f"{self.device(device)}/meta"

    def request(self, device: str, service: str, operation: str) -> str:
        return f"{self.device(device)}/req/{_level(service)}/{_level(operation)}"

    def reply(self, device: str) -> str:
        return f"{self.device(device)}/rep"

    def fact(self, device: str, kind: str) -> str:
        return f"{self.device(device)}/evt/{_level(kind)}"

    def command(self, device: str, operation: str) -> str:
        return f"{self.device(device)}/cmd/{_level(operation)}"

    def command_reply(self, device: str) -> str:
        return f"{self.device(device)}/cmd-rep"

    def broadcast(self, name: str) -> str:
        return self._bcast + _level(name)

    def peripheral(self, peripheral_id: str) -> str:
        """The root of the topics of what hangs on the hub's own box, without a trailing slash."""
        if _DEVICE.fullmatch(peripheral_id) is None:
            raise ValueError(f"peripheral id {peripheral_id!r}: expected 3-40 of a-z, 0-9, '-'")
        return f"{self.prefix}/hub/dev/{peripheral_id}"

    def peripheral_event(self, peripheral_id: str, kind: str) -> str:
        return f"{self.peripheral(peripheral_id)}/evt/{_level(kind)}"

    # -- subscriptions -------------------------------------------------------------------------

    @property
    def every_request(self) -> str:
        return f"{self._dev}+/req/+/+"

    @property
    def every_fact(self) -> str:
        return f"{self._dev}+/evt/+"

    @property
    def every_state(self) -> str:
        return f"{self._dev}+/state"

    @property
    def every_meta(self) -> str:
        return f"{self._dev}+/meta"

    @property
    def every_command_reply(self) -> str:
        return f"{self._dev}+/cmd-rep"

    @property
    def every_broadcast(self) -> str:
        return f"{self._bcast}#"

    def every_command(self, device: str) -> str:
        return f"{self.device(device)}/cmd/#"

    # -- reading -------------------------------------------------------------------------------

    def parse_request(self, topic: str) -> RequestTopic | None:
        """The request behind ``topic``, or None when it is anything else."""
        if not topic.startswith(self._dev):
            return None
        levels = topic[self._dev_len :].split("/", 4)
        if len(levels) != 4 or levels[1] != "req" or not all(levels):
            return None
        return RequestTopic(levels[0], levels[2], levels[3])

    def parse(self, topic: str) -> DeviceTopic | None:
        """What a device wrote to ``topic``, or None when no device may write there."""
        if not topic.startswith(self._dev):
            return None
        levels = topic[self._dev_len :].split("/", 4)
        if not all(levels):
            return None
        match levels:
            case [device, "req", service, operation]:
                return RequestTopic(device, service, operation)
            case [device, "evt", kind]:
                return FactTopic(device, kind)
            case [device, "state"]:
                return StateTopic(device)
            case [device, "meta"]:
                return MetaTopic(device)
            case [device, "cmd-rep"]:
                return CommandReplyTopic(device)
            case _:
                return None

    def parse_command(self, topic: str) -> CommandTopic | None:
        """The hub's command behind ``topic`` (for devices), or None when it is anything else."""
        if not topic.startswith(self._dev):
            return None
        match topic[self._dev_len :].split("/", 3):
            case [device, "cmd", operation] if device and operation:
                return CommandTopic(device, operation)
            case _:
                return None


def _level(name: str) -> str:
    if _LEVEL.fullmatch(name) is None:
        raise ValueError(f"topic level {name!r}: expected 1-64 letters, digits, '.', '_' or '-'")
    return name
