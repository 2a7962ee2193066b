"""How much is logged, for a while: written down here, done after the commit by whoever keeps the
log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hub.contract.base import Command, Nothing
from hub.contract.pages.house import SetLogLevel
from hub.domain.staff import Permission
from hub.service import permits
from hub.service.gate import Handler, Reader
from hub.service.notices import LogLevelAsked
from hub.service.unit import Unit


def set_log_level(unit: Unit, command: SetLogLevel) -> Nothing:
    """See :class:`SetLogLevel`.  Errors: ``forbidden`` for a device."""
    permits.need(unit, Permission.HUB_ADMIN)
    unit.note(
        "log.level", command.logger or "all", {"level": command.level, "for_s": command.for_s}
    )
    unit.tell(LogLevelAsked(command.logger, command.level, command.for_s))
    return Nothing()


WRITES: dict[type[Command], Handler] = {SetLogLevel: set_log_level}
READS: dict[type[Command], Reader] = {}
SLOW_READS: dict[type[Command], Reader] = {}
INTERNAL: dict[type[Any], Callable[[Unit, Any], Any]] = {}
