"""Who may call: bearer tokens, client credentials, signed bodies, and the admin's token."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from aiohttp import web

from hub.clock import Clock, Randomness
from hub.contract.oms import OmsCode
from hub.contract.oms_signing import verify

from .problems import refuse

TOKEN_LIFE_S = 3600
SCRATCH_PREFIX = "oms-check-"


@dataclass(frozen=True, slots=True)
class Secrets:
    """The sandbox's secrets, made once and kept in its state directory (mode 0600)."""

    token: str
    admin_token: str
    client_id: str
    client_secret: str
    signing_secret: str
    token_key: str


def load_secrets(path: Path, randomness: Randomness) -> Secrets:
    """Read the secrets, making them at the first start."""
    if not path.exists():
        fresh = Secrets(
            token=randomness.token_bytes(24).hex(),
            admin_token=randomness.token_bytes(24).hex(),
            client_id="store-hub",
            client_secret=randomness.token_bytes(24).hex(),
            signing_secret="whsec_" + base64.b64encode(randomness.token_bytes(32)).decode(),
            token_key=randomness.token_bytes(32).hex(),
        )
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(fresh)), "utf-8")
    return Secrets(**json.loads(path.read_text("utf-8")))


class Doorkeeper:
    """Checks callers; ``stores`` are the ones the tokens are for, besides scratch stores."""

    def __init__(
        self, secrets: Secrets, stores: tuple[str, ...], clock: Clock, *, signed: bool
    ) -> None:
        self._secrets = secrets
        self._stores = stores
        self._clock = clock
        self._signed = signed

    def access_token(self, client_id: str, client_secret: str) -> str:
        """A token for client credentials, good for an hour, also over a restart."""
        known = hmac.compare_digest(client_id.encode(), self._secrets.client_id.encode())
        right = hmac.compare_digest(client_secret.encode(), self._secrets.client_secret.encode())
        if not (known and right):
            raise refuse(OmsCode.UNAUTHENTICATED, "The client credentials are not known here.")
        until_s = self._clock.wall_ms() // 1000 + TOKEN_LIFE_S
        return f"at.{until_s}.{self._mark(until_s)}"

    def _mark(self, until_s: int) -> str:
        key = bytes.fromhex(self._secrets.token_key)
        return hmac.new(key, str(until_s).encode(), hashlib.sha256).hexdigest()

    def check_hub(self, request: web.Request, store: str) -> None:
        """Refuses a call without a good token, or for a store the token is not for."""
        token = _bearer(request)
        if not (self._is_static(token) or self._is_fresh(token)):
            raise refuse(OmsCode.UNAUTHENTICATED, "Send Authorization: Bearer with a valid token.")
        if store not in self._stores and not store.startswith(SCRATCH_PREFIX):
            raise refuse(OmsCode.FORBIDDEN, f"This token is not for store {store}.")

    def check_admin(self, request: web.Request) -> None:
        if not hmac.compare_digest(_bearer(request).encode(), self._secrets.admin_token.encode()):
            raise refuse(OmsCode.UNAUTHENTICATED, "This needs the sandbox's admin token.")

    def check_signature(self, request: web.Request, body: bytes) -> None:
        """When signatures are asked for: refuses a body that isn't signed."""
        if not self._signed:
            return
        wrong = verify(self._secrets.signing_secret, request.headers, body, self._clock.wall_ms())
        if wrong is not None:
            raise refuse(OmsCode.UNAUTHENTICATED, f"The body's signature: {wrong}.")

    def _is_static(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self._secrets.token.encode())

    def _is_fresh(self, token: str) -> bool:
        kind, _, rest = token.partition(".")
        until, _, mark = rest.partition(".")
        if kind != "at" or not until.isascii() or not until.isdigit() or len(until) > 12:
            return False
        good = hmac.compare_digest(mark.encode(), self._mark(int(until)).encode())
        return good and int(until) > self._clock.wall_ms() // 1000


def _bearer(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
