"""paho as it comes, but patient, and without the sockets that it forgets."""

from __future__ import annotations

import socket
import ssl
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
