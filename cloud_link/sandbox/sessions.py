"""HELLO: who is this shop's hub, and which box is it now."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from hub.clock import Randomness
from hub.contract.base import CONTRACT_VERSION
from hub.contract.oms import (
    Hello,
    HelloReply,
    OmsCode,
    SessionCursors,
)
from hub.contract.oms_datasets import DATASETS
from hub.contract.oms_envelope import Heads
from hub.contract.oms_orders import OpenOrder

from .commands import append_command
from .cursors import cursor_text
from .problems import refuse

if TYPE_CHECKING:
    from sqlite3 import Connection

MAX_NONCES = 1000
MAX_STORES = 500
CLOSED_STATES = ("handed_over", "shipped", "cancelled", "rejected", "expired", "restocked")


@dataclass(frozen=True, slots=True)
class Holder:
    """Which box holds a store's session; incarnation 0 = none ever did."""

    incarnation: int = 0
    epoch: int = 0
    hub_id: str = ""
    machine_id_hash: str = ""
    session_token: str = ""


def next_holder(hello: Hello, held: Holder, fresh_token: str) -> Holder | None:
    """Who holds the session after this HELLO; None when the caller is superseded.  Pure."""
    takes_over = (
        hello.reason in ("restored", "new")
        or hello.incarnation == 0
        or hello.incarnation > held.incarnation
    )
    if not takes_over and hello.incarnation < held.incarnation:
        return None
    same_box = (hello.hub_id, hello.machine_id_hash) == (held.hub_id, held.machine_id_hash)
    if same_box and not takes_over:
        return held
    return Holder(
        incarnation=max(held.incarnation, hello.incarnation) + 1,
        epoch=held.epoch + 1,
        hub_id=hello.hub_id,
        machine_id_hash=hello.machine_id_hash,
        session_token=fresh_token,
    )


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a HELLO needs from the world."""

    store: str
    hello: Hello
    now_ms: int
    oms_incarnation: str
    command_id: str
    randomness: Randomness


def greet(db: Connection, greeting: Greeting) -> HelloReply:
    """Answer a HELLO in a write transaction."""
    hello, store = greeting.hello, greeting.store
    known = db.execute(
        "SELECT request, reply FROM hellos WHERE store=? AND nonce=?", (store, hello.nonce)
    ).fetchone()
    if known is not None:
        if _asked_by(Hello.model_validate_json(known[0])) != _asked_by(hello):
            raise refuse(OmsCode.NONCE_REUSED, "Use a fresh random nonce for every HELLO.")
        repeated = HelloReply.model_validate_json(known[1])
        return repeated.model_copy(update={"server_time_ms": greeting.now_ms})
    _check_contract(hello)
    held = holder_of(db, store)
    if held is None:
        held = _create_store(db, store)
    holder = next_holder(hello, held, greeting.randomness.token_bytes(24).hex())
    if holder is None:
        raise refuse(
            OmsCode.SUPERSEDED,
            f"Incarnation {held.incarnation} has taken over from {hello.incarnation}. Go read-only;"
            " a technician may say HELLO with reason 'restored'.",
        )
    if holder != held:
        _take_over(db, greeting, held, holder)
    reply = _answer(db, greeting, holder)
    db.execute(
        "INSERT INTO hellos (store, nonce, request, reply) VALUES (?, ?, ?, ?)",
        (store, hello.nonce, hello.model_dump_json(), reply.model_dump_json()),
    )
    db.execute(
        "DELETE FROM hellos WHERE store=? AND n NOT IN"
        " (SELECT n FROM hellos WHERE store=? ORDER BY n DESC LIMIT ?)",
        (store, store, MAX_NONCES),
    )
    return reply


def _asked_by(hello: Hello) -> tuple[str, str, int, str]:
    """What makes two HELLOs of one nonce the same; a hub may have written more rows meanwhile."""
    return hello.hub_id, hello.machine_id_hash, hello.incarnation, hello.reason


def _check_contract(hello: Hello) -> None:
    oldest, newest = hello.contract
    if not oldest <= CONTRACT_VERSION <= newest:
        raise refuse(
            OmsCode.UNSUPPORTED_CONTRACT,
            f"This OMS speaks contract version {CONTRACT_VERSION}, the hub {oldest} to {newest}.",
        )


def holder_of(db: Connection, store: str) -> Holder | None:
    """The store's present session, None for a store nobody ever greeted."""
    row = db.execute(
        "SELECT incarnation, epoch, hub_id, machine_id_hash, session_token FROM stores"
        " WHERE store=?",
        (store,),
    ).fetchone()
    return None if row is None else Holder(*row)


