"""Who asks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CallerKind(StrEnum):
    """The door a request came through."""

    DEVICE = "device"
    WEB = "web"
    CLI = "cli"
    CLOUD = "cloud"
    HUB = "hub"


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller; ``id`` is the device id, or a name for the others.  ``staff_id``:
    the member of staff behind a session of the page."""

    kind: CallerKind
    id: str
    staff_id: str | None = None

    @property
    def key(self) -> str:
        """The caller as it is written down."""
        return self.id if self.kind is CallerKind.DEVICE else f"{self.kind}:{self.id}"

    @property
    def is_admin(self) -> bool:
        """True for a technician's page or a shell on the box."""
        return self.kind in (CallerKind.WEB, CallerKind.CLI)

    @property
    def is_manager(self) -> bool:
        """True for a member of staff who is signed in at the page as a manager."""
        named = self.kind is CallerKind.WEB and self.staff_id is not None
        return named and self.id.startswith("manager-")


HUB = Caller(CallerKind.HUB, "hub")
CLOUD = Caller(CallerKind.CLOUD, "oms")
"""The hub's own housekeeping, and the cloud's commands."""
