"""A shop's staff for tests of the page: who is there, and what the cloud does to them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import aiohttp

from hub.contract.oms_datasets import Change
from hub.security import pins
from hub.service.caller import CLOUD
from hub.service.handlers import datasets
from hub.storage.rows import Tx
from tests.fakes import SeededRandomness
from tests.hubparts import HubParts

PIN = "246802"
OTHER_PIN = "135791"
ROLES: dict[str, dict[str, Any]] = {
    "manager": {"hub.manage": None, "sale.void": None},
    "chief": {"hub.admin": None},
    "clerk": {"hub.view": None, "sale.sell": None},
    "cashier": {"sale.sell": None},
}
PEOPLE = {"1001": "cashier", "1002": "clerk", "1003": "manager", "1004": "chief"}


@cache
def stored(pin: str) -> str:
    """A PIN as the cloud sends it (made once: it is slow on purpose)."""
    return pins.hash_pin(pin, SeededRandomness(7))


async def hire(hub: HubParts) -> None:
    """Put the staff into the shop's database."""

    def work(tx: Tx) -> None:
        tx.run("INSERT INTO datasets (dataset, generation) VALUES ('staff', 1)")
        for role, permissions in ROLES.items():
            tx.run("INSERT INTO roles VALUES (1, ?, ?)", role, json.dumps(permissions))
        for staff_id, role in PEOPLE.items():
            tx.run(
                "INSERT INTO staff VALUES (1, ?, ?, ?, ?, 1)",
                staff_id,
                f"Name {staff_id}",
                role,
                stored(PIN),
            )

    await hub.write(work)


async def change(hub: HubParts, *rows: dict[str, Any]) -> None:
    """What the cloud says about the staff, as the link applies it."""
    changes = [Change.model_validate({"op": "upsert", "row": row}) for row in rows]
    shaped = await hub.gate.read(lambda found: datasets.shape_changes(found, "staff", 1, changes))
    assert not shaped.bad
    command = datasets.ApplyChanges("staff", 1, shaped.removed, shaped.written, len(rows), "c2")
    assert await hub.gate.internal(CLOUD, command)


def person(staff_id: str, **changed: Any) -> dict[str, Any]:
    """One of ``PEOPLE`` as a row of the data set."""
    row: dict[str, Any] = {
        "kind": "staff",
        "staff_id": staff_id,
        "name": f"Name {staff_id}",
        "role": PEOPLE[staff_id],
        "pin_hash": stored(PIN),
        "active": True,
    }
    return row | changed


@asynccontextmanager
async def at_the_page(
    hub: HubParts, staff_no: str, pin: str = PIN
) -> AsyncIterator[tuple[aiohttp.ClientSession, dict[str, str]]]:
    """A client signed in with a PIN, and the headers of its changes."""
    async with hub.client() as http:
        async with http.post("/api/1/session", json={"staff_no": staff_no, "pin": pin}) as answer:
            assert answer.status == 200, await answer.text()
            csrf = (await answer.json())["csrf"]
        yield http, {"X-CSRF-Token": csrf}


def written(hub: HubParts) -> bytes:
    """Everything the hub keeps, as bytes: files of the database, and its rows as text."""
    raw = b"".join(path.read_bytes() for path in hub.state.glob("hub.db*"))
    with sqlite3.connect(hub.state / "hub.db") as conn:
        return raw + "\n".join(conn.iterdump()).encode()
