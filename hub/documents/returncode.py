"""A signed code on a receipt: another shop can believe it without asking anybody.

A code says which sale it was (store, receipt number, sale id, business day, total, currency) and
is signed with Ed25519 (RFC 8032) under a key that the box derives from its secret; who knows the
shop's public key can check it, offline.  It proves that the shop sold, not that the goods haven't
been returned before: that is asked of the cloud, or settled when it is there again.

The bytes are written in base45 (RFC 9285), which a QR code stores in its alphanumeric mode: a code
of usual length is a QR symbol of version 7 or 8, at its longest of version 10, whose modules are
4 dots wide on 58 mm paper.

Layout of the bytes, version 1: 1 version, 1 + n store, 1 + n receipt number, 16 sale id,
2 business day (days since 2000-01-01), 8 total (signed), 3 currency, 64 signature over all before.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from hub.contract.documents import GiftFacts, SaleFacts

PURPOSE: Final = "return codes"
"""What the key is derived for (``SecretsBox.derive``)."""
PREFIX: Final = "SHR1:"
CODE_CHARS_MAX: Final = 320
STORE_BYTES_MAX: Final = 64
RECEIPT_BYTES_MAX: Final = 40
KEY_BYTES: Final = 32
NO_CURRENCY: Final = "XXX"
"""ISO 4217's code for none: a gift receipt's code says no price."""
_VERSION: Final = 1
_SIGNATURE_BYTES: Final = 64
_TAIL: Final = struct.Struct(">16sHq3s")
_DAY_ZERO: Final = date(2000, 1, 1)
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_VALUES: Final = {char: n for n, char in enumerate(_ALPHABET)}
_CONTEXT: Final = b"store-hub return code\0"


class BadCode(ValueError):
    """It isn't a return code, or nobody we know has signed it; the text says which."""


@dataclass(frozen=True, slots=True)
class ReturnCode:
    """What a code says.  ``sale_id``: a UUID; ``day``: the business day, ISO 8601."""

    store: str
    receipt_no: str
    sale_id: str
    day: str
    total_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class Signer:
    """What a shop signs with: its id and the key of 32 bytes (``SecretsBox.derive(PURPOSE)``)."""

    store: str
    key: bytes = field(repr=False)

    def code_of(self, facts: SaleFacts | GiftFacts) -> str:
        """The code of a sale; empty for training, and for what a code can't say (a queue of an
        older hub may lack the business day).  A gift receipt's tells no price."""
        if facts.training:
            return ""
        total_minor, currency = (
            (facts.total_minor, facts.currency)
            if isinstance(facts, SaleFacts)
            else (0, NO_CURRENCY)
        )
        try:
            return sign(
                ReturnCode(
                    self.store,
                    facts.receipt_no,
                    facts.sale_id,
                    facts.business_day,
                    total_minor,
                    currency,
                ),
                self.key,
            )
        except ValueError:
            return ""


def public_key(key: bytes) -> bytes:
    """The 32 bytes that others check with; ``key``: the 32 bytes that are signed with."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw()


def key_text(public: bytes) -> str:
    """A public key as text: base64url with padding (RFC 4648)."""
    return base64.urlsafe_b64encode(public).decode("ascii")


def key_of(text: str) -> bytes | None:
    """A public key out of such a text; None: it is none."""
    try:
        raw = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
    except ValueError:
        return None
    return raw if len(raw) == KEY_BYTES else None


def sign(code: ReturnCode, key: bytes) -> str:
    """The text for the QR code.  Errors: ``ValueError`` for what doesn't fit its fields."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    body = _packed(code)
    signature = Ed25519PrivateKey.from_private_bytes(key).sign(_CONTEXT + body)
    return PREFIX + base45(body + signature)


def read(text: str) -> ReturnCode:
    """What a code claims, not checked: to find the shop's key by.  Errors: :class:`BadCode`."""
    return _unpacked(_bytes_of(text)[:-_SIGNATURE_BYTES])


