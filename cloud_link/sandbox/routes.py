"""The contract's calls under ``/v1/stores/{store}``."""

from __future__ import annotations

import asyncio
import hashlib
import re
from typing import TYPE_CHECKING, Any

from aiohttp import web
from pydantic_core import from_json

from hub.contract.oms import (
    HEADER_INCARNATION,
    HEADER_SESSION,
    MAX_BATCH_BYTES,
    MAX_BATCH_EVENTS,
    MAX_BODY_BYTES,
    MAX_EVENTS_PAGE,
    MAX_WAIT_S,
    AvailabilityReply,
    EventsReply,
    HealthReply,
    Hello,
    HelloReply,
    OmsCode,
    OtherStock,
    TokenReply,
)
from hub.contract.oms_datasets import DATASETS, MAX_CHANGES, DatasetName
from hub.contract.oms_digests import DigestDetailRequest, DigestRequest
from hub.contract.oms_remote import SupportPiece, SupportPieceReply

from .auth import SCRATCH_PREFIX, TOKEN_LIFE_S
from .bundles import take_piece
from .commands import commands_after, confirm_commands
from .context import CONTEXT, Context
from .datasets import changes_after
from .events import Intake, events_after, take_batch
from .levels import compare_detail, compare_digests
from .payments import settle_due
from .problems import Refusal, refuse
from .seeding import fill_scratch
from .sessions import Greeting, check_session, greet
from .wire import (
    MAX_FORM_BYTES,
    chunk_response,
    decompress,
    parse,
    parse_form,
    query_int,
    read_raw,
    reply,
)

if TYPE_CHECKING:
    from sqlite3 import Connection

_STORE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_GENERATION = re.compile(r"[A-Za-z0-9-]{1,64}")


def add_routes(app: web.Application) -> None:
    """Every call of the contract."""
    base = "/v1/stores/{store}"
    app.router.add_post("/oauth/token", _token)
    app.router.add_post(f"{base}/hub-sessions", _hello)
    app.router.add_post(f"{base}/events", _post_events)
    app.router.add_get(f"{base}/events", _get_events)
    app.router.add_get(f"{base}/commands", _commands)
    app.router.add_get(f"{base}/datasets/{{name}}/manifest", _manifest)
    app.router.add_get(f"{base}/datasets/{{name}}/chunks/{{generation}}/{{index}}", _chunk)
    app.router.add_get(f"{base}/datasets/{{name}}/changes", _changes)
    app.router.add_post(f"{base}/digests", _digests)
    app.router.add_post(f"{base}/digests/detail", _digest_detail)
    app.router.add_post(f"{base}/support-bundles", _support_piece)
    app.router.add_get(f"{base}/availability", _availability)
    app.router.add_get(f"{base}/health", _health)


def enter(request: web.Request) -> tuple[Context, str]:
    """The shared context and the store, for a caller with a good token."""
    context, store = request.app[CONTEXT], request.match_info["store"]
    if not _STORE.fullmatch(store):
        raise refuse(OmsCode.NOT_FOUND, "There is no such store.")
    context.doorkeeper.check_hub(request, store)
    return context, store


async def read_body(request: web.Request, context: Context, limit_bytes: int) -> bytes:
    raw = await read_raw(request, limit_bytes)
    context.doorkeeper.check_signature(request, raw)
    return decompress(request.headers.get("Content-Encoding", ""), raw, MAX_BODY_BYTES)


def session_of(request: web.Request) -> tuple[int, str]:
    number = request.headers.get(HEADER_INCARNATION, "")
    if not (number.isascii() and number.isdigit() and len(number) <= 9):
        raise refuse(OmsCode.HELLO_REQUIRED, f"Send {HEADER_INCARNATION} and {HEADER_SESSION}.")
    return int(number), request.headers.get(HEADER_SESSION, "")


async def _check_session(request: web.Request, context: Context, store: str) -> None:
    session = session_of(request)
    await context.database.read(lambda db: check_session(db, store, *session))


async def _token(request: web.Request) -> web.Response:
    context = request.app[CONTEXT]
    if request.content_type != "application/x-www-form-urlencoded":
        raise refuse(OmsCode.VALIDATION, "Send application/x-www-form-urlencoded.")
    form = parse_form(await read_raw(request, MAX_FORM_BYTES))
    if form.get("grant_type") != "client_credentials":
        raise refuse(OmsCode.VALIDATION, "grant_type is client_credentials.")
    if not {"client_id", "client_secret"} <= form.keys():
        raise refuse(OmsCode.VALIDATION, "client_id and client_secret are needed.")
    token = context.doorkeeper.access_token(form["client_id"], form["client_secret"])
    return reply(TokenReply(access_token=token, expires_in=TOKEN_LIFE_S))


