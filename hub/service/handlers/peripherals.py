"""What hangs on the hub's own box: setting it up, its place among the devices, and what it is asked
at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hub.contract.base import Command, Nothing
from hub.contract.documents import StatusTicketFacts
from hub.contract.peripherals import (
    PERIPHERALS_MAX,
    ConfigurePeripheral,
    DriverList,
    FindPeripherals,
    FoundPeripherals,
    ListDrivers,
    ListPeripherals,
    PeripheralList,
    RemovePeripheral,
    Shown,
    ShowText,
    Tried,
    TryPeripheral,
)
from hub.contract.problems import Code, refuse
from hub.domain.staff import Permission
from hub.service import permits, receipts
from hub.service.caller import Caller
from hub.service.gate import Gate, Handler, Reader
from hub.service.handlers import printing
from hub.service.internal import InternalCommand
from hub.service.live import LiveHandler, LiveUnit
from hub.service.notices import DeviceChanged, PeripheralsChanged
from hub.service.unit import Unit, canonical
from hub.storage import devicerows, peripheralrows
from hub.storage.peripheralrows import PeripheralRow
from hub.storage.rows import Rows

TICKET_TTL_MS = 600_000
"""Whoever unpacks a box is beside it for as long."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A peripheral that is driven; ``kind``: printer, drawer, scanner, scale, display or
    terminal."""

    peripheral_id: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class KeepPeripherals(InternalCommand):
    """These have a place among the devices, and no other peripherals.  ``started``: the hub was
    just started, and nobody knows how they are.  The value is :class:`KeptAt`."""

    kept: tuple[Kept, ...]
    started: bool = False


@dataclass(frozen=True, slots=True)
class KeptAt:
    """``taken``: ids that a paired device has already; ``dropped``: those that are no more."""

    taken: tuple[str, ...]
    dropped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AdoptPrinter(InternalCommand):
    """The first printer of a fresh box was plugged in: set it up, and print there where the box's
    page is.  The value is False when the box isn't fresh any more: nothing has changed then."""

    peripheral_id: str
    driver: str
    address: str
    name: str
    ticket: StatusTicketFacts


async def check_drivable(
    gate: Gate, _caller: Caller, command: ConfigurePeripheral
) -> ConfigurePeripheral:
    """Before the transaction: whether a driver takes it.  Errors: ``validation``."""
    await gate.live.need_desk().check(command)
    return command


def configure(unit: Unit, command: ConfigurePeripheral) -> Nothing:
    """See :class:`ConfigurePeripheral`.  Errors: ``forbidden``; ``conflict`` when the settings'
    file or a paired device has the id, ``validation`` for what isn't there, ``busy`` at the
    bound."""
    permits.need(unit, Permission.HUB_ADMIN)
    _not_of_the_file(unit, command.id)
    device = devicerows.get(unit.tx, command.id)
    if device is not None and device.auth != "hub":
        raise refuse(
            Code.CONFLICT,
            f"{command.id} is a paired device's id: choose another one.",
            device_id=command.id,
        )
    page = {row.peripheral_id for row in peripheralrows.listed(unit.tx)}
    known = page | unit.shop.file_peripherals
    if command.id not in known and len(known) >= PERIPHERALS_MAX:
        raise refuse(
            Code.CONFLICT, f"{PERIPHERALS_MAX} peripherals are set up, no more fit: remove one."
        )
    _refers_to_others(command, known)
    _serves_paired(unit, command.serves)
    peripheralrows.put(unit.tx, _row(command), unit.caller.key)
    unit.note("peripheral.configure", command.id, command.model_dump(mode="json"))
    unit.tell(PeripheralsChanged())
    return Nothing()


def remove(unit: Unit, command: RemovePeripheral) -> Nothing:
    """See :class:`RemovePeripheral`.  Errors: ``forbidden``, ``not-found``; ``conflict`` when the
    settings' file names it, or another one leans on it."""
    permits.need(unit, Permission.HUB_ADMIN)
    _not_of_the_file(unit, command.id)
    rows = peripheralrows.listed(unit.tx)
    if command.id not in {row.peripheral_id for row in rows}:
        raise refuse(
            Code.NOT_FOUND,
            "There is no such peripheral: `store-hub peripherals list` shows them all.",
            id=command.id,
        )
    leaning = [row.peripheral_id for row in rows if command.id in (row.via, row.fallback)]
    if leaning:
        raise refuse(
            Code.CONFLICT, f"{leaning[0]} leans on {command.id}: change that first.", id=leaning[0]
        )
    peripheralrows.remove(unit.tx, command.id)
    unit.note("peripheral.remove", command.id)
    unit.tell(PeripheralsChanged())
    return Nothing()


