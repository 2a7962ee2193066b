"""The hub's authority: its files, the server certificate, device certificates, the CRL."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hub.security.authority import CRL_LIFE_MS, REVOKED_MAX, SERVER_NAMES_MAX, Authority
from hub.security.certificates import (
    CEILING_MS,
    DAY_MS,
    FLOOR_MS,
    YEAR_MS,
    RevocationReason,
    Revoked,
    to_ms,
)
from hub.security.errors import (
    AuthorityDamaged,
    AuthorityMissing,
    BadDeviceId,
    BadServerName,
    TooManyGenerations,
    TooManyRevocations,
)

NOW_MS = 1_780_000_000_000


def csr(subject: str = "whatever") -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def server_of(authority: Authority) -> x509.Certificate:
    return x509.load_pem_x509_certificate(authority.server_certificate_path.read_bytes())


def reopen(authority: Authority, now_ms: int = NOW_MS) -> Authority:
    directory = authority.bundle_path.parent
    return Authority.open(directory, store_name="Corner Shop", now_ms=now_ms, create=False)


def crls_of(authority: Authority) -> list[x509.CertificateRevocationList]:
    end = b"-----END X509 CRL-----\n"
    parts = authority.crl_path.read_bytes().split(end)[:-1]
    return [x509.load_pem_x509_crl(part + end) for part in parts]


def number_of(crl: x509.CertificateRevocationList) -> int:
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


# --- files ------------------------------------------------------------------------------------


def test_the_authority_lives_twenty_years_and_comes_back_the_same(authority: Authority) -> None:
    again = reopen(authority)
    assert again.fingerprint == authority.fingerprint
    assert authority.generations[0].not_after_ms >= NOW_MS + 20 * 365 * DAY_MS


def test_the_fingerprint_is_the_sha256_of_the_ca_certificate(authority: Authority) -> None:
    der = x509.load_pem_x509_certificate(authority.ca_pem().encode()).public_bytes(
        serialization.Encoding.DER
    )
    assert authority.fingerprint == hashlib.sha256(der).hexdigest()


def test_keys_are_readable_by_the_hub_alone_and_nothing_is_left_beside(
    authority: Authority,
) -> None:
    authority.ensure_server("hub", [], [], NOW_MS)
    authority.issue_crl([], NOW_MS)
    directory = authority.bundle_path.parent
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    assert modes == {
        "ca-1.key": 0o600,
        "ca-1.crt": 0o644,
        "ca-bundle.pem": 0o644,
        "hub.key": 0o600,
        "hub.crt": 0o644,
        "crl.pem": 0o644,
    }
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_key_left_by_a_power_cut_before_its_certificate_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "ca-1.key").write_bytes(b"half a key")
    (tmp_path / ".ca-1.key.new").write_bytes(b"half")
    authority = Authority.open(tmp_path, store_name="Shop", now_ms=NOW_MS)
    assert reopen(authority).fingerprint == authority.fingerprint


@pytest.mark.parametrize("make_directory", [True, False])
def test_a_lost_authority_is_not_silently_replaced(tmp_path: Path, make_directory: bool) -> None:
    directory = tmp_path / "tls"
    if make_directory:
        directory.mkdir()
    with pytest.raises(AuthorityMissing, match="Restore the directory from a backup"):
        Authority.open(directory, store_name="Shop", now_ms=NOW_MS, create=False)


@pytest.mark.parametrize("name", ["ca-1.key", "ca-1.crt"])
def test_a_damaged_authority_refuses_to_open_and_says_what_to_do(
    authority: Authority, name: str
) -> None:
    (authority.bundle_path.parent / name).write_bytes(b"rubbish")
    with pytest.raises(AuthorityDamaged, match="Restore the directory from a backup"):
        reopen(authority)


def test_a_foreign_key_beside_the_certificate_is_noticed(
    authority: Authority, tmp_path: Path
) -> None:
    other = Authority.open(tmp_path / "other", store_name="Shop", now_ms=NOW_MS)
    stolen = (other.bundle_path.parent / "ca-1.key").read_bytes()
    (authority.bundle_path.parent / "ca-1.key").write_bytes(stolen)
    with pytest.raises(AuthorityDamaged, match="don't belong together"):
        reopen(authority)


def test_the_ca_key_may_be_encrypted_with_a_passphrase(tmp_path: Path) -> None:
    made = Authority.open(tmp_path, store_name="Shop", now_ms=NOW_MS, key_passphrase=b"p" * 32)
    assert b"ENCRYPTED" in (tmp_path / "ca-1.key").read_bytes()
    for wrong in (None, b"q" * 32):
        with pytest.raises(AuthorityDamaged, match="passphrase"):
            Authority.open(tmp_path, store_name="Shop", now_ms=NOW_MS, key_passphrase=wrong)
    again = Authority.open(tmp_path, store_name="Shop", now_ms=NOW_MS, key_passphrase=b"p" * 32)
    assert again.fingerprint == made.fingerprint


def test_a_lost_bundle_comes_back_when_opening(authority: Authority) -> None:
    authority.bundle_path.unlink()
    assert reopen(authority).bundle_path.read_bytes() == authority.bundle_pem()


# --- the server certificate -------------------------------------------------------------------


def test_the_server_certificate_covers_every_name_and_address(authority: Authority) -> None:
    assert authority.ensure_server("Box", ["hub.example"], ["10.0.0.5", "fe80::1%eth0"], NOW_MS)
    extensions = server_of(authority).extensions
    san = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(san.get_values_for_type(x509.DNSName)) == {
        "box",
        "box.local",
        "localhost",
        "hub.example",
    }
    addresses = {str(one) for one in san.get_values_for_type(x509.IPAddress)}
    assert addresses == {"127.0.0.1", "::1", "10.0.0.5", "fe80::1"}
    usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_the_server_certificate_is_valid_for_397_days_at_most(authority: Authority) -> None:
    authority.ensure_server("hub", [], [], NOW_MS)
    server = server_of(authority)
    life_ms = to_ms(server.not_valid_after_utc) - to_ms(server.not_valid_before_utc) + 1000
    assert life_ms <= 397 * DAY_MS
    assert to_ms(server.not_valid_before_utc) <= NOW_MS


def test_the_server_certificate_is_left_alone_while_it_is_good(authority: Authority) -> None:
    assert authority.ensure_server("hub", ["a.example"], ["10.0.0.5"], NOW_MS)
    before = authority.server_certificate_path.read_bytes()
    later_ms = NOW_MS + 200 * DAY_MS
    assert not authority.ensure_server("HUB", ["a.example."], ["10.0.0.5"], later_ms)
    assert not reopen(authority).ensure_server("hub", ["a.example"], ["10.0.0.5"], later_ms)
    assert authority.server_certificate_path.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "address", "now_ms"),
    [
        ("other", "10.0.0.5", NOW_MS),
        ("hub", "10.0.0.6", NOW_MS),
        ("hub", "10.0.0.5", NOW_MS + 270 * DAY_MS),
        ("hub", "10.0.0.5", NOW_MS + 3 * YEAR_MS),
        ("hub", "10.0.0.5", NOW_MS - 30 * DAY_MS),  # made while the clock was ahead
    ],
)
def test_the_server_certificate_is_renewed_when_it_no_longer_fits(
    authority: Authority, name: str, address: str, now_ms: int
) -> None:
    authority.ensure_server("hub", [], ["10.0.0.5"], NOW_MS)
    assert authority.ensure_server(name, [], [address], now_ms)
    assert not authority.ensure_server(name, [], [address], now_ms)


@pytest.mark.parametrize("name", ["hub.crt", "hub.key"])
@pytest.mark.parametrize("content", [b"", b"rubbish", None])
def test_a_damaged_server_certificate_or_key_is_replaced(
    authority: Authority, name: str, content: bytes | None
) -> None:
    authority.ensure_server("hub", [], [], NOW_MS)
    path = authority.bundle_path.parent / name
    path.unlink() if content is None else path.write_bytes(content)
    assert authority.ensure_server("hub", [], [], NOW_MS)
    assert not authority.ensure_server("hub", [], [], NOW_MS)


def test_a_server_key_that_does_not_fit_its_certificate_is_replaced(authority: Authority) -> None:
    authority.ensure_server("hub", [], [], NOW_MS)
    old_key = authority.server_key_path.read_bytes()
    authority.ensure_server("other", [], [], NOW_MS)
    authority.server_key_path.write_bytes(old_key)
    assert authority.ensure_server("other", [], [], NOW_MS)


@pytest.mark.parametrize("host", ["", "a b", "a..b", "x" * 64, "a/b", "\udcff"])
def test_a_name_that_no_certificate_can_hold_is_refused_clearly(
    authority: Authority, host: str
) -> None:
    with pytest.raises(BadServerName, match="change the hub's name"):
        authority.ensure_server("hub", [host], [], NOW_MS)


def test_names_beyond_the_bound_and_bad_addresses_are_refused(authority: Authority) -> None:
    many = [f"h{index}.example" for index in range(SERVER_NAMES_MAX)]
    with pytest.raises(BadServerName, match="Bind the hub"):
        authority.ensure_server("hub", many, [], NOW_MS)
    with pytest.raises(BadServerName, match="not an IP address"):
        authority.ensure_server("hub", [], ["10.0.0.500"], NOW_MS)


def test_a_name_with_umlauts_is_written_in_ascii(authority: Authority) -> None:
    authority.ensure_server("bäckerei", [], [], NOW_MS)
    san = server_of(authority).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert "xn--bckerei-5wa.local" in san.value.get_values_for_type(x509.DNSName)


@pytest.mark.parametrize("now_ms", [-5, 0, CEILING_MS * 10])
def test_an_absurd_clock_breaks_nothing(tmp_path: Path, now_ms: int) -> None:
    authority = Authority.open(tmp_path, store_name="Shop", now_ms=now_ms)
    assert authority.ensure_server("hub", [], [], now_ms)
    authority.issue_device(csr(), "till-1", now_ms)
    authority.issue_crl([Revoked(5, now_ms)], now_ms)


# --- device certificates ----------------------------------------------------------------------


def test_a_device_certificate_bears_the_id_that_the_hub_gave(authority: Authority) -> None:
    issued = authority.issue_device(csr("hub"), "till-7", NOW_MS)
    certificate = x509.load_pem_x509_certificate(issued.certificate_pem.encode())
    assert certificate.subject.rfc4514_string() == "CN=till-7"
    assert certificate.serial_number == issued.serial
    assert certificate.fingerprint(hashes.SHA256()).hex() == issued.fingerprint
    assert to_ms(certificate.not_valid_after_utc) == issued.not_after_ms
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_device_certificate_lives_thirteen_months_unless_told_otherwise(
    authority: Authority,
) -> None:
    assert authority.issue_device(csr(), "a", NOW_MS).not_after_ms == NOW_MS + 396 * DAY_MS
    short = authority.issue_device(csr(), "a", NOW_MS, life_ms=30 * DAY_MS)
    assert short.not_after_ms == NOW_MS + 30 * DAY_MS
    with pytest.raises(ValueError, match="a day or longer"):
        authority.issue_device(csr(), "a", NOW_MS, life_ms=-1)


def test_a_device_certificate_never_outlives_its_authority(authority: Authority) -> None:
    end_ms = authority.generations[0].not_after_ms
    assert authority.issue_device(csr(), "a", end_ms - DAY_MS).not_after_ms == end_ms


@pytest.mark.parametrize("device_id", ["", "a/b", "+", "#", "é", "a" * 65, "a\n", "..", "a b"])
def test_an_id_that_would_be_dangerous_in_a_topic_is_refused(
    authority: Authority, device_id: str
) -> None:
    with pytest.raises(BadDeviceId, match="Use 1 to 64"):
        authority.issue_device(csr(), device_id, NOW_MS)


# --- revocation lists -------------------------------------------------------------------------


def test_a_revocation_list_names_serial_date_and_reason_and_is_valid_for_years(
    authority: Authority,
) -> None:
    revoked = [
        Revoked(77, NOW_MS, RevocationReason.KEY_COMPROMISE),
        Revoked(78, NOW_MS),
        Revoked(78, NOW_MS),
    ]
    issued = authority.issue_crl(revoked, NOW_MS)
    (crl,) = crls_of(authority)
    assert issued.revoked == len(crl) == 2
    first = crl.get_revoked_certificate_by_serial_number(77)
    assert first is not None
    assert first.extensions.get_extension_for_class(x509.CRLReason).value.reason is (
        x509.ReasonFlags.key_compromise
    )
    assert crl.next_update_utc is not None
    assert to_ms(crl.next_update_utc) == issued.next_update_ms == NOW_MS + CRL_LIFE_MS


def test_the_number_of_the_list_only_grows(authority: Authority) -> None:
    numbers = [authority.issue_crl([], NOW_MS).number]
    numbers.append(authority.issue_crl([], NOW_MS - YEAR_MS).number)  # the clock went back
    again = reopen(authority)
    numbers.append(again.issue_crl([], NOW_MS).number)
    again.crl_path.write_bytes(b"rubbish")
    numbers.append(again.issue_crl([], NOW_MS).number)
    again.crl_path.unlink()
    numbers.append(reopen(again).issue_crl([], NOW_MS + 600_000).number)
    assert numbers == sorted(set(numbers))
    assert number_of(crls_of(again)[0]) == numbers[-1]


def test_a_later_list_has_a_later_date_and_none_is_in_the_future(authority: Authority) -> None:
    dates = []
    for now_ms in (CEILING_MS, NOW_MS, 0):  # the clock was far ahead once
        authority.issue_crl([], now_ms)
        dates.append(to_ms(crls_of(authority)[0].last_update_utc))
    assert dates == sorted(set(dates))
    assert dates[-1] < FLOOR_MS


def test_a_list_longer_than_small_brokers_can_load_is_refused(authority: Authority) -> None:
    with pytest.raises(TooManyRevocations, match="Leave out those that expired"):
        authority.issue_crl([Revoked(1, NOW_MS)] * (REVOKED_MAX + 1), NOW_MS)


# --- rollover ---------------------------------------------------------------------------------


def test_a_new_generation_is_made_when_the_end_is_near_and_not_before(
    authority: Authority,
) -> None:
    end_ms = authority.generations[0].not_after_ms
    assert not authority.roll_over_if_due([], end_ms - 4 * YEAR_MS)
    assert authority.roll_over_if_due([], end_ms - 2 * YEAR_MS)
    assert not authority.roll_over_if_due([], end_ms - 2 * YEAR_MS)
    assert [one.number for one in reopen(authority).generations] == [1, 2]


def test_after_a_rollover_both_generations_are_trusted_and_the_new_one_issues(
    authority: Authority,
) -> None:
    old = authority.fingerprint
    authority.ensure_server("hub", [], [], NOW_MS)
    authority.issue_crl([Revoked(77, NOW_MS)], NOW_MS)
    authority.roll_over([Revoked(77, NOW_MS)], NOW_MS)
    assert authority.fingerprint != old
    bundle = x509.load_pem_x509_certificates(authority.bundle_path.read_bytes())
    assert [one.fingerprint(hashes.SHA256()).hex() for one in bundle] == [
        old,
        authority.fingerprint,
    ]
    crls = crls_of(authority)
    assert len(crls) == 2
    assert {number_of(one) for one in crls} == {number_of(crls[0])}
    assert all(one.get_revoked_certificate_by_serial_number(77) for one in crls)
    assert authority.issue_device(csr(), "a", NOW_MS).generation == 2
    assert authority.ensure_server("hub", [], [], NOW_MS)
    assert server_of(authority).issuer == bundle[1].subject


def test_a_rollover_cut_short_is_completed_by_the_next_start(authority: Authority) -> None:
    bundle, crl = authority.bundle_path.read_bytes(), authority.issue_crl([], NOW_MS)
    authority.roll_over([], NOW_MS)
    authority.bundle_path.write_bytes(bundle)
    again = reopen(authority)
    assert again.bundle_path.read_bytes() == authority.bundle_pem() != bundle
    assert again.issue_crl([], NOW_MS).number > crl.number
    assert len(crls_of(again)) == 2


def test_generations_are_bounded(authority: Authority) -> None:
    for _ in range(7):
        authority.roll_over([], NOW_MS)
    with pytest.raises(TooManyGenerations, match="pair every device again"):
        authority.roll_over([], NOW_MS)
