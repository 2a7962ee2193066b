"""The durable log of commands for a hub, and the orders they assign."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hub.contract.oms import MAX_COMMANDS, Command, CommandsReply
from hub.contract.oms_events import COMMAND_ENDED

from .cursors import cursor_text, resume_at

if TYPE_CHECKING:
    from sqlite3 import Connection


def append_command(
    db: Connection, store: str, command_id: str, kind: str, data: dict[str, Any], now_ms: int
) -> int:
    """Add a command; an order it assigns or cancels is remembered.  Returns its number."""
    done = db.execute(
        "INSERT INTO commands (store, id, type, data, issued_at_ms) VALUES (?, ?, ?, ?, ?)",
        (store, command_id, kind, json.dumps(data), now_ms),
    )
    order_id = data.get("order_id")
    if isinstance(order_id, str) and kind.startswith("order."):
        _remember_order(db, store, order_id, kind, data)
    assert done.lastrowid is not None
    return done.lastrowid


def _remember_order(
    db: Connection, store: str, order_id: str, kind: str, data: dict[str, Any]
) -> None:
    """An order as a command says it is: what it leaves away stays as it was, and what is older than
    what is known changes nothing."""
    known = db.execute(
        "SELECT data FROM orders WHERE store=? AND order_id=?", (store, order_id)
    ).fetchone()
    before = json.loads(known[0]) if known else {}
    if _version(data) < _version(before):
        return
    whole = before | data
    state = whole.pop("state", None)
    db.execute(
        "INSERT INTO orders VALUES (?, ?, 'assigned', ?)"
        " ON CONFLICT DO UPDATE SET data=excluded.data",
        (store, order_id, json.dumps(whole)),
    )
    if kind == "order.cancelled":
        set_order_state(db, store, order_id, "cancelled")
    elif isinstance(state, str):
        set_order_state(db, store, order_id, state)


def _version(data: dict[str, Any]) -> int:
    version = data.get("version")
    return version if isinstance(version, int) else 0


def set_order_state(db: Connection, store: str, order_id: str, state: str) -> None:
    """What has become of an order."""
    db.execute("UPDATE orders SET state=? WHERE store=? AND order_id=?", (state, store, order_id))


def hub_says(db: Connection, store: str, order_id: str, state: str) -> None:
    """What the hub says.  What it has reserved or lacks doesn't undo what became of the order."""
    if state not in ("accepted", "short"):
        set_order_state(db, store, order_id, state)
        return
    db.execute(
        "UPDATE orders SET state=? WHERE store=? AND order_id=?"
        " AND state IN ('assigned', 'accepted', 'short')",
        (state, store, order_id),
    )


def commands_after(db: Connection, store: str, cursor: str, oms_incarnation: str) -> CommandsReply:
    """The next page of the log; the reply's cursor follows its last command."""
    start = resume_at(db, cursor, "commands", oms_incarnation)
    rows = db.execute(
        "SELECT n, id, type, data, issued_at_ms FROM commands WHERE store=? AND n>?"
        " ORDER BY n LIMIT ?",
        (store, start, MAX_COMMANDS),
    ).fetchall()
    commands = tuple(
        Command(
            cursor=cursor_text(oms_incarnation, n),
            id=command_id,
            type=kind,
            data=json.loads(data),
            issued_at_ms=issued_at_ms,
        )
        for n, command_id, kind, data, issued_at_ms in rows
    )
    last = rows[-1][0] if rows else start
    return CommandsReply(
        commands=commands,
        cursor=cursor_text(oms_incarnation, last),
        oms_incarnation=oms_incarnation,
    )


def confirm_commands(db: Connection, store: str, cursor: str, oms_incarnation: str) -> None:
    """Remember how far the hub says it has come."""
    n = resume_at(db, cursor, "commands", oms_incarnation)
    db.execute(
        "UPDATE stores SET commands_confirmed=? WHERE store=? AND commands_confirmed<?",
        (n, store, n),
    )


def commands_told(db: Connection, store: str) -> list[dict[str, Any]]:
    """The newest 200 commands, newest first, with the outcomes that hubs told of them."""
    told = {
        data["command_id"]: data
        for (text,) in db.execute(
            "SELECT data FROM events WHERE store=? AND type=? ORDER BY event DESC LIMIT 1000",
            (store, COMMAND_ENDED),
        )
        if isinstance(data := json.loads(text), dict) and "command_id" in data
    }
    return [
        {
            "id": command_id,
            "type": kind,
            "data": json.loads(data),
            "issued_at_ms": issued_at_ms,
            "outcome": told.get(command_id, {}).get("outcome"),
            "why": told.get(command_id, {}).get("why"),
        }
        for command_id, kind, data, issued_at_ms in db.execute(
            "SELECT id, type, data, issued_at_ms FROM commands WHERE store=?"
            " ORDER BY n DESC LIMIT 200",
            (store,),
        )
    ]
