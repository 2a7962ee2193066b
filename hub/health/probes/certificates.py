"""Ends of the authority and of its list of revoked devices."""

from __future__ import annotations

from hub.health.facts import Certificates
from hub.security.authority import Authority
from hub.security.certificates import to_ms


def measure(authority: Authority) -> Certificates:
    """Read from the files that the broker uses."""
    from cryptography import x509

    crl_ends_at_ms = None
    try:
        crl = x509.load_pem_x509_crl(authority.crl_path.read_bytes())
        if crl.next_update_utc is not None:
            crl_ends_at_ms = to_ms(crl.next_update_utc)
    except (OSError, ValueError):  # not silent: the check says that it isn't known
        pass
    return Certificates(authority.generations[-1].not_after_ms, crl_ends_at_ms)
