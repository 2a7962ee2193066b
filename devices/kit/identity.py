"""Who this device is: its key, certificate, the hub's CAs and where the hub is, in one folder.

====================  ======  ==================================================================
``device.pem``        0600    private key and certificate together, so that one rename swaps both
``ca.pem``            0644    the hub's CAs
``pairing.json``      0600    the rest; written last: its presence means "paired"
``pending.pem``       0600    the key of a pairing or renewal under way, so that a lost answer can
                              be asked for again with the same key
====================  ======  ==================================================================

The key is made here and never leaves the folder.
"""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from devices.kit.errors import IdentityDamaged, NotPaired

_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm)
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Everything a device needs to reach its hub; ``password`` only where certificates can't be.

    ``certificate_until_ms`` and ``certificate_since_ms`` bound the life in which the certificate is
    renewed; the certificate's own beginning says nothing (it lies years back on purpose).
    """

    device_id: str
    name: str
    kind: str
    store: str
    auth: Literal["mtls", "password"]
    host: str
    https_port: int
    mqtt_host: str
    mqtt_port: int
    ca_fingerprint: str
    username: str | None = None
    password: str | None = None
    certificate_since_ms: int = 0
    certificate_until_ms: int | None = None

    def renewal_due(self, now_ms: int) -> bool:
        """Whether less than a third of the certificate's life is left."""
        if self.certificate_until_ms is None:
            return False
        life_ms = max(self.certificate_until_ms - self.certificate_since_ms, 3 * _DAY_MS)
        return self.certificate_until_ms - now_ms < min(life_ms, 397 * _DAY_MS) / 3


class IdentityStore:
    """The folder of one device; created with mode 0700."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pem_path = folder / "device.pem"
        self.ca_path = folder / "ca.pem"
        self._info_path = folder / "pairing.json"
        self._pending_path = folder / "pending.pem"

    @property
    def paired(self) -> bool:
        return self._info_path.exists()

    def load(self) -> Identity:
        """Raises NotPaired, or IdentityDamaged when files are missing or don't fit together."""
        try:
            raw = json.loads(self._info_path.read_bytes())
            identity = Identity(**_known(raw))
            _check_types(identity)
        except FileNotFoundError as error:
            raise NotPaired(f"{self.folder} holds no pairing: pair this device first") from error
        except (OSError, ValueError, TypeError) as error:
            raise self._damaged(self._info_path, error) from error
        try:
            self.ca_path.stat()
            if identity.auth == "mtls":
                self._check_pair(identity)
        except (OSError, *_UNREADABLE) as error:
            raise self._damaged(self.pem_path, error) from error
        return identity

    def save(
        self, identity: Identity, *, ca: str, certificate: str | None, spent: bool = True
    ) -> None:
        """Write a pairing or a renewal; with ``certificate`` (PEM) the pending key is taken over.

        Each file is replaced whole; the old identity works until the last one is.
        """
        self._make_folder()
        if certificate is not None:
            key = self.pending_key()
            _check_fits(key, certificate)
            _replace(self.pem_path, _key_pem(key) + certificate.encode(), 0o600)
        _replace(self.ca_path, ca.encode(), 0o644)
        info = json.dumps(asdict(identity), indent=1, sort_keys=True)
        _replace(self._info_path, info.encode(), 0o600)
        if spent:
            self._pending_path.unlink(missing_ok=True)

    def pending_key(self) -> ec.EllipticCurvePrivateKey:
        """The key for the next certificate: made once, kept until :meth:`save`."""
        try:
            return _ec_key(self._pending_path.read_bytes())
        except FileNotFoundError:
            pass
        except _UNREADABLE:
            self._pending_path.unlink()  # nobody was told its public half
        self._make_folder()
        key = ec.generate_private_key(ec.SECP256R1())
        _replace(self._pending_path, _key_pem(key), 0o600)
        return key

    def current(self) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        """The key and certificate in use; raises IdentityDamaged."""
        try:
            raw = self.pem_path.read_bytes()
            return _ec_key(raw), x509.load_pem_x509_certificate(raw)
        except (OSError, *_UNREADABLE) as error:
            raise self._damaged(self.pem_path, error) from error

    def tls_context(self, *, with_certificate: bool) -> ssl.SSLContext:
        """Trusts the hub's own CAs and nobody else.

        The name in the certificate is not compared: this CA signs servers for one hub only, whose
        address may change; its device certificates are refused as servers by their key usage.
        """
        context = trust_only(self.ca_path.read_text())
        if with_certificate:
            context.load_cert_chain(self.pem_path)
        return context

    def _check_pair(self, identity: Identity) -> None:
        key, certificate = self.current()
        if key.public_key() != certificate.public_key():
            raise ValueError("the certificate belongs to another key")
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        if [name.value for name in names] != [identity.device_id]:
            raise ValueError("the certificate names another device")

    def _make_folder(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _damaged(self, path: Path, error: Exception) -> IdentityDamaged:
        return IdentityDamaged(f"{path}: {error}; pair this device again")


def trust_only(ca: str) -> ssl.SSLContext:
    """A client context whose only authorities are the PEM certificates in ``ca``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=ca)
    return context


def request_certificate(key: ec.EllipticCurvePrivateKey) -> x509.CertificateSigningRequest:
    """A certificate request (PKCS #10); the hub decides the name, so the subject is a word."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "device")])
    return x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())


def _known(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Only the fields this version knows: a folder written by a newer one stays readable."""
    return {name: raw[name] for name in Identity.__dataclass_fields__ if name in raw}


def _check_types(identity: Identity) -> None:
    """A damaged file is found here, not days later when a field is used; raises TypeError."""
    for name, wanted in get_type_hints(Identity).items():
        kinds = (str,) if get_origin(wanted) is Literal else get_args(wanted) or (wanted,)
        if type(getattr(identity, name)) not in kinds:
            raise TypeError(f"{name} is no {' or '.join(kind.__name__ for kind in kinds)}")


def _check_fits(key: ec.EllipticCurvePrivateKey, certificate: str) -> None:
    if x509.load_pem_x509_certificate(certificate.encode()).public_key() != key.public_key():
        raise IdentityDamaged("the hub sent a certificate for another key: pair this device again")


def _ec_key(raw: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(raw, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"a key of the kind {type(key).__name__} is not an EC key")
    return key


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _replace(path: Path, content: bytes, mode: int) -> None:
    """Write beside, fsync, rename, fsync the folder: after a power cut it is the old or the new."""
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
