"""Pairing, renaming and revoking devices, and their certificates.

Codes, keys and passwords are made and checked outside the transaction; what arrives here is salted
hashes and serial numbers, so nothing secret is ever remembered with a request.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hub.contract.admin import (
    Devices,
    DeviceView,
    ListDevices,
    Paired,
    RenameDevice,
    RevokeDevice,
)
from hub.contract.base import Command, Nothing
from hub.contract.oms_events import DEVICE_REVOKED
from hub.contract.problems import Code, refuse
from hub.security.codes import code_fits
from hub.service import conditions
from hub.service.caller import Caller, CallerKind
from hub.service.gate import Handler, Reader, ReadUnit
from hub.service.internal import InternalCommand, KeepCertificate
from hub.service.notices import DeviceChanged, DeviceRevoked
from hub.service.unit import Unit, canonical
from hub.storage import devicerows, staffrows
from hub.storage.devicerows import DeviceRow, ListedRow, PairingRow

SUPERSEDED = "superseded"
DEVICES_MAX = 1000


@dataclass(frozen=True, slots=True)
class KeepPairing(InternalCommand):
    """A pairing was opened; ``code_hash`` as :func:`hub.security.codes.hash_code` writes it."""

    pairing_id: str
    code_hash: str
    kind: str
    name: str
    rekey_device_id: str | None
    cut_off: bool = False


@dataclass(frozen=True, slots=True)
class PairDevice(InternalCommand):
    """A device offers a code; the value is a :class:`PairingOutcome`.

    ``key_hash`` names the key it wants certified, or its nonce: the same code and key again, before
    the device was ever seen, find the same device (its answer was lost on the way), which has the
    new password from then on.  Empty: no repeats.
    """

    code: str
    auth: str
    key_hash: str
    model: str
    firmware: str
    password_hash: str | None


@dataclass(frozen=True, slots=True)
class PairingOutcome:
    """``paired``, or None when the code is wrong, spent or too old (the try is counted)."""

    paired: Paired | None


@dataclass(frozen=True, slots=True)
class RenewCertificate(InternalCommand):
    """A certificate is to take the place of ``old_serial``; the value is the :class:`Paired`, or
    None when the old one was revoked meanwhile or never written down."""

    device_id: str
    old_serial: str
    serial: str
    expires_at_ms: int


def keep_pairing(unit: Unit, command: KeepPairing) -> None:
    """Errors: ``forbidden``, ``not-found``, ``conflict``, ``busy`` at the bound."""
    _need_admin(unit.caller)
    devicerows.purge_pairings(unit.tx)
    open_now = [row for row in _pairings(unit) if row.used_by is None and row.tries_left > 0]
    if len(open_now) >= unit.shop.pairings_open_max:
        raise refuse(
            Code.BUSY,
            f"{len(open_now)} pairing codes are open, no more fit: use them or wait some minutes.",
        )
    if command.rekey_device_id is not None:
        _live(unit, command.rekey_device_id)
        if command.cut_off:
            withdraw_key(unit, command.rekey_device_id)
    _, salt, digest = command.code_hash.split("$")
    devicerows.add_pairing(
        unit.tx,
        PairingRow(
            pairing_id=command.pairing_id,
            code_salt=bytes.fromhex(salt),
            code_hash=bytes.fromhex(digest),
            kind=command.kind,
            name=command.name,
            rekey_device_id=command.rekey_device_id,
            tries_left=unit.shop.pairing_tries,
            expires_budget_ms=unit.tx.budget_ms + unit.shop.pairing_ttl_ms,
            opened_by=unit.caller.key,
            opened_at_ms=unit.now_ms,
        ),
    )
    unit.note(
        "pairing.open",
        command.pairing_id,
        {"kind": command.kind, "name": command.name, "rekey": command.rekey_device_id},
    )


def pair_device(unit: Unit, command: PairDevice) -> PairingOutcome:
    """Spend a code: a new device, another key for an old one, or a try less for all codes."""
    for row in _pairings(unit):
        if not code_fits(command.code, f"sha256${row.code_salt.hex()}${row.code_hash.hex()}"):
            continue
        if row.used_by is not None:
            if (again := _repeated(unit, row.used_by, command)) is not None:
                return PairingOutcome(again)
            break
        if row.tries_left <= 0:
            break
        paired = _rekeyed(unit, row, command) if row.rekey_device_id else _new(unit, row, command)
        if paired is not None:
            devicerows.use_pairing(unit.tx, row.pairing_id, paired.device_id)
        return PairingOutcome(paired)
    devicerows.count_wrong_try(unit.tx)
    return PairingOutcome(None)


def keep_certificate(unit: Unit, command: KeepCertificate) -> bool:
    """Note a certificate that was issued at pairing.

    It was made after the transaction that spent the code: since then the device may have been
    revoked, or its key cut off, which revoked all certificates there were but not this one.
    """
    device = devicerows.get(unit.tx, command.device_id)
    if device is None or device.status != "paired" or device.auth != "mtls":
        return False
    if not _has_paired_with(device, command.key_hash):
        return False
    devicerows.add_certificate(unit.tx, command.serial, command.device_id, command.expires_at_ms)
    return True


def renew_certificate(unit: Unit, command: RenewCertificate) -> Paired | None:
    """The old certificate stays good until the new one has renewed in turn, so that an answer lost
    on its way locks nobody out; whatever is older than both is revoked."""
    old = devicerows.certificate(unit.tx, command.old_serial)
    device = devicerows.get(unit.tx, command.device_id)
    if old is None or old.device_id != command.device_id or old.revoked_at_ms is not None:
        return None
    if device is None or device.status != "paired" or device.auth != "mtls":
        return None
    keep = (command.serial, command.old_serial)
    if devicerows.revoke_certificates(unit.tx, device.device_id, SUPERSEDED, keep=keep):
        unit.tell(DeviceChanged(device.device_id))
    devicerows.add_certificate(unit.tx, command.serial, device.device_id, command.expires_at_ms)
    unit.note(
        "device.renew",
        device.device_id,
        {"serial": command.serial, "old_serial": command.old_serial},
    )
    return _paired(device)


def rename_device(unit: Unit, command: RenameDevice) -> Nothing:
    """Errors: ``not-found``, ``conflict`` when it is revoked."""
    device = _live(unit, command.device_id)
    devicerows.rename(unit.tx, device.device_id, command.name)
    unit.note("device.rename", device.device_id, {"from": device.name, "to": command.name})
    unit.tell(DeviceChanged(device.device_id))
    return Nothing()


def revoke_device(unit: Unit, command: RevokeDevice) -> Nothing:
    """Shut a device out for good; a repeat changes nothing.  Errors: ``not-found``."""
    device = _known(unit, command.device_id)
    if device.status == "revoked":
        return Nothing()
    shut_out(unit, device.device_id, command.reason)
    unit.emit(
        "orders",
        DEVICE_REVOKED,
        device.device_id,
        {"device_id": device.device_id, "reason": command.reason},
    )
    return Nothing()


def shut_out(unit: Unit, device_id: str, reason: str) -> None:
    """Write that a device is revoked, and have its connection cut after the commit."""
    devicerows.revoke(unit.tx, device_id, reason)
    devicerows.revoke_certificates(unit.tx, device_id, "privilegeWithdrawn")
    staffrows.sign_out(unit.tx, device_id)
    unit.note("device.revoke", device_id, {"reason": reason})
    unit.tell(DeviceRevoked(device_id))


def withdraw_key(unit: Unit, device_id: str) -> None:
    """A device's key is dead from now on; its place in the shop waits for it to pair again."""
    devicerows.withdraw_key(unit.tx, device_id)
    devicerows.revoke_certificates(unit.tx, device_id, SUPERSEDED)
    staffrows.sign_out(unit.tx, device_id)
    unit.note("device.key_withdrawn", device_id)
    unit.tell(DeviceRevoked(device_id))
    unit.tell(DeviceChanged(device_id))