async def _hello(request: web.Request) -> web.Response:
    context, store = enter(request)
    hello = parse(Hello, await read_body(request, context, MAX_BODY_BYTES))
    greeting = Greeting(
        store=store,
        hello=hello,
        now_ms=context.clock.wall_ms(),
        oms_incarnation=context.database.oms_incarnation,
        command_id=context.ids.uuid7(),
        randomness=context.randomness,
    )

    def answer(db: Connection) -> HelloReply:
        answered = greet(db, greeting)
        if store.startswith(SCRATCH_PREFIX):  # something small to check
            fill_scratch(db, store)
        return answered

    answered = await context.database.write(answer)
    context.bell.ring()
    return reply(answered)


async def _post_events(request: web.Request) -> web.Response:
    context, store = enter(request)
    session = session_of(request)
    items = _items(await read_body(request, context, MAX_BATCH_BYTES))
    now_ms = context.clock.wall_ms()

    def take(db: Connection) -> Intake:
        intake = Intake(store, check_session(db, store, *session), now_ms)
        take_batch(db, intake, items)
        return intake

    intake = await context.database.write(take)
    heads, results = intake.heads(), tuple(intake.results)
    if intake.problem is not None:
        raise Refusal(intake.problem.model_copy(update={"acked": heads, "results": results}))
    return reply(
        EventsReply(acked=heads, results=results, oms_incarnation=context.database.oms_incarnation)
    )


def _items(plain: bytes) -> list[Any]:
    try:
        items = from_json(plain, allow_inf_nan=False)
    except ValueError as wrong:
        raise refuse(OmsCode.VALIDATION, f"The batch is not JSON: {wrong}") from None
    if not isinstance(items, list):
        raise refuse(OmsCode.VALIDATION, "A batch is a JSON array of CloudEvents.")
    if len(items) > MAX_BATCH_EVENTS:
        raise refuse(OmsCode.TOO_LARGE, f"A batch has at most {MAX_BATCH_EVENTS} events.")
    return items


async def _get_events(request: web.Request) -> web.Response:
    context, store = enter(request)
    await _check_session(request, context, store)
    prefix = request.query.get("source_prefix", f"/stores/{store}/")
    if not prefix.startswith(f"/stores/{store}/") or len(prefix) > 200:
        raise refuse(OmsCode.VALIDATION, f"source_prefix begins with /stores/{store}/.")
    limit = query_int(request, "limit", MAX_EVENTS_PAGE, 1, MAX_EVENTS_PAGE)
    after, life = request.query.get("after", ""), context.database.oms_incarnation
    return reply(
        await context.database.read(lambda db: events_after(db, store, after, prefix, limit, life))
    )


async def _commands(request: web.Request) -> web.Response:
    context, store = enter(request)
    session = session_of(request)
    cursor = request.query.get("cursor", "")
    wait_s = query_int(request, "wait", 0, 0, MAX_WAIT_S)
    deadline = context.clock.monotonic_s() + wait_s

    def confirm(db: Connection) -> None:
        check_session(db, store, *session)
        settle_due(db, store, context.clock.wall_ms(), context.ids.uuid7)
        confirm_commands(db, store, cursor, context.database.oms_incarnation)

    await context.database.write(confirm)
    while True:
        bell, life = context.bell.current(), context.database.oms_incarnation
        found = await context.database.read(
            lambda db, life=life: (  # type: ignore[misc]
                check_session(db, store, *session),
                commands_after(db, store, cursor, life),
            )[1]
        )
        left_s = deadline - context.clock.monotonic_s()
        if found.commands or left_s <= 0 or context.closing:
            bent = context.misbehaviour.bend(found.commands)
            return reply(found.model_copy(update={"commands": bent}))
        try:
            await asyncio.wait_for(bell.wait(), left_s)
        except TimeoutError:
            continue


def _dataset(request: web.Request) -> DatasetName:
    for known in DATASETS:
        if known == request.match_info["name"]:
            return known
    raise refuse(OmsCode.NOT_FOUND, f"The data sets are {', '.join(DATASETS)}.")


