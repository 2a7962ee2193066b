"""A TLS connection made on the event loop: no thread waits for a hub that is away."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable


async def dial(host: str, port: int, context: ssl.SSLContext, timeout_s: float) -> ssl.SSLSocket:
    """A connected, non-blocking socket with TCP_NODELAY, its handshake done.

    Every address of ``host`` is tried in turn within ``timeout_s``.  Raises OSError (ssl.SSLError
    is one) or TimeoutError.
    """
    async with asyncio.timeout(timeout_s):
        failure: OSError = OSError(f"{host} has no address")
        for family, address in await _addresses(host, port):
            try:
                return await _connect(family, address, host, context)
            except OSError as error:
                failure = error
        raise failure


async def _connect(
    family: int, address: tuple[str, int], host: str, context: ssl.SSLContext
) -> ssl.SSLSocket:
    loop = asyncio.get_running_loop()
    plain = socket.socket(family, socket.SOCK_STREAM)
    try:
        plain.setblocking(False)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await loop.sock_connect(plain, address)
        wrapped = context.wrap_socket(plain, do_handshake_on_connect=False, server_hostname=host)
    except BaseException:
        plain.close()
        raise
    try:
        await _handshake(wrapped)
    except BaseException:
        wrapped.close()
        raise
    return wrapped


async def _handshake(wrapped: ssl.SSLSocket) -> None:
    loop = asyncio.get_running_loop()
    while True:
        try:
            return wrapped.do_handshake()
        except ssl.SSLWantReadError:
            await _ready(wrapped, loop.add_reader, loop.remove_reader)
        except ssl.SSLWantWriteError:
            await _ready(wrapped, loop.add_writer, loop.remove_writer)


async def _ready(
    wrapped: ssl.SSLSocket,
    add: Callable[[int, Callable[[], None]], None],
    remove: Callable[[int], bool],
) -> None:
    ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    handle = wrapped.fileno()
    add(handle, lambda: None if ready.done() else ready.set_result(None))
    try:
        await ready
    finally:
        remove(handle)


async def _addresses(host: str, port: int) -> list[tuple[int, tuple[str, int]]]:
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return [(row[0], (str(row[4][0]), port)) for row in found]
    return [(socket.AF_INET if version == 4 else socket.AF_INET6, (host, port))]
