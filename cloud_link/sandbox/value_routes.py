"""The calls about gift cards and store credit, and the sandbox's own to make and allot them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from aiohttp import web
from pydantic import BaseModel

from hub.contract.base import Incoming, UniqueId
from hub.contract.oms import MAX_BATCH_BYTES, OmsCode
from hub.contract.oms_payments import EffectKey
from hub.contract.oms_value import (
    ValueBalance,
    ValueCapture,
    ValueHold,
    ValueRefund,
    ValueRelease,
    ValueToken,
)

from . import value_books
from .answering import answered
from .commands import append_command
from .context import CONTEXT
from .problems import refuse
from .routes import enter, read_body
from .sessions import holder_of
from .value import Issuer
from .value_books import CardAllotted, CardMade
from .wire import parse, read_raw, reply_plain

if TYPE_CHECKING:
    from sqlite3 import Connection

M = TypeVar("M", bound=BaseModel)
MAX_ADMIN_BYTES = 65_536


class _Names(Incoming):
    hold_id: UniqueId
    key: EffectKey = "none"


class _Token(Incoming):
    token: ValueToken


def add_value_routes(app: web.Application) -> None:
    """The contract's calls and ``/sandbox/value``."""
    base = "/v1/stores/{store}/gift-cards"
    app.router.add_post(f"{base}/balance", _balance)
    app.router.add_get(f"{base}/holds/{{hold_id}}", _look_up)
    app.router.add_post(f"{base}/holds/{{hold_id}}/capture", _capture)
    app.router.add_post(f"{base}/holds/{{hold_id}}/release", _release)
    app.router.add_post(f"{base}/holds/{{hold_id}}/refunds", _refund)
    app.router.add_get(f"{base}/holds/{{hold_id}}/refunds/{{key}}", _look_up_refund)
    app.router.add_post(f"{base}/{{token}}/holds", _hold)
    app.router.add_post("/sandbox/value/cards", _make)
    app.router.add_post("/sandbox/value/allot", _allot)
    app.router.add_get("/sandbox/value", _books)


def _inside(request: web.Request, model: type[M]) -> M:
    try:
        return model.model_validate({k: v for k, v in request.match_info.items() if k != "store"})
    except ValueError:
        raise refuse(OmsCode.NOT_FOUND, "There is no such hold or card here.") from None


async def _done(
    request: web.Request, work: Callable[[Issuer], BaseModel], *, changes: bool = True
) -> web.Response:
    context, store = enter(request)
    return await answered(
        request, lambda db: work(Issuer(db, store, context.clock.wall_ms())), changes=changes
    )


async def _asked(request: web.Request, model: type[M]) -> M:
    context, _ = enter(request)
    return parse(model, await read_body(request, context, MAX_BATCH_BYTES))


async def _hold(request: web.Request) -> web.Response:
    token, asked = _inside(request, _Token).token, await _asked(request, ValueHold)
    return await _done(request, lambda issuer: issuer.hold(token, asked))


async def _look_up(request: web.Request) -> web.Response:
    name = _inside(request, _Names)
    return await _done(request, lambda issuer: issuer.look_up(name.hold_id), changes=False)


async def _capture(request: web.Request) -> web.Response:
    name, asked = _inside(request, _Names), await _asked(request, ValueCapture)
    return await _done(request, lambda issuer: issuer.capture(name.hold_id, asked))


async def _release(request: web.Request) -> web.Response:
    name, asked = _inside(request, _Names), await _asked(request, ValueRelease)
    return await _done(request, lambda issuer: issuer.release(name.hold_id, asked))


async def _refund(request: web.Request) -> web.Response:
    name, asked = _inside(request, _Names), await _asked(request, ValueRefund)
    return await _done(request, lambda issuer: issuer.refund(name.hold_id, asked))


async def _look_up_refund(request: web.Request) -> web.Response:
    name = _inside(request, _Names)
    return await _done(
        request, lambda issuer: issuer.look_up_refund(name.hold_id, name.key), changes=False
    )


async def _balance(request: web.Request) -> web.Response:
    asked = await _asked(request, ValueBalance)
    return await _done(request, lambda issuer: issuer.balance(asked), changes=False)


async def _make(request: web.Request) -> web.Response:
    context = request.app[CONTEXT]
    context.doorkeeper.check_admin(request)
    made = parse(CardMade, await read_raw(request, MAX_ADMIN_BYTES))
    store, now_ms = context.settings.stores[0], context.clock.wall_ms()
    await context.database.write(lambda db: Issuer(db, store, now_ms).make(made))
    return reply_plain({"account_ref": made.account_ref})


async def _allot(request: web.Request) -> web.Response:
    """In the store's present epoch; the shop is told by a command."""
    context = request.app[CONTEXT]
    context.doorkeeper.check_admin(request)
    asked = parse(CardAllotted, await read_raw(request, MAX_ADMIN_BYTES))
    store = asked.store or context.settings.stores[0]
    command_id, now_ms = context.ids.uuid7(), context.clock.wall_ms()

    def run(db: Connection) -> dict[str, object]:
        holder = holder_of(db, store)
        data = Issuer(db, store, now_ms).allot(asked, holder.epoch if holder else 0)
        append_command(db, store, command_id, "gift_card.allotted", data, now_ms)
        return data

    data = await context.database.write(run)
    context.bell.ring()
    return reply_plain(data)


async def _books(request: web.Request) -> web.Response:
    """Every card, allotment, hold and refund, and what is missing of each card's value."""
    context = request.app[CONTEXT]
    context.doorkeeper.check_admin(request)
    return reply_plain(await context.database.read(value_books.books))
