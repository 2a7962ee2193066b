"""Devices, and what one of them said lately.

- ``GET /api/1/devices``                      → :class:`DevicesPage`
- ``GET /api/1/devices/{device_id}``          → :class:`DevicePage`
- ``GET /api/1/devices/{device_id}/traffic``  → :class:`Traffic`
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hub.contract.admin import DeviceView
from hub.contract.base import DeviceId, Incoming, Outgoing
from hub.contract.pages.base import PageQuery, SearchText

TRAFFIC_MAX = 100


class DevicesQuery(PageQuery):
    """``q``: a part of the name, or the beginning of the id."""

    q: SearchText = ""
    state: Literal["all", "paired", "revoked"] = "all"


class DeviceOnPage(DeviceView):
    """A device with what its row on the page shows."""

    number: int = Field(description="Its short number, as on receipts.")
    receipts: int = Field(description="Receipts it has made.")
    revoked_at_ms: int | None = None
    revoke_reason: str | None = None
    key_withdrawn: bool = Field(
        default=False, description="Paired, but it has no key any more: it has to pair again."
    )


class DevicesPage(Outgoing):
    """Devices by number, revoked ones last."""

    devices: tuple[DeviceOnPage, ...]
    next_cursor: str | None = None


class DeviceQuery(Incoming):
    """Which device."""

    device_id: DeviceId


class CertificateView(Outgoing):
    """A certificate that a device was given."""

    serial: str = Field(description="Hexadecimal.")
    issued_at_ms: int
    expires_at_ms: int
    revoked_at_ms: int | None = None
    revoke_reason: str | None = None


class DevicePage(Outgoing):
    """One device; its newest certificates first, at most 20."""

    device: DeviceOnPage
    certificates: tuple[CertificateView, ...] = ()
    baskets: int = Field(description="Baskets it has open or suspended.")


class TrafficQuery(Incoming):
    """Whose, and how much of it."""

    device_id: DeviceId
    limit: int = Field(default=TRAFFIC_MAX, ge=1, le=TRAFFIC_MAX)


class Exchange(Outgoing):
    """A message of a device and what came of it; never its content."""

    at_ms: int = Field(description="When it was taken in.")
    kind: Literal["request", "fact", "state", "meta"]
    what: str = Field(description="`service/operation`, or the type of a fact; else empty.")
    outcome: str = Field(description="`ok`, or the code of the problem it was answered with.")
    in_bytes: int
    out_bytes: int = Field(description="0 when there is no answer to it.")
    duration_ms: float = Field(description="From taking it in to sending the answer.")


class Traffic(Outgoing):
    """A device's last messages since the hub was started, newest first; the hub keeps 100 of each
    of the 256 devices that spoke last."""

    device_id: str
    exchanges: tuple[Exchange, ...]
    total: int = Field(description="Messages since the start, also those not kept.")
