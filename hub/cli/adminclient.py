"""Asking the running hub over its admin socket, for commands that change something."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NoReturn

from hub.cli.common import fail, load_settings

SOCKET_NAME: Final = "admin.sock"
TIMEOUT_S: Final = 30.0
ANSWER_BYTES_MAX: Final = 16 << 20


class AdminRefused(Exception):
    """The hub said no; ``problem`` is its problem document (RFC 9457)."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(str(problem.get("detail") or problem.get("title") or "no reason given"))
        self.problem = problem


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.connect(str(self._path))


class AdminClient:
    """One connection per call; every call ends within 30 s."""

    def __init__(self, run_dir: Path) -> None:
        self.path = run_dir / SOCKET_NAME

    def call(self, service: str, operation: str, body: dict[str, Any] | None = None) -> Any:
        """The result of an operation, under an idempotency key of its own.

        Errors: :class:`AdminRefused`; OSError when the hub can't be reached.
        """
        from hub.clock import SystemClock, SystemIds, SystemRandomness

        key = SystemIds(SystemClock(), SystemRandomness()).uuid7()
        return self._ask("POST", f"/api/1/{service}/{operation}", body or {}, key)

    def status(self) -> Any:
        """:class:`hub.contract.local.HubStatus` as JSON, made now."""
        return self._ask("GET", "/status", None, None)

    def actions(self) -> Any:
        """:class:`hub.contract.health.Actions` as JSON."""
        return self._ask("GET", "/api/1/actions", None, None)

    def act(self, key: str, minutes: int | None = None) -> Any:
        """Have the hub mend itself; :class:`hub.contract.health.ActionDone` as JSON."""
        query = "" if minutes is None else f"?minutes={minutes}"
        return self._ask("POST", f"/api/1/actions/{key}{query}", {}, None)

    def support_bundle(self) -> bytes:
        """A fresh support bundle (.zip) of the running hub."""
        return self._raw("GET", "/api/1/support/bundle", None, {})

    def _ask(self, method: str, path: str, body: dict[str, Any] | None, key: str | None) -> Any:
        headers = {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if key is not None:
            headers["Idempotency-Key"] = key
        raw = self._raw(method, path, None if body is None else json.dumps(body), headers)
        return self._parsed(raw)

    def _raw(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> bytes:
        connection = _UnixConnection(self.path)
        try:
            connection.request(method, path, body, {"Connection": "close", **headers})
            answer = connection.getresponse()
            raw = answer.read(ANSWER_BYTES_MAX)
        except (http.client.HTTPException, ValueError) as error:
            raise ConnectionError(f"{self.path} gave no proper answer: {error}") from error
        finally:
            connection.close()
        if answer.status >= 400:
            content = self._parsed(raw)
            raise AdminRefused(content if isinstance(content, dict) else {})
        return raw

    def _parsed(self, raw: bytes) -> Any:
        try:
            return json.loads(raw or b"null")
        except ValueError as error:
            raise ConnectionError(f"{self.path} gave no proper answer: {error}") from error


def ask_hub(service: str, operation: str, body: dict[str, Any] | None = None) -> Any:
    """Call an operation of the hub that the settings name; errors end the command in words."""
    client = admin_client()
    try:
        return client.call(service, operation, body)
    except AdminRefused as refused:
        fail(str(refused))
    except OSError as error:
        not_reached(client, error)


def hub_status() -> Any:
    """The running hub's status; errors end the command in words."""
    return asked(AdminClient.status)


def asked(what: Callable[[AdminClient], Any]) -> Any:
    """What the hub that the settings name answers; errors end the command in words."""
    client = admin_client()
    try:
        return what(client)
    except AdminRefused as refused:
        fail(str(refused))
    except OSError as error:
        not_reached(client, error)


def admin_client() -> AdminClient:
    """The client for the hub that the settings name."""
    return AdminClient(load_settings().settings.paths.run)


def not_reached(client: AdminClient, error: OSError) -> NoReturn:
    """End the command and say why the hub can't be asked."""
    match error:
        case FileNotFoundError() | ConnectionRefusedError():
            fail(
                f"the hub isn't running (nobody listens at {client.path})",
                next_step="start it with `store-hub run`, or name its settings with --config",
            )
        case PermissionError():
            fail(
                f"{client.path} belongs to the hub's user",
                next_step="run this as root or as the hub's user (sudo -u store-hub …)",
            )
        case TimeoutError():
            fail("the hub doesn't answer", next_step="see its log, then restart it")
        case _:
            fail(f"the hub can't be asked: {error}", next_step="see the hub's log")
