"""Programs of the shop that need not load themselves: each is a fork of a process which has loaded
the hub and the OMS already (:mod:`tests.support.nursery_process`), one for all tests of a process.

Loading is four fifths of what a start takes.  Programs that are started for real are in
``tests/flow/test_by_hand.py``, the tests of the rig, and all that runs ``scripts``.
"""

from __future__ import annotations

import array
import asyncio
import atexit
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from hub.mqtt import deathwatch
from scripts.rig.process import ROOT, Child, Spawned

LINE_BYTES_MAX = 1_048_576
_KILLED = -signal.SIGKILL


class Nursery:
    """Where programs are born; it ends with this process, and they with it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            watch = ("-I", "-S", deathwatch.__file__, str(os.getpid()), sys.executable)
            program = ("-m", "tests.support.nursery_process", str(theirs.fileno()))
            self._process = subprocess.Popen(
                [sys.executable, *watch, *program],
                stdin=subprocess.DEVNULL,
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._control = ours

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(
        self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, fds: list[int]
    ) -> None:
        """Have a program born with these for standard output, standard error and its status."""
        request = {
            "arguments": list(arguments),
            "environment": dict(environment),
            "folder": str(folder),
        }
        passed = array.array("i", fds)
        sent = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, passed)]
        self._control.sendmsg([json.dumps(request).encode()], sent)

    def end(self) -> None:
        """All of it, now."""
        self._control.close()
        self._process.wait()


_nursery: Nursery | None = None


def nursery() -> Nursery:
    """This process's own."""
    global _nursery
    if _nursery is None:
        _nursery = Nursery()
        atexit.register(_nursery.end)
    return _nursery


def nursery_pid() -> int | None:
    """Where there is one."""
    return _nursery.pid if _nursery is not None else None


class Born:
    """A program that was born; as :class:`asyncio.subprocess.Process`."""

    def __init__(
        self,
        pid: int,
        stdout: asyncio.StreamReader,
        told: asyncio.StreamReader,
        line: asyncio.StreamWriter,
    ) -> None:
        self.pid = pid
        self.stdout = stdout
        self.returncode: int | None = None
        self._told = told
        self._line = line
        self._burial = asyncio.create_task(self._bury(), name=f"burial of {pid}")

    async def wait(self) -> int:
        return await asyncio.shield(self._burial)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def send_signal(self, number: signal.Signals) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    async def _bury(self) -> int:
        last = await self._told.readline()
        self.returncode = int(last) if last else _KILLED  # the nursery itself was killed
        self._line.close()
        return self.returncode


async def born(
    arguments: Sequence[str],
    *,
    stderr: int,
    environment: Mapping[str, str] | None = None,
    folder: Path = ROOT,
) -> Born:
    """``python ARGUMENTS``, in a session of its own."""
    read, write = os.pipe()
    ours, theirs = socket.socketpair()
    try:
        given = os.environ if environment is None else environment
        nursery().ask(arguments, given, folder, [write, stderr, theirs.fileno()])
    finally:
        os.close(write)
        theirs.close()
    told, line = await asyncio.open_connection(sock=ours)
    stdout = asyncio.StreamReader(limit=LINE_BYTES_MAX)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stdout), os.fdopen(read, "rb", buffering=0)
    )
    return Born(int(await told.readline()), stdout, told, line)


class BornChild(Child):
    """A child of the rig that is born instead of started."""

    @classmethod
    def instead_of(cls, child: Child) -> BornChild:
        """The same program with the same log."""
        return cls(child.name, child.arguments, log=child.log, on_line=child.on_line)

    async def _spawn(self, environment: Mapping[str, str], log: BinaryIO) -> Spawned:
        program, *arguments = self.arguments
        assert program == sys.executable
        return await born(arguments, stderr=log.fileno(), environment=environment)
