"""Asking the running hub in a person's own name, for what one has to answer for: signed in at the
page's door on this very box with staff number and PIN, for this one question."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import TYPE_CHECKING, Any, Final

import click

from hub.cli.common import fail, load_settings

if TYPE_CHECKING:
    from hub.config import Settings

TIMEOUT_S: Final = 30.0
ANSWER_BYTES_MAX: Final = 1 << 20
_HERE: Final = "127.0.0.1"


def ask_as_staff(service: str, operation: str, body: dict[str, Any], staff_no: str = "") -> Any:
    """The answer to an operation; asks for staff number and PIN.  What the hub refuses ends the
    command in its words."""
    settings = load_settings().settings
    staff_no = staff_no or click.prompt("Staff number", type=str, err=True)
    pin = click.prompt("PIN", hide_input=True, type=str, err=True)
    door = _Door(settings)
    try:
        door.sign_in(staff_no, pin)
        try:
            return door.ask("POST", f"/api/1/{service}/{operation}", body)
        finally:
            door.ask("DELETE", "/api/1/session", None)
    except (OSError, http.client.HTTPException) as error:
        fail(
            f"the hub's page at port {settings.web.port} can't be reached: {error}",
            next_step="is the hub running? `store-hub status`; or say it on its page",
        )


class _Door:
    def __init__(self, settings: Settings) -> None:
        from hub.clock import SystemClock, SystemIds, SystemRandomness

        trusted = settings.paths.state / "tls" / "ca-bundle.pem"
        if not trusted.exists():
            fail(f"there is no {trusted}", next_step="start the hub once: `store-hub run`")
        self._context = ssl.create_default_context(cafile=str(trusted))
        self._context.check_hostname = False  # it is this box, and its own authority vouches
        everywhere = not settings.web.bind.strip("0.:")
        host = _HERE if everywhere else settings.web.bind
        self._address = host, settings.web.port
        self._headers: dict[str, str] = {}
        self._ids = SystemIds(SystemClock(), SystemRandomness())

    def sign_in(self, staff_no: str, pin: str) -> None:
        """Errors: those of :meth:`ask`."""
        found = self.ask("POST", "/api/1/session", {"staff_no": staff_no, "pin": pin})
        self._headers["X-CSRF-Token"] = found["csrf"]

    def ask(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        """What comes back; a refusal ends the command in the hub's words."""
        connection = http.client.HTTPSConnection(
            *self._address, timeout=TIMEOUT_S, context=self._context
        )
        own = {"Content-Type": "application/json", "Idempotency-Key": self._ids.uuid7()}
        try:
            connection.request(
                method, path, json.dumps(body) if body is not None else None, own | self._headers
            )
            answer = connection.getresponse()
            raw = answer.read(ANSWER_BYTES_MAX)
        finally:
            connection.close()
        cookie = answer.getheader("Set-Cookie")
        if cookie:
            self._headers["Cookie"] = cookie.partition(";")[0]
        content = json.loads(raw or b"null")
        if answer.status >= 400:
            fail(str((content or {}).get("detail") or f"the hub answered {answer.status}"))
        return content
