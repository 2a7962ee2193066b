"""The simulated terminal's doors: its API over TLS, and an admin's over plain HTTP on this machine.

``POST /nexo/`` takes sealed messages.  The admin's: ``POST /acts`` (a list, for the next payments),
``POST /usual`` (one, for all others), ``POST /online`` (``online``: bool, ``declines``: payments
that the acquirer won't take when they are forwarded), ``POST /keys`` (read the file of keys again),
``GET /ledger``.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from devices.peripherals.nexo.sealing import (
    MESSAGE_BYTES_MAX,
    KeyRing,
    KeysWrong,
    NotOpened,
    SharedKey,
    open_sealed,
    parsed,
    read_keys,
    seal,
)
from devices.terminal.deeds import told
from devices.terminal.machine import ACTS_MAX, Act, Answer, Machine

LOCAL: Final = "127.0.0.1"
CLOSE_S: Final = 1.0


class Server:
    """``keys``: the file of the keys that are set up at this terminal."""

    def __init__(
        self, machine: Machine, keys: Path, token_bytes: Callable[[int], bytes], host: str = LOCAL
    ) -> None:
        self._machine = machine
        self._keys = keys
        self._token_bytes = token_bytes
        self._host = host
        self._ring: KeyRing = ()
        self._runners: list[web.AppRunner] = []
        self.port = 0
        self.admin_port = 0

    async def start(self, context: ssl.SSLContext, port: int, admin_port: int) -> None:
        """Listen; ports 0: any free ones.  Errors: KeysWrong, OSError."""
        self._ring = await asyncio.to_thread(read_keys, self._keys)
        api = web.Application(client_max_size=MESSAGE_BYTES_MAX)
        api.router.add_post("/nexo/", self._nexo)
        api.router.add_post("/nexo", self._nexo)
        self.port = await self._listen(api, self._host, port, context)
        admin = web.Application()
        admin.router.add_post("/acts", self._acts)
        admin.router.add_post("/usual", self._usual)
        admin.router.add_post("/online", self._online)
        admin.router.add_post("/keys", self._read_keys)
        admin.router.add_get("/ledger", self._ledger)
        self.admin_port = await self._listen(admin, LOCAL, admin_port, None)

    async def stop(self) -> None:
        """Close all connections."""
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()

    async def _listen(
        self, app: web.Application, host: str, port: int, context: ssl.SSLContext | None
    ) -> int:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSE_S)
        await runner.setup()
        self._runners.append(runner)
        site = web.TCPSite(runner, host, port, ssl_context=context)
        await site.start()
        found: int = runner.addresses[0][1]
        return found

    # -- the API ------------------------------------------------------------------------------

    async def _nexo(self, request: web.Request) -> web.StreamResponse:
        try:
            secured = parsed(await request.read()).get("SaleToPOIRequest")
            plain, key = open_sealed(self._ring, secured)
            message = parsed(plain).get("SaleToPOIRequest")
        except NotOpened as error:
            return _rejected(str(error))
        head = message.get("MessageHeader") if isinstance(message, dict) else None
        if not isinstance(message, dict) or not isinstance(head, dict):
            return _rejected("it is no SaleToPOIRequest")
        if head.get("POIID") != self._machine.poi_id:
            return _rejected("it is for another terminal")
        answer = await self._machine.handle(head, message)
        if answer is None:
            return web.Response()
        return self._sent(request, head, key, answer)

    def _sent(
        self, request: web.Request, head: dict[str, Any], key: SharedKey, answer: Answer
    ) -> web.StreamResponse:
        match answer.spoilt:
            case "silent":
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            case "http-500":
                return web.Response(status=500)
            case "unsealed":
                return _rejected("simulated")
        back = {**head, "MessageType": "Response"}
        if answer.spoilt == "stale":
            back["ServiceID"] = "0000000000"
        plain = json.dumps({"SaleToPOIResponse": {"MessageHeader": back, **answer.body}}).encode()
        sealed = seal(key, back, plain, self._token_bytes)
        if answer.spoilt == "garbage":
            sealed["SecurityTrailer"]["Hmac"] = sealed["SecurityTrailer"]["Nonce"]
        return web.json_response({"SaleToPOIResponse": sealed})

    # -- the admin's --------------------------------------------------------------------------

    async def _acts(self, request: web.Request) -> web.Response:
        try:
            wanted = [Act.of(one) for one in await request.json()]
        except (ValueError, TypeError) as error:
            return web.Response(status=400, text=str(error))
        if len(wanted) + len(self._machine.acts) > ACTS_MAX:
            return web.Response(status=400, text=f"at most {ACTS_MAX} acts")
        self._machine.acts.extend(wanted)
        return self._ledger_now()

    async def _usual(self, request: web.Request) -> web.Response:
        try:
            self._machine.usual = Act.of(await request.json())
        except ValueError as error:
            return web.Response(status=400, text=str(error))
        return self._ledger_now()

    async def _online(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        self._machine.declines_later |= set(wanted.get("declines", ()))
        await self._machine.go(online=bool(wanted.get("online", True)))
        return self._ledger_now()

    async def _read_keys(self, _request: web.Request) -> web.Response:
        try:
            self._ring = await asyncio.to_thread(read_keys, self._keys)
        except KeysWrong as error:
            return web.Response(status=400, text=str(error))
        return web.json_response({"keys": len(self._ring)})

    async def _ledger(self, _request: web.Request) -> web.Response:
        return self._ledger_now()

    def _ledger_now(self) -> web.Response:
        machine = self._machine
        waiting = machine.deeds.waiting
        return web.json_response(
            {
                "online": machine.online,
                "acts": len(machine.acts),
                "in_hand": machine.in_hand,
                "stored_count": len(waiting),
                "stored_minor": sum(deed.amount_minor for deed in waiting),
                "offline_seq": machine.deeds.seq,
                "deeds": [told(deed) for deed in machine.deeds],
            }
        )


def _rejected(why: str) -> web.Response:
    """As terminals say that they understand nothing: not sealed, for there is no key for it."""
    event = {"EventToNotify": "Reject", "EventDetails": why}
    return web.json_response({"SaleToPOIRequest": {"EventNotification": event}})
