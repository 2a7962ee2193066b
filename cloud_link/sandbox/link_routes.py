"""The calls of payment links, and the sandbox's own that pays by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import web
from pydantic import BaseModel

from hub.contract.base import Incoming, UniqueId
from hub.contract.oms import MAX_BATCH_BYTES, OmsCode
from hub.contract.oms_links import LinkCancel, LinkRequest

from . import links
from .context import CONTEXT, Context
from .problems import refuse
from .routes import enter, read_body, session_of
from .sessions import check_session
from .wire import parse, read_raw, reply, reply_plain

if TYPE_CHECKING:
    from sqlite3 import Connection

MAX_ADMIN_BYTES = 65_536


class _Name(Incoming):
    payment_id: UniqueId


def add_link_routes(app: web.Application) -> None:
    """The contract's calls and ``/sandbox/payments/links``."""
    path = "/v1/stores/{store}/payments/{payment_id}/link"
    app.router.add_post(path, _send)
    app.router.add_get(path, _last)
    app.router.add_post(f"{path}/cancel", _cancel)
    app.router.add_post("/sandbox/payments/links/pay", _pay)
    app.router.add_get("/sandbox/payments/links", _list)


def _name(request: web.Request) -> str:
    try:
        return _Name(payment_id=request.match_info["payment_id"]).payment_id
    except ValueError:
        raise refuse(OmsCode.NOT_FOUND, "There is no such payment here.") from None


async def _send(request: web.Request) -> web.Response:
    context, store = enter(request)
    asked = parse(LinkRequest, await read_body(request, context, MAX_BATCH_BYTES))
    name, now_ms = _name(request), context.clock.wall_ms()
    answer = await _done(request, lambda db: links.send(db, store, name, asked, now_ms))
    _misbehave(context)
    return answer


async def _cancel(request: web.Request) -> web.Response:
    context, store = enter(request)
    asked = parse(LinkCancel, await read_body(request, context, MAX_BATCH_BYTES))
    name = _name(request)
    answer = await _done(request, lambda db: links.cancel(db, store, name, asked))
    _misbehave(context)
    return answer


def _misbehave(context: Context) -> None:
    faults = context.payment_faults
    if faults.error_after_rate and context.payment_dice.roll() < faults.error_after_rate:
        raise refuse(OmsCode.UNAVAILABLE, "Done, and misbehaving on request.")


async def _last(request: web.Request) -> web.Response:
    _, store = enter(request)
    name = _name(request)
    return await _done(request, lambda db: links.last(db, store, name), changes=False)


async def _done(
    request: web.Request, work: Callable[[Connection], BaseModel], *, changes: bool = True
) -> web.Response:
    context, store = enter(request)
    session = session_of(request)

    def run(db: Connection) -> BaseModel:
        check_session(db, store, *session)
        return work(db)

    answer = await (context.database.write(run) if changes else context.database.read(run))
    life = context.database.oms_incarnation
    return reply(answer.model_copy(update={"oms_incarnation": life}))


async def _pay(request: web.Request) -> web.Response:
    context = request.app[CONTEXT]
    context.doorkeeper.check_admin(request)
    asked = parse(links.PayLink, await read_raw(request, MAX_ADMIN_BYTES))
    store = asked.store or context.settings.stores[0]
    command_id, now_ms = context.ids.uuid7(), context.clock.wall_ms()
    told = await context.database.write(lambda db: links.pay(db, store, asked, command_id, now_ms))
    context.bell.ring()
    return reply_plain(told)


async def _list(request: web.Request) -> web.Response:
    """``?store``: links as they stand, and how many messages went out for each."""
    context = request.app[CONTEXT]
    context.doorkeeper.check_admin(request)
    store = request.query.get("store", context.settings.stores[0])
    found = await context.database.read(lambda db: links.listed(db, store))
    return reply_plain({"links": found})
