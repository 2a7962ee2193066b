"""Web sessions: an opaque signed token in a cookie, and a CSRF token tied to it.

The token is random, so the signature adds no secrecy: it lets the web server throw away invented
cookies before it asks the database.  The caller stores only ``digest``, with the session's end.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, field

from hub.clock import Randomness

TOKEN_BYTES = 32
_SHAPE = re.compile(r"[A-Za-z0-9_-]{43}\.[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class NewSession:
    """``cookie`` goes to the browser (HttpOnly, Secure, SameSite=Strict); ``digest`` is stored."""

    cookie: str = field(repr=False)
    digest: str


class Sessions:
    """Issues and reads cookies under one key of 32 bytes (see ``SecretsBox.derive``)."""

    def __init__(self, key: bytes, randomness: Randomness) -> None:
        if len(key) != 32:
            raise ValueError("the key of web sessions has 32 bytes")
        self._key = key
        self._randomness = randomness

    def issue(self) -> NewSession:
        token = _text(self._randomness.token_bytes(TOKEN_BYTES))
        return NewSession(f"{token}.{self._mac('session', token)}", _digest(token))

    def digest_of(self, cookie: str) -> str | None:
        """What the session is stored under, or None if this hub never issued the cookie."""
        token = self._token(cookie)
        return None if token is None else _digest(token)

    def csrf_token(self, cookie: str) -> str | None:
        """For a form or header of the page that belongs to ``cookie``; None if not ours."""
        token = self._token(cookie)
        return None if token is None else self._mac("csrf", token)

    def csrf_fits(self, cookie: str, sent: str) -> bool:
        """Whether ``sent`` came from a page of this session, in constant time."""
        expected = self.csrf_token(cookie)
        if expected is None:
            return False
        return hmac.compare_digest(expected.encode(), sent.encode("utf-8", "replace"))

    def _token(self, cookie: str) -> str | None:
        if _SHAPE.fullmatch(cookie) is None:
            return None
        token, _, mac = cookie.partition(".")
        return token if hmac.compare_digest(mac, self._mac("session", token)) else None

    def _mac(self, purpose: str, token: str) -> str:
        return _text(hmac.digest(self._key, f"{purpose}:{token}".encode(), hashlib.sha256))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("ascii")).hexdigest()


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
