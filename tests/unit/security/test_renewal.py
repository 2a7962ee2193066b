"""Renewal of a device certificate by proof of the old key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from hub.clock import Clock, Randomness
from hub.security import renewal
from hub.security.authority import Authority
from hub.security.certificates import DAY_MS, YEAR_MS
from hub.security.errors import (
    CertificateForeign,
    CertificateRevoked,
    CertificateTooOld,
    CertificateUnreadable,
    NonceRefused,
    ProofWrong,
    RenewalBusy,
    RequestSignatureWrong,
    WeakKey,
)
from hub.security.renewal import (
    Nonces,
    RenewalAsked,
    RenewalGranted,
    check_renewal,
    proof_message,
)

NOW_MS = 1_780_000_000_000
Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def csr(key: Key) -> x509.CertificateSigningRequest:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else SHA)


SHA = hashes.SHA256()


def pem(request: x509.CertificateSigningRequest) -> str:
    return request.public_bytes(serialization.Encoding.PEM).decode()


def sign(key: Key, message: bytes) -> bytes:
    match key:
        case ec.EllipticCurvePrivateKey():
            return key.sign(message, ec.ECDSA(SHA))
        case ed25519.Ed25519PrivateKey():
            return key.sign(message)
        case rsa.RSAPrivateKey():
            return key.sign(message, padding.PKCS1v15(), SHA)


@dataclass
class Shop:
    """The hub's side, and one device whose certificate was issued at ``NOW_MS`` for 30 days."""

    authority: Authority
    nonces: Nonces
    old_key: Key = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    revoked: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.old = self.authority.issue_device(
            pem(csr(self.old_key)), "till-1", NOW_MS, life_ms=30 * DAY_MS
        )

    def asked(self, signer: Key | None = None) -> RenewalAsked:
        request = csr(ec.generate_private_key(ec.SECP256R1()))
        nonce = self.nonces.issue()
        der = request.public_bytes(serialization.Encoding.DER)
        signature = sign(signer or self.old_key, proof_message(nonce, der))
        return RenewalAsked(self.old.certificate_pem, pem(request), nonce, signature)

    def check(
        self, asked: RenewalAsked, now_ms: int = NOW_MS, authority: Authority | None = None
    ) -> RenewalGranted:
        return check_renewal(
            asked,
            authority=authority or self.authority,
            nonces=self.nonces,
            is_revoked=self.revoked.__contains__,
            now_ms=now_ms,
        )


@pytest.fixture
def nonces(clock: Clock, randomness: Randomness) -> Nonces:
    return Nonces(clock, randomness)


@pytest.fixture
def shop(authority: Authority, nonces: Nonces) -> Shop:
    return Shop(authority, nonces)


@pytest.mark.parametrize(
    "make_key",
    [
        lambda: ec.generate_private_key(ec.SECP384R1()),
        ed25519.Ed25519PrivateKey.generate,
        lambda: rsa.generate_private_key(65537, 2048),
    ],
    ids=["p384", "ed25519", "rsa"],
)
def test_every_kind_of_key_can_prove_itself(
    authority: Authority, nonces: Nonces, make_key: Callable[[], Key]
) -> None:
    shop = Shop(authority, nonces, make_key())
    assert shop.check(shop.asked()) == RenewalGranted("till-1", shop.old.serial)


@pytest.mark.parametrize("days_after_expiry", [-29, 0, 364])
def test_a_certificate_renews_until_a_year_after_it_expired(
    shop: Shop, days_after_expiry: int
) -> None:
    now_ms = shop.old.not_after_ms + days_after_expiry * DAY_MS
    granted = shop.check(shop.asked(), now_ms)
    assert granted.device_id == "till-1"
    asked = shop.asked()
    assert shop.authority.issue_device(asked.csr_pem, granted.device_id, now_ms).not_after_ms > (
        now_ms
    )


def test_more_than_a_year_after_it_expired_the_device_pairs_again(shop: Shop) -> None:
    with pytest.raises(CertificateTooOld, match="Pair the device again"):
        shop.check(shop.asked(), shop.old.not_after_ms + YEAR_MS + 1000)


def test_a_revoked_certificate_does_not_renew(shop: Shop) -> None:
    shop.revoked.add(shop.old.serial)
    with pytest.raises(CertificateRevoked, match="Pair the device again"):
        shop.check(shop.asked())


def test_another_key_proves_nothing(shop: Shop) -> None:
    with pytest.raises(ProofWrong, match="old private key"):
        shop.check(shop.asked(signer=ec.generate_private_key(ec.SECP256R1())))


