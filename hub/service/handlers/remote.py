"""What central IT may have a hub do: each command in the transaction that moves the cursor; what it
does outside of the database follows after the commit, from rows.

A command is known by its id.  Its outcome goes up as an event, once.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from hub.config import remote
from hub.contract.admin import RevokeDevice
from hub.contract.base import Command
from hub.contract.oms import Command as CloudCommand
from hub.contract.oms_events import COMMAND_ENDED
from hub.contract.oms_remote import (
    REMOTE_COMMANDS,
    ConfigChanged,
    DrillRequested,
    SupportRequested,
)
from hub.domain import cards
from hub.service import clouddata
from hub.service.gate import Handler, Reader
from hub.service.handlers import devices, drill
from hub.service.internal import InternalCommand
from hub.service.notices import RemoteSettingsChanged, SupportAsked
from hub.service.timekeeping import JUMP_MS
from hub.service.unit import Unit
from hub.storage import commandrows, drillrows, hubrow, remoterows
from hub.storage.remoterows import SettingRow, SupportRow
from hub.storage.rows import Rows

log = logging.getLogger(__name__)

DRILL_AGE_MAX_MS: Final = 15 * 60_000
SUPPORT_AGE_MAX_MS: Final = 7 * 86_400_000
SUPPORT_TRIES_MAX: Final = 20
WHY_MAX: Final = 200
MANAGED: Final = frozenset({"device.revoked", *REMOTE_COMMANDS})
"""Commands whose outcome the cloud is told."""
PENDING: Final = "pending"
"""The outcome of a command that has still to be carried out."""
UNDER_WAY: Final = "under way"
DONE: Final = ("done", "")


class Fails(ValueError):
    """The command can't be carried out; the text is for whoever sent it."""


@dataclass(frozen=True, slots=True)
class BeginSupport(InternalCommand):
    """A bundle is about to be made.  The value is False when it was tried too often: it has
    failed."""

    command_id: str


@dataclass(frozen=True, slots=True)
class EndSupport(InternalCommand):
    """The bundle has arrived (``why`` empty), or can't be sent.  A repeat changes nothing."""

    command_id: str
    why: str
    size: int = 0


# Reading -----------------------------------------------------------------------------------------


def next_support(rows: Rows) -> SupportRow | None:
    """The bundle that has been asked for longest."""
    return remoterows.next_request(rows)


def values_in_force(rows: Rows, own: Any, budget_ms: int) -> dict[str, remote.RemoteValue]:
    """The cloud's values: neither over nor overruled by the box's own settings ``own``."""
    found: dict[str, remote.RemoteValue] = {}
    for row in remoterows.settings(rows):
        over = row.ends_budget_ms is not None and row.ends_budget_ms <= budget_ms
        if row.value is None or over or row.key in own or row.key not in remote.KEYS:
            continue
        try:  # it was good for the version that took it
            value = remote.check(row.key, json.loads(row.value), ends=True)
        except ValueError as error:
            _say_once(row.key, row.command_id, str(error))
            continue
        found[row.key] = remote.RemoteValue(value, row.command_id)
    return found


@lru_cache(maxsize=64)
def _say_once(key: str, command_id: str, why: str) -> None:
    """The values are looked at every few seconds."""
    log.warning("the cloud's value of %s (%s) is passed over: %s", key, command_id, why)