def verify(text: str, public_keys: Iterable[bytes]) -> ReturnCode:
    """What a code says, if one of the shop's keys has signed it (a shop has several after its box
    was replaced with a new secret).  Errors: :class:`BadCode`."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    raw = _bytes_of(text)
    body, signature = raw[:-_SIGNATURE_BYTES], raw[-_SIGNATURE_BYTES:]
    code = _unpacked(body)
    for public in public_keys:
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, _CONTEXT + body)
        except InvalidSignature:
            continue
        return code
    raise BadCode(
        f"The code of receipt {code.receipt_no} isn't signed by a known key of shop {code.store}:"
        " look the sale up at the cloud, or ask for another proof."
    )


def _packed(code: ReturnCode) -> bytes:
    days = (date.fromisoformat(code.day) - _DAY_ZERO).days
    if not 0 <= days <= 0xFFFF:
        raise ValueError(f"{code.day} can't be said in a return code")
    currency = code.currency.encode("ascii")
    if len(currency) != 3:
        raise ValueError(f"{code.currency!r} is no ISO 4217 code")
    if not -(2**63) <= code.total_minor < 2**63:
        raise ValueError(f"{code.total_minor} is more than any sale")
    tail = _TAIL.pack(UUID(code.sale_id).bytes, days, code.total_minor, currency)
    store = _text(code.store, STORE_BYTES_MAX)
    return bytes([_VERSION]) + store + _text(code.receipt_no, RECEIPT_BYTES_MAX) + tail


def _text(text: str, bytes_max: int) -> bytes:
    raw = text.encode()
    if len(raw) > bytes_max:
        raise ValueError(f"{text!r} has more than {bytes_max} bytes")
    return bytes([len(raw)]) + raw


def _unpacked(body: bytes) -> ReturnCode:
    try:
        if body[0] != _VERSION:
            raise BadCode(f"Return codes of version {body[0]} aren't known: update this hub.")
        store, rest = _cut(body[1:])
        receipt_no, rest = _cut(rest)
        sale_id, days, total_minor, currency = _TAIL.unpack(rest)
        return ReturnCode(
            store,
            receipt_no,
            str(UUID(bytes=sale_id)),
            (_DAY_ZERO + timedelta(days=days)).isoformat(),
            total_minor,
            currency.decode("ascii"),
        )
    except (struct.error, UnicodeDecodeError, IndexError) as error:
        raise _broken() from error


def _cut(raw: bytes) -> tuple[str, bytes]:
    length = raw[0]
    if len(raw) <= length:
        raise _broken()
    return raw[1 : length + 1].decode(), raw[length + 1 :]


def _bytes_of(text: str) -> bytes:
    if not text.startswith(PREFIX):
        raise BadCode("This isn't a return code: scan the square code of the receipt.")
    if len(text) > CODE_CHARS_MAX:
        raise _broken()
    raw = base45_bytes(text.removeprefix(PREFIX))
    if len(raw) <= _SIGNATURE_BYTES:
        raise _broken()
    return raw


def _broken() -> BadCode:
    return BadCode("The return code is damaged: scan it again, or look the receipt number up.")


def base45(data: bytes) -> str:
    """RFC 9285."""
    found = []
    for at in range(0, len(data) - 1, 2):
        high, low = divmod(data[at] * 256 + data[at + 1], 45 * 45)
        found += [_ALPHABET[low % 45], _ALPHABET[low // 45], _ALPHABET[high]]
    if len(data) % 2:
        found += [_ALPHABET[data[-1] % 45], _ALPHABET[data[-1] // 45]]
    return "".join(found)


def base45_bytes(text: str) -> bytes:
    """RFC 9285.  Errors: :class:`BadCode`."""
    try:
        values = [_VALUES[char] for char in text]
    except KeyError as error:
        raise _broken() from error
    found = bytearray()
    for at in range(0, len(values), 3):
        group = values[at : at + 3]
        number = sum(value * 45**n for n, value in enumerate(group))
        size = len(group) - 1
        if size == 0 or number >= 256**size:
            raise _broken()
        found += number.to_bytes(size, "big")
    return bytes(found)
