"""Mosquitto's configuration, generated from one frozen plan.

Every line is accepted by 2.0.11 (Debian 12) and by 2.0.21 and later.  Four choices are not
obvious:

- ``memory_limit`` stays unset: the dynamic-security plugin frees memory that was never counted
  (seen with 2.0.11), so that after some ten new accounts its count falls below zero, which it
  takes for a huge number, and every client is turned away.  The kernel counts instead
  (``RLIMIT_DATA``, set by the supervisor).
- ``max_keepalive`` stays unset: 2.0.21 kicks clients whose keep-alive equals it.
- The listeners on unix sockets come last: Mosquitto opens listeners in order and exits when one
  fails, so an answer on the hub's socket means that all of them are open.
- ``use_username_as_clientid`` on every listener stops a device from taking over the session of
  another, or of the hub, by naming its client id.
"""

from __future__ import annotations

import os
import shutil
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

UNIX_PATH_MAX_BYTES: Final = 107
"""``sun_path`` holds 108 bytes with its terminating zero (unix(7))."""

PLUGIN_NAME: Final = "mosquitto_dynamic_security.so"


class BrokerMissing(Exception):
    """Mosquitto or its dynamic-security plugin is not installed: ``apt-get install mosquitto``."""


class BadPlan(ValueError):
    """The broker's plan can't be written as a configuration; the text says what to change."""


