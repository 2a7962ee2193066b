"""The generations of the hub's certificate authority as files.

``ca-<n>.key`` is the private key, ``ca-<n>.crt`` the self-signed certificate and, from the second
generation on, ``ca-<n>.cross.crt`` the same name and key signed by the generation before, so that a
device which knows only an older generation can still check the hub.  ``ca-<n>.crt`` is written
last: a generation exists when that file does.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hub.security.certificates import YEAR_MS, build_authority, common_name, pem, sane_ms, to_ms
from hub.security.errors import AuthorityDamaged, TooManyGenerations
from hub.security.files import PUBLIC_MODE, SECRET_MODE, write_atomic

LIFE_MS = 20 * YEAR_MS
# Bounds what devices and brokers must load; planned rollovers are 17 years apart.
GENERATIONS_MAX = 8

_RESTORE = "Restore the directory from a backup, or remove it to begin anew and pair every device."


@dataclass(frozen=True, slots=True)
class Generation:
    """One key of the authority; ``cross`` is its certificate by the generation before."""

    number: int
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    cross: x509.Certificate | None

    @property
    def not_after_ms(self) -> int:
        return to_ms(self.certificate.not_valid_after_utc)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate's DER, 64 lower-case hexadecimal digits."""
        der = self.certificate.public_bytes(serialization.Encoding.DER)
        return hashlib.sha256(der).hexdigest()


def load_generations(directory: Path, passphrase: bytes | None) -> tuple[Generation, ...]:
    """Every generation, oldest first; raises ``AuthorityDamaged``."""
    numbers = sorted(
        int(found.group(1))
        for path in directory.iterdir()
        if (found := re.fullmatch(r"ca-([1-9][0-9]{0,3})\.crt", path.name))
    )
    return tuple(_load(directory, number, passphrase) for number in numbers)


def create_generation(
    directory: Path,
    store_name: str,
    before: tuple[Generation, ...],
    now_ms: int,
    passphrase: bytes | None,
) -> Generation:
    """Make and keep the generation after those in ``before``; raises ``TooManyGenerations``."""
    if len(before) >= GENERATIONS_MAX:
        raise TooManyGenerations(
            f"The authority already has {GENERATIONS_MAX} generations. Begin a new authority "
            "(remove the tls directory of the hub's state) and pair every device again."
        )
    previous = before[-1] if before else None
    number = previous.number + 1 if previous else 1
    key = ec.generate_private_key(ec.SECP256R1())
    # The number keeps the names of two generations apart: OpenSSL finds issuers and lists by name.
    subject = common_name(f"{store_name[:40]} Store Hub CA {number}")
    not_after_ms = sane_ms(now_ms) + LIFE_MS
    certificate = build_authority(
        subject=subject,
        public_key=key.public_key(),
        issuer=subject,
        issuer_key=key,
        not_after_ms=not_after_ms,
    )
    cross = None
    if previous:
        cross = build_authority(
            subject=subject,
            public_key=key.public_key(),
            issuer=previous.certificate.subject,
            issuer_key=previous.key,
            not_after_ms=min(not_after_ms, previous.not_after_ms),
        )
    _save(directory, Generation(number, certificate, key, cross), passphrase)
    return Generation(number, certificate, key, cross)


def key_pem(key: ec.EllipticCurvePrivateKey, passphrase: bytes | None = None) -> bytes:
    """PKCS #8, encrypted if there is a passphrase."""
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )


def load_key(path: Path, passphrase: bytes | None = None) -> ec.EllipticCurvePrivateKey:
    """Raises ``ValueError``, ``TypeError`` or ``OSError``."""
    key = serialization.load_pem_private_key(path.read_bytes(), passphrase)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{path.name} is not an EC key")  # noqa: TRY004
    return key


def _save(directory: Path, made: Generation, passphrase: bytes | None) -> None:
    stem = f"ca-{made.number}"
    write_atomic(directory / f"{stem}.key", key_pem(made.key, passphrase), SECRET_MODE)
    if made.cross:
        write_atomic(directory / f"{stem}.cross.crt", pem(made.cross), PUBLIC_MODE)
    write_atomic(directory / f"{stem}.crt", pem(made.certificate), PUBLIC_MODE)


def _load(directory: Path, number: int, passphrase: bytes | None) -> Generation:
    try:
        certificate = _load_certificate(directory / f"ca-{number}.crt")
        key = load_key(directory / f"ca-{number}.key", passphrase)
        cross_path = directory / f"ca-{number}.cross.crt"
        cross = _load_certificate(cross_path) if cross_path.is_file() else None
    except (OSError, ValueError, TypeError) as error:
        raise AuthorityDamaged(
            f"Generation {number} of the hub's certificate authority cannot be read ({error}). "
            f"Is the key's passphrase the right one? {_RESTORE}"
        ) from error
    for one in (certificate, cross):
        if one is not None and one.public_key() != key.public_key():
            raise AuthorityDamaged(
                f"Certificate and key of generation {number} of the hub's certificate authority "
                f"don't belong together. {_RESTORE}"
            )
    return Generation(number, certificate, key, cross)


def _load_certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())
