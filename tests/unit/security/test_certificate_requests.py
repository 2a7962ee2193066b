"""What devices may send as a certificate request, and what hostile ones may not."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from hub.security.authority import Authority
from hub.security.errors import (
    RequestRefused,
    RequestSignatureWrong,
    RequestTooLarge,
    RequestUnreadable,
    WeakKey,
)
from hub.security.requests import PEM_BYTES_MAX, read_request

NOW_MS = 1_780_000_000_000
EDWARDS = (ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey)


def csr(key: object, subject: x509.Name | None = None) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject or x509.Name([]))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
    algorithm = None if isinstance(key, EDWARDS) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(serialization.Encoding.PEM)  # type: ignore[arg-type]


def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.mark.parametrize(
    "key",
    [
        ec_key(),
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP521R1()),
        ed25519.Ed25519PrivateKey.generate(),
        rsa.generate_private_key(65537, 2048),
    ],
    ids=["p256", "p384", "p521", "ed25519", "rsa2048"],
)
def test_good_keys_of_every_kind_are_accepted(tmp_path: Path, key: object) -> None:
    authority = Authority.open(tmp_path, store_name="Shop", now_ms=NOW_MS)
    pem = csr(key)
    assert read_request(pem).public_key == key.public_key()  # type: ignore[attr-defined]
    issued = authority.issue_device(pem.decode(), "till-1", NOW_MS)
    assert x509.load_pem_x509_certificate(issued.certificate_pem.encode()).public_key()


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65537, 1024),
        ec.generate_private_key(ec.SECP224R1()),
        ec.generate_private_key(ec.SECP256K1()),
        ed448.Ed448PrivateKey.generate(),
        dsa.generate_private_key(2048),
    ],
    ids=["rsa1024", "p224", "secp256k1", "ed448", "dsa"],
)
def test_weak_or_unusual_keys_are_refused_with_what_to_use(key: object) -> None:
    with pytest.raises(WeakKey, match="Make a new key with EC P-256"):
        read_request(csr(key))


def test_a_request_cannot_choose_its_name_or_become_an_authority(tmp_path: Path) -> None:
    authority = Authority.open(tmp_path, store_name="Shop", now_ms=NOW_MS)
    name = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.COMMON_NAME, "hub"),
            x509.NameAttribute(x509.NameOID.COMMON_NAME, "till-2"),
        ]
    )
    issued = authority.issue_device(csr(ec_key(), name), "till-1", NOW_MS)
    certificate = x509.load_pem_x509_certificate(issued.certificate_pem.encode())
    assert certificate.subject.rfc4514_string() == "CN=till-1"
    basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert not basic.ca


@pytest.mark.parametrize(
    "key",
    [ec_key(), ed25519.Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 2048)],
    ids=["ec", "ed25519", "rsa"],
)
def test_a_request_signed_by_another_key_is_refused(key: object) -> None:
    der = x509.load_pem_x509_csr(csr(key)).public_bytes(serialization.Encoding.DER)
    forged = bytearray(der)
    forged[-6] ^= 0x01  # the signature stands at the end
    pem = _to_pem(bytes(forged))
    with pytest.raises(RequestSignatureWrong, match="private key that the device keeps"):
        read_request(pem)


def test_a_request_with_somebody_elses_public_key_is_refused() -> None:
    victim, thief = ec_key(), ec_key()
    encode = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    der = x509.load_pem_x509_csr(csr(thief)).public_bytes(serialization.Encoding.DER)
    swapped = der.replace(
        thief.public_key().public_bytes(*encode), victim.public_key().public_bytes(*encode)
    )
    assert swapped != der
    with pytest.raises(RequestSignatureWrong):
        read_request(_to_pem(swapped))


def test_a_megabyte_of_garbage_is_refused_without_being_read() -> None:
    for garbage in (b"\xff" * 1_000_000, "é" * 1_000_000, "-----BEGIN " * 100_000):
        with pytest.raises(RequestTooLarge, match="Send one PEM block"):
            read_request(garbage)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "-----BEGIN CERTIFICATE REQUEST-----\n!!!!\n-----END CERTIFICATE REQUEST-----\n",
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
        "é\udcff",
    ],
)
def test_what_is_no_request_is_refused_with_what_to_send(text: str) -> None:
    with pytest.raises(RequestUnreadable, match="BEGIN CERTIFICATE REQUEST"):
        read_request(text)


_GOOD = x509.load_pem_x509_csr(csr(ec_key())).public_bytes(serialization.Encoding.DER)


@given(st.data())
def test_a_damaged_request_is_always_a_typed_refusal(data: st.DataObject) -> None:
    damaged = bytearray(_GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        damaged[place] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(1, len(damaged)))
    try:
        accepted = read_request(_to_pem(bytes(damaged[:cut])))
    except RequestRefused:
        return
    assert accepted.der == _GOOD  # the flips cancelled out


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_any_bytes_or_text_are_a_typed_refusal(garbage: bytes | str) -> None:
    assert len(garbage) < PEM_BYTES_MAX
    with pytest.raises(RequestRefused):
        read_request(garbage)


def _to_pem(der: bytes) -> bytes:
    import base64

    body = base64.encodebytes(der)
    return b"-----BEGIN CERTIFICATE REQUEST-----\n" + body + b"-----END CERTIFICATE REQUEST-----\n"
