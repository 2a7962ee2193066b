"""Scans: those that the hub tells this device, and those of a scanner of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol, TypeVar

from pydantic import ValidationError

from devices.kit.hubtime import HubClock
from hub.contract.base import Command, Outgoing
from hub.contract.envelope import DeviceCommand
from hub.contract.scans import SCAN_LIFE_S, ResolveScan, Scan, ScanResolved
from hub.domain.cards import find_card_data

_log = logging.getLogger(__name__)

SCAN_FACT = "scan"
"""``evt/scan``: a code of this device's own scanner that came to nothing."""
R = TypeVar("R", bound=Outgoing)


class ScanCommand(DeviceCommand):
    """``cmd/scan`` with what is in it."""

    data: Scan  # type: ignore[assignment]


class Scans:
    """Gives scans to whoever listens, in the order of scanning; nobody answers them.

    One that is older than ten seconds is dropped (the device slept): a person has long since done
    something else.
    """

    def __init__(self, clock: HubClock) -> None:
        self._clock = clock
        self.listeners: list[Callable[[Scan], None]] = []

    def heard(self, payload: bytes) -> None:
        """A message on ``cmd/scan``."""
        try:
            scan = ScanCommand.model_validate_json(payload).data
        except ValidationError as error:
            _log.warning("a scan from the hub can't be read: %d errors", error.error_count())
            return
        age_ms = self._clock.wall_ms() - scan.scanned_at_ms
        if self._clock.is_exact and age_ms > SCAN_LIFE_S * 1000:
            _log.info("a scan is %d ms old: it is dropped", age_ms)
            return
        for listener in self.listeners:
            try:
                listener(scan)
            except Exception:
                _log.exception("a listener failed on a scan")


class Client(Protocol):
    """What is needed of :class:`devices.kit.HubClient`."""

    async def request(
        self, command: Command, expected: type[R], *, timeout_s: float = ...
    ) -> R: ...

    async def fact(self, kind: str, data: dict[str, object]) -> str: ...


async def resolve(hub: Client, code: str, aim: str, timeout_s: float) -> ScanResolved:
    """What a code of this device's own scanner is: the same answer as if a scanner at the hub had
    read it.  One that comes to nothing is told as a fact, for whoever looks after the shop.

    Raises as ``HubClient.request``; a fact that can't be written down is logged only.
    """
    command = ResolveScan(code=code, aim=aim)
    resolved = await hub.request(command, ScanResolved, timeout_s=timeout_s)
    if resolved.why_not is not None:
        # An article number may pass for a card's; a fact with one would never be taken.
        shown = resolved.code if find_card_data(resolved.code) is None else ""
        said = {"why_not": resolved.why_not, "code": shown, "aim": aim}
        try:
            await hub.fact(SCAN_FACT, {**said, "length_bytes": len(code.encode())})
        except Exception:
            _log.exception("a scan that came to nothing could not be told")
    return resolved
