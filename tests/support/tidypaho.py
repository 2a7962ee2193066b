"""paho as it comes, but patient, and without the sockets that it forgets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Any

from paho.mqtt import client as mqtt

PATIENCE_S = 40.0


class TidyClient(mqtt.Client):
    """For the tests' strangers.

    paho 2.1 leaves the socket of a failed TLS handshake to the garbage collector, which warns of
    it in whatever test runs then; and it gives a busy machine 5 s to shake hands.
    """

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.connect_timeout = PATIENCE_S

    def _ssl_wrap_socket(self, tcp_sock: socket.socket) -> ssl.SSLSocket:
        assert self._ssl_context is not None
        wrapped = self._ssl_context.wrap_socket(
            tcp_sock, server_hostname=self._host, do_handshake_on_connect=False
        )
        try:
            wrapped.settimeout(self.connect_timeout)
            wrapped.do_handshake()
        except BaseException:
            wrapped.close()
            raise
        return wrapped


def heard(
    client: mqtt.Client,
    outcome: asyncio.Future[str],
    gone: asyncio.Event,
    acks: asyncio.Queue[str],
    *,
    first: Callable[[], None] = lambda: None,
) -> Callable[..., None]:
    """Hand what the client's thread hears to the running loop, and return what hands over more.

    ``outcome`` becomes ``Success`` or why not, ``acks`` the broker's word on each publish;
    ``first`` is done (in that thread) as soon as the client is let in.
    """
    loop = asyncio.get_running_loop()

    def call(function: Any, *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop may have closed
            loop.call_soon_threadsafe(function, *arguments)

    def settle(text: str) -> None:
        if not outcome.done():
            outcome.set_result(text)

    def lost(text: str) -> None:
        settle(text)
        gone.set()

    def connected(_c: Any, _u: Any, _f: Any, code: Any, _p: Any) -> None:
        if code == 0:
            first()
        call(settle, str(code))

    client.on_connect = connected
    client.on_disconnect = lambda _c, _u, _f, code, _p: call(lost, f"lost: {code}")
    client.on_connect_fail = lambda _c, _u: call(lost, "no connection")
    client.on_publish = lambda _c, _u, _m, code, _p: call(acks.put_nowait, str(code))
    return call
