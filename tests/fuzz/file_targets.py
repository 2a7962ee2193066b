"""Files that a person or a disk may have damaged: journals, identities, backups, imports."""

from __future__ import annotations

import functools
import json
import shutil
from pathlib import Path
from typing import Any, Final

from hub.storage.errors import DatabaseRefused
from tests.fakes import FakeClock, SeededRandomness, seeded_ids_of
from tests.fuzz.engine import Dice, Target, scratch

# The device's journal ----------------------------------------------------------------------------


@functools.cache
def _journal_records() -> tuple[bytes, ...]:
    from devices.kit import journal_state as records
    from devices.kit.journal_state import Answer, Entry, PendingFact

    made = [records.owner_record("367/till-1")]
    for number in range(12):
        key = f"key-{number:08d}"
        body = json.dumps({"sale_id": key, "note": "x" * (number * 7)})
        made.append(
            records.ask_record(
                Entry(key=key, service="sale", operation="commit", body=body, at_ms=number)
            )
        )
        if number % 3 == 0:
            made.append(records.answer_record(key, Answer("1", number, {"sale_id": key})))
        if number % 4 == 0:
            made.append(records.fact_record(PendingFact("j", number + 1, "scan", "{}")))
    return tuple(made)


def journal(data: bytes) -> None:
    """Damage anywhere in a journal: only what the damage touched is lost, never silently."""
    from devices.kit.journal_file import JournalFile, pack
    from devices.kit.journal_state import replay

    payloads = _journal_records()
    packed = [pack(one) for one in payloads]
    raw = b"".join(packed)
    damaged, first, last = _damaged(Dice(data), raw)
    folder = scratch() / "journal"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    path = folder / "journal"
    path.write_bytes(damaged)
    file = JournalFile(path)
    try:
        kept = list(file.payloads)
        copied = file.damaged_copy
    finally:
        file.close()
    # Whole records before the damage, and after it, are there in their order.
    before, after, at = [], [], 0
    for payload, record in zip(payloads, packed, strict=True):
        if at + len(record) <= first:
            before.append(payload)
        elif at >= last:
            after.append(payload)
        at += len(record)
    assert kept[: len(before)] == before, "a record before the damage is lost"
    assert not after or kept[-len(after) :] == after, "a record behind the damage is lost"
    if after and kept != list(payloads):
        assert copied is not None, "records in the middle went without a copy being kept"
        assert copied.read_bytes() == damaged
    replay(kept)
    file = JournalFile(path)  # what was mended stays so
    try:
        assert file.payloads == kept
        assert file.damaged_copy is None
        file.append(pack(payloads[1]))
    finally:
        file.close()
    assert path.read_bytes().endswith(pack(payloads[1]))


def _damaged(dice: Dice, raw: bytes) -> tuple[bytes, int, int]:
    """The file after one accident, and the span of the original that it touched."""
    at = dice.below(1 << 31) % (len(raw) + 1)
    size = dice.below(200)
    upto = min(len(raw), at + size)
    noise = dice.rest()
    match dice.below(6):
        case 0:  # a power cut: the end is missing, perhaps with noise in its place
            return raw[:at] + noise[:64], at, len(raw)
        case 1:  # bytes went
            return raw[:at] + raw[upto:], at, upto
        case 2:  # a sector of zeros
            return raw[:at] + bytes(upto - at) + raw[upto:], at, upto
        case 3:  # bytes came in between
            return raw[:at] + noise + raw[at:], at, at
        case 4:  # a sector of something else
            filling = (noise * (size + 1))[: upto - at] if noise else b"\xff" * (upto - at)
            return raw[:at] + filling + raw[upto:], at, upto
        case _:
            return raw, len(raw), len(raw)


def identity(data: bytes) -> None:
    """A device's folder: read, or told to be damaged."""
    from devices.kit.identity import IdentityStore

    info, _, pem = data.partition(b"\n-----\n")
    folder = scratch() / "identity"
    folder.mkdir(exist_ok=True)
    (folder / "pairing.json").write_bytes(info)
    (folder / "device.pem").write_bytes(pem)
    (folder / "ca.pem").write_bytes(pem)
    store = IdentityStore(folder)
    found = store.load()
    found.renewal_due(0)


# Backups -----------------------------------------------------------------------------------------


@functools.cache
def _backup() -> Path:
    from hub.app.backup import make_backup
    from hub.storage import hubrow
    from hub.storage.database import open_database
    from hub.storage.rows import Tx

    state = scratch() / "backed-up"
    (state / "tls").mkdir(parents=True)
    (state / "tls" / "ca.pem").write_text("certificate")
    conn = open_database(state / "hub.db")
    try:
        conn.execute("BEGIN IMMEDIATE")
        hubrow.found(Tx(conn, 1, 0), "367", "hub-1", "machine", "a1")
        conn.execute("COMMIT")
    finally:
        conn.close()
    target = scratch() / "backup"
    make_backup(state, target, FakeClock())
    return target


