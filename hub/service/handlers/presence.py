"""How devices' connections stand, and what they say of themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hub.contract.base import Command
from hub.contract.oms_events import DeviceState
from hub.service import conditions
from hub.service.gate import Handler, Reader
from hub.service.internal import InternalCommand, MarkMeta, MarkPresence
from hub.service.unit import Unit
from hub.storage import devicerows, hubrow, outbox
from hub.storage.devicerows import DeviceRow

STATE_EVENT = "com.storehub.device.state.v1"
TOLD_STATES = frozenset({"ready", "lost"})
"""Changes that the cloud is told; the others are a device's private life."""
ENDED_STATES = frozenset({"lost", "disconnected"})


@dataclass(frozen=True, slots=True)
class MarkSilentLost(InternalCommand):
    """Devices that count as connected but weren't heard of since ``before_ms`` are lost: for after
    the broker came back with retained states of who never returned.  The value: how many."""

    before_ms: int


def mark_presence(unit: Unit, command: MarkPresence) -> bool:
    """Write a device's state; True if it changed.

    An end (``lost``, ``disconnected``) counts for the session it belongs to only: the last will of
    a connection that a newer one has taken over says nothing about the newer one.
    """
    device = devicerows.get(unit.tx, command.device_id)
    if device is None or device.status != "paired":
        return False
    late = command.presence in ENDED_STATES and device.presence_session not in (
        "",
        command.session,
    )
    if late:
        return False
    presence, session = command.presence, command.session
    held = conditions.after(device.conditions, presence, command.conditions, unit.now_ms)
    devicerows.set_presence(unit.tx, device.device_id, presence, session, held)
    before = (device.presence, device.presence_session, device.conditions)
    if before == (presence, session, held):
        return False
    known = (*before[:2], conditions.for_cloud(device.presence, device.conditions))
    if known != (presence, session, conditions.for_cloud(presence, held)):
        _tell_cloud(unit, device, presence, session, held)
    return True


def mark_silent_lost(unit: Unit, command: MarkSilentLost) -> int:
    """See :class:`MarkSilentLost`."""
    silent = devicerows.silent_since(unit.tx, command.before_ms)
    for device in silent:
        session, held = device.presence_session, device.conditions
        devicerows.set_presence(unit.tx, device.device_id, "lost", session, held)
        _tell_cloud(unit, device, "lost", session, held)
    return len(silent)


def mark_meta(unit: Unit, command: MarkMeta) -> None:
    """Write what a device told about itself."""
    device = devicerows.get(unit.tx, command.device_id)
    if device is None or device.status != "paired":
        return
    devicerows.set_meta(
        unit.tx,
        device.device_id,
        model=command.model,
        firmware=command.firmware,
        meta=command.meta,
    )


def _tell_cloud(unit: Unit, device: DeviceRow, presence: str, session: str, held: str) -> None:
    if presence not in TOLD_STATES or hubrow.source_and_fence(unit.tx)[1] == "superseded":
        return
    data = DeviceState.model_validate(
        {
            "device_id": device.device_id,
            "kind": device.kind,
            "state": presence,
            "since_ms": unit.now_ms,
        }
        | ({"conditions": conditions.for_cloud(presence, held)} if presence == "ready" else {})
    )
    unit.emit(
        "telemetry",
        STATE_EVENT,
        device.device_id,
        data.model_dump(mode="json", exclude_none=True),
        device.device_id,
        presence,
        session,
        str(unit.now_ms),
        str(outbox.last_id(unit.tx)),  # to and fro within one batch are facts of their own
    )


WRITES: dict[type[Command], Handler] = {}
READS: dict[type[Command], Reader] = {}
SLOW_READS: dict[type[Command], Reader] = {}
INTERNAL: dict[type[Any], Callable[[Unit, Any], Any]] = {
    MarkPresence: mark_presence,
    MarkSilentLost: mark_silent_lost,
    MarkMeta: mark_meta,
}
