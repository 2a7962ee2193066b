"""The TCP connections of a child process, and how to end one of them from outside.

pidfd_getfd(2) lends a duplicate of a file of another process.  The kernel grants it to whoever may
trace that process: same user, same capabilities, and, where Yama is switched on, its ancestor.
What is done to the duplicate is done to the connection itself, so nothing here changes a flag of a
socket, and each duplicate is given back at once.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import socket
import struct
import termios
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_SYS_PIDFD_GETFD: Final = 438  # the same number on every architecture of Linux
_TCP_INFO_BYTES: Final = 136  # struct tcp_info (linux/tcp.h) up to tcpi_bytes_received
_LAST_DATA_RECV_AT: Final = 52
_BYTES_RECEIVED_AT: Final = 128


@dataclass(frozen=True, slots=True)
class Connection:
    """An accepted connection: the child's descriptor, its inode, and both ends of it."""

    fd: int
    inode: int
    host: str
    host_port: int
    listener_port: int


@dataclass(frozen=True, slots=True)
class Heard:
    """What the kernel knows of a connection: bytes that ever came, bytes that the child has not
    read yet, and seconds since the last came (since it was opened when none did)."""

    received_bytes: int
    unread_bytes: int
    quiet_s: float


class ChildSockets:
    """Use until the child has ended, then :meth:`close`.  Every call may raise ``OSError``:
    ``EPERM`` or ``ENOSYS`` when the kernel doesn't lend, ``ESRCH`` when the child is gone."""

    def __init__(self, pid: int) -> None:
        self._directory = f"/proc/{pid}/fd"
        self._pidfd = os.pidfd_open(pid)
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._known: dict[tuple[int, str], Connection | None] = {}

    def close(self) -> None:
        """Give the handle of the process back."""
        os.close(self._pidfd)
        self._known.clear()

    def connections(self) -> list[Connection]:
        """Every TCP connection that the child has open now, by asking for the new ones only."""
        known: dict[tuple[int, str], Connection | None] = {}
        for name in os.listdir(self._directory):
            try:
                target = os.readlink(f"{self._directory}/{name}")
            except FileNotFoundError:  # closed meanwhile
                continue
            if not target.startswith("socket:["):
                continue
            key = (int(name), target)
            if key in self._known:
                known[key] = self._known[key]
                continue
            inode = int(target[len("socket:[") : -1])
            with self._lend(key[0], inode) as sock:
                if sock is not None:
                    known[key] = _connection(sock, key[0], inode)
        self._known = known
        return [one for one in known.values() if one is not None]

    def end(self, one: Connection, only_if: Callable[[Heard], bool]) -> bool:
        """Shut the connection down in both directions if it is still that one and ``only_if``
        agrees; the child then reads an end of file.  Whether it was shut down."""
        with self._lend(one.fd, one.inode) as sock:
            if sock is None or not only_if(_heard(sock)):
                return False
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:  # its other end was faster
                return False
            return True

    def _lend(self, fd: int, inode: int) -> _Lent:
        lent = self._libc.syscall(_SYS_PIDFD_GETFD, self._pidfd, fd, 0)
        if lent < 0:
            code = ctypes.get_errno()
            if code == errno.EBADF:  # closed meanwhile
                return _Lent(None)
            raise OSError(code, f"pidfd_getfd: {os.strerror(code)}")
        if os.fstat(lent).st_ino != inode:  # closed meanwhile, and its number used again
            os.close(lent)
            return _Lent(None)
        return _Lent(socket.socket(fileno=lent))


class _Lent:
    """A duplicate for the time of a ``with`` block; None when the child no longer has it."""

    def __init__(self, sock: socket.socket | None) -> None:
        self._sock = sock

    def __enter__(self) -> socket.socket | None:
        return self._sock

    def __exit__(self, *_: object) -> None:
        if self._sock is not None:
            self._sock.close()


def _connection(sock: socket.socket, fd: int, inode: int) -> Connection | None:
    if sock.family not in (socket.AF_INET, socket.AF_INET6) or sock.type != socket.SOCK_STREAM:
        return None
    try:
        peer = sock.getpeername()
    except OSError:  # a listener, or a connection that has just broken
        return None
    host = str(peer[0]).partition("%")[0]  # a link-local address without its interface
    return Connection(fd, inode, host, int(peer[1]), int(sock.getsockname()[1]))


def _heard(sock: socket.socket) -> Heard:
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    (quiet_ms,) = struct.unpack_from("=I", info, _LAST_DATA_RECV_AT)
    (received,) = struct.unpack_from("=Q", info, _BYTES_RECEIVED_AT)
    (unread,) = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.FIONREAD, bytes(4)))
    return Heard(received, unread, quiet_ms / 1000)
