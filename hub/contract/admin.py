"""What a technician or central IT asks: pairing, devices, the outbox, lockouts."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from hub.contract.base import Command, DeviceId, Outgoing, Query, Reason, StaffId, UniqueId


class DeviceKind(StrEnum):
    """What a device is; a ``kiosk`` may sell with nobody signed in."""

    TILL = "till"
    KIOSK = "kiosk"
    SCANNER = "scanner"
    PRINTER = "printer"
    DISPLAY = "display"
    SERVICE = "service"


class DeviceAuth(StrEnum):
    """How a device proves who it is: a client certificate, or a password."""

    MTLS = "mtls"
    PASSWORD = "password"  # noqa: S105 - the name of a way, not a secret


class OpenPairing(Command):
    """Make a one-time pairing code (permission ``device.pair``)."""

    service: ClassVar[str] = "pairing"
    operation: ClassVar[str] = "open"
    kind: DeviceKind = DeviceKind.TILL
    name: str = Field(default="", max_length=60)
    rekey_device_id: DeviceId | None = None
    cut_off: bool = Field(
        default=False,
        description="With `rekey_device_id`: its old key is dead from now on, not only when the "
        "code is spent.",
    )


class PairingOpened(Outgoing):
    """The code to type or scan; shown once."""

    pairing_id: str
    code: str
    qr: str
    expires_in_s: int
    url: str


class RenameDevice(Command):
    """Give a device another display name."""

    service: ClassVar[str] = "device"
    operation: ClassVar[str] = "rename"
    device_id: DeviceId
    name: str = Field(min_length=1, max_length=60)


class RevokeDevice(Command):
    """Shut a device out for good; live connections are cut within seconds."""

    service: ClassVar[str] = "device"
    operation: ClassVar[str] = "revoke"
    device_id: DeviceId
    reason: Reason


class ListDevices(Query):
    """All devices, revoked ones last."""

    service: ClassVar[str] = "device"
    operation: ClassVar[str] = "list"


class DeviceView(Outgoing):
    """One device as the hub sees it."""

    device_id: str
    name: str
    kind: str
    auth: str
    status: str = Field(description="paired or revoked")
    presence: str = Field(description="init, ready, sleeping, disconnected, lost or unknown")
    model: str = ""
    firmware: str = ""
    paired_at_ms: int
    last_seen_at_ms: int | None = None
    certificate_expires_at_ms: int | None = None
    signed_in: str | None = None
    conditions: tuple[str, ...] = Field(
        default=(),
        description=(
            "What it says is the matter with what is attached to it (as in its state); empty while"
            " it isn't connected, for then nobody knows."
        ),
    )
    conditions_since_ms: dict[str, int] = Field(
        default_factory=dict, description="Since when each of them holds."
    )


class Devices(Outgoing):
    """A list of devices."""

    devices: tuple[DeviceView, ...]


class ClearLockout(Command):
    """Let a locked-out member of staff try again (permission ``hub.admin`` or a manager)."""

    service: ClassVar[str] = "staff"
    operation: ClassVar[str] = "clear-lockout"
    staff_id: StaffId


class RetryParked(Command):
    """Send a parked event again, as a new event that names the original."""

    service: ClassVar[str] = "outbox"
    operation: ClassVar[str] = "retry"
    outbox_id: int = Field(ge=1)


class ParkEvent(Command):
    """Park a pending event by hand: its place is taken by a marker, its aggregate waits."""

    service: ClassVar[str] = "outbox"
    operation: ClassVar[str] = "park"
    outbox_id: int = Field(ge=1)
    reason: Reason


class GiveUpParked(Command):
    """Throw a parked event away for good.  Only telemetry may be: what is about money, goods or
    orders is never given up."""

    service: ClassVar[str] = "outbox"
    operation: ClassVar[str] = "give-up"
    outbox_id: int = Field(ge=1)
    reason: Reason


class TrustClock(Command):
    """A technician says that the clock is right (ends ``clock-suspect``)."""

    service: ClassVar[str] = "hub"
    operation: ClassVar[str] = "trust-clock"
    reason: Reason


class HubInfo(Query):
    """What a device needs to know about this hub."""

    service: ClassVar[str] = "hub"
    operation: ClassVar[str] = "info"


class HubInfoView(Outgoing):
    """Answer of ``hub/info``."""

    store: str
    store_name: str
    hub_id: str
    currency: str
    timezone: str
    training: bool
    mode: str
    incarnation: str
    epoch: int
    seq: int
    safe_seq: int
    time_ms: int
    contract: tuple[int, int]
    version: str
    cash_rounding_step_minor: int = 0


class Paired(Outgoing):
    """Result of pairing at the gate; the HTTP API adds certificate and addresses."""

    device_id: str
    name: str
    kind: str
    auth: str


PairingId = UniqueId