async def _manifest(request: web.Request) -> web.Response:
    context, store = enter(request)
    await _check_session(request, context, store)
    name, life = _dataset(request), context.database.oms_incarnation
    async with context.snapshot_lock:
        return reply(
            await context.database.read(
                lambda db: context.snapshots.manifest(db, store, name, life)
            )
        )


async def _chunk(request: web.Request) -> web.Response:
    context, store = enter(request)
    await _check_session(request, context, store)
    name, generation = _dataset(request), request.match_info["generation"]
    index = request.match_info["index"]
    if not (_GENERATION.fullmatch(generation) and index.isascii() and index.isdigit()):
        raise refuse(OmsCode.NOT_FOUND, "There is no such chunk; ask for the manifest.")
    body = await asyncio.to_thread(context.snapshots.chunk, store, name, generation, int(index[:9]))
    return await asyncio.to_thread(chunk_response, request, body)


async def _changes(request: web.Request) -> web.Response:
    context, store = enter(request)
    await _check_session(request, context, store)
    name, life = _dataset(request), context.database.oms_incarnation
    cursor = request.query.get("cursor", "")
    limit = query_int(request, "limit", MAX_CHANGES, 1, MAX_CHANGES)
    return reply(
        await context.database.read(lambda db: changes_after(db, store, name, cursor, limit, life))
    )


async def _digests(request: web.Request) -> web.Response:
    context, store = enter(request)
    await _check_session(request, context, store)
    asked = parse(DigestRequest, await read_body(request, context, MAX_BODY_BYTES))
    life = context.database.oms_incarnation
    return reply(await context.database.read(lambda db: compare_digests(db, store, asked, life)))


async def _digest_detail(request: web.Request) -> web.Response:
    context, store = enter(request)
    await _check_session(request, context, store)
    asked = parse(DigestDetailRequest, await read_body(request, context, MAX_BODY_BYTES))
    life = context.database.oms_incarnation
    return reply(await context.database.read(lambda db: compare_detail(db, store, asked, life)))


async def _support_piece(request: web.Request) -> web.Response:
    context, store = enter(request)
    session = session_of(request)
    piece = parse(SupportPiece, await read_body(request, context, MAX_BATCH_BYTES))
    now_ms = context.clock.wall_ms()

    def take(db: Connection) -> tuple[bool, int]:
        check_session(db, store, *session)
        return take_piece(db, store, piece, now_ms)

    complete, next_index = await context.database.write(take)
    life = context.database.oms_incarnation
    return reply(SupportPieceReply(complete=complete, next_index=next_index, oms_incarnation=life))


async def _availability(request: web.Request) -> web.Response:
    context, store = enter(request)
    await _check_session(request, context, store)
    sku = request.query.get("sku", "")
    if not 1 <= len(sku) <= 64:
        raise refuse(OmsCode.VALIDATION, "sku is needed, 1 to 64 characters.")
    others = await context.database.read(lambda db: _others(db, store, sku))
    return reply(
        AvailabilityReply(sku=sku, stores=others, oms_incarnation=context.database.oms_incarnation)
    )


def _others(db: Connection, store: str, sku: str) -> tuple[OtherStock, ...]:
    """The other stores here, and two invented ones for products of the catalogue."""
    known = db.execute(
        "SELECT 1 FROM dataset_rows WHERE store=? AND dataset='catalog' AND key=?", (store, sku)
    ).fetchone()
    found = [
        OtherStock(store=other, name=other, available=max(0, qty))
        for other, qty in db.execute(
            "SELECT store, qty FROM levels WHERE sku=? AND bucket='sellable' AND store<>?"
            " AND substr(store, 1, ?)<>? ORDER BY store LIMIT 50",
            (sku, store, len(SCRATCH_PREFIX), SCRATCH_PREFIX),
        )
    ]
    if known:
        for other, name in (("riverside", "Riverside branch"), ("station", "Station branch")):
            qty = hashlib.sha256(f"{other}|{sku}".encode()).digest()[0] % 12
            found.append(OtherStock(store=other, name=name, available=qty))
    return tuple(found)


async def _health(request: web.Request) -> web.Response:
    context, _ = enter(request)
    return reply(
        HealthReply(
            status="ok",
            oms_incarnation=context.database.oms_incarnation,
            server_time_ms=context.clock.wall_ms(),
        )
    )