def list_devices(unit: ReadUnit, _command: ListDevices) -> Devices:
    """All devices, revoked ones last."""
    rows = devicerows.listed(unit.rows, unit.budget_ms, DEVICES_MAX)
    return Devices(devices=tuple(view(row) for row in rows))


def view(row: ListedRow) -> DeviceView:
    """A device as people see it."""
    device = row.device
    held = conditions.shown(device.presence, device.conditions)
    return DeviceView(
        device_id=device.device_id,
        name=device.name,
        kind=device.kind,
        auth=device.auth,
        status=device.status,
        presence=device.presence,
        model=device.model,
        firmware=device.firmware,
        paired_at_ms=device.paired_at_ms,
        last_seen_at_ms=device.last_seen_at_ms,
        certificate_expires_at_ms=row.certificate_expires_at_ms,
        signed_in=row.signed_in,
        conditions=tuple(held),
        conditions_since_ms=held,
    )


WRITES: dict[type[Command], Handler] = {RenameDevice: rename_device, RevokeDevice: revoke_device}
READS: dict[type[Command], Reader] = {}
SLOW_READS: dict[type[Command], Reader] = {ListDevices: list_devices}
INTERNAL: dict[type[Any], Callable[[Unit, Any], Any]] = {
    KeepPairing: keep_pairing,
    PairDevice: pair_device,
    KeepCertificate: keep_certificate,
    RenewCertificate: renew_certificate,
}


