"""The calls of card payments, and the sandbox's own for their faults."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from aiohttp import web
from pydantic import BaseModel

from hub.contract.base import Incoming, UniqueId
from hub.contract.oms import MAX_BATCH_BYTES, OmsCode
from hub.contract.oms_payments import EffectKey, PaymentCharge, PaymentEffect, PaymentRefund

from . import payments
from .answering import answered
from .context import CONTEXT, Context
from .misbehave import Dice
from .payments import Bank, PaymentFaults
from .problems import refuse
from .routes import enter, read_body
from .wire import parse, read_raw, reply_plain

if TYPE_CHECKING:
    from sqlite3 import Connection

M = TypeVar("M", bound=BaseModel)
MAX_ADMIN_BYTES = 65_536


class _Names(Incoming):
    payment_id: UniqueId
    key: EffectKey = "none"


def add_payment_routes(app: web.Application) -> None:
    """The contract's calls and ``/sandbox/payments``."""
    base = "/v1/stores/{store}/payments"
    app.router.add_post(base, _charge)
    app.router.add_get(f"{base}/{{payment_id}}", _look_up)
    app.router.add_post(f"{base}/{{payment_id}}/capture", _capture)
    app.router.add_post(f"{base}/{{payment_id}}/reversal", _reverse)
    app.router.add_post(f"{base}/{{payment_id}}/refunds", _refund)
    app.router.add_get(f"{base}/{{payment_id}}/refunds/{{key}}", _look_up_refund)
    app.router.add_post("/sandbox/payments/faults", _faults)
    app.router.add_get("/sandbox/payments", _list)


def _names(request: web.Request) -> _Names:
    try:
        return _Names.model_validate({k: v for k, v in request.match_info.items() if k != "store"})
    except ValueError:
        raise refuse(OmsCode.NOT_FOUND, "There is no such payment here.") from None


async def _done(
    request: web.Request, work: Callable[[Bank], BaseModel], *, changes: bool = True
) -> web.Response:
    context, store = enter(request)
    faults = context.payment_faults

    def run(db: Connection) -> BaseModel:
        return work(Bank(db, store, faults, context.clock.wall_ms()))

    return await answered(request, run, changes=changes)


async def _charge(request: web.Request) -> web.Response:
    context, store = enter(request)
    asked = parse(PaymentCharge, await read_body(request, context, MAX_BATCH_BYTES))
    token = base64.b64decode(asked.token)
    late = False

    def work(bank: Bank) -> BaseModel:
        nonlocal late
        answer = bank.charge(asked, token)
        late = answer.status == "pending"
        return answer

    try:
        return await _done(request, work)
    finally:
        if late:
            wait_s = (context.payment_faults.late_ms or 1000) / 1000 + 0.05
            asyncio.get_running_loop().call_later(wait_s, _tell_late, context, store)


def _tell_late(context: Context, store: str) -> None:
    if not context.closing:
        task = asyncio.ensure_future(_told_late(context, store))
        context.tasks.add(task)
        task.add_done_callback(context.tasks.discard)


async def _told_late(context: Context, store: str) -> None:
    now_ms, make_id = context.clock.wall_ms(), context.ids.uuid7
    if await context.database.write(lambda db: payments.settle_due(db, store, now_ms, make_id)):
        context.bell.ring()


async def _look_up(request: web.Request) -> web.Response:
    name = _names(request)
    return await _done(request, lambda bank: bank.look_up(name.payment_id), changes=False)


async def _capture(request: web.Request) -> web.Response:
    name, asked = await _asked(request, PaymentEffect)
    return await _done(request, lambda bank: bank.capture(name.payment_id, asked))


async def _reverse(request: web.Request) -> web.Response:
    name, asked = await _asked(request, PaymentEffect)
    return await _done(request, lambda bank: bank.reverse(name.payment_id, asked))


async def _refund(request: web.Request) -> web.Response:
    name, asked = await _asked(request, PaymentRefund)
    return await _done(request, lambda bank: bank.refund(name.payment_id, asked))


async def _look_up_refund(request: web.Request) -> web.Response:
    name = _names(request)
    return await _done(
        request, lambda bank: bank.look_up_refund(name.payment_id, name.key), changes=False
    )


async def _asked(request: web.Request, model: type[M]) -> tuple[_Names, M]:
    context, _ = enter(request)
    body = await read_body(request, context, MAX_BATCH_BYTES)
    return _names(request), parse(model, body)


async def _faults(request: web.Request) -> web.Response:
    context = request.app[CONTEXT]
    context.doorkeeper.check_admin(request)
    asked = parse(PaymentFaults, await read_raw(request, MAX_ADMIN_BYTES) or b"{}")
    context.payment_faults, context.payment_dice = asked, Dice(asked.seed)
    return reply_plain(asked.model_dump())


async def _list(request: web.Request) -> web.Response:
    """``?store``: payments as they stand, and the money that moved."""
    context = request.app[CONTEXT]
    context.doorkeeper.check_admin(request)
    store = request.query.get("store", context.settings.stores[0])
    return reply_plain(await context.database.read(lambda db: payments.listed(db, store)))
