"""From the settings to the broker's plan, its program, and the hub's own session with it."""

from __future__ import annotations

import shutil
import ssl
from pathlib import Path

from hub.app.ports import Ports
from hub.config import Settings
from hub.contract.topics import Topics
from hub.mqtt.config import BrokerLimits, BrokerPlan, BrokerProgram, TlsFiles, find_broker
from hub.mqtt.dynsec import HUB_USERNAME, DeviceAccess
from hub.mqtt.dynsec_control import RESPONSE_TOPIC
from hub.mqtt.endpoint import (
    LastWill,
    SessionConfig,
    Subscription,
    TcpEndpoint,
    UnixEndpoint,
    parse_endpoint,
)
from hub.security.authority import Authority
from hub.storage.devicerows import DeviceRow


def broker_plan(settings: Settings, authority: Authority, ports: Ports) -> BrokerPlan:
    """How our own broker is to run."""
    broker = settings.broker
    return BrokerPlan(
        run_dir=settings.paths.run,
        state_dir=settings.paths.state / "mqtt",
        tls=TlsFiles(
            ca=authority.bundle_path,
            certificate=authority.server_certificate_path,
            key=authority.server_key_path,
            crl=authority.crl_path,
        ),
        password_port=ports.password,
        mtls_port=ports.mtls,
        bind=broker.bind,
        limits=BrokerLimits(
            packet_bytes=broker.max_packet_bytes,
            inflight_messages=broker.max_inflight_messages,
            queued_messages=broker.max_queued_messages,
            queued_bytes=broker.max_queued_bytes,
            memory_bytes=broker.memory_limit_mb << 20,
            websocket_connections=broker.ws_max_connections,
            password_connections=broker.max_connections,
            mtls_connections=broker.max_connections,
        ),
    )


def broker_program(binary: str) -> BrokerProgram:
    """The broker's program: found as packages install it, or by its name or path."""
    executable = None
    if binary != "mosquitto":
        executable = Path(shutil.which(binary) or binary)
    return find_broker(executable)


def session_config(
    settings: Settings, topics: Topics, password: str, last_will: bytes
) -> SessionConfig:
    """The hub's session: with our own broker by ``password``, with another as the settings say."""
    broker = settings.broker
    ours = broker.mode == "managed"
    patterns = [
        Subscription(topics.every_request, stored=False),
        Subscription(topics.every_fact, stored=False),
        Subscription(topics.every_state, stored=False),
        Subscription(topics.every_meta),
        Subscription(topics.every_command_reply, stored=False),
    ]
    endpoint: UnixEndpoint | TcpEndpoint
    if ours:
        endpoint = UnixEndpoint(settings.paths.run / "hub.sock")
        username = HUB_USERNAME
        patterns.append(Subscription(RESPONSE_TOPIC))
    else:
        assert broker.url is not None
        tls = ssl.create_default_context(cafile=broker.ca_file) if broker.ca_file else None
        endpoint = parse_endpoint(str(broker.url), tls)
        username = broker.username or ""
        password = broker.password.get_secret_value() if broker.password else ""
    return SessionConfig(
        endpoint=endpoint,
        client_id=HUB_USERNAME if ours else f"hub-{topics.store}",
        username=username or None,
        password=password or None,
        will=LastWill(topics.hub_state, last_will),
        subscriptions=tuple(patterns),
        packet_bytes=broker.max_packet_bytes,
    )


def access_of(row: DeviceRow) -> DeviceAccess:
    """A paired device as the broker has to know it."""
    if row.auth == "mtls":
        return DeviceAccess(row.device_id, "mtls")
    return DeviceAccess(row.device_id, "password", row.password_hash)
