"""Peripherals that the page set up, and the place that each peripheral has among the devices."""

from __future__ import annotations

import json
from dataclasses import dataclass

from hub.storage.rows import Rows, Tx

LISTED_MAX = 64
NUMBERS_FROM = 1_000_000
"""A peripheral's number among the devices; tills and their like have lower ones, for receipts."""


@dataclass(frozen=True, slots=True)
class PeripheralRow:
    """What is set about one; ``serves`` and ``options`` are JSON, ``via`` and ``fallback`` empty
    when there is none."""

    peripheral_id: str
    driver: str
    address: str
    name: str
    serves: str
    via: str
    fallback: str
    options: str

    @property
    def served(self) -> tuple[str, ...]:
        """``serves``, read."""
        return tuple(json.loads(self.serves))

    @property
    def chosen(self) -> dict[str, str | int | bool]:
        """``options``, read."""
        found: dict[str, str | int | bool] = json.loads(self.options)
        return found


_ROW = (
    "SELECT peripheral_id, driver, address, name, serves, via, fallback, options FROM peripherals"
)


def listed(rows: Rows) -> list[PeripheralRow]:
    """All of them, by id."""
    found = rows.all(f"{_ROW} ORDER BY peripheral_id LIMIT ?", LISTED_MAX)
    return [PeripheralRow(*row) for row in found]


def put(tx: Tx, row: PeripheralRow, set_by: str) -> None:
    """Write what is set about one; what was set about it before is gone."""
    tx.run(
        "INSERT OR REPLACE INTO peripherals (peripheral_id, driver, address, name, serves, via,"
        " fallback, options, set_by, set_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        row.peripheral_id,
        row.driver,
        row.address,
        row.name,
        row.serves,
        row.via,
        row.fallback,
        row.options,
        set_by,
        tx.now_ms,
    )


def remove(tx: Tx, peripheral_id: str) -> None:
    """Forget what is set about one."""
    tx.run("DELETE FROM peripherals WHERE peripheral_id = ?", peripheral_id)


# Among the devices -------------------------------------------------------------------------------


def owners(rows: Rows) -> dict[str, str]:
    """The hub's own rows among the devices: id and kind."""
    found = rows.all(
        "SELECT device_id, kind FROM devices WHERE number >= ? AND auth = 'hub' LIMIT ?",
        NUMBERS_FROM,
        LISTED_MAX,
    )
    return dict(found)


def keep(tx: Tx, peripheral_id: str, name: str, kind: str) -> None:
    """Give a peripheral its row among the devices, or another name there."""
    tx.run(
        "INSERT INTO devices (device_id, name, kind, auth, number, presence, paired_at_ms)"
        " VALUES (?, ?, ?, 'hub', (SELECT max(coalesce(max(number), 0), ?) + 1 FROM devices),"
        " 'init', ?) ON CONFLICT (device_id) DO UPDATE SET name = excluded.name,"
        " kind = excluded.kind WHERE auth = 'hub'",
        peripheral_id,
        name,
        kind,
        NUMBERS_FROM - 1,
        tx.now_ms,
    )


def unknown(tx: Tx, peripheral_id: str) -> None:
    """Nobody knows yet how it is: the hub was just started."""
    tx.run(
        "UPDATE devices SET presence = 'init' WHERE device_id = ? AND auth = 'hub'", peripheral_id
    )


def drop(tx: Tx, peripheral_id: str) -> None:
    """A peripheral that isn't driven any more has no place among the devices."""
    tx.run("DELETE FROM devices WHERE device_id = ? AND auth = 'hub'", peripheral_id)
