"""Where the broker listens."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from hub.config import Settings
from hub.mqtt.endpoint import TcpEndpoint, parse_endpoint


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the broker listens."""

    password: int
    mtls: int


def choose_ports(settings: Settings) -> Ports:
    """The configured ports; a 0 becomes any free one.  Another's broker has the port of its URL."""
    if settings.broker.url is not None:
        given = parse_endpoint(settings.broker.url)
        port = given.port if isinstance(given, TcpEndpoint) else 0
        return Ports(port, port)
    bind = settings.broker.bind or "127.0.0.1"
    return Ports(
        settings.broker.password_port or free_port(bind),
        settings.broker.mtls_port or free_port(bind),
    )


def free_port(bind: str) -> int:
    """A port that nobody uses just now."""
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((bind, 0))
        return int(probe.getsockname()[1])
