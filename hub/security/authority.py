"""The hub's own certificate authority: who is the hub, who is a device, who no longer is.

Files in ``<state>/tls/``, besides those of ``hub.security.generations``:

- ``ca-bundle.pem``: every generation's certificate; what the broker and devices trust.
- ``crl.pem``: one revocation list per generation, concatenated.
- ``hub.crt``, ``hub.key``: the server certificate with the cross certificates that lead to older
  generations, and its key.

A rollover takes three steps that can each be the last before a power cut: the new generation's
files, then revocation lists that include it, then the bundle.  Opening and ``issue_crl`` complete
what was left undone.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hub.security.certificates import (
    DAWN_MS,
    DAY_MS,
    FLOOR_MS,
    YEAR_MS,
    Revoked,
    alternative_names,
    build_crl,
    build_leaf,
    common_name,
    pem,
    sane_ms,
    server_names,
    to_ms,
)
from hub.security.errors import (
    AuthorityMissing,
    BadDeviceId,
    BadServerName,
    TooManyRevocations,
)
from hub.security.files import PUBLIC_MODE, SECRET_MODE, write_atomic, write_if_different
from hub.security.generations import (
    Generation,
    create_generation,
    key_pem,
    load_generations,
    load_key,
)
from hub.security.requests import read_request

SERVER_LIFE_MS = 397 * DAY_MS  # the longest that browsers accept
SERVER_NAMES_MAX = 64
DEVICE_LIFE_MS = 396 * DAY_MS  # 13 months
OVERLAP_MS = 3 * YEAR_MS
CRL_LIFE_MS = 10 * YEAR_MS
# Of two lists in one TLS context OpenSSL believes the later one, so dates have to grow with
# numbers.  A list is dated DAWN_MS plus its number in seconds; numbers follow the clock at one in
# 64 s, so no date is ever in the future.
CRL_TICK_MS = 64_000
REVOKED_MAX = 50_000


@dataclass(frozen=True, slots=True)
class DeviceCertificate:
    """What a device gets, and what the caller's database keeps of it."""

    device_id: str
    certificate_pem: str
    serial: int
    not_after_ms: int
    fingerprint: str
    generation: int


@dataclass(frozen=True, slots=True)
class IssuedCrl:
    number: int
    revoked: int
    next_update_ms: int