def _need_admin(caller: Caller) -> None:
    if not caller.is_admin and caller.kind is not CallerKind.HUB:
        raise refuse(
            Code.FORBIDDEN, "Pairing is opened on the status page or by `store-hub pair` only."
        )


def _pairings(unit: Unit) -> list[PairingRow]:
    # Spent ones count too: a code that was used must not become a wrong try for the others.
    return devicerows.pairings(unit.tx, unit.tx.budget_ms)


def _known(unit: Unit, device_id: str) -> DeviceRow:
    device = devicerows.get(unit.tx, device_id)
    if device is None:
        raise refuse(
            Code.NOT_FOUND,
            "There is no such device: `store-hub devices list` shows them all.",
            device_id=device_id,
        )
    if device.auth == "hub":
        raise refuse(
            Code.CONFLICT,
            "This hangs on the hub's own box: `store-hub peripherals` changes it.",
            device_id=device_id,
        )
    return device


def _live(unit: Unit, device_id: str) -> DeviceRow:
    device = _known(unit, device_id)
    if device.status != "paired":
        raise refuse(
            Code.CONFLICT,
            "This device was revoked, for good: pair it as a new one.",
            device_id=device_id,
        )
    return device


def _new(unit: Unit, row: PairingRow, command: PairDevice) -> Paired:
    number = devicerows.next_number(unit.tx)
    while devicerows.get(unit.tx, device_id := f"{row.kind}-{number:02d}") is not None:
        number += 1  # a peripheral of the hub has this name
    name = row.name or f"{row.kind.capitalize()} {number}"
    devicerows.add(
        unit.tx,
        device_id=device_id,
        name=name,
        kind=row.kind,
        auth=command.auth,
        password_hash=command.password_hash,
        number=number,
        model=command.model,
        firmware=command.firmware,
        meta=_meta(command),
    )
    unit.note("device.pair", device_id, {"pairing": row.pairing_id, "auth": command.auth})
    unit.tell(DeviceChanged(device_id))
    return Paired(device_id=device_id, name=name, kind=row.kind, auth=command.auth)


def _rekeyed(unit: Unit, row: PairingRow, command: PairDevice) -> Paired | None:
    device = devicerows.get(unit.tx, row.rekey_device_id or "")
    if device is None or device.status != "paired":
        return None
    devicerows.rekey(
        unit.tx,
        device.device_id,
        auth=command.auth,
        password_hash=command.password_hash,
        model=command.model or device.model,
        firmware=command.firmware or device.firmware,
        meta=_meta(command),
    )
    devicerows.revoke_certificates(unit.tx, device.device_id, SUPERSEDED)
    unit.note("device.rekey", device.device_id, {"pairing": row.pairing_id, "auth": command.auth})
    # Whoever holds the old key has to go; the row says that the device itself is still welcome.
    unit.tell(DeviceRevoked(device.device_id))
    unit.tell(DeviceChanged(device.device_id))
    return _paired(replace(device, auth=command.auth))


def _meta(command: PairDevice) -> str:
    return canonical({"pairing_key": command.key_hash} if command.key_hash else {})


def _repeated(unit: Unit, device_id: str, command: PairDevice) -> Paired | None:
    device = devicerows.get(unit.tx, device_id)
    if device is None or device.status != "paired" or not command.key_hash:
        return None
    if device.auth != command.auth or not _has_paired_with(device, command.key_hash):
        return None
    if command.password_hash is not None:
        devicerows.set_password(unit.tx, device_id, command.password_hash)
    return _paired(device)


def _has_paired_with(device: DeviceRow, key_hash: str) -> bool:
    """Whether its last pairing was with this key, and it was not seen since."""
    known = json.loads(device.meta).get("pairing_key", "")
    return hmac.compare_digest(str(known).encode(), key_hash.encode())


def _paired(device: DeviceRow) -> Paired:
    return Paired(device_id=device.device_id, name=device.name, kind=device.kind, auth=device.auth)