def test_without_the_key_nobody_learns_that_a_certificate_is_revoked(shop: Shop) -> None:
    shop.revoked.add(shop.old.serial)
    with pytest.raises(ProofWrong):
        shop.check(replace(shop.asked(), signature=b""), shop.old.not_after_ms + 2 * YEAR_MS)


def test_a_proof_fits_only_its_own_request_and_nonce(shop: Shop) -> None:
    asked, other = shop.asked(), shop.asked()
    with pytest.raises(ProofWrong):
        shop.check(replace(asked, csr_pem=other.csr_pem))
    with pytest.raises(ProofWrong):
        shop.check(replace(asked, nonce=other.nonce))


def test_a_nonce_is_good_for_one_renewal(shop: Shop) -> None:
    asked = shop.asked()
    shop.check(asked)
    with pytest.raises(NonceRefused, match="used before"):
        shop.check(asked)


def test_a_failed_try_does_not_spend_the_nonce(shop: Shop) -> None:
    asked = shop.asked()
    with pytest.raises(ProofWrong):
        shop.check(replace(asked, signature=b"x"))
    assert shop.check(asked).device_id == "till-1"


def test_a_nonce_is_refused_after_five_minutes(shop: Shop, clock: Clock) -> None:
    asked = shop.asked()
    clock.running_s += 299  # type: ignore[attr-defined]
    shop.nonces.check(asked.nonce)
    clock.running_s += 2  # type: ignore[attr-defined]
    with pytest.raises(NonceRefused, match="older than five minutes"):
        shop.check(asked)


def test_a_nonce_of_another_run_of_the_hub_is_refused(
    shop: Shop, clock: Clock, randomness: Randomness
) -> None:
    asked = replace(shop.asked(), nonce=Nonces(clock, randomness).issue())
    with pytest.raises(NonceRefused, match="not issued by this hub"):
        shop.check(asked)


@pytest.mark.parametrize("nonce", ["", "x", "A" * 64, "é" * 64, "A" * 100_000, "\udcff"])
def test_an_invented_nonce_is_refused(shop: Shop, nonce: str) -> None:
    with pytest.raises(NonceRefused, match="Ask for a new nonce"):
        shop.check(replace(shop.asked(), nonce=nonce))


def test_remembered_nonces_are_bounded_and_forgotten_in_time(
    nonces: Nonces, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewal, "NONCES_USED_MAX", 3)
    for _ in range(3):
        nonces.use(nonces.issue())
    with pytest.raises(RenewalBusy, match="Try again"):
        nonces.use(nonces.issue())
    clock.running_s += 302  # type: ignore[attr-defined]
    nonces.use(nonces.issue())


def test_a_certificate_of_another_authority_is_foreign(shop: Shop, tmp_path: Path) -> None:
    other = Authority.open(tmp_path / "other", store_name="Corner Shop", now_ms=NOW_MS)
    with pytest.raises(CertificateForeign, match="not a device certificate issued by this hub"):
        shop.check(shop.asked(), authority=other)


def test_the_hubs_own_certificates_are_not_a_devices(shop: Shop) -> None:
    shop.authority.ensure_server("hub", [], [], NOW_MS)
    server = shop.authority.server_certificate_path.read_text()
    for pem_text in (server, shop.authority.ca_pem()):
        with pytest.raises(CertificateForeign):
            shop.check(replace(shop.asked(), old_certificate_pem=pem_text))


@pytest.mark.parametrize("garbage", ["", "hello", "x" * 1_000_000, "\udcff"])
def test_garbage_instead_of_the_old_certificate_is_refused(shop: Shop, garbage: str) -> None:
    with pytest.raises(CertificateUnreadable, match="Send one certificate as PEM"):
        shop.check(replace(shop.asked(), old_certificate_pem=garbage))


def test_the_new_request_is_doubted_like_any_other(shop: Shop) -> None:
    with pytest.raises(WeakKey):
        shop.check(replace(shop.asked(), csr_pem=pem(csr(rsa.generate_private_key(65537, 1024)))))
    der = bytearray(
        x509.load_pem_x509_csr(shop.asked().csr_pem.encode()).public_bytes(
            serialization.Encoding.DER
        )
    )
    der[-6] ^= 1
    import base64

    body = base64.encodebytes(bytes(der)).decode()
    forged = f"-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----\n"
    with pytest.raises(RequestSignatureWrong):
        shop.check(replace(shop.asked(), csr_pem=forged))


def test_a_certificate_of_an_older_generation_renews_into_the_new_one(shop: Shop) -> None:
    shop.authority.roll_over([], NOW_MS)
    asked = shop.asked()
    granted = shop.check(asked, shop.old.not_after_ms + DAY_MS)
    renewed = shop.authority.issue_device(asked.csr_pem, granted.device_id, NOW_MS)
    assert (shop.old.generation, renewed.generation) == (1, 2)