class Authority:
    """Safe to use from several threads; every method may block on disk or on making a key."""

    def __init__(
        self,
        directory: Path,
        store_name: str,
        generations: tuple[Generation, ...],
        *,
        key_passphrase: bytes | None,
        overlap_ms: int,
    ) -> None:
        self._directory = directory
        self._store_name = store_name
        self._generations = generations
        self._passphrase = key_passphrase
        self._overlap_ms = overlap_ms
        self._crl_number = 0
        self._lock = threading.RLock()

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        store_name: str,
        now_ms: int,
        create: bool = True,
        key_passphrase: bytes | None = None,
        overlap_ms: int = OVERLAP_MS,
    ) -> Authority:
        """Open the authority kept in ``directory``; with ``create``, make one if there is none.

        Say ``create=False`` when the database already knows devices: a new authority would lock
        them all out.  ``overlap_ms`` before a generation ends its successor is made (see
        ``roll_over_if_due``).  Raises ``AuthorityMissing`` or ``AuthorityDamaged``.
        """
        if not create and not directory.is_dir():
            raise AuthorityMissing(_missing(directory))
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        generations = load_generations(directory, key_passphrase)
        if not generations:
            if not create:
                raise AuthorityMissing(_missing(directory))
            generations = (create_generation(directory, store_name, (), now_ms, key_passphrase),)
        authority = cls(
            directory,
            store_name,
            generations,
            key_passphrase=key_passphrase,
            overlap_ms=overlap_ms,
        )
        write_if_different(authority.bundle_path, authority.bundle_pem(), PUBLIC_MODE)
        return authority

    @property
    def bundle_path(self) -> Path:
        return self._directory / "ca-bundle.pem"

    @property
    def crl_path(self) -> Path:
        return self._directory / "crl.pem"

    @property
    def server_certificate_path(self) -> Path:
        return self._directory / "hub.crt"

    @property
    def server_key_path(self) -> Path:
        return self._directory / "hub.key"

    @property
    def generations(self) -> tuple[Generation, ...]:
        """Oldest first; the last one issues."""
        return self._generations

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the issuing CA certificate's DER in hexadecimal, for mDNS and the QR code."""
        return self._generations[-1].fingerprint

    def ca_pem(self) -> str:
        """The issuing CA certificate: the one whose ``fingerprint`` is advertised."""
        return pem(self._generations[-1].certificate).decode()

    def bundle_pem(self) -> bytes:
        return b"".join(pem(one.certificate) for one in self._generations)

    # --- generations --------------------------------------------------------------------------

    def roll_over_if_due(self, revoked: Sequence[Revoked], now_ms: int) -> bool:
        """Roll over when the issuing generation's end is near; True if the broker must reload."""
        with self._lock:
            if self._generations[-1].not_after_ms - sane_ms(now_ms) > self._overlap_ms:
                return False
            self.roll_over(revoked, now_ms)
            return True

    def roll_over(self, revoked: Sequence[Revoked], now_ms: int) -> Generation:
        """Make a new generation that issues from now on; the older ones stay trusted.

        Afterwards the caller renews the server certificate (``ensure_server``) and reloads the
        broker and the web server.  Raises ``TooManyGenerations`` or ``TooManyRevocations``.
        """
        _check_count(revoked)
        with self._lock:
            made = create_generation(
                self._directory, self._store_name, self._generations, now_ms, self._passphrase
            )
            self._generations = (*self._generations, made)
            self.issue_crl(revoked, now_ms)
            write_if_different(self.bundle_path, self.bundle_pem(), PUBLIC_MODE)
            return made

    # --- the hub's own certificate ------------------------------------------------------------

    def ensure_server(
        self, name: str, hostnames: Iterable[str], addresses: Iterable[str], now_ms: int
    ) -> bool:
        """Keep ``hub.crt`` good; True if it was renewed and its users must reload.

        ``name`` is the host name without domain: the certificate also covers ``<name>.local`` and
        localhost.  Renewed when less than a third of its life is left, when the names, the issuing
        generation or the clock changed, or when a file is damaged.  Raises ``BadServerName``.
        """
        hosts = [name, f"{name}.local", "localhost", *hostnames]
        dns, ips = server_names(hosts, ["127.0.0.1", "::1", *addresses])
        names: list[x509.GeneralName] = [*map(x509.DNSName, dns), *map(x509.IPAddress, ips)]
        if len(names) > SERVER_NAMES_MAX:
            raise BadServerName(
                f"{len(names)} names and addresses don't fit into one certificate (at most "
                f"{SERVER_NAMES_MAX}). Bind the hub to the interfaces that devices use."
            )
        with self._lock:
            present = self._server_pair()
            if present and self._server_is_good(present[0], set(names), sane_ms(now_ms)):
                chain = self._server_chain(present[0], sane_ms(now_ms))
                return write_if_different(self.server_certificate_path, chain, PUBLIC_MODE)
            self._renew_server(name, names, sane_ms(now_ms))
            return True

    def server_expires_at_ms(self) -> int | None:
        """When the server certificate ends; None before there is one."""
        pair = self._server_pair()
        return to_ms(pair[0].not_valid_after_utc) if pair is not None else None

    def _server_pair(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
        """The present certificate and key; None if missing, unreadable or not a pair."""
        try:
            key = load_key(self.server_key_path)
            certificate = x509.load_pem_x509_certificate(self.server_certificate_path.read_bytes())
        except (OSError, ValueError, TypeError):
            return None  # not silent: the caller makes new files and says so
        return (certificate, key) if certificate.public_key() == key.public_key() else None

    def _server_is_good(
        self, certificate: x509.Certificate, names: set[x509.GeneralName], now_ms: int
    ) -> bool:
        begin_ms = to_ms(certificate.not_valid_before_utc)
        end_ms = to_ms(certificate.not_valid_after_utc)
        return (
            begin_ms <= now_ms
            and 3 * (end_ms - now_ms) >= end_ms - begin_ms
            and certificate.issuer == self._generations[-1].certificate.subject
            and issued_by(certificate, self._generations[-1])
            and alternative_names(certificate) == names
        )

    def _renew_server(self, name: str, names: list[x509.GeneralName], now_ms: int) -> None:
        issuer = self._generations[-1]
        begin_ms = now_ms - DAY_MS  # devices whose clock lags
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = build_leaf(
            subject=common_name(name[:64]),
            public_key=key.public_key(),
            issuer=issuer.certificate.subject,
            issuer_key=issuer.key,
            # One second less: RFC 5280 counts both ends.
            validity_ms=(begin_ms, min(begin_ms + SERVER_LIFE_MS - 1000, issuer.not_after_ms)),
            names=names,
        )
        write_atomic(self.server_key_path, key_pem(key), SECRET_MODE)
        chain = self._server_chain(certificate, now_ms)
        write_atomic(self.server_certificate_path, chain, PUBLIC_MODE)

    def _server_chain(self, certificate: x509.Certificate, now_ms: int) -> bytes:
        """The leaf, then the way back to every older generation that has not ended."""
        chain = [certificate]
        for generation in reversed(self._generations):
            cross = generation.cross
            if cross is None or to_ms(cross.not_valid_after_utc) <= now_ms:
                break
            chain.append(cross)
        return b"".join(map(pem, chain))

    # --- devices ------------------------------------------------------------------------------

    def issue_device(
        self,
        csr_pem: str | bytes,
        device_id: str,
        now_ms: int,
        life_ms: int = DEVICE_LIFE_MS,
    ) -> DeviceCertificate:
        """Answer a certificate request (PEM) with a client certificate named ``device_id``.

        Only the request's key is used.  Valid for ``life_ms``, but never beyond the authority.
        Raises a ``RequestRefused`` or ``BadDeviceId``.
        """
        if not is_device_id(device_id):
            raise BadDeviceId(
                f"{device_id[:80]!r} cannot name a device. Use 1 to 64 of a-z A-Z 0-9 . _ - "
                "and begin with a letter or digit."
            )
        if life_ms < DAY_MS:
            raise ValueError(f"a device certificate must live a day or longer, not {life_ms} ms")
        request = read_request(csr_pem)
        issuer = self._generations[-1]
        not_after_ms = min(sane_ms(now_ms) + life_ms, issuer.not_after_ms)
        certificate = build_leaf(
            subject=common_name(device_id),
            public_key=request.public_key,
            issuer=issuer.certificate.subject,
            issuer_key=issuer.key,
            validity_ms=(DAWN_MS, not_after_ms),
        )
        return DeviceCertificate(
            device_id=device_id,
            certificate_pem=pem(certificate).decode(),
            serial=certificate.serial_number,
            not_after_ms=to_ms(certificate.not_valid_after_utc),
            fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
            generation=issuer.number,
        )

    def issue_crl(self, revoked: Sequence[Revoked], now_ms: int) -> IssuedCrl:
        """Write ``crl.pem`` anew: at every start and after every revocation, then reload.

        ``revoked`` is the whole list; the file is replaced, never merged.  Every generation lists
        every serial number (they are random, so none is another's).  The number of the list only
        grows, also when the clock went back or the file was lost.  Raises ``TooManyRevocations``.
        """
        _check_count(revoked)
        with self._lock:
            number = self._next_crl_number(sane_ms(now_ms))
            next_update_ms = sane_ms(now_ms) + CRL_LIFE_MS
            lists = [
                build_crl(
                    issuer=one.certificate.subject,
                    issuer_key=one.key,
                    number=number,
                    next_update_ms=next_update_ms,
                    revoked=revoked,
                )
                for one in self._generations
            ]
            content = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in lists)
            write_atomic(self.crl_path, content, PUBLIC_MODE)
            return IssuedCrl(number, len({one.serial for one in revoked}), next_update_ms)

    def _next_crl_number(self, now_ms: int) -> int:
        """One more than the present list's, or what the clock says if that is more."""
        by_clock = (now_ms - FLOOR_MS) // CRL_TICK_MS
        self._crl_number = max(self._crl_number + 1, self._crl_number_in_file() + 1, by_clock)
        return self._crl_number

    def _crl_number_in_file(self) -> int:
        """The number of the present list; 0 if there is none that can be read."""
        try:
            present = x509.load_pem_x509_crl(self.crl_path.read_bytes())
            return present.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        except (OSError, ValueError, x509.ExtensionNotFound):
            return 0  # not silent: the list is being replaced, and the clock keeps it growing


def issued_by(certificate: x509.Certificate, generation: Generation) -> bool:
    """Whether ``generation`` signed ``certificate``, whatever the dates say."""
    try:
        certificate.verify_directly_issued_by(generation.certificate)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def is_device_id(text: str) -> bool:
    """1 to 64 of ``a-z A-Z 0-9 . _ -``, not beginning with a sign: safe in topics and files."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", text) is not None


def _check_count(revoked: Sequence[Revoked]) -> None:
    if len(revoked) > REVOKED_MAX:
        raise TooManyRevocations(
            f"{len(revoked)} revoked certificates are more than the {REVOKED_MAX} that a list may "
            "hold. Leave out those that expired more than 13 months ago."
        )


def _missing(directory: Path) -> str:
    return (
        f"There is no certificate authority in {directory}, but devices were paired with one. "
        "Restore the directory from a backup, or start once with an empty device list and pair "
        "every device again."
    )
