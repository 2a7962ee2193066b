"""Renewing a device certificate by proof of its key.

A till that lay in a drawer for months has a certificate that the broker no longer accepts.  Over
HTTPS it asks for a nonce, makes a new request, and signs ``proof_message(nonce, request)`` with its
old key.  It gets a new certificate for the same name up to twelve months after the old one expired;
later, or once revoked, it pairs again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import threading
from collections.abc import Callable
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hub.clock import Clock, Randomness
from hub.security.authority import Authority, is_device_id, issued_by
from hub.security.certificates import YEAR_MS, to_ms
from hub.security.errors import (
    CertificateForeign,
    CertificateRevoked,
    CertificateTooOld,
    CertificateUnreadable,
    NonceRefused,
    ProofWrong,
    RenewalBusy,
    WeakKey,
)
from hub.security.requests import (
    UNREADABLE,
    accept_key,
    read_request,
    signature_fits,
    to_bytes,
)

CONTEXT = b"store-hub certificate renewal v1\x00"
WINDOW_MS = YEAR_MS
NONCE_LIFE_S = 300.0
NONCES_USED_MAX = 4096

_PAIR = "Pair the device again (open pairing on the hub's status page)."
_AGAIN = "Ask for a new nonce and sign again within five minutes."


def proof_message(nonce: str, csr_der: bytes) -> bytes:
    """The bytes that a device signs with its old key (see ``requests.signature_fits``)."""
    return CONTEXT + nonce.encode("ascii") + csr_der


class Nonces:
    """Nonces for one run of the hub, each good for one renewal within five minutes.

    A nonce carries its own proof of origin, so issuing any number of them costs no memory; only
    those that ended in a renewal are remembered, until they would be too old anyway.
    """

    def __init__(self, clock: Clock, randomness: Randomness) -> None:
        self._clock = clock
        self._randomness = randomness
        self._key = randomness.token_bytes(32)
        self._used: dict[bytes, float] = {}
        self._lock = threading.Lock()

    def issue(self) -> str:
        """64 characters of URL-safe base64."""
        stamp = int(self._clock.monotonic_s() * 1000).to_bytes(8, "big")
        body = stamp + self._randomness.token_bytes(16)
        return base64.urlsafe_b64encode(body + self._seal(body)).decode()

    def check(self, nonce: str) -> None:
        """Raise ``NonceRefused`` unless ``nonce`` is ours, young and unused."""
        self._body(nonce)

    def use(self, nonce: str) -> None:
        """Check once more and spend it; raises ``NonceRefused`` or ``RenewalBusy``."""
        with self._lock:
            body = self._body(nonce)
            now_s = self._clock.monotonic_s()
            self._used = {one: ends for one, ends in self._used.items() if ends > now_s}
            if len(self._used) >= NONCES_USED_MAX:
                raise RenewalBusy("Too many renewals in five minutes. Try again in a minute.")
            self._used[body] = self._issued_s(body) + NONCE_LIFE_S + 1

    def _body(self, nonce: str) -> bytes:
        try:
            raw = base64.b64decode(nonce.encode("ascii"), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            raw = b""
        body, seal = raw[:24], raw[24:]
        if len(raw) != 48 or not hmac.compare_digest(seal, self._seal(body)):
            raise NonceRefused(f"The nonce was not issued by this hub since its start. {_AGAIN}")
        if self._clock.monotonic_s() - self._issued_s(body) > NONCE_LIFE_S:
            raise NonceRefused(f"The nonce is older than five minutes. {_AGAIN}")
        if body in self._used:
            raise NonceRefused(f"The nonce was used before. {_AGAIN}")
        return body

    def _seal(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, hashlib.sha256)[:24]

    @staticmethod
    def _issued_s(body: bytes) -> float:
        return int.from_bytes(body[:8], "big") / 1000


@dataclass(frozen=True, slots=True)
class RenewalAsked:
    """What the device posts: PEM, PEM, the nonce as issued, and the signature's bytes."""

    old_certificate_pem: str
    csr_pem: str
    nonce: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class RenewalGranted:
    """Whose certificate may be issued anew, and which one it replaces."""

    device_id: str
    old_serial: int


def check_renewal(
    asked: RenewalAsked,
    *,
    authority: Authority,
    nonces: Nonces,
    is_revoked: Callable[[int], bool],
    now_ms: int,
) -> RenewalGranted:
    """Decide whether the sender is the device that the old certificate names.

    ``is_revoked`` gets a serial number; it should also say yes to certificates that were replaced
    (renewed) before.  Afterwards the caller issues the certificate (``Authority.issue_device`` with
    the same request) and records the old serial number as superseded.  Raises a ``RenewalRefused``
    or a ``RequestRefused``; nothing about a certificate is told before its key was proven.
    """
    nonces.check(asked.nonce)
    request = read_request(asked.csr_pem)
    old = _read_certificate(asked.old_certificate_pem)
    device_id = _device_of(old, authority)
    try:
        old_key = accept_key(old.public_key())
    except WeakKey as error:
        raise CertificateForeign(f"The old certificate's key is too weak. {_PAIR}") from error
    if not signature_fits(old_key, asked.signature, proof_message(asked.nonce, request.der)):
        raise ProofWrong(
            "The signature does not fit the old certificate, the nonce and the request. Sign "
            "context, nonce and request (DER) with the old private key and SHA-256. " + _AGAIN
        )
    if now_ms - to_ms(old.not_valid_after_utc) > WINDOW_MS:
        raise CertificateTooOld(f"The certificate expired more than twelve months ago. {_PAIR}")
    if is_revoked(old.serial_number):
        raise CertificateRevoked(f"The certificate was revoked or replaced. {_PAIR}")
    nonces.use(asked.nonce)
    return RenewalGranted(device_id, old.serial_number)


def _read_certificate(pem: str) -> x509.Certificate:
    raw = to_bytes(pem)
    try:
        if raw is None:
            raise ValueError("too long")
        return x509.load_pem_x509_certificate(raw)
    except UNREADABLE as error:
        raise CertificateUnreadable(
            "The old certificate cannot be read. Send one certificate as PEM, at most 16 KiB."
        ) from error


def _device_of(old: x509.Certificate, authority: Authority) -> str:
    """The device id in a client certificate of ours; raises ``CertificateForeign``."""
    foreign = CertificateForeign(
        f"The old certificate is not a device certificate issued by this hub. {_PAIR}"
    )
    if not any(issued_by(old, generation) for generation in authority.generations):
        raise foreign
    try:
        usage = old.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        basic = old.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (x509.ExtensionNotFound, ValueError) as error:
        raise foreign from error
    names = old.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    device_id = names[0].value if len(names) == 1 else ""
    if (
        basic.ca
        or ExtendedKeyUsageOID.CLIENT_AUTH not in usage
        or not isinstance(device_id, str)
        or not is_device_id(device_id)
    ):
        raise foreign
    return device_id
