"""Commands of the hub's own machinery.  They take the same way as any other: the gate, one
transaction; they have no idempotency key because each is harmless when repeated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class InternalCommand:
    """Base of all internal commands.  ``background`` ones wait behind everything else."""

    background: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class KeepTime(InternalCommand):
    """Persist the budget clock; ``trusted_wall_ms`` when wall time is trusted, else why not."""

    trusted_wall_ms: int | None
    suspect: str


@dataclass(frozen=True, slots=True)
class Housekeep(InternalCommand):
    """Expire holds, purge what is old; bounded per call."""

    background: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class MarkPresence(InternalCommand):
    """A device's retained state changed; ``conditions`` None: it tells none."""

    device_id: str
    presence: str
    session: str
    conditions: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class MarkMeta(InternalCommand):
    """A device told what it is."""

    device_id: str
    model: str
    firmware: str
    meta: str


@dataclass(frozen=True, slots=True)
class TakeFact(InternalCommand):
    """A fact of a device's journal; the value is True when it was new."""

    device_id: str
    type: str
    journal_id: str
    evt_seq: int
    occurred_at_ms: int
    data: str


@dataclass(frozen=True, slots=True)
class KeepCertificate(InternalCommand):
    """A certificate was issued to a device at pairing, for the key that ``key_hash`` names.

    The value is False when the device has lost that key meanwhile: nobody may get the certificate.
    """

    device_id: str
    key_hash: str
    serial: str
    expires_at_ms: int