def keep(unit: Unit, command: KeepPeripherals) -> KeptAt:
    """See :class:`KeepPeripherals`."""
    had, taken = peripheralrows.owners(unit.tx), []
    for one in command.kept:
        device = devicerows.get(unit.tx, one.peripheral_id)
        if device is not None and device.auth != "hub":
            taken.append(one.peripheral_id)
            continue
        if device is None or (device.name, device.kind) != (one.name, one.kind):
            peripheralrows.keep(unit.tx, one.peripheral_id, one.name, one.kind)
            unit.tell(DeviceChanged(one.peripheral_id))
        if command.started:
            peripheralrows.unknown(unit.tx, one.peripheral_id)
    dropped = sorted(had.keys() - {one.peripheral_id for one in command.kept})
    for gone in dropped:
        peripheralrows.drop(unit.tx, gone)
        printing.fail_wanted(unit, gone)
        unit.tell(DeviceChanged(gone))
    return KeptAt(tuple(taken), tuple(dropped))


def adopt(unit: Unit, command: AdoptPrinter) -> bool:
    """See :class:`AdoptPrinter`."""
    if not is_fresh(unit.tx) or unit.shop.file_peripherals:
        return False
    name = command.peripheral_id
    row = PeripheralRow(name, command.driver, command.address, command.name, "[]", "", "", "{}")
    peripheralrows.put(unit.tx, row, unit.caller.key)
    unit.note("peripheral.adopt", name, {"address": command.address})
    receipts.queue(unit, "", command.ticket, "", name, wanted=name, ttl_ms=TICKET_TTL_MS)
    unit.tell(PeripheralsChanged())
    return True


def is_fresh(rows: Rows) -> bool:
    """Whether nothing was ever set up here: no device was paired and no peripheral added."""
    return not devicerows.any_ever(rows) and not peripheralrows.listed(rows)


async def list_peripherals(unit: LiveUnit, _command: ListPeripherals) -> PeripheralList:
    """See :class:`ListPeripherals`."""
    return PeripheralList(peripherals=unit.desk.listed())


async def list_drivers(unit: LiveUnit, _command: ListDrivers) -> DriverList:
    """See :class:`ListDrivers`."""
    return DriverList(drivers=await unit.desk.drivers())


async def find(unit: LiveUnit, command: FindPeripherals) -> FoundPeripherals:
    """See :class:`FindPeripherals`."""
    return FoundPeripherals(found=await unit.desk.find(command.timeout_s))


async def try_out(unit: LiveUnit, command: TryPeripheral) -> Tried:
    """See :class:`TryPeripheral`.  Errors: ``not-found``, ``unavailable``."""
    return Tried(outcome=await unit.desk.try_out(command.id, command.timeout_s))


async def show(unit: LiveUnit, command: ShowText) -> Shown:
    """See :class:`ShowText`.  Errors: ``not-found``, ``forbidden``, ``unavailable``."""
    lines = command.lines
    display_id = await unit.desk.show(unit.caller.id, command.display_id, lines)
    return Shown(display_id=display_id)


def _row(command: ConfigurePeripheral) -> PeripheralRow:
    return PeripheralRow(
        peripheral_id=command.id,
        driver=command.driver,
        address=command.address,
        name=command.name,
        serves=canonical(list(command.serves)),
        via=command.via or "",
        fallback=command.fallback or "",
        options=canonical(command.options),
    )


def _not_of_the_file(unit: Unit, peripheral_id: str) -> None:
    if peripheral_id in unit.shop.file_peripherals:
        raise refuse(
            Code.CONFLICT,
            f"{peripheral_id} is set in the settings' file ([[peripherals]]), which comes first:"
            " change it there, then restart the hub.",
            id=peripheral_id,
        )


def _refers_to_others(command: ConfigurePeripheral, known: set[str] | frozenset[str]) -> None:
    for field, other in (("via", command.via), ("fallback", command.fallback)):
        if other is None:
            continue
        if other == command.id:
            raise refuse(Code.VALIDATION, f"{field}: {other} can't lean on itself.", field=field)
        if other not in known:
            raise refuse(
                Code.VALIDATION,
                f"{field}: there is no peripheral {other}; set that one up first.",
                field=field,
            )


def _serves_paired(unit: Unit, serves: tuple[str, ...]) -> None:
    for device_id in serves:
        device = devicerows.get(unit.tx, device_id)
        if device is None or device.status != "paired" or device.auth == "hub":
            raise refuse(
                Code.VALIDATION,
                f"serves: no device {device_id} is paired; `store-hub devices list` shows all.",
                field="serves",
            )


WRITES: dict[type[Command], Handler] = {ConfigurePeripheral: configure, RemovePeripheral: remove}
INTERNAL: dict[type[Any], Callable[[Unit, Any], Any]] = {
    KeepPeripherals: keep,
    AdoptPrinter: adopt,
}
READS: dict[type[Command], Reader] = {}
SLOW_READS: dict[type[Command], Reader] = {}
LIVE: dict[type[Command], LiveHandler] = {
    ListPeripherals: list_peripherals,
    ListDrivers: list_drivers,
    FindPeripherals: find,
    TryPeripheral: try_out,
    ShowText: show,
}
