"""The keys that stored payments' tokens are sealed under, and their rotation.

Each token is sealed with AES-256-GCM (NIST SP 800-38D) under a key of its own, which one of the
vault's keys wraps; both are bound to the payment's id, so that no record passes for another's.  The
vault's keys stand in one file, sealed under a master key: a systemd credential where there is one,
else one derived from the box's key.  A backup of the database holds none of them.
"""

from __future__ import annotations

import base64
import hmac
import json
import threading
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.clock import Randomness
from hub.domain.payments.tokens import SealedToken
from hub.security.errors import SealBroken, VaultLocked
from hub.security.files import SECRET_MODE, write_atomic

KEY_BYTES: Final = 32
TOKEN_BYTES_MAX: Final = 4096
KEYS_MAX: Final = 8
"""So many keys stand in the file at most: rotate again only when the old ones are gone."""
FILE: Final = "payments.keys"
SETTING: Final = "payments.key"
PURPOSE: Final = "payments vault"
CARD_PURPOSE: Final = "payments card"
_MAGIC: Final = b"store-hub payments 1\n"
_NONCE_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class _Ring:
    """``keys`` by name, oldest first; the last one is used for what is new."""

    keys: tuple[tuple[str, bytes], ...]

    @property
    def current(self) -> str:
        return self.keys[-1][0]

    def find(self, key_id: str) -> bytes | None:
        return next((key for name, key in self.keys if name == key_id), None)