def _create_store(db: Connection, store: str) -> Holder:
    (count,) = db.execute("SELECT count(*) FROM stores").fetchone()
    if count >= MAX_STORES:
        raise refuse(
            OmsCode.BUSY, f"{MAX_STORES} stores exist; start with a fresh state directory."
        )
    db.execute("INSERT INTO stores (store) VALUES (?)", (store,))
    return Holder()


def _take_over(db: Connection, greeting: Greeting, held: Holder, holder: Holder) -> None:
    db.execute(
        "UPDATE stores SET incarnation=?, epoch=?, hub_id=?, machine_id_hash=?, session_token=?"
        " WHERE store=?",
        (
            holder.incarnation,
            holder.epoch,
            holder.hub_id,
            holder.machine_id_hash,
            holder.session_token,
            greeting.store,
        ),
    )
    if held.epoch:
        append_command(
            db,
            greeting.store,
            greeting.command_id,
            "epoch.closed",
            {"epoch": held.epoch},
            greeting.now_ms,
        )


def _answer(db: Connection, greeting: Greeting, holder: Holder) -> HelloReply:
    store, life = greeting.store, greeting.oms_incarnation
    (confirmed,) = db.execute(
        "SELECT commands_confirmed FROM stores WHERE store=?", (store,)
    ).fetchone()
    heads = dict(
        db.execute(
            "SELECT dataset, max(n) FROM dataset_changes WHERE store=? GROUP BY dataset", (store,)
        ).fetchall()
    )
    return HelloReply(
        incarnation=holder.incarnation,
        epoch=holder.epoch,
        oms_incarnation=life,
        session_token=holder.session_token,
        cursors=SessionCursors(
            commands=cursor_text(life, confirmed),
            datasets={name: cursor_text(life, heads.get(name, 0)) for name in DATASETS},
        ),
        acked=acked_of_hub(db, store, greeting.hello.hub_id),
        open_orders=open_orders(db, store),
        server_time_ms=greeting.now_ms,
        oldest_contract=CONTRACT_VERSION,
        nonce=greeting.hello.nonce,
    )


def acked_of_hub(db: Connection, store: str, hub_id: str) -> Heads:
    """The watermarks of every source of one hub."""
    prefix = f"/stores/{store}/hubs/{hub_id}/"
    acked: Heads = {}
    for source, stream, seq in db.execute(
        "SELECT source, stream, seq FROM watermarks WHERE store=? AND substr(source, 1, ?)=?",
        (store, len(prefix), prefix),
    ):
        acked.setdefault(source, {})[stream] = seq
    return acked


def open_orders(db: Connection, store: str) -> tuple[OpenOrder, ...]:
    """The orders assigned to the shop that have not come to an end."""
    rows = db.execute("SELECT order_id, state, data FROM orders WHERE store=?", (store,))
    return tuple(
        _open_order(order_id, state, json.loads(data))
        for order_id, state, data in rows
        if state not in CLOSED_STATES
    )


def _open_order(order_id: str, state: str, data: dict[str, Any]) -> OpenOrder:
    """With all that is known of it, unless somebody has sent what isn't an order."""
    known = {"order_id": order_id, "state": state}
    try:
        return OpenOrder.model_validate(data | known)
    except ValidationError:
        return OpenOrder.model_validate(known)


def check_session(db: Connection, store: str, incarnation: int, token: str) -> Holder:
    """The session of a call; refuses the superseded (for good) and the unknown (HELLO again)."""
    holder = holder_of(db, store)
    if holder is None or incarnation > holder.incarnation:
        raise refuse(OmsCode.HELLO_REQUIRED, "This incarnation is not known here; say HELLO.")
    if incarnation < holder.incarnation:
        raise refuse(
            OmsCode.SUPERSEDED,
            f"Incarnation {holder.incarnation} has taken over from {incarnation}. Go read-only.",
        )
    if token != holder.session_token:
        raise refuse(OmsCode.HELLO_REQUIRED, "This session token is not known here; say HELLO.")
    return holder
