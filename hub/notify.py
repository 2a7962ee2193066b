"""Telling the service manager how the hub is: systemd's notification protocol, sd_notify(3).

A message is one datagram of ``KEY=VALUE`` lines to the unix socket named by ``$NOTIFY_SOCKET``.
Nothing here waits: a socket that is full or gone costs that one message, never the hub.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping, MutableMapping
from types import TracebackType
from typing import Self

_log = logging.getLogger(__name__)

_MAX_STATUS_CHARS = 512


class Notifier:
    """Sends notifications; without an address every call does nothing and returns False.

    Every method returns whether the datagram was handed to the kernel.
    """

    def __init__(self, address: str | None = None) -> None:
        """``address``: a path, ``@name`` for an abstract socket, or None for nobody to tell."""
        self._address: str | None = None
        self._socket: socket.socket | None = None
        self._complained = False
        if not address:
            return
        if address[0] not in "/@":
            _log.warning("NOTIFY_SOCKET=%s is not a unix socket's address: not notifying", address)
            return
        self._address = "\0" + address[1:] if address[0] == "@" else address
        self._socket = socket.socket(
            socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        )

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str] = os.environ) -> Notifier:
        """The notifier for ``$NOTIFY_SOCKET``, which is taken out of ``environ``.

        Taken out so that a child which speaks the protocol too can't be heard in our name.
        """
        return cls(environ.pop("NOTIFY_SOCKET", None))

    @property
    def enabled(self) -> bool:
        return self._socket is not None

    def ready(self, status: str | None = None) -> bool:
        """Start-up, or a reload, is complete."""
        return self._send("READY=1", *_status_line(status))

    def status(self, text: str) -> bool:
        """One line for ``systemctl status``."""
        return self._send(*_status_line(text))

    def watchdog(self) -> bool:
        """A sign of life; due every ``watchdog_interval_s``."""
        return self._send("WATCHDOG=1")

    def reloading(self, monotonic_s: float) -> bool:
        """A reload begins at ``monotonic_s`` of CLOCK_MONOTONIC; ``ready`` ends it."""
        return self._send("RELOADING=1", f"MONOTONIC_USEC={int(monotonic_s * 1_000_000)}")

    def stopping(self, status: str | None = None) -> bool:
        """An orderly stop begins."""
        return self._send("STOPPING=1", *_status_line(status))

    def extend_timeout(self, seconds: int) -> bool:
        """Starting or stopping is going on and needs up to ``seconds`` more (a migration, say)."""
        return self._send(f"EXTEND_TIMEOUT_USEC={seconds * 1_000_000}")

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _send(self, *lines: str) -> bool:
        if self._socket is None or self._address is None:
            return False
        try:
            self._socket.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            if not self._complained:
                self._complained = True
                _log.warning("The service manager can't be notified: %s", error)
            return False
        self._complained = False
        return True


def watchdog_interval_s(
    environ: Mapping[str, str] = os.environ, pid: int | None = None
) -> float | None:
    """Seconds between signs of life, half of what systemd allows; None if it expects none.

    ``$WATCHDOG_PID`` names the process that is watched: in any other one the answer is None
    (sd_watchdog_enabled(3)).
    """
    allowed_us = environ.get("WATCHDOG_USEC", "")
    watched = environ.get("WATCHDOG_PID", "")
    if not (allowed_us.isascii() and allowed_us.isdigit()) or int(allowed_us) == 0:
        return None
    if watched and watched != str(os.getpid() if pid is None else pid):
        return None
    return int(allowed_us) / 2_000_000


def _status_line(status: str | None) -> tuple[str, ...]:
    """A status never breaks out of its line, where it could pose as another key."""
    if status is None:
        return ()
    return (f"STATUS={' '.join(status.split())[:_MAX_STATUS_CHARS]}",)
