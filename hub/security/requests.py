"""Certificate requests (PKCS #10, RFC 2986) from devices: read, doubted, reduced to a key.

Of a request only the public key is kept.  Its subject and extensions are ignored: the hub decides
what a device is called.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from hub.security.errors import (
    RequestSignatureWrong,
    RequestTooLarge,
    RequestUnreadable,
    WeakKey,
)

PEM_BYTES_MAX = 16 * 1024
RSA_BITS_MIN = 2048
RSA_BITS_MAX = 8192
CURVES = ("secp256r1", "secp384r1", "secp521r1")

DevicePublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey

_HOW = "Make a new key with EC P-256 (or Ed25519, or RSA with 2048 to 8192 bits) and send again."

# What cryptography raises, by input, for bytes that are no good.
UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """A request that proved possession of an acceptable key."""

    public_key: DevicePublicKey
    der: bytes


def read_request(pem: str | bytes) -> DeviceRequest:
    """Check a request and return its key.

    Raises ``RequestTooLarge``, ``RequestUnreadable``, ``WeakKey`` or ``RequestSignatureWrong``.
    """
    raw = to_bytes(pem)
    if raw is None or len(raw) > PEM_BYTES_MAX:
        raise RequestTooLarge(
            f"The certificate request is larger than {PEM_BYTES_MAX} bytes. "
            "Send one PEM block made by your TLS library, without anything else."
        )
    try:
        request = x509.load_pem_x509_csr(raw)
        der = request.public_bytes(serialization.Encoding.DER)
        key = request.public_key()
    except UNREADABLE as error:
        raise RequestUnreadable(
            "The certificate request cannot be read. Send PKCS #10 as PEM, beginning with "
            "'-----BEGIN CERTIFICATE REQUEST-----'."
        ) from error
    public_key = accept_key(key)
    if not _proves_possession(request, public_key):
        raise RequestSignatureWrong(
            "The certificate request is not signed by its own key with SHA-256 or better. "
            "Make the request again with the private key that the device keeps."
        )
    return DeviceRequest(public_key, der)


def to_bytes(pem: str | bytes) -> bytes | None:
    """PEM text as bytes; None if it is far too long to be worth encoding."""
    if len(pem) > PEM_BYTES_MAX:
        return None
    return pem.encode("utf-8", "replace") if isinstance(pem, str) else pem


def accept_key(key: object) -> DevicePublicKey:
    """Return ``key`` if it is of a kind and strength the hub accepts, else raise ``WeakKey``."""
    match key:
        case ec.EllipticCurvePublicKey() if key.curve.name in CURVES:
            return key
        case ed25519.Ed25519PublicKey():
            return key
        case rsa.RSAPublicKey() if RSA_BITS_MIN <= key.key_size <= RSA_BITS_MAX:
            return key
        case rsa.RSAPublicKey():
            raise WeakKey(f"An RSA key of {key.key_size} bits is not accepted. {_HOW}")
        case ec.EllipticCurvePublicKey():
            raise WeakKey(f"The curve {key.curve.name} is not accepted. {_HOW}")
        case _:
            raise WeakKey(f"A key of the kind {type(key).__name__} is not accepted. {_HOW}")


def signature_fits(key: DevicePublicKey, signature: bytes, message: bytes) -> bool:
    """Whether ``signature`` over ``message`` was made by ``key``.

    EC keys sign with ECDSA over SHA-256 (DER), RSA keys with PKCS #1 v1.5 over SHA-256 (what
    ``openssl dgst -sha256 -sign`` writes), Ed25519 keys as RFC 8032 says.
    """
    try:
        match key:
            case ec.EllipticCurvePublicKey():
                key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
            case ed25519.Ed25519PublicKey():
                key.verify(signature, message)
            case rsa.RSAPublicKey():
                key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
            case _:
                assert_never(key)
    except (InvalidSignature, ValueError):
        return False
    return True


def _proves_possession(request: x509.CertificateSigningRequest, key: DevicePublicKey) -> bool:
    try:
        algorithm = request.signature_hash_algorithm
        if not isinstance(key, ed25519.Ed25519PublicKey) and not isinstance(
            algorithm, hashes.SHA256 | hashes.SHA384 | hashes.SHA512
        ):
            return False
        return request.is_signature_valid
    except UNREADABLE:
        return False
