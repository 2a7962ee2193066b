"""Closes connections to the broker's TCP listeners that never become a client.

Mosquitto keeps a connection without a CONNECT for about 90 s (one and a half times its built-in
keep-alive), and no setting changes that.  Its log tells the hub of each connection when it is
accepted and again when its CONNECT was; whoever stands between the two for 10 s is shut down, and
the broker frees the place.

Nobody is closed by guess.  A connection must be the only one of its address and port; bytes that
the broker has not read, or that came within the last second, spare it for a while, because its
CONNECT may be among them; and nothing is closed before this broker's log has shown that its
wording is understood.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from hub.clock import Clock
from hub.mqtt.childsockets import ChildSockets, Connection, Heard

_ACCEPTED: Final = re.compile(rb"New connection from (.+):(\d+) on port ([1-9]\d*)\.?$")
_ENTERED: Final = re.compile(rb"New (?:client|bridge) connected from (.+?):(\d+) as ")
_ENTERED_STARTS: Final = (b"New client connected", b"New bridge connected")
_BUSY_LOOP_S: Final = 0.25
_TELL_EVERY_S: Final = 60.0
_REFUSED: Final = frozenset({errno.EPERM, errno.EACCES, errno.ENOSYS})

NO_PERMISSION: Final = (
    "Silent connections to the broker stay for 90 s instead of 10 s: the hub may not close them "
    "({why}). Allow pidfd_getfd, as the hub's own systemd unit does. The limit on connections "
    "still holds."
)
NOT_UNDERSTOOD: Final = (
    "Silent connections to the broker stay for 90 s instead of 10 s: this version of mosquitto "
    "words its log in another way. The limit on connections still holds."
)

_log = logging.getLogger("hub.mqtt.broker")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a connection may take for its CONNECT.

    ``connect_s``: for everybody.  ``dripping_s``: for those who said something within the last
    ``settle_s``.  ``unread_s``: while the broker has not read what they said.
    """

    connect_s: float = 10.0
    dripping_s: float = 13.0
    unread_s: float = 30.0
    settle_s: float = 1.0
    look_every_s: float = 1.0


class Sockets(Protocol):
    """The broker's connections: :class:`hub.mqtt.childsockets.ChildSockets`."""

    def connections(self) -> list[Connection]: ...
    def end(self, one: Connection, only_if: Callable[[Heard], bool]) -> bool: ...
    def close(self) -> None: ...


_Key = tuple[str, int, int]  # its address and port, and the listener's port


