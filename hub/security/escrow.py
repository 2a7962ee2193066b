"""The hub's keys, sealed for central IT: without them a copy of the database is no hub.

A file is two lines of text and a sealed body::

    store-hub-escrow 1
    {"kdf": …, "store": …, "hub_id": …, "made_at_ms": …, "body_bytes": …}

The body is JSON (file names to base64), sealed with AES-256-GCM (NIST SP 800-38D); both lines are
its associated data.  Its key comes from a passphrase by scrypt (RFC 7914), or from an ephemeral
X25519 key and the recipient's (RFC 7748) by HKDF-SHA256 (RFC 5869) with both public keys as salt,
as in age's X25519 stanza.  Each key seals one body only.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from hub.clock import Randomness
from hub.security.errors import SecurityError

MAGIC: Final = b"store-hub-escrow "
VERSION: Final = 1
FILE_BYTES_MAX: Final = 4 << 20
HEADER_BYTES_MAX: Final = 4096
PASSPHRASE_MIN: Final = 12
_SCRYPT_N: Final = 1 << 17
_SCRYPT_N_MAX: Final = 1 << 20  # 1 GiB: what a stranger's file may ask of this machine
_SCRYPT_R: Final = 8
_SCRYPT_P: Final = 1
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_INFO: Final = b"store-hub escrow 1"


class EscrowWrong(SecurityError):
    """The file can't be opened; the base of the reasons."""


class EscrowUnreadable(EscrowWrong):
    """It is no escrow file, cut short, or of another version."""


class EscrowLocked(EscrowWrong):
    """The passphrase or key doesn't fit, or somebody changed the file."""


class WeakPassphrase(SecurityError):
    """A passphrase that guessing finds."""


@dataclass(frozen=True, slots=True)
class Passphrase:
    """Opens and seals."""

    text: str


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whoever holds the X25519 key that belongs to this public key; seals only."""

    public: X25519PublicKey


@dataclass(frozen=True, slots=True)
class Identity:
    """The X25519 key itself; opens only."""

    private: X25519PrivateKey


@dataclass(frozen=True, slots=True)
class Escrow:
    """What is put by: ``files`` are the hub's keys by their names below ``tls``."""

    store: str
    hub_id: str
    made_at_ms: int
    files: Mapping[str, bytes]


def recipient_of(pem: bytes) -> Recipient:
    """From a public key in PEM.  Raises :class:`EscrowWrong`."""
    try:
        key = serialization.load_pem_public_key(pem)
    except ValueError as error:
        raise EscrowWrong(f"this is no public key in PEM ({error})") from None
    if not isinstance(key, X25519PublicKey):
        raise EscrowWrong("the public key is not X25519: openssl genpkey -algorithm X25519")
    return Recipient(key)


def identity_of(pem: bytes, password: bytes | None = None) -> Identity:
    """From a private key in PEM.  Raises :class:`EscrowWrong`."""
    try:
        key = serialization.load_pem_private_key(pem, password)
    except (ValueError, TypeError) as error:
        raise EscrowWrong(f"this private key can't be read ({error})") from None
    if not isinstance(key, X25519PrivateKey):
        raise EscrowWrong("the private key is not X25519: use the one the file was sealed for")
    return Identity(key)


def seal_escrow(escrow: Escrow, to: Passphrase | Recipient, randomness: Randomness) -> bytes:
    """The file's content.  Raises :class:`WeakPassphrase`."""
    names = {name: _text(content) for name, content in sorted(escrow.files.items())}
    plain = json.dumps(names).encode()
    nonce = randomness.token_bytes(_NONCE_BYTES)
    header: dict[str, Any] = {
        "store": escrow.store,
        "hub_id": escrow.hub_id,
        "made_at_ms": escrow.made_at_ms,
        "body_bytes": len(plain) + _TAG_BYTES,
        "nonce": _text(nonce),
    }
    match to:
        case Passphrase(text):
            if len(text) < PASSPHRASE_MIN:
                raise WeakPassphrase(f"a passphrase has at least {PASSPHRASE_MIN} characters")
            salt = randomness.token_bytes(16)
            header |= {"kdf": "scrypt", "salt": _text(salt), "n": _SCRYPT_N}
            key = _from_passphrase(text, salt, _SCRYPT_N)
        case Recipient(public):
            ephemeral = X25519PrivateKey.from_private_bytes(randomness.token_bytes(32))
            ours, theirs = ephemeral.public_key().public_bytes_raw(), public.public_bytes_raw()
            header |= {"kdf": "x25519", "ephemeral": _text(ours), "recipient": _text(theirs)}
            key = _from_shared(ephemeral.exchange(public), ours + theirs)
    head = MAGIC + f"{VERSION}\n{json.dumps(header)}\n".encode()
    return head + AESGCM(key).encrypt(nonce, plain, head)


