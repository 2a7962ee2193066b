"""Where the hub's session connects to, and with what."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class UnixEndpoint:
    """The managed broker's unix socket."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class TcpEndpoint:
    """An external broker; ``tls`` None means clear text (only within one machine, please)."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None

    def __str__(self) -> str:
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


def parse_endpoint(url: str, tls: ssl.SSLContext | None = None) -> UnixEndpoint | TcpEndpoint:
    """``mqtts://host[:8883]``, ``mqtt://host[:1883]`` or ``unix:///path``.

    ``tls`` defaults to a context with the system's certificate authorities.  Raises ``ValueError``.
    """
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise ValueError("the broker's URL must not hold credentials: set user name and password")
    match parts.scheme:
        case "unix" if parts.path and not parts.netloc:
            return UnixEndpoint(Path(parts.path))
        case "mqtts" if parts.hostname:
            return TcpEndpoint(
                parts.hostname, parts.port or 8883, tls or ssl.create_default_context()
            )
        case "mqtt" if parts.hostname:
            return TcpEndpoint(parts.hostname, parts.port or 1883)
        case _:
            raise ValueError(f"broker URL {url!r}: expected mqtts://host:port or mqtt://host:port")


@dataclass(frozen=True, slots=True)
class LastWill:
    """What the broker says for the hub when the hub is gone (QoS 1, retained)."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Subscription:
    """``stored`` False leaves retained messages out: a retained request is not a request."""

    pattern: str
    qos: int = 1
    stored: bool = True


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """``out_bytes``, and ``out_messages`` of QoS 1 without their ack, bound what waits to leave."""

    endpoint: UnixEndpoint | TcpEndpoint
    client_id: str
    username: str | None
    password: str | None
    will: LastWill | None
    subscriptions: tuple[Subscription, ...]
    keepalive_s: int = 20
    packet_bytes: int = 262_144
    out_bytes: int = 4_194_304
    out_messages: int = 2_000