class Strangers:
    """For one life of the broker.  ``tell`` gets a sentence when strangers can't be closed.

    ``most`` bounds the table.  At the bound, those who have left are taken out; if all are still
    there, which a listener's own limit prevents, the newest are not watched.
    """

    def __init__(
        self,
        ports: Iterable[int],
        most: int,
        patience: Patience,
        clock: Clock,
        tell: Callable[[str], None],
        *,
        reach: Callable[[int], Sockets] = ChildSockets,
    ) -> None:
        self._ports = frozenset(ports)
        self._most = most
        self._patience = patience
        self._clock = clock
        self._tell = tell
        self._reach = reach
        self._sockets: Sockets | None = None
        self._since_s: dict[_Key, float] = {}  # oldest first
        self._understood = False
        self._off = not self._ports
        self._full = False
        self._closed, self._last_host = 0, ""
        self._told_s = self._warned_s = clock.monotonic_s() - _TELL_EVERY_S

    def __len__(self) -> int:
        return len(self._since_s)

    def heard(self, line: bytes) -> None:
        """A line of the broker's log, before anything in it is masked."""
        if self._off or not line.startswith(b"New "):
            return
        if found := _ACCEPTED.match(line):
            port = int(found[3])
            if port in self._ports:
                self._add((found[1].decode(errors="replace"), int(found[2]), port))
        elif found := _ENTERED.match(line):
            self._understood = True
            for port in self._ports:
                self._since_s.pop((found[1].decode(errors="replace"), int(found[2]), port), None)
        elif line.startswith(_ENTERED_STARTS):
            self._give_up(NOT_UNDERSTOOD)

    async def watch(self, pid: int) -> None:
        """Look for strangers who have had their time, until cancelled or not permitted."""
        if self._off:
            return
        try:
            sockets = self._sockets = self._reach(pid)
        except OSError as error:
            self._failed(error)
            return
        try:
            self._try(sockets.connections)  # it asks for listeners, too: a refusal shows at once
            while not self._off:
                await self._pause()
                self._full = False
                self._try(self.sweep)
        finally:
            self._sockets = None
            sockets.close()

    def _try(self, look: Callable[[], object]) -> None:
        try:
            look()
        except OSError as error:
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        if error.errno in _REFUSED:
            self._give_up(NO_PERMISSION.format(why=error.strerror))
        elif not isinstance(error, (ProcessLookupError, FileNotFoundError)):  # the broker ended
            now_s = self._clock.monotonic_s()
            if now_s - self._warned_s >= _TELL_EVERY_S:
                _log.warning("looking for silent connections failed, trying again: %s", error)
                self._warned_s = now_s

    async def _pause(self) -> None:
        due_s = self._clock.monotonic_s() + self._patience.look_every_s
        await asyncio.sleep(self._patience.look_every_s)
        if self._clock.monotonic_s() - due_s > _BUSY_LOOP_S:
            await asyncio.sleep(_BUSY_LOOP_S)  # what the broker said meanwhile comes first

    def sweep(self) -> None:
        """Close those who have had their time, and forget those who have left."""
        now_s = self._clock.monotonic_s()
        due: list[tuple[_Key, float]] = []
        for who, since_s in self._since_s.items():
            if now_s - since_s < self._patience.connect_s:
                break
            due.append((who, now_s - since_s))
        if due and self._understood and self._sockets is not None:
            there = self._there(self._sockets)
            for who, waited_s in due:
                if self._end(self._sockets, there.get(who, []), waited_s):
                    del self._since_s[who]
        self._report(now_s)

    def _end(self, sockets: Sockets, found: list[Connection], waited_s: float) -> bool:
        """Whether nothing is left of this stranger."""
        alone = len(found) == 1
        left = len(found)
        for one in found:
            if sockets.end(one, lambda it: self._may_end(it, waited_s, alone=alone)):
                left -= 1
                self._closed += 1
                self._last_host = one.host
        return left == 0

    def _may_end(self, it: Heard, waited_s: float, *, alone: bool) -> bool:
        patience = self._patience
        if not alone:  # on two addresses of this box; a client has said something
            return it.received_bytes == 0
        if it.unread_bytes:
            return waited_s >= patience.unread_s
        return it.quiet_s >= patience.settle_s or waited_s >= patience.dripping_s

    def _there(self, sockets: Sockets) -> dict[_Key, list[Connection]]:
        there: defaultdict[_Key, list[Connection]] = defaultdict(list)
        for one in sockets.connections():
            there[(one.host, one.host_port, one.listener_port)].append(one)
        return there

    def _add(self, who: _Key) -> None:
        if len(self._since_s) >= self._most:
            self._make_room()
        if len(self._since_s) < self._most:
            self._since_s.pop(who, None)  # a port that is used again goes to the end
            self._since_s[who] = self._clock.monotonic_s()

    def _make_room(self) -> None:
        if self._full or self._sockets is None:
            return
        try:
            there = self._there(self._sockets)
        except OSError:  # the next look says what is wrong
            there = None
        if there is not None:
            self._since_s = {who: s for who, s in self._since_s.items() if who in there}
        self._full = len(self._since_s) >= self._most  # no second try before the next look

    def _report(self, now_s: float) -> None:
        if self._closed and now_s - self._told_s >= _TELL_EVERY_S:
            limit_s = self._patience.connect_s
            text = "connections to the broker closed after %g s without CONNECT: %d, last from %s"
            _log.info(text, limit_s, self._closed, self._last_host)
            self._closed, self._told_s = 0, now_s

    def _give_up(self, why: str) -> None:
        self._off = True
        self._since_s.clear()
        self._tell(why)
