"""A bench for the device library: a real broker over TLS, and a hub that misbehaves on request."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import json
import shutil
import signal
import socket
import threading
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from devices.kit import HubClient, IdentityStore
from devices.kit.identity import Identity, request_certificate
from hub.clock import SystemRandomness
from hub.contract.envelope import DeviceMeta
from hub.contract.problems import Code, problem
from hub.contract.sale import CommitSale, SaleLine, Tender
from hub.contract.topics import Topics
from scripts import rig

STORE = "367"
TOPICS = Topics(STORE)
PATIENCE_S = 40.0
SALE_DONE = {
    "receipt_no": "1",
    "business_day": "2026-01-01",
    "total_minor": 100,
    "tax_minor": 0,
    "rounding_minor": 0,
    "change_minor": 0,
    "currency": "EUR",
    "at_ms": 1,
}


def free_port() -> int:
    return rig.free_port(SystemRandomness())


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


class TestAuthority:
    """A CA, its server certificate, and certificates for devices."""

    __test__ = False

    def __init__(self, folder: Path, name: str = "bench CA") -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        basic = x509.BasicConstraints(ca=True, path_length=None)
        self.certificate = (
            self._begin(self.name, self.key.public_key())
            .add_extension(basic, critical=True)
            .sign(self.key, hashes.SHA256())
        )
        self.fingerprint = self.certificate.fingerprint(hashes.SHA256()).hex()
        folder.mkdir(exist_ok=True)
        (folder / "ca.pem").write_text(pem(self.certificate))
        server_key = ec.generate_private_key(ec.SECP256R1())
        (folder / "server.key").write_bytes(
            server_key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        (folder / "server.pem").write_text(pem(self._server(server_key)))

    def issue(self, key: Any, name: str, days: float = 30) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = self._begin(subject, key, days).add_extension(usage, critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def _server(self, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "store-hub")])
        names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        builder = self._begin(subject, key.public_key())
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.add_extension(usage, critical=False).sign(self.key, hashes.SHA256())

    def _begin(self, subject: x509.Name, key: Any, days: float = 30) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=60))
            .not_valid_after(now + dt.timedelta(days=days))
        )


class Broker:
    """Mosquitto with a mutual-TLS listener for devices and a plain one for the hub."""

    def __init__(self, folder: Path, authority: TestAuthority) -> None:
        self.mtls_port, self.plain_port = free_port(), free_port()
        self._process: asyncio.subprocess.Process | None = None
        self._config = folder / "mosquitto.conf"
        tls = authority.folder
        self._config.write_text(
            f"""per_listener_settings true