@dataclass(frozen=True, slots=True)
class BrokerProgram:
    """Where Mosquitto lives on this machine."""

    executable: Path
    plugin: Path


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files of the TLS listeners.  ``ca`` and ``crl`` are used by the mutual-TLS listener."""

    ca: Path
    certificate: Path
    key: Path
    crl: Path


@dataclass(frozen=True, slots=True)
class BrokerLimits:
    """Bounds against hostile or broken clients; at a bound the broker closes or drops."""

    packet_bytes: int = 262_144
    inflight_messages: int = 20
    queued_messages: int = 500
    queued_bytes: int = 4_194_304
    memory_bytes: int = 268_435_456  # kept by the kernel, not by Mosquitto's own ``memory_limit``
    websocket_connections: int = 100
    password_connections: int = 400
    mtls_connections: int = 400


@dataclass(frozen=True, slots=True)
class BrokerPlan:
    """Everything that the configuration is made of.

    ``state_dir`` is kept over restarts (dynsec file, ``mosquitto.db``), ``run_dir`` holds the
    sockets.  A port of None leaves that listener out.  ``bind`` empty means every interface.
    ``user`` is the account Mosquitto keeps when it is started by root.
    """

    run_dir: Path
    state_dir: Path
    tls: TlsFiles | None
    password_port: int | None = 8883
    mtls_port: int | None = 8884
    bind: str = ""
    user: str | None = None
    limits: BrokerLimits = field(default_factory=BrokerLimits)

    @property
    def hub_socket(self) -> Path:
        return self.run_dir / "hub.sock"

    @property
    def ws_socket(self) -> Path:
        return self.run_dir / "ws.sock"

    @property
    def config_file(self) -> Path:
        return self.state_dir / "mosquitto.conf"

    @property
    def dynsec_file(self) -> Path:
        return self.state_dir / "dynamic-security.json"

    @property
    def database_file(self) -> Path:
        return self.state_dir / "mosquitto.db"

    @property
    def pid_file(self) -> Path:
        return self.state_dir / "broker.pid"


def find_broker(executable: Path | None = None, plugin: Path | None = None) -> BrokerProgram:
    """Mosquitto and its plugin as given, or as found on this machine.

    Raises :class:`BrokerMissing` with the command that installs it.
    """
    found = executable if executable is not None else _find_executable()
    if found is None or not os.access(found, os.X_OK):
        where = f" at {executable}" if executable is not None else ""
        raise BrokerMissing(
            f"the MQTT broker mosquitto is not installed{where}: "
            "run 'apt-get install mosquitto', or set broker.mode = \"external\""
        )
    library = plugin if plugin is not None else _find_plugin()
    if library is None or not library.is_file():
        where = f" at {plugin}" if plugin is not None else ""
        raise BrokerMissing(
            f"mosquitto's plugin {PLUGIN_NAME} is missing{where}: "
            "run 'apt-get install --reinstall mosquitto' (2.0 or later)"
        )
    return BrokerProgram(found, library)


def _find_executable() -> Path | None:
    path = os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin"  # sbin: not a user's
    found = shutil.which("mosquitto", path=path)
    return Path(found) if found else None


def _find_plugin() -> Path | None:
    multiarch = sysconfig.get_config_var("MULTIARCH")
    places = [Path("/usr/local/lib"), Path("/usr/lib64"), Path("/usr/lib")]
    if isinstance(multiarch, str) and multiarch:
        places.insert(0, Path("/usr/lib") / multiarch)
    for place in places:
        if (place / PLUGIN_NAME).is_file():
            return place / PLUGIN_NAME
    return next(iter(sorted(Path("/usr/lib").glob(f"*/{PLUGIN_NAME}"))), None)


def render(plan: BrokerPlan, program: BrokerProgram) -> str:
    """The text of ``mosquitto.conf``.

    Raises :class:`BadPlan` for a socket path over 107 bytes, a path with control characters, or
    TLS listeners without TLS files.
    """
    limits = plan.limits
    lines = [
        "# Written by Store Hub before each start of the broker; changes here are lost.",
        "per_listener_settings false",
        "allow_anonymous false",
        f"plugin {_path(program.plugin)}",
        f"plugin_opt_config_file {_path(plan.dynsec_file)}",
        "set_tcp_nodelay true",
        f"max_packet_size {limits.packet_bytes}",
        f"max_inflight_messages {limits.inflight_messages}",
        f"max_queued_messages {limits.queued_messages}",
        f"max_queued_bytes {limits.queued_bytes}",
        "persistent_client_expiration 1d",
        "persistence true",
        f"persistence_location {_path(plan.state_dir)}/",
        "autosave_interval 60",
        "sys_interval 10",
        "log_dest stderr",
        "log_timestamp false",
        "connection_messages true",
    ]
    if plan.user is not None:
        lines.append(f"user {_word(plan.user)}")
    lines += _tls_listeners(plan)
    lines += _unix_listener(plan.ws_socket, limits.websocket_connections)
    lines += _unix_listener(plan.hub_socket, None)
    return "\n".join(lines) + "\n"


def _tls_listeners(plan: BrokerPlan) -> list[str]:
    lines: list[str] = []
    if plan.password_port is None and plan.mtls_port is None:
        return lines
    if plan.tls is None:
        raise BadPlan("the broker's TLS listeners need certificate files: plan.tls is missing")
    own = [
        f"certfile {_path(plan.tls.certificate)}",
        f"keyfile {_path(plan.tls.key)}",
        "tls_version tlsv1.2",
        "use_username_as_clientid true",
    ]
    if plan.password_port is not None:
        lines += [_tcp_listener(plan.password_port, plan.bind)]
        lines += [f"max_connections {plan.limits.password_connections}", *own]
    if plan.mtls_port is not None:
        lines += [_tcp_listener(plan.mtls_port, plan.bind)]
        lines += [f"max_connections {plan.limits.mtls_connections}", *own]
        lines += [f"cafile {_path(plan.tls.ca)}", f"crlfile {_path(plan.tls.crl)}"]
        lines += ["require_certificate true", "use_identity_as_username true"]
    return lines


def _tcp_listener(port: int, bind: str) -> str:
    if not 1 <= port <= 65_535:
        raise BadPlan(f"broker port {port}: expected 1-65535")
    return f"listener {port} {_word(bind)}" if bind else f"listener {port}"


def _unix_listener(path: Path, max_connections: int | None) -> list[str]:
    length = len(os.fsencode(path))
    if length > UNIX_PATH_MAX_BYTES:
        raise BadPlan(
            f"socket path {path} has {length} bytes, a unix socket allows {UNIX_PATH_MAX_BYTES}: "
            "choose a shorter runtime directory"
        )
    lines = [f"listener 0 {_path(path)}", "use_username_as_clientid true"]
    if max_connections is not None:
        lines.append(f"max_connections {max_connections}")
    return lines


def _path(path: Path) -> str:
    text = str(path)
    if not path.is_absolute() or any(ord(c) < 32 or ord(c) == 127 for c in text):
        raise BadPlan(
            f"path {text!r}: the broker needs an absolute path without control characters"
        )
    return text


def _word(text: str) -> str:
    if not text or any(c.isspace() or ord(c) < 32 for c in text):
        raise BadPlan(f"{text!r}: expected one word")
    return text
