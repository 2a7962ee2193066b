"""A simulated terminal's certificate, its root, and the key that it shares: made at first use."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hub.clock import Clock, Randomness

KEY_ID: Final = "simulated"
DAYS: Final = 3650
SECRET_MODE: Final = 0o600


def certificate_name(poi_id: str) -> str:
    """The name in the terminal's certificate, as Adyen's have one."""
    return f"{poi_id}.test.terminal.invalid"


def make(folder: Path, poi_id: str, clock: Clock, randomness: Randomness) -> None:
    """``root.pem``, ``terminal.pem`` (chain and key) and ``keys`` in the folder, unless they are
    there.  Blocks."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "terminal.pem").exists():
        _certify(folder, poi_id, datetime.fromtimestamp(clock.wall_ms() / 1000, UTC))
    if not (folder / "keys").exists():
        write_keys(folder / "keys", [(KEY_ID, 1, randomness.token_bytes(16).hex())])


def write_keys(path: Path, keys: list[tuple[str, int, str]]) -> None:
    """The file of keys: id, version and passphrase; replaced at once."""
    text = "".join(f"{name} {version} {phrase}\n" for name, version, phrase in keys)
    new = path.with_suffix(".new")
    new.touch(SECRET_MODE)
    new.write_text(text)
    new.replace(path)


def serving(folder: Path) -> ssl.SSLContext:
    """For the terminal's side.  Blocks."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(folder / "terminal.pem")
    return context


def _certify(folder: Path, poi_id: str, now: datetime) -> None:
    root_key, own_key = (
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP256R1()),
    )
    root_name = _named("Simulated terminals' root")
    begins, ends = now - timedelta(days=1), now + timedelta(days=DAYS)
    root = (
        x509.CertificateBuilder()
        .subject_name(root_name)
        .issuer_name(root_name)
        .public_key(root_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    names = [
        x509.DNSName(certificate_name(poi_id)),
        x509.DNSName("localhost"),
        x509.IPAddress(ip_address("127.0.0.1")),
    ]
    own = (
        x509.CertificateBuilder()
        .subject_name(_named(certificate_name(poi_id)))
        .issuer_name(root_name)
        .public_key(own_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = own_key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "root.pem").write_bytes(root.public_bytes(pem))
    new = folder / "terminal.new"
    new.touch(SECRET_MODE)
    new.write_bytes(own.public_bytes(pem) + secret)
    new.replace(folder / "terminal.pem")


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])
