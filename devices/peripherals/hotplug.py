"""Tells which local peripherals came and went: udev's word as a hint, looking as the net.

What counts is what the directories show: ``/dev/serial/by-id``, ``/dev/usb``, ``/dev/input/by-id``,
and sysfs for printers that are used without a driver.  They are looked at every two seconds, and at
once when udev says that something happened.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import quote

from devices.peripherals.transports.address import place_of
from devices.peripherals.transports.opening import Opener
from devices.peripherals.transports.usblp import SYSTEM, Roots, usb_printers
from devices.peripherals.transports.usbtree import plugged_printers

log = logging.getLogger(__name__)

POLL_S: Final = 2.0
SETTLE_S: Final = 0.2
"""From udev's word to the look: names by id are made a moment after the device."""
ENTRIES_MAX: Final = 256
HINTS_MAX: Final = 64
SUBSYSTEMS: Final = ("tty", "usbmisc", "usb", "input")


@dataclass(frozen=True, slots=True)
class Moved:
    """Addresses as ``address.place_of`` gives them; one that was replaced is in both."""

    came: frozenset[str]
    went: frozenset[str]


class Hints(Protocol):
    """Says that something happened, not what."""

    def fileno(self) -> int:
        """Readable when there is something to drain."""

    def drain(self) -> None:
        """Take what has come, never waiting.  Errors: OSError when it is broken."""

    def close(self) -> None:
        """Never raises."""


Seen = dict[str, tuple[str, ...]]
"""Addresses, each with what makes the thing behind it this one and no other."""


def look(roots: Roots = SYSTEM) -> Seen:
    """What is plugged in now; at most ``ENTRIES_MAX`` of a directory.  Reads directories only."""
    seen: Seen = {}
    for name, marks in _links(roots.dev / "serial" / "by-id"):
        seen[place_of(f"serial:///dev/serial/by-id/{quote(name)}")] = marks
    for name, marks in _links(roots.dev / "input" / "by-id"):
        if name.endswith("-event-kbd"):
            seen[place_of(f"hid:///dev/input/by-id/{quote(name)}")] = marks
    for name, marks in _links(roots.dev / "usb"):
        if name.startswith("lp"):
            seen[f"usb:///dev/usb/{name}"] = marks
    for printer in usb_printers(roots):
        node = seen.get(f"usb:///dev/usb/{printer.node.name}")
        if node is not None:
            seen[place_of(printer.address)] = (printer.port, *node)
    for raw in plugged_printers(roots):
        # That it is given to a group is news, too.
        with contextlib.suppress(OSError):
            of_it = os.stat(raw.node(roots))
            marks = (str(of_it.st_ino), str(of_it.st_mode), str(of_it.st_gid))
            seen[place_of(raw.address)] = (raw.port, str(raw.device), *marks)
    return seen


def _links(directory: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    try:
        names = sorted(os.listdir(directory))[:ENTRIES_MAX]
    except OSError:
        return
    for name in names:
        path = directory / name
        # It may go while we look.
        with contextlib.suppress(OSError):
            itself = os.lstat(path)
            behind = os.stat(path)
            yield name, (str(itself.st_ino), str(itself.st_ctime_ns), str(behind.st_rdev))


class Hotplug:
    """Calls ``moved`` from the loop; what was there at :meth:`start` is no news (see ``now``).

    ``listen``: opens udev's hints, in a thread; None when there are none to be had.
    """

    def __init__(
        self,
        moved: Callable[[Moved], None],
        *,
        roots: Roots = SYSTEM,
        poll_s: float = POLL_S,
        listen: Callable[[], Hints | None] | None = None,
    ) -> None:
        self._moved = moved
        self._roots = roots
        self._poll_s = poll_s
        self._listen = udev_hints if listen is None else listen
        self._seen: Seen = {}
        self._hints: Hints | None = None
        self._hinted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def now(self) -> frozenset[str]:
        """The addresses that were there at the last look."""
        return frozenset(self._seen)

    @property
    def hinted(self) -> bool:
        """Whether udev says when something happens."""
        return self._hints is not None

    async def start(self) -> None:
        """Take a first look and go on looking."""
        if self._task is not None:
            raise RuntimeError("hotplug is watched already")
        self._seen = await asyncio.to_thread(look, self._roots)
        self._task = asyncio.create_task(self._run(), name="hotplug")

    async def stop(self) -> None:
        """Safe to call twice."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def poke(self) -> None:
        """Look now."""
        self._hinted.set()

    async def _run(self) -> None:
        try:
            await self._open_hints()
            while True:
                await self._pause()
                try:
                    await self._look()
                except Exception:
                    log.exception("Looking for peripherals failed; trying again")
        finally:
            self._close_hints()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._poll_s):
                await self._hinted.wait()
        except TimeoutError:
            return
        await asyncio.sleep(min(SETTLE_S, self._poll_s))
        self._hinted.clear()

    async def _look(self) -> None:
        before, self._seen = self._seen, await asyncio.to_thread(look, self._roots)
        came = {one for one, marks in self._seen.items() if before.get(one) != marks}
        went = {one for one, marks in before.items() if self._seen.get(one) != marks}
        if came or went:
            self._moved(Moved(frozenset(came), frozenset(went)))

    # Hints ---------------------------------------------------------------------------------------

    async def _open_hints(self) -> None:
        why = "pyudev or libudev is missing"
        try:
            hints = await Opener("udev").open(self._listen, _closed)
            if hints is not None:
                asyncio.get_running_loop().add_reader(hints.fileno(), self._drain)
        except Exception as error:  # whatever a C library's binding may raise
            hints, why = None, str(error) or type(error).__name__
        self._hints = hints
        if hints is None:
            log.warning(
                "No word from udev (%s): looking for peripherals every %g s", why, self._poll_s
            )

    def _drain(self) -> None:
        assert self._hints is not None
        try:
            self._hints.drain()
        except OSError as error:
            log.warning(
                "udev's word broke off (%s): looking for peripherals every %g s",
                error,
                self._poll_s,
            )
            self._close_hints()
        self._hinted.set()

    def _close_hints(self) -> None:
        hints, self._hints = self._hints, None
        if hints is not None:
            asyncio.get_running_loop().remove_reader(hints.fileno())
            hints.close()


def _closed(hints: Hints | None) -> None:
    if hints is not None:
        hints.close()


def udev_hints() -> Hints | None:
    """udev's monitor, or None without pyudev.  Blocks: finding libudev starts processes."""
    try:
        import pyudev
    except ImportError:
        return None
    monitor = pyudev.Monitor.from_netlink(pyudev.Context())
    for subsystem in SUBSYSTEMS:
        monitor.filter_by(subsystem)
    monitor.start()
    return UdevHints(monitor)


class _Monitor(Protocol):
    """What is used of ``pyudev.Monitor``."""

    def fileno(self) -> int: ...

    def poll(self, timeout: float | None) -> object | None: ...


class UdevHints:
    """See :class:`Hints`.  The netlink socket ends with the monitor."""

    def __init__(self, monitor: _Monitor) -> None:
        self._monitor: _Monitor | None = monitor
        self._fd = monitor.fileno()

    def fileno(self) -> int:
        return self._fd

    def drain(self) -> None:
        for _ in range(HINTS_MAX):
            if self._monitor is None or self._monitor.poll(0) is None:
                return

    def close(self) -> None:
        self._monitor = None