class PaymentVault:
    """Seals and opens tokens.  Used from the writer's thread and the loop."""

    def __init__(
        self, path: Path, master: bytes, card_key: bytes, randomness: Randomness, ring: _Ring
    ) -> None:
        self._path = path
        self._master = master
        self._card_key = card_key
        self._randomness = randomness
        self._ring = ring
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls,
        path: Path,
        master: bytes,
        card_key: bytes,
        randomness: Randomness,
        former: bytes | None = None,
    ) -> PaymentVault:
        """The vault of this file, which is made when there is none.  A file that only the
        ``former`` master opens is sealed anew under ``master``.

        Errors: :class:`VaultLocked` when the file is there and neither opens it: it is never
        replaced, for payments may wait that only its keys open.
        """
        if not path.exists():
            vault = cls(path, master, card_key, randomness, _Ring((_new_key(randomness),)))
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            vault._write(vault._ring)
            return vault
        try:
            return cls(path, master, card_key, randomness, _read(path, master))
        except VaultLocked:
            if former is None:
                raise
            try:
                ring = _read(path, former)
            except VaultLocked:
                ring = None
            if ring is None:
                raise
        vault = cls(path, master, card_key, randomness, ring)
        vault._write(ring)
        return vault

    @property
    def current(self) -> str:
        """The name of the key for what is new."""
        return self._ring.current

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The names of all keys, oldest first."""
        return tuple(name for name, _ in self._ring.keys)

    # -- tokens -------------------------------------------------------------------------------

    def seal(self, payment_id: str, token: bytes, what: str = "token") -> SealedToken:
        """Seal a token of at most 4 KiB for this payment alone.  ``what`` it is, is sealed in."""
        if not 1 <= len(token) <= TOKEN_BYTES_MAX:
            raise ValueError(f"a token has 1 to {TOKEN_BYTES_MAX} bytes")
        key_id, key = self._ring.keys[-1]
        own = self._randomness.token_bytes(KEY_BYTES)
        return SealedToken(
            key_id,
            wrapped=self._encrypt(key, own, _about_key(key_id, payment_id)),
            sealed=self._encrypt(own, token, _about_token(payment_id, what)),
        )

    def unseal(self, payment_id: str, token: SealedToken, what: str = "token") -> bytes:
        """The token.  Errors: :class:`SealBroken`."""
        own = self._own_key(payment_id, token)
        return _decrypt(own, token.sealed, _about_token(payment_id, what), payment_id)

    def rewrap(self, payment_id: str, token: SealedToken) -> SealedToken:
        """The same token under the current key; its own key stays.  Errors: :class:`SealBroken`."""
        own = self._own_key(payment_id, token)
        key_id, key = self._ring.keys[-1]
        wrapped = self._encrypt(key, own, _about_key(key_id, payment_id))
        return SealedToken(key_id, wrapped, token.sealed)

    def stamp(self, payment_id: str, token: SealedToken, facts: bytes) -> str:
        """Says that whoever wrote these facts beside a token had the vault (HMAC-SHA256 under the
        token's own key, hexadecimal).  Errors: :class:`SealBroken`."""
        own = self._own_key(payment_id, token)
        return hmac.new(own, b"facts\n" + facts, sha256).hexdigest()

    def card_ref(self, card: str) -> str:
        """A keyed hash (HMAC-SHA256, 32 hexadecimal digits) that says no more than "the same card":
        it outlives rotations.  Empty for nothing."""
        if not card:
            return ""
        return hmac.new(self._card_key, card.encode(), sha256).hexdigest()[:32]

    # -- keys ---------------------------------------------------------------------------------

    def rotate(self) -> str:
        """Make a new key for what is new; its name.  The old ones stay until :meth:`forget`.

        Errors: :class:`VaultLocked` when too many old ones are still needed.
        """
        with self._lock:
            if len(self._ring.keys) >= KEYS_MAX:
                raise VaultLocked(
                    f"{KEYS_MAX} payment keys are still needed: rotate again when the payments"
                    " that wait are forwarded (store-hub payments list)."
                )
            ring = _Ring((*self._ring.keys, _new_key(self._randomness)))
            self._write(ring)
            self._ring = ring
            return ring.current

    def forget(self, needed: frozenset[str]) -> tuple[str, ...]:
        """Destroy the keys that are neither current nor needed; their names.  What an old backup
        holds under them nobody ever opens."""
        with self._lock:
            ring = self._ring
            kept = tuple(one for one in ring.keys if one[0] in needed or one[0] == ring.current)
            gone = tuple(name for name, _ in ring.keys if name not in {one[0] for one in kept})
            if gone:
                self._write(_Ring(kept))
                self._ring = _Ring(kept)
            return gone

    # -- inside -------------------------------------------------------------------------------

    def _own_key(self, payment_id: str, token: SealedToken) -> bytes:
        key = self._ring.find(token.key_id)
        if key is None:
            raise SealBroken(
                f"The key {token.key_id} of a stored payment isn't here: put back {FILE} from the"
                " escrow, or have the payment decided by two people (store-hub payments decide)."
            )
        return _decrypt(key, token.wrapped, _about_key(token.key_id, payment_id), payment_id)

    def _encrypt(self, key: bytes, plain: bytes, about: bytes) -> bytes:
        nonce = self._randomness.token_bytes(_NONCE_BYTES)
        return nonce + AESGCM(key).encrypt(nonce, plain, about)

    def _write(self, ring: _Ring) -> None:
        plain = json.dumps([[name, base64.b64encode(key).decode()] for name, key in ring.keys])
        sealed = self._encrypt(self._master, plain.encode(), _MAGIC)
        write_atomic(self._path, _MAGIC + sealed, SECRET_MODE)


def _read(path: Path, master: bytes) -> _Ring:
    try:
        content = path.read_bytes()
        if not content.startswith(_MAGIC):
            raise ValueError("it is no such file")
        body = content.removeprefix(_MAGIC)
        plain = AESGCM(master).decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], _MAGIC)
        keys = tuple((str(name), base64.b64decode(key)) for name, key in json.loads(plain))
        if not keys or any(len(key) != KEY_BYTES for _, key in keys):
            raise ValueError("it has no keys")
    except (ValueError, TypeError, OSError, InvalidTag) as error:
        why = str(error) or "it was sealed under another key"
        raise VaultLocked(
            f"The keys of stored payments ({path.name}) can't be opened: {why}. Give the hub the"
            f" setting {SETTING} (a systemd credential) or the box.key that it was sealed under."
            " Nothing is lost meanwhile: payments that wait stay as they are."
        ) from error
    return _Ring(keys)


def _decrypt(key: bytes, sealed: bytes, about: bytes, payment_id: str) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], about)
    except (ValueError, InvalidTag) as error:
        raise SealBroken(
            f"The token of payment {payment_id} was changed or belongs to another payment: have it"
            " decided by two people (store-hub payments decide)."
        ) from error


def _new_key(randomness: Randomness) -> tuple[str, bytes]:
    return f"k{randomness.token_bytes(6).hex()}", randomness.token_bytes(KEY_BYTES)


def _about_key(key_id: str, payment_id: str) -> bytes:
    return f"key {key_id} of {payment_id}".encode()


def _about_token(payment_id: str, what: str) -> bytes:
    return f"{what} of {payment_id}".encode()
