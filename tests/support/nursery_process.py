"""A process that has loaded the hub and the sandbox OMS, and becomes one of them by fork(2):
``python -m tests.support.nursery_process SOCKET``.

Each packet on the socket (its file descriptor is the argument) asks for one: a JSON object with
``arguments`` as of ``python`` (``-c CODE ...`` or ``-m MODULE ...``), ``environment`` and
``folder``, and three descriptors: standard output, standard error, and where this process writes
the new one's pid and, when it has ended, its exit status, each on a line of its own.  It ends, and
with it all that it became, when the socket is closed.
"""

from __future__ import annotations

import array
import ctypes
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
import types
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

LOADED = (
    "cloud_link.sandbox.app",
    "cloud_link.sandbox.sending",
    "hub.app.service",
    "hub.cli.adminclient",
    "hub.cli.run",
)
REQUEST_BYTES_MAX = 131_072
FDS = 3
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Load, then do as asked; what was born goes on from here as the program it was asked for."""
    control = socket.socket(fileno=int(sys.argv[1]))
    for name in LOADED:
        importlib.import_module(name)
    assert threading.active_count() == 1, "a process with threads must not fork"
    gc.freeze()
    program = _Nursery(control).serve()
    if program is not None:
        program()


class _Nursery:
    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._born: dict[int, socket.socket] = {}
        self._libc = ctypes.CDLL(None)

    def serve(self) -> Callable[[], None] | None:
        """Until the socket is closed; in a process that was born, what that is to do."""
        woken, wake = socket.socketpair()
        for one in (woken, wake):
            one.setblocking(False)
        signal.set_wakeup_fd(wake.fileno())
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        with selectors.DefaultSelector() as ready:
            ready.register(self._control, selectors.EVENT_READ)
            ready.register(woken, selectors.EVENT_READ)
            while True:
                found = {key.fileobj for key, _ in ready.select()}
                if woken in found:
                    with suppress(BlockingIOError):
                        woken.recv(4096)
                    self._bury()
                if self._control in found:
                    request, fds = _receive(self._control)
                    if not request:
                        return None
                    if self._fork(fds) == 0:
                        break
        for other in (self._control, woken, wake, *self._born.values()):
            other.close()
        return _settle(json.loads(request), fds)

    def _fork(self, fds: list[int]) -> int:
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
            if os.getppid() != parent:  # it died before the line above
                os._exit(1)
            return 0
        for fd in fds[:2]:
            os.close(fd)
        told = socket.socket(fileno=fds[2])
        told.sendall(b"%d\n" % pid)
        self._born[pid] = told
        return pid

    def _bury(self) -> None:
        """Tell how those ended that did."""
        while self._born:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            with self._born.pop(pid) as told, suppress(OSError):
                told.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def _receive(control: socket.socket) -> tuple[bytes, list[int]]:
    """A request, b"" at the end, and its descriptors."""
    fds = array.array("i")
    room = socket.CMSG_LEN(FDS * fds.itemsize)
    request, more, _, _ = control.recvmsg(REQUEST_BYTES_MAX, room)
    for _, _, data in more:
        fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return request, list(fds)


def _settle(request: dict[str, Any], fds: list[int]) -> Callable[[], None]:
    """Make this the process that was asked for; its program."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for fd, place in ((nothing, 0), (fds[0], 1), (fds[1], 2)):
        os.dup2(fd, place)
    for fd in (nothing, *fds):
        os.close(fd)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    kind, what, *rest = request["arguments"]
    sys.argv[:] = ["-c" if kind == "-c" else what, *rest]
    return partial(_run_code if kind == "-c" else _run_module, what)


def _run_code(code: str) -> None:
    module = sys.modules["__main__"] = types.ModuleType("__main__")
    exec(compile(code, "<string>", "exec"), module.__dict__)


def _run_module(name: str) -> None:
    runpy.run_module(name, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
