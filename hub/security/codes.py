"""One-time pairing codes, and the text inside the pairing QR code.

A code has 8 characters (39 bits), lives ten minutes and allows five tries; counting both is the
caller's.  It is kept only as a salted hash.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode, urlsplit

from hub.clock import Randomness
from hub.security.alphabet import UNAMBIGUOUS, draw
from hub.security.errors import PairingLinkWrong

CODE_CHARACTERS = 8
CODE_LIFE_MS = 10 * 60 * 1000
CODE_TRIES_MAX = 5
TYPED_CHARACTERS_MAX = 64
LINK_CHARACTERS_MAX = 512

_SCAN = "Scan the QR code that the hub's status page shows when pairing is open."


def new_code(randomness: Randomness) -> str:
    """8 characters, e.g. ``K7QM2XWD``."""
    return draw(CODE_CHARACTERS, randomness)


def show_code(code: str) -> str:
    """``K7QM-2XWD``: how a person reads it."""
    return f"{code[:4]}-{code[4:]}"


def normal_code(typed: str) -> str | None:
    """The code that a person typed, without its spaces, dashes and small letters; None if none."""
    if len(typed) > TYPED_CHARACTERS_MAX:
        return None
    plain = unicodedata.normalize("NFKC", typed)
    code = "".join(one for one in plain if not _separates(one))
    if not code.isascii():
        return None
    code = code.upper()
    if len(code) != CODE_CHARACTERS or not set(code) <= set(UNAMBIGUOUS):
        return None
    return code


def hash_code(code: str, randomness: Randomness) -> str:
    """``sha256$<salt>$<hash>``; raises ``ValueError`` for what is not a code."""
    normal = normal_code(code)
    if normal is None:
        raise ValueError("not a pairing code")
    salt = randomness.token_bytes(16)
    return f"sha256${salt.hex()}${_digest(salt, normal).hex()}"


def code_fits(typed: str, stored: str) -> bool:
    """Whether a person typed the code whose hash is ``stored``, in constant time."""
    scheme, salt, digest = stored.split("$")
    if scheme != "sha256":
        raise ValueError(f"unknown hash scheme {scheme!r} of a pairing code")
    normal = normal_code(typed)
    fits = hmac.compare_digest(_digest(bytes.fromhex(salt), normal or ""), bytes.fromhex(digest))
    return fits and normal is not None


def _separates(one: str) -> bool:
    """Spaces, dashes of every script, and what some keyboards slip in invisibly."""
    return one.isspace() or one in "_\u2212" or unicodedata.category(one) in {"Pd", "Cf"}


def _digest(salt: bytes, code: str) -> bytes:
    return hashlib.sha256(salt + code.encode("ascii")).digest()


@dataclass(frozen=True, slots=True)
class PairingLink:
    """Where to pair, whom to trust and the right to: ``storehub://pair?host=…&port=…&fp=…&code=…``.

    ``fp`` is ``Authority.fingerprint``: the device compares it with the SHA-256 of the CA
    certificate that it was sent.
    """

    host: str
    port: int
    fp: str
    code: str = field(repr=False)

    def text(self) -> str:
        fields = {"host": self.host, "port": self.port, "fp": self.fp, "code": self.code}
        return "storehub://pair?" + urlencode(fields)

    @classmethod
    def parse(cls, text: str) -> PairingLink:
        """Read the text back; unknown fields are ignored.  Raises ``PairingLinkWrong``."""
        if len(text) > LINK_CHARACTERS_MAX:
            raise PairingLinkWrong(f"This text is too long for a pairing code. {_SCAN}")
        try:
            parts = urlsplit(text.strip())
            fields = parse_qs(parts.query, max_num_fields=16)
        except ValueError as error:
            raise PairingLinkWrong(f"This text is not a pairing code. {_SCAN}") from error
        if parts.scheme != "storehub" or parts.netloc != "pair":
            raise PairingLinkWrong(f"This is not a Store Hub pairing code. {_SCAN}")
        host, port = _only(fields, "host"), _only(fields, "port")
        fp, code = _only(fields, "fp").lower(), normal_code(_only(fields, "code"))
        if not re.fullmatch(r"[A-Za-z0-9._:-]{1,253}", host):
            raise PairingLinkWrong(f"The pairing code names no usable host. {_SCAN}")
        if not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
            raise PairingLinkWrong(f"The pairing code names no usable port. {_SCAN}")
        if not re.fullmatch(r"[0-9a-f]{64}", fp):
            raise PairingLinkWrong(f"The pairing code has no SHA-256 fingerprint. {_SCAN}")
        if code is None:
            raise PairingLinkWrong(f"The pairing code has no one-time code. {_SCAN}")
        return cls(host, int(port), fp, code)


def _only(fields: dict[str, list[str]], name: str) -> str:
    values = fields.get(name, [])
    if len(values) != 1:
        raise PairingLinkWrong(f"The pairing code needs the field {name!r} once. {_SCAN}")
    return values[0]
