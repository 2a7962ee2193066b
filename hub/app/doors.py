"""The doors of a running hub: the page with its web API, and the socket of the command line."""

from __future__ import annotations

from dataclasses import dataclass

from hub.app.parts import Parts, Running
from hub.clock import Clock, Randomness
from hub.config import Settings
from hub.health.mending import ActionDesk
from hub.health.status import StatusSource
from hub.security.authority import Authority
from hub.security.renewal import Nonces
from hub.security.secrets_box import SecretsBox
from hub.security.sessions import Sessions
from hub.service.handlers.signin import PinDesk
from hub.web.adminsocket import SOCKET_NAME, AdminSocket
from hub.web.listener import Bounds
from hub.web.reads import Sources
from hub.web.server import WebConfig, WebServer


@dataclass(frozen=True, slots=True)
class Behind:
    """What is read and done through the doors."""

    running: Running
    parts: Parts
    status: StatusSource
    actions: ActionDesk
    sources: Sources


@dataclass(frozen=True, slots=True)
class Locks:
    """What the doors are locked with."""

    authority: Authority
    box: SecretsBox
    clock: Clock
    randomness: Randomness
    pins: PinDesk | None = None

    def sessions(self) -> Sessions:
        """Of people who signed in."""
        return Sessions(self.box.derive("web sessions"), self.randomness)


def make_web(behind: Behind, locks: Locks) -> WebServer:
    """The page and the web API, not yet started."""
    running = behind.running
    messaging = running.messaging
    return WebServer(
        web_config(running.settings),
        gate=running.gate,
        authority=locks.authority,
        status=behind.status,
        sessions=locks.sessions(),
        nonces=Nonces(locks.clock, locks.randomness),
        randomness=locks.randomness,
        host=behind.parts.host,
        mqtt_password_port=lambda: messaging.ports.password,
        mqtt_mtls_port=lambda: messaging.ports.mtls,
        bridge=messaging.bridge,
        admit=messaging.admit,
        actions=behind.actions,
        sources=behind.sources,
        pins=locks.pins,
    )


def make_socket(behind: Behind, web: WebServer) -> AdminSocket:
    """The command line's door, not yet started; it shares the page's desks."""
    running = behind.running
    return AdminSocket(
        running.settings.paths.run / SOCKET_NAME,
        gate=running.gate,
        status=behind.status,
        desk=web.desk,
        technician=web.technician,
        url=lambda: f"https://{behind.parts.host()}:{web.port}/",
        actions=behind.actions,
        reads=web.reads,
    )


def web_config(settings: Settings) -> WebConfig:
    """The page's own settings."""
    web = settings.web
    return WebConfig(
        bind=web.bind,
        port=web.port,
        idle_s=web.session_idle_s,
        max_s=web.session_max_s,
        max_body_bytes=web.max_body_bytes,
        bounds=Bounds(connections=web.max_connections),
    )
