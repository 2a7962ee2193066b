"""The calls of payment links, and the sandbox's own that pays by one."""

from __future__ import annotations

from aiohttp import web

from hub.contract.base import Incoming, UniqueId
from hub.contract.oms import MAX_BATCH_BYTES, OmsCode
from hub.contract.oms_links import LinkCancel, LinkRequest

from . import links
from .answering import answered
from .context import CONTEXT
from .problems import refuse
from .routes import enter, read_body
from .wire import parse, read_raw, reply_plain

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
    return await answered(request, lambda db: links.send(db, store, name, asked, now_ms))


async def _cancel(request: web.Request) -> web.Response:
    context, store = enter(request)
    asked = parse(LinkCancel, await read_body(request, context, MAX_BATCH_BYTES))
    name = _name(request)
    return await answered(request, lambda db: links.cancel(db, store, name, asked))


async def _last(request: web.Request) -> web.Response:
    _, store = enter(request)
    name = _name(request)
    return await answered(request, lambda db: links.last(db, store, name), changes=False)


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