def backup(data: bytes) -> None:
    """A copy whose manifest or database was damaged is refused, and nothing is changed."""
    from hub.app.backup import BackupRefused, restore_backup

    dice = Dice(data)
    source, state = scratch() / "restored-from", scratch() / "restored-to"
    for folder in (source, state):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(_backup(), source)
    manifest = source / "backup.json"
    database = source / "hub.db"
    untouched = False
    match dice.below(4):
        case 0:
            manifest.write_bytes(dice.rest())
        case 1:
            raw, at = database.read_bytes(), dice.below(1 << 31)
            at %= len(raw)
            database.write_bytes(raw[:at] + dice.rest() + raw[at + dice.below(3) :])
            untouched = database.read_bytes() == raw
        case 2:  # the manifest fits, the database is none
            database.write_bytes(dice.rest())
            body = json.loads(manifest.read_text())
            from hashlib import sha256

            body["files"]["hub.db"] = sha256(database.read_bytes()).hexdigest()
            manifest.write_text(json.dumps(body))
        case _:
            (source / "more.txt").write_bytes(dice.rest())
    state.mkdir()
    (state / "marker").write_text("still here")
    try:
        restore_backup(source, state, FakeClock(), SeededRandomness())
    except (BackupRefused, DatabaseRefused):
        assert (state / "marker").read_text() == "still here"
        for left in scratch().glob("restored-to.being-restored-*"):
            shutil.rmtree(left)
        raise
    finally:
        for left in scratch().glob("restored-to.before-restore-*"):
            shutil.rmtree(left)
    assert untouched or manifest.read_bytes() != b"", "a damaged copy was put back"


# Imports -----------------------------------------------------------------------------------------

_NAMES: Final = ("catalog", "prices", "taxes", "staff", "policies")


@functools.cache
def _import_shop() -> Any:
    from tests.support.shop import Shop

    folder = scratch() / "import"
    folder.mkdir()
    return Shop(folder)


def import_rows(data: bytes) -> None:
    """A file of ``store-hub catalog import``: in force as a whole, or refused by line."""
    from hub.service.importing import import_file
    from tests.support.shop import rules

    shop = _import_shop()
    name = _NAMES[(data[0] if data else 0) % len(_NAMES)]
    path = scratch() / f"{name}.jsonl"
    path.write_bytes(data[1:])
    sql = "SELECT generation FROM datasets WHERE dataset = ?"
    before = shop.value(sql, name)
    clock = shop.clock
    try:
        import_file(shop.core.conn, rules(), clock, seeded_ids_of(clock, 3), name, path)
    except Exception:
        assert shop.value(sql, name) == before, "a refused file is in force"
        raise
    shop.sign_in("till-1", "mia")
    for (sku,) in shop.all("SELECT DISTINCT sku FROM products ORDER BY sku LIMIT 3"):
        _ask(shop, "catalog/look-up", {"code": sku})
        line = {"code": sku, "qty": 1, "unit_price_minor": 249, "discount_minor": 1, "reason": "x"}
        _ask(shop, "sale/commit", shop.sale(line, total_minor=248))
    _ask(shop, "catalog/search", {"text": "ball"})
    _ask(shop, "staff/sign-in", {"staff_id": "anna", "pin": "2468"})
    _ask(shop, "staff/who-am-i", {})


def _ask(shop: Any, address: str, body: dict[str, Any]) -> None:
    reply = shop.ask("till-1", address, body)
    assert reply.code != "unavailable", f"with the imported rows {address} fails: {reply.text}"


def _rows() -> tuple[bytes, ...]:
    from hub.contract.publish.oms_samples import ROWS

    def lines(number: int, *names: str) -> bytes:
        return bytes((number,)) + b"".join(
            json.dumps(ROWS[name]).encode() + b"\n" for name in names
        )

    return (
        lines(0, "CatalogRow"),
        lines(1, "PriceRow"),
        lines(2, "TaxPolicyRow", "TaxRateRow"),
        lines(3, "StaffRow", "RoleRow"),
        lines(4, "PolicyRow"),
    )


def fresh() -> None:
    """Let go of what was made once."""
    if _import_shop.cache_info().currsize:
        _import_shop().close()
        _import_shop.cache_clear()
    _backup.cache_clear()


def targets() -> tuple[Target, ...]:
    """All of this room."""
    from devices.kit.errors import IdentityDamaged
    from hub.app.backup import BackupRefused
    from hub.service.handlers.datasets import BadRow

    info = json.dumps(
        {
            "device_id": "till-1",
            "name": "",
            "kind": "till",
            "store": "367",
            "auth": "password",
            "host": "h",
            "https_port": 1,
            "mqtt_host": "h",
            "mqtt_port": 2,
            "ca_fingerprint": "5f",
            "username": "till-1",
            "password": "p",
            "certificate_until_ms": None,
        }
    ).encode()
    manifest = (
        b'\0{"format":1,"store":"367","hub_id":"h","incarnation":"0","made_at_ms":1,"files":{}}'
    )
    return (
        Target("kit-journal", journal, (bytes(range(30)), b"\0" * 40, b"\x89SHJ" * 9)),
        Target(
            "kit-identity", identity, (info + b"\n-----\n", b"{}"), (IdentityDamaged,), weight=1
        ),
        Target(
            "backup",
            backup,
            (manifest, b"\1" + b"\0" * 9, b"\2nonsense", b"\2", b"\3x"),
            (BackupRefused, DatabaseRefused),
            weight=1,
        ),
        Target("import-rows", import_rows, _rows(), (BadRow,), 1, weight=2),
    )
