"""The topic tree, for the hub's side; see :mod:`hub.contract.topics`."""

from __future__ import annotations

from hub.contract.topics import (
    CommandReplyTopic,
    CommandTopic,
    DeviceTopic,
    FactTopic,
    MetaTopic,
    RequestTopic,
    StateTopic,
    Topics,
    is_device_id,
)

__all__ = [
    "CommandReplyTopic",
    "CommandTopic",
    "DeviceTopic",
    "FactTopic",
    "MetaTopic",
    "RequestTopic",
    "StateTopic",
    "Topics",
    "is_device_id",
]