def describe_escrow(content: bytes) -> Escrow:
    """Whose it is, without its keys: ``files`` is empty, and nothing is proved.

    Raises :class:`EscrowUnreadable`.
    """
    _, header, _ = _parts(content)
    return _described(header, {})


def wants_passphrase(content: bytes) -> bool:
    """Whether it was sealed with a passphrase.  Raises :class:`EscrowUnreadable`."""
    return bool(_parts(content)[1].get("kdf") == "scrypt")


def open_escrow(content: bytes, by: Passphrase | Identity) -> Escrow:
    """What was sealed.  Raises :class:`EscrowUnreadable` and :class:`EscrowLocked`."""
    head, header, body = _parts(content)
    try:
        nonce = _raw(header["nonce"])
        key = _opening_key(header, by)
        plain = AESGCM(key).decrypt(nonce, body, head)
        files = {str(name): _raw(text) for name, text in json.loads(plain).items()}
    except InvalidTag:
        raise EscrowLocked(
            f"the {'passphrase' if isinstance(by, Passphrase) else 'key'} doesn't fit, or the file"
            " was changed: try again, then another copy of the file"
        ) from None
    except (ArithmeticError, KeyError, TypeError, ValueError) as error:
        raise EscrowUnreadable(
            f"the escrow file is damaged ({error!r}): use another copy"
        ) from None
    for name in files:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise EscrowUnreadable(f"the escrow file names {name!r}, which is no key's name")
    return _described(header, files)


def _opening_key(header: Mapping[str, Any], by: Passphrase | Identity) -> bytes:
    match header.get("kdf"), by:
        case "scrypt", Passphrase(text):
            n = int(header["n"])
            if not 2 <= n <= _SCRYPT_N_MAX or n & (n - 1):
                raise ValueError(f"scrypt's n is {n}")
            return _from_passphrase(text, _raw(header["salt"]), n)
        case "x25519", Identity(private):
            ours = _raw(header["ephemeral"])
            theirs = private.public_key().public_bytes_raw()
            if theirs != _raw(header["recipient"]):
                raise EscrowLocked("the file was sealed for another key: use that one")
            shared = private.exchange(X25519PublicKey.from_public_bytes(ours))
            return _from_shared(shared, ours + theirs)
        case "scrypt", _:
            raise EscrowLocked("the file was sealed with a passphrase: give that")
        case "x25519", _:
            raise EscrowLocked("the file was sealed for a key: give it (--identity FILE)")
        case kdf, _:
            raise EscrowUnreadable(f"the file was sealed by {kdf!r}: use the newer Store Hub")


def _parts(content: bytes) -> tuple[bytes, dict[str, Any], bytes]:
    """Both lines, the header, and the sealed body."""
    if not content.startswith(MAGIC):
        raise EscrowUnreadable("this is no escrow file of a Store Hub")
    if len(content) > FILE_BYTES_MAX:
        raise EscrowUnreadable(f"an escrow file has at most {FILE_BYTES_MAX} bytes")
    version, newline, rest = content[len(MAGIC) :].partition(b"\n")
    if newline and version != str(VERSION).encode():
        raise EscrowUnreadable(
            f"the escrow file is of version {version[:20].decode(errors='replace')}, this Store Hub"
            f" knows {VERSION}: use the Store Hub that made it, or a newer one"
        )
    line, second, body = rest.partition(b"\n")
    try:
        header = json.loads(line) if newline and second and len(line) <= HEADER_BYTES_MAX else None
        length = int(header["body_bytes"]) if isinstance(header, dict) else -1
    except (ArithmeticError, ValueError, KeyError, TypeError, RecursionError):
        header, length = None, -1
    if not isinstance(header, dict) or length != len(body):
        raise EscrowUnreadable("the escrow file is cut short or damaged: use another copy")
    return content[: len(content) - len(body)], header, body


def _described(header: Mapping[str, Any], files: Mapping[str, bytes]) -> Escrow:
    try:
        made_at_ms = int(header["made_at_ms"])
        return Escrow(str(header["store"]), str(header["hub_id"]), made_at_ms, files)
    except (ArithmeticError, KeyError, TypeError, ValueError) as error:
        raise EscrowUnreadable(
            f"the escrow file is damaged ({error!r}): use another copy"
        ) from None


def _from_passphrase(text: str, salt: bytes, n: int) -> bytes:
    return Scrypt(salt=salt, length=32, n=n, r=_SCRYPT_R, p=_SCRYPT_P).derive(text.encode())


def _from_shared(shared: bytes, salt: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt=salt, info=_INFO).derive(shared)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _raw(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
