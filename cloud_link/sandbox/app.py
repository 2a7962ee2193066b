"""The sandbox's web application and its life."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

from aiohttp import web

from hub.clock import Clock, Ids, Randomness
from hub.contract.oms import HEADER_OMS_INCARNATION, OmsCode

from .admin import add_admin_routes
from .auth import Doorkeeper, Secrets, load_secrets
from .context import CONTEXT, Context, Settings
from .datasets import Snapshots
from .door import Door
from .link_routes import add_link_routes
from .ordering import keep_ordering
from .payment_routes import add_payment_routes
from .problems import Refusal, refuse
from .routes import add_routes
from .seeding import fill_store
from .store import Database
from .tls import server_context
from .value_routes import add_value_routes
from .wire import problem_response

_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - as the settings may say
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Running:
    """A started sandbox: where it is and how to talk to it.  ``ca`` is empty over plain http."""

    url: str
    ca: str
    secrets: Secrets
    context: Context


@asynccontextmanager
async def running_sandbox(
    settings: Settings, clock: Clock, ids: Ids, randomness: Randomness
) -> AsyncIterator[Running]:
    """Start a sandbox, serve until the block ends, stop cleanly."""
    _check(settings)
    settings.state.mkdir(parents=True, exist_ok=True)
    secrets = load_secrets(settings.state / "secrets.json", randomness)
    database = Database(settings.state / "oms.db", randomness)
    context = Context(
        settings=settings,
        clock=clock,
        ids=ids,
        randomness=randomness,
        database=database,
        doorkeeper=Doorkeeper(secrets, settings.stores, clock, signed=settings.signed),
        snapshots=Snapshots(settings.state / "snapshots"),
        door=Door(settings.door),
    )
    await database.open()
    try:
        for store in settings.stores:
            await _fill(context, store)
        async with _served(context) as url, _customers(context):
            ca = "" if settings.plain_http else str((settings.state / "tls/ca.pem").resolve())
            yield Running(url, ca, secrets, context)
    finally:
        await database.close()


def _check(settings: Settings) -> None:
    if settings.plain_http and settings.bind not in ("127.0.0.1", "::1"):
        raise ValueError(
            f"plain http is for loopback only, not {settings.bind}; leave the flag away for TLS"
        )


async def _fill(context: Context, store: str) -> None:
    settings = context.settings
    if settings.seed_demo or settings.datasets is not None:
        await context.database.write(
            lambda db: fill_store(
                db,
                store,
                settings.skus,
                settings.datasets,
                context.randomness,
                with_demo=settings.seed_demo,
            )
        )


@asynccontextmanager
async def _customers(context: Context) -> AsyncIterator[None]:
    """The demo's, while the block runs."""
    if not context.settings.orders_every_s > 0:
        yield
        return
    work = keep_ordering(context, context.settings.stores[0], context.settings.orders_every_s)
    task = asyncio.create_task(work, name="customers")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def application(context: Context) -> web.Application:
    """Every call of the contract and the sandbox's own, over an open database."""
    app = web.Application(middlewares=[_around])
    app[CONTEXT] = context
    add_routes(app)
    add_payment_routes(app)
    add_link_routes(app)
    add_value_routes(app)
    add_admin_routes(app)
    return app


@asynccontextmanager
async def _served(context: Context) -> AsyncIterator[str]:
    settings = context.settings
    app = application(context)
    app.on_shutdown.append(_release_polls)
    runner = web.AppRunner(
        app,
        access_log=None,
        auto_decompress=False,
        keepalive_timeout=settings.door.idle_s,
        lingering_time=2.0,
        shutdown_timeout=5,
        handler_cancellation=True,
    )
    await runner.setup()
    try:
        tls = None
        if not settings.plain_http:
            tls = await asyncio.to_thread(
                server_context, settings.state / "tls", settings.hosts, context.clock.wall_ms()
            )
        make = cast(Callable[[], asyncio.Protocol], runner.server)
        async with context.door.listening(make, settings.bind, settings.port, tls) as port:
            host = settings.hosts[0] if settings.bind in _EVERYWHERE else settings.bind
            host = f"[{host}]" if ":" in host else host
            yield f"{'http' if tls is None else 'https'}://{host}:{port}"
    finally:
        await runner.cleanup()


async def _release_polls(app: web.Application) -> None:
    app[CONTEXT].closing = True
    app[CONTEXT].bell.ring()
    await asyncio.gather(*app[CONTEXT].tasks, return_exceptions=True)


@web.middleware
async def _around(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Misbehaviour outside, errors as problems, the OMS's incarnation on every reply."""
    context = request.app[CONTEXT]
    context.door.begins(request.transport)
    try:
        return await _told(request, handler, context)
    finally:
        context.door.ends(request.transport)


async def _told(request: web.Request, handler: Handler, context: Context) -> web.StreamResponse:
    try:
        if request.path.startswith("/sandbox/"):
            response = await handler(request)
        else:
            response = await context.misbehaviour.around(
                request, lambda one: _answered(one, handler)
            )
    except Refusal as refusal:
        response = _problem(context, refusal)
    response.headers[HEADER_OMS_INCARNATION] = context.database.oms_incarnation
    return response


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    context = request.app[CONTEXT]
    try:
        return await handler(request)
    except Refusal as refusal:
        return _problem(context, refusal)
    except web.HTTPException as error:
        return _http_problem(context, request, error)
    except (asyncio.CancelledError, ConnectionError):
        raise
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        detail = "The sandbox failed; its log says why. Repeat the call."
        return _problem(context, refuse(OmsCode.UNAVAILABLE, detail))


def _http_problem(context: Context, request: web.Request, error: web.HTTPException) -> web.Response:
    """aiohttp's own refusals in our form; their status and Allow stay (RFC 9110, section 15.5)."""
    code = OmsCode.NOT_FOUND if error.status in (404, 405) else OmsCode.VALIDATION
    refusal = refuse(code, f"{request.method} {request.path[:200]}: {error.reason}")
    if error.status != 405:
        return _problem(context, refusal)
    found = refusal.problem.model_copy(update={"status": 405, "title": error.reason})
    response = _problem(context, Refusal(found))
    response.headers["Allow"] = error.headers["Allow"]
    return response


def _problem(context: Context, refusal: Refusal) -> web.Response:
    return problem_response(
        refusal.problem.model_copy(
            update={
                "oms_incarnation": context.database.oms_incarnation,
                "server_time_ms": context.clock.wall_ms(),
            }
        )
    )