set_tcp_nodelay true
user root
listener {self.plain_port} 127.0.0.1
allow_anonymous true
listener {self.mtls_port} 127.0.0.1
cafile {tls}/ca.pem
certfile {tls}/server.pem
keyfile {tls}/server.key
require_certificate true
use_identity_as_username true
"""
        )

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            shutil.which("mosquitto") or "/usr/sbin/mosquitto",
            "-c",
            str(self._config),
            stderr=asyncio.subprocess.DEVNULL,
        )
        for port in (self.plain_port, self.mtls_port):
            await listening(port)

    async def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            await self._process.wait()
            self._process = None


async def listening(port: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            await writer.wait_closed()
            return


@dataclass
class Heard:
    """A request as it arrived."""

    operation: str
    key: str | None
    body: bytes
    correlation: bytes
    topic: str
    record: str | None = None


@dataclass
class FakeHub:
    """A hub's door: dedupes by key, and for each request takes the next behaviour of ``script``.

    Behaviours: ``ok`` (the default), ``silent`` (not executed, not answered), ``deaf`` (executed,
    not answered), ``twice`` (answered twice), ``busy``, ``refuse``, ``garbage``.
    """

    port: int
    incarnation: str = "1"
    session: str = "s1"
    safe_seq: int = 0
    seq: int = 0
    script: deque[str] = field(default_factory=deque)
    heard: list[Heard] = field(default_factory=list)
    executed: list[Heard] = field(default_factory=list)
    facts: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    states: list[dict[str, Any]] = field(default_factory=list)
    meta: list[dict[str, Any]] = field(default_factory=list)
    command_replies: list[dict[str, Any]] = field(default_factory=list)
    ack_facts: bool = True
    time_ms: int = 1_767_261_600_000

    def __post_init__(self) -> None:
        self.replies: dict[str, dict[str, Any]] = {}
        self._changed = threading.Event()
        self._ready = threading.Event()
        self._client: Client | None = None

    async def start(self) -> None:
        client = Client(CallbackAPIVersion.VERSION2, "hub", protocol=MQTTProtocolVersion.MQTTv5)
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        client.on_subscribe = lambda *_: self._ready.set()
        client.reconnect_delay_set(1, 1)
        client.will_set(TOPICS.hub_state, self._state("away"), qos=1, retain=True)
        self._client = client
        self._ready.clear()
        await asyncio.to_thread(client.connect, "127.0.0.1", self.port)
        client.loop_start()
        assert await asyncio.to_thread(self._ready.wait, PATIENCE_S)
        self.tell_state()

    async def crash(self) -> None:
        """Go without a word: the broker tells the last will."""
        client, self._client = self._client, None
        if client is not None:
            sock: Any = client.socket()
            client._state = 0  # type: ignore[assignment]
            client.on_disconnect = None
            client._thread_terminate = True
            if sock is not None:
                sock.shutdown(socket.SHUT_RDWR)
            await asyncio.to_thread(client.loop_stop)

    async def stop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.disconnect()
            await asyncio.to_thread(client.loop_stop)

    def tell_state(self, mode: str = "online", *, retain: bool = True) -> None:
        assert self._client is not None
        self._client.publish(TOPICS.hub_state, self._state(mode), qos=1, retain=retain)

    def command(self, device: str, operation: str, command_id: str) -> None:
        assert self._client is not None
        body = {
            "command_id": command_id,
            "device_id": device,
            "operation": operation,
            "data": {"n": 1},
        }
        self._client.publish(TOPICS.command(device, operation), json.dumps(body), qos=1)

    def broadcast(self, name: str, data: dict[str, Any]) -> None:
        assert self._client is not None
        body = {"version": 1, "time_ms": 1, "data": data}
        self._client.publish(TOPICS.broadcast(name), json.dumps(body), qos=1)

    async def until(self, what: Callable[[], bool]) -> None:
        """Wait for something to be true of what was heard."""
        async with asyncio.timeout(PATIENCE_S):
            while not what():
                await asyncio.sleep(0.01)

    def _state(self, mode: str) -> str:
        return json.dumps(
            {
                "mode": mode,
                "session": self.session,
                "incarnation": self.incarnation,
                "epoch": 1,
                "seq": self.seq,
                "safe_seq": self.safe_seq,
                "time_ms": self.time_ms,
            }
        )

    def _on_connect(self, client: Client, *_: Any) -> None:
        client.subscribe(
            [
                (TOPICS.every_request, 1),
                (TOPICS.every_fact, 1),
                (TOPICS.every_state, 1),
                (TOPICS.every_meta, 1),
                (TOPICS.every_command_reply, 1),
            ]
        )

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        topic, payload = message.topic, bytes(message.payload)
        parts = topic.split("/")
        if parts[5] == "state":
            self.states.append(json.loads(payload))
        elif parts[5] == "meta":
            self.meta.append(json.loads(payload))
        elif parts[5] == "cmd-rep":
            self.command_replies.append(json.loads(payload))
        elif parts[5] == "evt":
            self._on_fact(parts[4], parts[6], json.loads(payload))
        elif parts[5] == "req":
            self._on_request(parts[4], message)

    def _on_fact(self, device: str, kind: str, body: dict[str, Any]) -> None:
        self.facts.append((kind, body))
        if self.ack_facts:
            correlation = f"{body['journal_id']}:{body['evt_seq']}"
            reply = {"ok": True, "seq": self.seq, "correlation": correlation}
            self._reply(device, correlation.encode(), reply)

    def _on_request(self, device: str, message: MQTTMessage) -> None:
        properties: Any = message.properties
        assert properties is not None
        pairs = dict(getattr(properties, "UserProperty", []))
        assert properties.MessageExpiryInterval > 0
        operation = message.topic.split("/req/")[1]
        heard = Heard(
            operation,
            pairs.get("idk"),
            bytes(message.payload),
            properties.CorrelationData,
            message.topic,
            pairs.get("record"),
        )
        self.heard.append(heard)
        behaviour = self.script.popleft() if self.script else "ok"
        if behaviour == "silent":
            return
        if behaviour in ("busy", "refuse"):
            code = Code.BUSY if behaviour == "busy" else Code.FORBIDDEN
            wait_ms = 50 if behaviour == "busy" else None
            found = problem(code, "Not now.", retry_after_ms=wait_ms).model_dump(mode="json")
            self._reply(device, heard.correlation, {"ok": False, "problem": found})
            return
        reply = self._execute(heard)
        if behaviour == "garbage":
            self._reply(device, heard.correlation, {"what": "is this"})
        elif behaviour != "deaf":
            for _ in range(2 if behaviour == "twice" else 1):
                self._reply(device, heard.correlation, reply)

    def _execute(self, heard: Heard) -> dict[str, Any]:
        known = self.replies.get(heard.key or "")
        if known is not None:
            return known
        self.executed.append(heard)
        result: dict[str, Any] = {}
        if heard.operation == "sale/commit":
            self.seq += 1
            result = {"sale_id": json.loads(heard.body)["sale_id"], **SALE_DONE}
        elif heard.operation == "catalog/search":
            result = {"hits": [], "more": False}
        reply: dict[str, Any] = {"ok": True, "seq": self.seq, "result": result}
        if heard.key is not None:
            reply["record"] = f"record-of-{heard.key}"
            self.replies[heard.key] = reply
        return reply

    def _reply(self, device: str, correlation: bytes, body: dict[str, Any]) -> None:
        if self._client is None:
            return
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.CorrelationData = correlation
        self._client.publish(TOPICS.reply(device), json.dumps(body), qos=1, properties=properties)


def sale() -> CommitSale:
    return CommitSale(
        sale_id=str(uuid.uuid4()),
        lines=(SaleLine(code="A", qty=1, unit_price_minor=100),),
        total_minor=100,
        tenders=(Tender(kind="cash", amount_minor=100),),
    )


@dataclass
class Bench:
    """Everything together."""

    folder: Path
    authority: TestAuthority
    broker: Broker
    hub: FakeHub

    def device(self, device_id: str = "till-1") -> IdentityStore:
        """The folder of a paired device; the same one for the same name."""
        store = IdentityStore(self.folder / device_id)
        if not store.paired:
            key = request_certificate(store.pending_key()).public_key()
            store.save(
                Identity(
                    device_id=device_id,
                    name=device_id,
                    kind="till",
                    store=STORE,
                    auth="mtls",
                    host="127.0.0.1",
                    https_port=1,
                    mqtt_host="127.0.0.1",
                    mqtt_port=self.broker.mtls_port,
                    ca_fingerprint=self.authority.fingerprint,
                ),
                ca=pem(self.authority.certificate),
                certificate=pem(self.authority.issue(key, device_id)),
            )
        return store

    def client(self, device_id: str = "till-1") -> HubClient:
        return HubClient(self.device(device_id), DeviceMeta(kind="till", model="bench"))
