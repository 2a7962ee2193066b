"""A broker that a crashed hub left behind holds the ports: find it, be sure it's ours, end it.

The pid file keeps the process's start time too (field 22 of /proc/PID/stat), and the process must
run with our configuration file: a number that was given to another process is left alone.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from pathlib import Path
from typing import Final

_TERM_WAIT_S: Final = 5.0
_KILL_WAIT_S: Final = 5.0

_log = logging.getLogger("hub.mqtt.broker")


class BrokerStuck(Exception):
    """A broker of an earlier run can't be ended, so its ports stay taken."""


def remember_broker(pid_file: Path, pid: int) -> None:
    """Write who runs, for the next hub."""
    pid_file.write_text(f"{pid} {_start_time(pid)}\n", encoding="ascii")


def forget_broker(pid_file: Path) -> None:
    pid_file.unlink(missing_ok=True)


async def replace_leftover(pid_file: Path, config_file: Path, what: str = "broker") -> bool:
    """End the broker (or ``what`` it is) of an earlier run, if there is one.  True if there was.

    Raises :class:`BrokerStuck` when it survives SIGKILL for five seconds.
    """
    pid = _leftover_pid(pid_file, config_file)
    if pid is None:
        return False
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        # Between the look and the handle the number may have changed hands: look again.
        if _leftover_pid(pid_file, config_file) != pid:
            return False
        _log.warning("a %s of an earlier run (pid %d) is still there: ending it", what, pid)
        for number, wait_s in ((signal.SIGTERM, _TERM_WAIT_S), (signal.SIGKILL, _KILL_WAIT_S)):
            try:
                signal.pidfd_send_signal(handle, number)
            except ProcessLookupError:
                return True
            if await _ended(handle, wait_s):
                return True
    finally:
        os.close(handle)
    raise BrokerStuck(f"a {what} of an earlier run (pid {pid}) can't be ended: restart the machine")


def _leftover_pid(pid_file: Path, config_file: Path) -> int | None:
    try:
        pid_text, start_text = pid_file.read_text(encoding="ascii").split()
        pid = int(pid_text)
    except (OSError, ValueError):
        return None
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return None
    ours = os.fsencode(config_file) in command and _start_time(pid) == start_text
    return pid if ours else None


def _start_time(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "?"
    # The command name, field 2, is in parentheses and may hold anything.
    return stat.rpartition(")")[2].split()[19]


async def _ended(handle: int, wait_s: float) -> bool:
    """Whether the process of this pidfd ends in time: a pidfd turns readable then."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(handle, ended.set)
    try:
        async with asyncio.timeout(wait_s):
            await ended.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(handle)
    return True
