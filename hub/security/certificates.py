"""How the hub's certificates and revocation lists look (RFC 5280); no files, no clock.

Validity begins at ``DAWN_MS`` for everything that the hub itself checks (its authority, device
certificates, revocation lists): a box that wakes with an empty clock battery must not lock out the
whole shop because a certificate "is not valid yet".  Only server certificates begin near the
present, because clients refuse a server certificate that is valid for longer than 397 days.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hub.security.errors import BadServerName

DAY_MS = 86_400_000
YEAR_MS = 365 * DAY_MS + DAY_MS // 4
DAWN_MS = 946_684_800_000  # 2000-01-01
FLOOR_MS = 1_735_689_600_000  # 2025-01-01: no honest clock shows less
CEILING_MS = 32_503_680_000_000  # 3000-01-01: keeps every date within what ASN.1 can say

ServerAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class RevocationReason(StrEnum):
    """Why a certificate was revoked, in the words of RFC 5280, 5.3.1."""

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "keyCompromise"
    SUPERSEDED = "superseded"
    CESSATION_OF_OPERATION = "cessationOfOperation"
    PRIVILEGE_WITHDRAWN = "privilegeWithdrawn"


@dataclass(frozen=True, slots=True)
class Revoked:
    """One revoked certificate, whichever generation of the authority issued it."""

    serial: int
    at_ms: int
    reason: RevocationReason = RevocationReason.UNSPECIFIED


def sane_ms(now_ms: int) -> int:
    """``now_ms`` pulled into the years in which this program can run."""
    return min(max(now_ms, FLOOR_MS), CEILING_MS)


def to_time(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms // 1000, UTC)


def to_ms(at: datetime) -> int:
    return (at - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)


def common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def build_authority(
    *,
    subject: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    not_after_ms: int,
) -> x509.Certificate:
    """A CA certificate: self-signed if ``issuer_key`` fits ``public_key``, else a cross one."""
    builder = _begin(subject, issuer, public_key, issuer_key, (DAWN_MS, not_after_ms))
    usage = _key_usage(signs_certificates=True)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
    return builder.add_extension(usage, True).sign(issuer_key, hashes.SHA256())


def build_leaf(
    *,
    subject: x509.Name,
    public_key: CertificatePublicKeyTypes,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    validity_ms: tuple[int, int],
    names: Iterable[x509.GeneralName] = (),
) -> x509.Certificate:
    """A server certificate when it has ``names``, a device (client) certificate when not."""
    san = list(names)
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if san else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = _begin(subject, issuer, public_key, issuer_key, validity_ms)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
    builder = builder.add_extension(_key_usage(signs_certificates=False), True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), False)
    if san:
        builder = builder.add_extension(x509.SubjectAlternativeName(san), False)
    return builder.sign(issuer_key, hashes.SHA256())


def build_crl(
    *,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    number: int,
    next_update_ms: int,
    revoked: Sequence[Revoked],
) -> x509.CertificateRevocationList:
    """A list dated ``number`` seconds after ``DAWN_MS``, so later lists have later dates."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer)
        .last_update(to_time(DAWN_MS + 1000 * number))
        .next_update(to_time(next_update_ms))
        .add_extension(_authority_id(issuer_key), False)
        .add_extension(x509.CRLNumber(number), False)
    )
    for entry in {one.serial: one for one in revoked}.values():
        at_ms = min(max(entry.at_ms, DAWN_MS), CEILING_MS)
        row = x509.RevokedCertificateBuilder(entry.serial, to_time(at_ms))
        if entry.reason is not RevocationReason.UNSPECIFIED:  # RFC 5280: then leave it out
            row = row.add_extension(x509.CRLReason(x509.ReasonFlags(entry.reason.value)), False)
        builder = builder.add_revoked_certificate(row.build())
    return builder.sign(issuer_key, hashes.SHA256())


def server_names(
    hostnames: Iterable[str], addresses: Iterable[str]
) -> tuple[tuple[str, ...], tuple[ServerAddress, ...]]:
    """Host names lower-case and in ASCII (IDNA), addresses parsed; each sorted and unique.

    Raises ``BadServerName``.
    """
    hosts = {_host(name) for name in hostnames}
    parsed = {_address(text) for text in addresses}
    return tuple(sorted(hosts)), tuple(sorted(parsed, key=lambda one: (one.version, int(one))))


def alternative_names(certificate: x509.Certificate) -> set[x509.GeneralName]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return set()
    return set(extension.value)


def _host(name: str) -> str:
    try:
        text = name.strip().rstrip(".").encode("idna").decode("ascii").lower()
        labels = text.split(".")
        if len(text) > 253 or not all(_is_label(label) for label in labels):
            raise ValueError(text)
    except ValueError as error:
        raise BadServerName(
            f"{name[:80]!r} cannot be a host name in a certificate. Use letters, digits and "
            "dashes (at most 63 between dots); change the hub's name or the configured names."
        ) from error
    return text


def _is_label(label: str) -> bool:
    return 0 < len(label) <= 63 and label.replace("-", "").replace("_", "").isalnum()


def _address(text: str) -> ServerAddress:
    try:
        return ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError as error:
        raise BadServerName(
            f"{text[:80]!r} is not an IP address. Give host names and addresses apart."
        ) from error


def _begin(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: CertificatePublicKeyTypes,
    issuer_key: ec.EllipticCurvePrivateKey,
    validity_ms: tuple[int, int],
) -> x509.CertificateBuilder:
    not_before_ms, not_after_ms = validity_ms
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(to_time(not_before_ms))
        .not_valid_after(to_time(not_after_ms))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), False)
        .add_extension(_authority_id(issuer_key), False)
    )


def _authority_id(issuer_key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
