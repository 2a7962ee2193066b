"""The hub's side of what a till lends: asked over MQTT, answered by the till."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from devices.peripherals.model import Misconfigured, PeripheralError, Unreachable, Wire
from hub.contract.topics import is_device_id


class NotAsked(PeripheralError):
    """The question never left the hub."""


class Unanswered(PeripheralError):
    """It left, and no answer came in time: nobody knows what was done."""


class Declined(PeripheralError):
    """The till said no, and did nothing."""


Ask = Callable[[str, str, dict[str, Any], float], Awaitable[dict[str, Any]]]
"""``(device_id, operation, data, timeout_s)`` → the till's answer.

Errors: :class:`NotAsked`, :class:`Unanswered`, :class:`Declined`.
"""


@dataclass(frozen=True, slots=True)
class DeviceConnector:
    """``device:till-01``: nothing is opened, a till is asked."""

    address: str
    device_id: str
    ask: Ask

    @classmethod
    def of(cls, address: str, ask: Ask) -> DeviceConnector:
        """Errors: :class:`Misconfigured`."""
        device_id = address.partition(":")[2]
        if not is_device_id(device_id):
            raise Misconfigured(
                f"{address!r}: expected device: and the id of a paired till, e.g. device:till-01"
            )
        return cls(address, device_id, ask)

    async def command(
        self, operation: str, data: dict[str, Any], timeout_s: float
    ) -> dict[str, Any]:
        """What the till answers.  Errors: as :data:`Ask`."""
        return await self.ask(self.device_id, operation, data, timeout_s)

    async def open(self) -> Wire:
        raise Unreachable(f"{self.address} is asked over MQTT, it has no wire")
