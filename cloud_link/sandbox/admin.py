"""The sandbox's own calls, for demos and tests; all need the admin token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from aiohttp import web
from pydantic import Field, JsonValue

from hub.contract.base import Incoming
from hub.contract.oms import OmsCode
from hub.contract.oms_datasets import DATASETS, DatasetName

from .bundles import content_of, listed
from .commands import append_command, commands_told
from .context import CONTEXT, Context
from .datasets import change_rows, check_row
from .misbehave import MisbehaveRequest
from .problems import refuse
from .wire import parse, query_int, read_raw, reply_plain

if TYPE_CHECKING:
    from sqlite3 import Connection

MAX_ADMIN_BYTES = 16 * 1024 * 1024


class CommandRequest(Incoming):
    """``POST /sandbox/commands``: ``store`` defaults to the sandbox's first one."""

    store: str | None = None
    type: Annotated[str, Field(pattern=r"^[a-z_]{1,40}\.[a-z_]{1,40}$")]
    data: dict[str, JsonValue] = Field(default_factory=dict)
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:\-]{0,63}$")] | None = None


class RowsRequest(Incoming):
    """``POST /sandbox/datasets/{name}/rows``: rows to set and rows (keys suffice) to remove."""

    store: str | None = None
    rows: tuple[dict[str, JsonValue], ...] = Field(default=(), max_length=20_000)
    delete: tuple[dict[str, JsonValue], ...] = Field(default=(), max_length=20_000)


def add_admin_routes(app: web.Application) -> None:
    """Everything below ``/sandbox``."""
    app.router.add_post("/sandbox/misbehave", _misbehave)
    app.router.add_post("/sandbox/backup", _backup)
    app.router.add_post("/sandbox/restore", _restore)
    app.router.add_post("/sandbox/commands", _command)
    app.router.add_get("/sandbox/commands", _commands)
    app.router.add_get("/sandbox/support", _bundles)
    app.router.add_get("/sandbox/support/{command_id}", _bundle)
    app.router.add_post("/sandbox/datasets/{name}/rows", _rows)
    app.router.add_get("/sandbox/sales", _sales)
    app.router.add_get("/sandbox/levels", _levels)
    app.router.add_get("/sandbox/stats", _stats)


async def _enter(request: web.Request) -> tuple[Context, bytes]:
    context = request.app[CONTEXT]
    context.doorkeeper.check_admin(request)
    return context, await read_raw(request, MAX_ADMIN_BYTES)


def _store(context: Context, request: web.Request) -> str:
    return request.query.get("store", context.settings.stores[0])


async def _misbehave(request: web.Request) -> web.Response:
    context, body = await _enter(request)
    context.misbehaviour.change(parse(MisbehaveRequest, body or b"{}"))
    return reply_plain(context.misbehaviour.set.model_dump())


async def _backup(request: web.Request) -> web.Response:
    context, _ = await _enter(request)
    await context.database.backup()
    return reply_plain({"oms_incarnation": context.database.oms_incarnation})


async def _restore(request: web.Request) -> web.Response:
    context, _ = await _enter(request)
    before = context.database.oms_incarnation
    after = await context.database.restore()
    context.bell.ring()
    return reply_plain(
        {
            "oms_incarnation": after,
            "was": before,
            "detail": "Everything since the last backup is forgotten; watermarks have gone back.",
        }
    )


async def _command(request: web.Request) -> web.Response:
    context, body = await _enter(request)
    asked = parse(CommandRequest, body)
    store = asked.store or context.settings.stores[0]
    command_id = asked.id or context.ids.uuid7()
    now_ms = context.clock.wall_ms()
    n = await context.database.write(
        lambda db: append_command(db, store, command_id, asked.type, dict(asked.data), now_ms)
    )
    context.bell.ring()
    return reply_plain({"id": command_id, "n": n})


async def _commands(request: web.Request) -> web.Response:
    """``?store``: the newest 200 commands, and what hubs told of them."""
    context, _ = await _enter(request)
    store = _store(context, request)
    return reply_plain(
        {"commands": await context.database.read(lambda db: commands_told(db, store))}
    )


async def _bundles(request: web.Request) -> web.Response:
    """``?store``: the support bundles that came."""
    context, _ = await _enter(request)
    store = _store(context, request)
    return reply_plain({"bundles": await context.database.read(lambda db: listed(db, store))})


