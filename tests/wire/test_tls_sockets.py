"""The authority's certificates on real TLS sockets, checked by OpenSSL."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hub.clock import SystemClock, SystemRandomness
from hub.security.authority import Authority, DeviceCertificate
from hub.security.certificates import DAY_MS, Revoked
from hub.security.renewal import Nonces, RenewalAsked, check_renewal, proof_message

NOW_MS = SystemClock().wall_ms()
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Device:
    """A key and a certificate as files, the way a device keeps them."""

    certificate: DeviceCertificate
    key: ec.EllipticCurvePrivateKey
    certificate_path: Path
    key_path: Path


class Shop:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = Authority.open(directory / "tls", store_name="Shop", now_ms=NOW_MS)
        self.serve_anew()

    def serve_anew(self, revoked: tuple[Revoked, ...] = ()) -> None:
        self.authority.ensure_server("hub", [], [], NOW_MS)
        self.authority.issue_crl(revoked, NOW_MS)

    def device(self, name: str, *, at_ms: int = NOW_MS, life_ms: int = 30 * DAY_MS) -> Device:
        key = ec.generate_private_key(ec.SECP256R1())
        return self.keep(name, key, self.authority.issue_device(csr(key), name, at_ms, life_ms))

    def keep(self, name: str, key: ec.EllipticCurvePrivateKey, issued: DeviceCertificate) -> Device:
        certificate_path = self.directory / f"{name}-{issued.serial}.crt"
        key_path = self.directory / f"{name}-{issued.serial}.key"
        certificate_path.write_text(issued.certificate_pem)
        key_path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return Device(issued, key, certificate_path, key_path)

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        paths = self.authority
        context.load_cert_chain(paths.server_certificate_path, paths.server_key_path)
        context.load_verify_locations(paths.bundle_path)
        context.load_verify_locations(paths.crl_path)
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF | ssl.VERIFY_X509_STRICT
        return context


def csr(key: ec.EllipticCurvePrivateKey) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def client_context(trusted_pem: str, device: Device | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=trusted_pem)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    if device:
        context.load_cert_chain(device.certificate_path, device.key_path)
    return context


def meet(server: ssl.SSLContext, client: ssl.SSLContext, host: str = "hub.local") -> str:
    """One handshake over loopback; the device id that the server saw, or why it refused."""
    seen: list[str] = []

    def serve(listener: socket.socket) -> None:
        plain, _ = listener.accept()
        plain.settimeout(TIMEOUT_S)
        try:
            with server.wrap_socket(plain, server_side=True) as tls:
                der = tls.getpeercert(binary_form=True)
                assert der
                subject = x509.load_der_x509_certificate(der).subject
                seen.append(subject.rfc4514_string().removeprefix("CN="))
                tls.sendall(b"hello")
        except OSError as error:
            seen.append(getattr(error, "verify_message", "") or str(error))
            plain.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TIMEOUT_S)
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        try:
            with (
                socket.create_connection(listener.getsockname(), TIMEOUT_S) as plain,
                client.wrap_socket(plain, server_hostname=host) as tls,
            ):
                tls.recv(5)
        except ssl.SSLCertVerificationError as error:
            return f"device refuses: {error.verify_message}"
        except OSError:
            pass  # the server's reason, in ``seen``, is what counts
        finally:
            thread.join(TIMEOUT_S)
    assert not thread.is_alive()
    return seen[0]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_a_device_is_accepted_and_known_by_its_name(shop: Shop) -> None:
    till = shop.device("till-1")
    client = client_context(shop.authority.ca_pem(), till)
    for host in ("hub.local", "hub", "localhost", "127.0.0.1"):
        assert meet(shop.server_context(), client, host) == "till-1"


def test_a_device_refuses_a_hub_of_another_name_or_another_authority(
    shop: Shop, tmp_path: Path
) -> None:
    till = shop.device("till-1")
    client = client_context(shop.authority.ca_pem(), till)
    assert "Hostname mismatch" in meet(shop.server_context(), client, "evil.example")
    (tmp_path / "other").mkdir()
    stranger = Shop(tmp_path / "other")
    assert "device refuses" in meet(stranger.server_context(), client)


def test_no_certificate_and_a_foreign_certificate_are_refused(shop: Shop, tmp_path: Path) -> None:
    without = client_context(shop.authority.ca_pem(), None)
    assert "did not return a certificate" in meet(shop.server_context(), without)
    (tmp_path / "other").mkdir()
    foreign = Shop(tmp_path / "other").device("till-1")
    client = client_context(shop.authority.ca_pem(), foreign)
    assert "unable to get local issuer" in meet(shop.server_context(), client)


def test_a_device_certificate_cannot_play_the_hub(shop: Shop) -> None:
    till = shop.device("hub.local")
    fake = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    fake.load_cert_chain(till.certificate_path, till.key_path)
    client = client_context(shop.authority.ca_pem(), till)
    assert "device refuses" in meet(fake, client)


def test_the_hubs_certificate_cannot_play_a_device(shop: Shop) -> None:
    client = client_context(shop.authority.ca_pem(), None)
    paths = shop.authority
    client.load_cert_chain(paths.server_certificate_path, paths.server_key_path)
    assert "unsuitable certificate purpose" in meet(shop.server_context(), client)


def test_a_revoked_device_is_refused_and_others_are_not(shop: Shop) -> None:
    lost, kept = shop.device("lost"), shop.device("kept")
    shop.serve_anew((Revoked(lost.certificate.serial, NOW_MS),))
    server = shop.server_context()
    trusted = shop.authority.ca_pem()
    assert meet(server, client_context(trusted, lost)) == "certificate revoked"
    assert meet(server, client_context(trusted, kept)) == "kept"


def test_a_later_list_counts_when_both_were_loaded(shop: Shop) -> None:
    """A broker that reloads adds the new list to the old one."""
    till = shop.device("till-1")
    server = shop.server_context()
    shop.serve_anew((Revoked(till.certificate.serial, NOW_MS),))
    server.load_verify_locations(shop.authority.crl_path)
    client = client_context(shop.authority.ca_pem(), till)
    assert meet(server, client) == "certificate revoked"


def test_an_expired_device_is_refused_and_comes_back_by_proof_of_its_key(shop: Shop) -> None:
    old = shop.device("till-1", at_ms=NOW_MS - 200 * DAY_MS)
    trusted = shop.authority.ca_pem()
    server = shop.server_context()
    assert meet(server, client_context(trusted, old)) == "certificate has expired"

    nonces = Nonces(SystemClock(), SystemRandomness())
    key = ec.generate_private_key(ec.SECP256R1())
    request = csr(key)
    der = x509.load_pem_x509_csr(request).public_bytes(serialization.Encoding.DER)
    nonce = nonces.issue()
    signature = old.key.sign(proof_message(nonce, der), ec.ECDSA(hashes.SHA256()))
    granted = check_renewal(
        RenewalAsked(old.certificate.certificate_pem, request.decode(), nonce, signature),
        authority=shop.authority,
        nonces=nonces,
        is_revoked=lambda serial: False,
        now_ms=NOW_MS,
    )
    issued = shop.authority.issue_device(request, granted.device_id, NOW_MS)
    assert meet(server, client_context(trusted, shop.keep("new", key, issued))) == "till-1"


def test_after_a_rollover_old_and_new_devices_and_hub_accept_each_other(shop: Shop) -> None:
    old_ca, old = shop.authority.ca_pem(), shop.device("old")
    for _ in range(2):
        shop.authority.roll_over([], NOW_MS)
        shop.serve_anew()
    new_ca, new = shop.authority.ca_pem(), shop.device("new")
    server = shop.server_context()
    both = shop.authority.bundle_pem().decode()
    for trusted in (old_ca, new_ca, both):
        assert meet(server, client_context(trusted, old)) == "old"
        assert meet(server, client_context(trusted, new)) == "new"


def test_after_a_rollover_devices_of_every_generation_can_be_revoked(shop: Shop) -> None:
    old = shop.device("old")
    shop.authority.roll_over([], NOW_MS)
    new, kept = shop.device("new"), shop.device("kept")
    shop.serve_anew(tuple(Revoked(one.certificate.serial, NOW_MS) for one in (old, new)))
    server = shop.server_context()
    trusted = shop.authority.ca_pem()
    assert meet(server, client_context(trusted, old)) == "certificate revoked"
    assert meet(server, client_context(trusted, new)) == "certificate revoked"
    assert meet(server, client_context(trusted, kept)) == "kept"


@pytest.mark.parametrize("make", [Shop.device])
def test_a_certificate_with_another_devices_key_cannot_be_used(
    shop: Shop, make: Callable[[Shop, str], Device]
) -> None:
    mine, other = make(shop, "mine"), make(shop, "other")
    context = ssl.create_default_context(cadata=shop.authority.ca_pem())
    with pytest.raises(ssl.SSLError, match="KEY_VALUES_MISMATCH"):
        context.load_cert_chain(other.certificate_path, mine.key_path)
