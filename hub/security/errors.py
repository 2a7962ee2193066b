"""What can go wrong with keys, codes and certificates.

Each message says what was wrong and names the next step, because it is shown to a technician or
to whoever writes a device.  None of them contains a secret.
"""

from __future__ import annotations


class SecurityError(Exception):
    """The base of every error of ``hub.security``."""


# --- the hub's own authority ------------------------------------------------------------------


class AuthorityMissing(SecurityError):
    """There is no certificate authority where one is expected."""


class AuthorityDamaged(SecurityError):
    """A file of the authority is unreadable, incomplete or contradicts another."""


class TooManyGenerations(SecurityError):
    """The authority was rolled over more often than its trust bundle may grow."""


class TooManyRevocations(SecurityError):
    """The revocation list would outgrow what small brokers and devices can load."""


class BadServerName(SecurityError):
    """A host name or address cannot be written into a certificate."""


class BadDeviceId(SecurityError):
    """A device id cannot serve as a certificate's common name."""


# --- certificate requests ---------------------------------------------------------------------


class RequestRefused(SecurityError):
    """A device's certificate request cannot be accepted; the base of the reasons."""


class RequestTooLarge(RequestRefused):
    """The request is larger than any honest one."""


class RequestUnreadable(RequestRefused):
    """The request is not a PEM certificate request (PKCS #10)."""


class RequestSignatureWrong(RequestRefused):
    """The request does not prove that its sender holds the private key."""


class WeakKey(RequestRefused):
    """The key is of a kind or size that the hub does not accept."""


# --- renewal by proof of key ------------------------------------------------------------------


class RenewalRefused(SecurityError):
    """An old certificate cannot be renewed; the base of the reasons."""


class NonceRefused(RenewalRefused):
    """The nonce was not issued by this hub, is too old, or was used before."""


class RenewalBusy(RenewalRefused):
    """So many renewals happened in the last minutes that single use cannot be promised."""


class CertificateUnreadable(RenewalRefused):
    """The old certificate is not a PEM certificate."""


class CertificateForeign(RenewalRefused):
    """The old certificate is not a device certificate issued by this hub."""


class CertificateTooOld(RenewalRefused):
    """The old certificate expired longer ago than renewal allows."""


class CertificateRevoked(RenewalRefused):
    """The old certificate was revoked."""


class ProofWrong(RenewalRefused):
    """The signature was not made by the old certificate's key over what the hub expects."""


# --- small things -----------------------------------------------------------------------------


class PairingLinkWrong(SecurityError):
    """The text of a pairing QR code is not one of ours or is incomplete."""


class PinHashDamaged(SecurityError):
    """A stored PIN hash is not an argon2id hash."""


class SealBroken(SecurityError):
    """A sealed secret was changed, sealed with another key, or for another purpose."""


class KeyFileWrong(SecurityError):
    """The key file is not 32 bytes, or other users may read it."""


class VaultLocked(SecurityError):
    """The file with the keys of stored payments can't be opened, or takes no more of them."""
