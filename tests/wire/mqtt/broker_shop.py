"""A small shop for the broker's tests: real certificates, real broker, peers that are not ours."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
import tempfile
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hub.clock import SystemClock, SystemRandomness
from hub.mqtt.config import BrokerPlan, TlsFiles, find_broker
from hub.mqtt.dynsec import HUB_USERNAME, DeviceAccess, HubAccess, build_document
from hub.mqtt.dynsec_control import RESPONSE_TOPIC, DynsecControl
from hub.mqtt.endpoint import LastWill, SessionConfig, Subscription, UnixEndpoint
from hub.mqtt.frames import InboundProperties
from hub.mqtt.session import HubSession
from hub.mqtt.supervisor import BrokerStatus, BrokerSupervisor
from hub.mqtt.topics import Topics
from hub.security.passwords import hash_password
from scripts.rig import free_port
from tests.wire.mqtt.broker_peer import WAIT_S, Peer, peer

HUB_PASSWORD = "hub-secret"
CLOCK = SystemClock()
RANDOM = SystemRandomness()
TOPICS = Topics("s1")


class Authority:
    """A certificate authority with one server certificate, in one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test shop CA")])
        self.revoked: list[int] = []
        self.crl_number = 0
        now = dt.datetime.now(dt.UTC)
        self.certificate = (
            self._builder(self.name, self.key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_usage(ca=True), critical=True)
            .sign(self.key, hashes.SHA256())
        )
        self.files = TlsFiles(
            directory / "ca.pem",
            directory / "hub.pem",
            directory / "hub.key",
            directory / "crl.pem",
        )
        self.files.ca.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        self.crl_updated = now - dt.timedelta(hours=1)
        self.issue_server()
        self.issue_crl()

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> Any:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=30))
        )

    def issue_server(self) -> int:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "store-hub")])
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        certificate = (
            self._builder(subject, key)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        self._write(certificate, key, self.files.certificate, self.files.key)
        return int(certificate.serial_number)

    def issue_device(self, name: str) -> tuple[Path, Path, int]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            self._builder(subject, key)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        stem = name.replace("$", "_")
        cert_file, key_file = self.directory / f"{stem}.pem", self.directory / f"{stem}.key"
        self._write(certificate, key, cert_file, key_file)
        return cert_file, key_file, int(certificate.serial_number)

    def _write(self, certificate: Any, key: Any, cert_file: Path, key_file: Path) -> None:
        cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )

    def issue_crl(self, updated: dt.datetime | None = None) -> None:
        """``updated`` may repeat: two lists of one second must not hide a revocation."""
        self.crl_updated = updated or self.crl_updated + dt.timedelta(seconds=1)
        self.crl_number += 1
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.name)
            .last_update(self.crl_updated)
            .next_update(self.crl_updated + dt.timedelta(days=30))
            .add_extension(x509.CRLNumber(self.crl_number), critical=False)
        )
        for serial in self.revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(serial)
                .revocation_date(self.crl_updated)
                .build()
            )
        crl = builder.sign(self.key, hashes.SHA256())
        self.files.crl.write_bytes(crl.public_bytes(serialization.Encoding.PEM))

    def client_context(self, device: tuple[Path, Path, int] | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.files.ca))
        if device is not None:
            context.load_cert_chain(device[0], device[1])
        return context


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=ca, crl_sign=ca,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


