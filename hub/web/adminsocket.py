"""The same operations for a shell on the box: HTTP on a unix socket that only its owner may open.

The caller is the user id that the kernel vouches for (SO_PEERCRED, unix(7)); there is no password,
for whoever may open the socket may read the database too.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, cast

from aiohttp import web

from hub.contract.admin import OpenPairing
from hub.contract.base import Outgoing
from hub.contract.problems import Code, refuse
from hub.health.mending import ActionDesk
from hub.health.status import StatusSource
from hub.service.caller import Caller, CallerKind
from hub.service.gate import Gate, Request
from hub.service.handlers.webaccess import NoteAccess
from hub.web import answers
from hub.web.listener import Bounds, Listener
from hub.web.pairing import PairingDesk
from hub.web.reads import Reads
from hub.web.server import IDEMPOTENCY_HEADER
from hub.web.technician import LIFE_S, TechnicianCode

SOCKET_NAME: Final = "admin.sock"
BOUNDS: Final = Bounds(connections=64, per_address=64, request_s=60.0, idle_s=5.0)
_UCRED: Final = struct.Struct("3i")


class TechnicianCodeOpened(Outgoing):
    """A code for the status page's sign-in, and where that page is."""

    code: str
    expires_in_s: int
    url: str


class AdminSocket:
    """Start it with ``start``, end it with ``stop``."""

    def __init__(
        self,
        path: Path,
        *,
        gate: Gate,
        status: StatusSource,
        desk: PairingDesk,
        technician: TechnicianCode,
        url: Callable[[], str],
        actions: ActionDesk | None = None,
        reads: Reads | None = None,
        max_body_bytes: int = 262_144,
        bounds: Bounds = BOUNDS,
    ) -> None:
        self._path = path
        self._gate = gate
        self._status = status
        self._desk = desk
        self._technician = technician
        self._url = url
        self._actions = actions or ActionDesk(gate)
        self._reads = reads
        self._max_body_bytes = max_body_bytes
        self._bounds = bounds
        self._runner: web.AppRunner | None = None
        self._listener: Listener | None = None

    async def start(self) -> None:
        """Listen; a socket file that a killed hub left is replaced.  Raises OSError."""
        app = web.Application(middlewares=[self._middleware], client_max_size=self._max_body_bytes)
        app.router.add_get("/status", self._show_status)
        app.router.add_post("/api/1/technician/open", self._open_technician)
        app.router.add_post("/api/1/pairing/open", self._open_pairing)
        app.router.add_get("/api/1/actions", self._list_actions)
        app.router.add_post("/api/1/actions/{key}", self._act)
        app.router.add_get("/api/1/support/bundle", self._bundle)
        app.router.add_post("/api/1/{service}/{operation}", self._operation)
        runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            keepalive_timeout=self._bounds.idle_s,
            shutdown_timeout=3.0,
            auto_decompress=False,
            lingering_time=self._bounds.linger_s,
        )
        await runner.setup()
        listener = Listener(cast(Callable[[], asyncio.Protocol], runner.server), self._bounds)
        await listener.start_plain(_private_socket(self._path))
        self._runner, self._listener = runner, listener

    async def stop(self) -> None:
        """Stop listening and remove the socket file."""
        if self._listener is not None:
            self._listener.stop_accepting()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._listener is not None:
            await self._listener.close()
            self._path.unlink(missing_ok=True)

    @web.middleware
    async def _middleware(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        assert self._listener is not None
        self._listener.request_begins(request.transport)
        try:
            return await answers.guarded(request, handler, self._gate.ids)
        finally:
            self._listener.request_ends(request.transport)

    async def _show_status(self, _request: web.Request) -> web.Response:
        return answers.answer(await self._status.fresh())

    async def _open_technician(self, request: web.Request) -> web.Response:
        code = self._technician.open()
        await self._gate.internal(_caller(request), NoteAccess("web.code-open", "technician"))
        return answers.answer(
            TechnicianCodeOpened(
                code=f"{code[:4]}-{code[4:]}", expires_in_s=LIFE_S, url=self._url()
            )
        )

    async def _open_pairing(self, request: web.Request) -> web.Response:
        command = await answers.read_model(request, OpenPairing, self._bounds.body_s)
        return answers.answer(await self._desk.open(_caller(request), command))

    async def _list_actions(self, _request: web.Request) -> web.Response:
        return answers.answer(self._actions.listed())

    async def _act(self, request: web.Request) -> web.Response:
        key, minutes = request.match_info["key"], request.query.get("minutes")
        if minutes is not None and not re.fullmatch(r"[0-9]{1,4}", minutes):
            raise refuse(Code.VALIDATION, "minutes is a whole number.")
        chosen = None if minutes is None else int(minutes)
        return answers.answer(await self._actions.run(_caller(request), key, chosen))

    async def _bundle(self, request: web.Request) -> web.Response:
        if self._reads is None:
            raise refuse(Code.UNAVAILABLE, "This hub makes no support bundles.")
        return await self._reads.bundle(_caller(request), None)

    async def _operation(self, request: web.Request) -> web.Response:
        body = await answers.read_body(request, self._bounds.body_s)
        text = await self._gate.answer(
            Request(
                _caller(request),
                request.match_info["service"],
                request.match_info["operation"],
                body,
                request.headers.get(IDEMPOTENCY_HEADER),
            )
        )
        return answers.gate_answer(text)


def _caller(request: web.Request) -> Caller:
    """Errors: ``forbidden`` for anybody but root and the hub's own user."""
    sock = request.transport.get_extra_info("socket") if request.transport else None
    if sock is None:
        raise refuse(Code.FORBIDDEN, "The connection is gone.")
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    _, uid, _ = _UCRED.unpack(raw)
    if uid not in (0, os.getuid()):
        raise refuse(Code.FORBIDDEN, "Run this as root or as the hub's user.")
    return Caller(CallerKind.CLI, f"uid-{uid}")


def _private_socket(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(str(path))
        path.chmod(0o600)  # before listen: nobody gets in between
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock
