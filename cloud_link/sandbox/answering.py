"""Answering a call about money: inside its session, and lost on request."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import web
from pydantic import BaseModel

from hub.contract.oms import OmsCode

from .problems import refuse
from .routes import enter, session_of
from .sessions import check_session
from .wire import reply

if TYPE_CHECKING:
    from sqlite3 import Connection


async def answered(
    request: web.Request, work: Callable[[Connection], BaseModel], *, changes: bool = True
) -> web.Response:
    """What ``work`` says, done in one transaction.  Where faults are asked for, what was changed
    may stay so without an answer that says it.

    Errors: the contract's problems, of whoever has no session and of ``work``.
    """
    context, store = enter(request)
    session = session_of(request)

    def run(db: Connection) -> BaseModel:
        check_session(db, store, *session)
        return work(db)

    answer = await (context.database.write(run) if changes else context.database.read(run))
    rate = context.payment_faults.error_after_rate
    if changes and rate and context.payment_dice.roll() < rate:
        raise refuse(OmsCode.UNAVAILABLE, "Done, and misbehaving on request.")
    life = context.database.oms_incarnation
    return reply(answer.model_copy(update={"oms_incarnation": life}))
