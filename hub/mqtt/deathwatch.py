"""Runs a program that dies with its parent:
``python -I -S deathwatch.py PARENT_PID [--data-bytes=N] PROGRAM ...``.

With ``--data-bytes`` the program's memory has a bound (setrlimit(2), RLIMIT_DATA).

A separate file run by a fresh interpreter, because code between fork and exec in a process with
threads may deadlock.  It replaces itself with the program, which keeps its pid.  The program must
not change its user afterwards: the kernel then forgets the signal (prctl(2), PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1
_DATA_BYTES = "--data-bytes="


def main(arguments: list[str]) -> None:
    parent, program = int(arguments[0]), arguments[1:]
    if program[0].startswith(_DATA_BYTES):
        data_bytes = int(program.pop(0).removeprefix(_DATA_BYTES))
        resource.setrlimit(resource.RLIMIT_DATA, (data_bytes, data_bytes))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:  # it died before the line above
        sys.exit(1)
    os.execv(program[0], program)  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