def log_level(rows: Rows, budget_ms: int) -> tuple[str, int] | None:
    """The level of the log that the cloud has set, and for how many seconds more.  None: none, or
    its time is over; an empty level: the cloud took it back."""
    row = remoterows.setting(rows, "log.level")
    if row is None:
        return None
    if row.value is None:
        return "", 0
    left_s = -(-((row.ends_budget_ms or 0) - budget_ms) // 1000)
    return (json.loads(row.value), left_s) if left_s > 0 else None


# Carrying out ------------------------------------------------------------------------------------


def carry_out(unit: Unit, one: CloudCommand) -> tuple[str, str]:
    """Do what is asked: ``(done or pending, remark)``.  Errors: ValueError, Refusal, DomainError.

    A command that was carried out before changes nothing.
    """
    if one.type == "device.revoked":
        return _device_revoked(unit, one)
    asked = clouddata.read(REMOTE_COMMANDS[one.type], one.data)
    match asked:
        case ConfigChanged():
            return _config_changed(unit, one, asked)
        case SupportRequested():
            return _support_requested(unit, one, asked)
        case DrillRequested():
            return _drill_requested(unit, one, asked)
    raise Fails("this hub doesn't offer it")


def who(one: CloudCommand) -> dict[str, str]:
    """For the audit log: who in the cloud asked, if it says so."""
    told = one.data.get("asked_by")
    return {"asked_by": cards.mask(told[:64])} if isinstance(told, str) and told else {}


def _device_revoked(unit: Unit, one: CloudCommand) -> tuple[str, str]:
    device_id = one.data.get("device_id")
    asked = {"device_id": device_id, "reason": one.data.get("reason") or "by the cloud"}
    devices.revoke_device(unit, RevokeDevice.model_validate(asked))
    return DONE


def _config_changed(unit: Unit, one: CloudCommand, asked: ConfigChanged) -> tuple[str, str]:
    value = remote.check(asked.key, asked.value, ends=asked.for_s is not None)
    if (where := unit.shop.own_settings.get(asked.key)) and value is not None:
        raise Fails(f"{asked.key} is set on the box itself ({where}), and that comes first.")
    before = remoterows.setting(unit.tx, asked.key)
    if before is not None:
        if before.command_id == one.id:
            return DONE
        if (before.issued_at_ms, before.command_id) > (one.issued_at_ms, one.id):
            return "done", f"a later command is in force: {before.command_id}"
    ends_ms = unit.tx.budget_ms + asked.for_s * 1000 if asked.for_s else None
    remoterows.put(
        unit.tx,
        SettingRow(
            asked.key,
            None if value is None else json.dumps(value),
            one.id,
            asked.asked_by,
            one.issued_at_ms,
            unit.now_ms,
            ends_ms,
        ),
    )
    unit.note(
        "config.changed", asked.key, {"value": value, "for_s": asked.for_s, "command_id": one.id}
    )
    unit.tell(RemoteSettingsChanged())
    return DONE


def _support_requested(unit: Unit, one: CloudCommand, asked: SupportRequested) -> tuple[str, str]:
    known = remoterows.known_request(unit.tx, one.id)
    if known is not None:
        return _ended(*known)
    _refuse_old(unit, one, SUPPORT_AGE_MAX_MS)
    if not remoterows.ask(unit.tx, one.id, asked.asked_by, asked.reason):
        raise Fails(f"{remoterows.WAITING_MAX} bundles are waiting already: wait for those.")
    unit.tell(SupportAsked())
    return PENDING, ""


def _drill_requested(unit: Unit, one: CloudCommand, asked: DrillRequested) -> tuple[str, str]:
    if drillrows.of_command(unit.tx, one.id) is not None:
        return DONE
    _refuse_unless_new(unit, one)
    by = f"cloud:{asked.asked_by}" if asked.asked_by else unit.caller.key
    drill.begin(unit, asked.minutes, by, one.id)
    return DONE


def _ended(outcome: str, why: str) -> tuple[str, str]:
    if outcome == "failed":
        raise Fails(why)
    return outcome or PENDING, ""


def _refuse_old(unit: Unit, one: CloudCommand, age_max_ms: int) -> None:
    """Nobody waits any more for what was asked for long ago."""
    if hubrow.clock_suspect(unit.tx):
        return
    age_ms = unit.now_ms - one.issued_at_ms
    if age_ms > age_max_ms:
        raise Fails(f"It came {age_ms // 60_000} min after it was issued: ask again.")


def _refuse_unless_new(unit: Unit, one: CloudCommand) -> None:
    """What cuts a shop off has to be wanted now: in doubt it isn't done."""
    if hubrow.clock_suspect(unit.tx):
        raise Fails("The hub doubts its clock, so nobody knows how old this is: ask on its page.")
    ahead_ms = one.issued_at_ms - unit.now_ms
    if ahead_ms > JUMP_MS:
        raise Fails(f"By the hub's clock it is issued {ahead_ms // 60_000} min from now: set that.")
    _refuse_old(unit, one, DRILL_AGE_MAX_MS)


# Outcomes ----------------------------------------------------------------------------------------


def tell_outcome(unit: Unit, command_id: str, kind: str, outcome: str, why: str) -> None:
    """To the cloud, once it is known, unless another box has this hub's place."""
    why = cards.mask(why[:WHY_MAX])
    is_card = cards.find_in_reference(command_id) is not None
    if is_card or outcome == PENDING or hubrow.get(unit.tx).fence == "superseded":
        return
    data = {
        "command_id": command_id,
        "type": kind,
        "outcome": outcome,
        "why": why,
        "at_ms": unit.now_ms,
    }
    unit.emit("telemetry", COMMAND_ENDED, "command", data, command_id, outcome)


def begin_support(unit: Unit, command: BeginSupport) -> bool:
    """See :class:`BeginSupport`."""
    row = remoterows.next_request(unit.tx)
    if row is None or row.command_id != command.command_id:
        return False
    if row.tries >= SUPPORT_TRIES_MAX:
        why = f"tried {row.tries} times; the hub's log says what became of it"
        end_support(unit, EndSupport(command.command_id, why))
        return False
    remoterows.count_try(unit.tx, command.command_id)
    return True


def end_support(unit: Unit, command: EndSupport) -> None:
    """See :class:`EndSupport`."""
    outcome = "failed" if command.why else "done"
    why = cards.mask(command.why[:WHY_MAX])
    if remoterows.end_request(unit.tx, command.command_id, outcome, why, command.size):
        commandrows.set_outcome(unit.tx, command.command_id, outcome, why)
        note = {"outcome": outcome, "why": why, "bytes": command.size}
        unit.note("support.ended", command.command_id, note)
        tell_outcome(unit, command.command_id, "support.requested", outcome, why)


WRITES: dict[type[Command], Handler] = {}
READS: dict[type[Command], Reader] = {}
SLOW_READS: dict[type[Command], Reader] = {}
INTERNAL: dict[type[Any], Callable[[Unit, Any], Any]] = {
    BeginSupport: begin_support,
    EndSupport: end_support,
}