@dataclass
class Shop:
    """A running broker with its hub session."""

    plan: BrokerPlan
    authority: Authority
    devices: list[DeviceAccess]
    passwords: dict[str, str]
    states: list[BrokerStatus] = field(default_factory=list)
    inbox: asyncio.Queue[tuple[str, bytes, InboundProperties]] = field(
        default_factory=asyncio.Queue
    )
    downs: list[str] = field(default_factory=list)
    supervisor: BrokerSupervisor = field(init=False, repr=False)
    session: HubSession = field(init=False, repr=False)
    control: DynsecControl = field(init=False, repr=False)

    def accounts(self) -> str:
        return build_document(
            TOPICS, HubAccess(str(hash_password(HUB_PASSWORD, RANDOM))), self.devices
        )

    def add(self, device_id: str, password: str | None = None) -> DeviceAccess:
        access = device_access(device_id, password)
        if password is not None:
            self.passwords[device_id] = password
        self.devices.append(access)
        return access

    def password_peer(self, device_id: str, **more: Any) -> AbstractAsyncContextManager[Peer]:
        given = {"username": device_id, "password": self.passwords.get(device_id), **more}
        port = self.plan.password_port
        assert port is not None
        return peer("127.0.0.1", port, tls=self.authority.client_context(), **given)

    def mtls_peer(
        self, certificate: tuple[Path, Path, int], **more: Any
    ) -> AbstractAsyncContextManager[Peer]:
        port = self.plan.mtls_port
        assert port is not None
        return peer("127.0.0.1", port, tls=self.authority.client_context(certificate), **more)

    async def next(self) -> tuple[str, bytes, InboundProperties]:
        async with asyncio.timeout(WAIT_S):
            return await self.inbox.get()

    async def start(self) -> None:
        self.supervisor = make_supervisor(self)
        self.supervisor.start()
        async with asyncio.timeout(WAIT_S):
            await self.supervisor.wait_running()

    async def connect(self, **more: Any) -> None:
        config = session_config(self.plan, **more)
        self.session = HubSession(
            config,
            RANDOM,
            lambda *message: self.inbox.put_nowait(message),
            on_down=self.downs.append,
        )
        self.control = DynsecControl(TOPICS, self.session)
        self.session.route(RESPONSE_TOPIC, self.control.handle_response)
        self.session.start()
        async with asyncio.timeout(WAIT_S):
            await self.session.wait_up()

    async def stop(self) -> None:
        if hasattr(self, "session"):
            await self.session.stop()
        if hasattr(self, "supervisor"):
            await self.supervisor.stop()


def session_config(plan: BrokerPlan, **more: Any) -> SessionConfig:
    given: dict[str, Any] = {
        "endpoint": UnixEndpoint(plan.hub_socket),
        "client_id": HUB_USERNAME,
        "username": HUB_USERNAME,
        "password": HUB_PASSWORD,
        "will": LastWill(TOPICS.hub_state, b'{"mode":"away"}'),
        "subscriptions": (
            Subscription(TOPICS.every_request, stored=False),
            Subscription(TOPICS.every_fact, stored=False),
            Subscription(TOPICS.every_state),
            Subscription(TOPICS.every_meta),
            Subscription(TOPICS.every_command_reply, stored=False),
            Subscription(RESPONSE_TOPIC),
        ),
    }
    return SessionConfig(**{**given, **more})


def make_supervisor(shop: Shop) -> BrokerSupervisor:
    return BrokerSupervisor(
        shop.plan,
        find_broker(),
        accounts=shop.accounts,
        clock=CLOCK,
        randomness=RANDOM,
        on_status=shop.states.append,
    )


def device_access(device_id: str, password: str | None = None) -> DeviceAccess:
    if password is None:
        return DeviceAccess(device_id, "mtls")
    return DeviceAccess(device_id, "password", str(hash_password(password, RANDOM)))


def make_shop(directory: Path, devices: Iterable[tuple[str, str | None]] = ()) -> Shop:
    """Not started yet.  The sockets live in a directory of their own with a short name."""
    authority = Authority(directory)
    plan = BrokerPlan(
        run_dir=Path(tempfile.mkdtemp(prefix="shop")),
        state_dir=directory / "mqtt state",
        tls=authority.files,
        password_port=free_port(RANDOM),
        mtls_port=free_port(RANDOM),
        bind="127.0.0.1",
    )
    shop = Shop(plan, authority, [], {})
    for device_id, password in devices:
        shop.add(device_id, password)
    return shop