async def _bundle(request: web.Request) -> web.Response:
    """One of them, as a file."""
    context, _ = await _enter(request)
    store, command_id = _store(context, request), request.match_info["command_id"]
    name, content = await context.database.read(lambda db: content_of(db, store, command_id))
    return web.Response(
        body=content,
        content_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def _rows(request: web.Request) -> web.Response:
    context, body = await _enter(request)
    asked = parse(RowsRequest, body)
    name = _dataset(request.match_info["name"])
    for row in asked.rows:
        try:
            check_row(name, row)
        except ValueError as wrong:
            raise refuse(OmsCode.VALIDATION, f"{row}: {wrong}"[:1000]) from None
    store = asked.store or context.settings.stores[0]
    command_id, now_ms = context.ids.uuid7(), context.clock.wall_ms()

    def change(db: Connection) -> None:
        change_rows(db, store, name, asked.rows, asked.delete)
        append_command(db, store, command_id, "dataset.changed", {"dataset": name}, now_ms)

    await context.database.write(change)
    context.bell.ring()
    return reply_plain({"changed": len(asked.rows), "deleted": len(asked.delete)})


def _dataset(name: str) -> DatasetName:
    for known in DATASETS:
        if known == name:
            return known
    raise refuse(OmsCode.NOT_FOUND, f"The data sets are {', '.join(DATASETS)}.")


def _dicts(db: Connection, sql: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
    found = db.execute(sql, values)
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found]


async def _sales(request: web.Request) -> web.Response:
    """``?store&limit&offset``: sales in the order they came, with lines and tenders."""
    context, _ = await _enter(request)
    store = _store(context, request)
    limit = query_int(request, "limit", 1000, 1, 10_000)
    offset = query_int(request, "offset", 0, 0, 999_999_999)

    def look(db: Connection) -> list[dict[str, Any]]:
        sales = _dicts(
            db,
            "SELECT * FROM sales WHERE store=? ORDER BY event LIMIT ? OFFSET ?",
            (store, limit, offset),
        )
        for sale in sales:
            key = (store, sale["sale_id"])
            for part in ("sale_lines", "tenders"):
                sql = f"SELECT * FROM {part} WHERE store=? AND sale_id=?"  # noqa: S608 - constants
                sale[part] = _dicts(db, sql, key)
        return sales

    return reply_plain({"sales": await context.database.read(look)})


async def _levels(request: web.Request) -> web.Response:
    """``?store&sku``: levels per stock bucket, of one SKU or of all."""
    context, _ = await _enter(request)
    store, sku = _store(context, request), request.query.get("sku")
    rows = await context.database.read(
        lambda db: db.execute(
            "SELECT sku, bucket, qty FROM levels WHERE store=? AND (? IS NULL OR sku=?)",
            (store, sku, sku),
        ).fetchall()
    )
    levels: dict[str, dict[str, int]] = {}
    for name, bucket, qty in rows:
        levels.setdefault(name, {})[bucket] = qty
    return reply_plain({"levels": levels})


async def _stats(request: web.Request) -> web.Response:
    context, _ = await _enter(request)
    store = _store(context, request)

    def look(db: Connection) -> dict[str, Any]:
        stats: dict[str, Any] = {}
        for table in ("events", "sales", "returns", "voids", "parked", "commands", "movements"):
            sql = f"SELECT count(*) FROM {table} WHERE store=?"  # noqa: S608 - constants
            stats[table] = db.execute(sql, (store,)).fetchone()[0]
        stats["rejected"] = db.execute(
            "SELECT count(*) FROM events WHERE store=? AND status='rejected'", (store,)
        ).fetchone()[0]
        stats["revenue_minor"] = db.execute(
            "SELECT coalesce(sum(total_minor), 0) FROM sales WHERE store=? AND state='completed'",
            (store,),
        ).fetchone()[0]
        stats["sessions"] = _dicts(
            db, "SELECT incarnation, epoch, hub_id FROM stores WHERE store=?", (store,)
        )
        stats["acked"] = _dicts(
            db, "SELECT source, stream, seq FROM watermarks WHERE store=?", (store,)
        )
        stats["types"] = dict(
            db.execute(
                "SELECT type, count(*) FROM events WHERE store=? GROUP BY type", (store,)
            ).fetchall()
        )
        return stats

    stats = await context.database.read(look)
    stats["misbehaved"] = dict(context.misbehaviour.struck)
    stats["oms_incarnation"] = context.database.oms_incarnation
    return reply_plain(stats)
