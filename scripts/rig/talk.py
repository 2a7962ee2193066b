"""Asking the hub (its admin socket) and the sandbox OMS (its calls for demos and tests)."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp


class Trouble(RuntimeError):
    """One of the shop's processes did not answer, or said no."""


@dataclass(frozen=True, slots=True)
class HubAdmin:
    """The hub's admin socket; see ``hub.web.adminsocket``."""

    socket: Path
    timeout_s: float = 30.0

    async def status(self) -> dict[str, Any]:
        """The hub's status (``hub.contract.local.HubStatus`` as JSON)."""
        return await self._call("GET", "/status", None)

    async def open_pairing(self, name: str = "", kind: str = "till") -> str:
        """A pairing link (``storehub://pair?…``), good once."""
        opened = await self._call("POST", "/api/1/pairing/open", {"kind": kind, "name": name})
        return str(opened["qr"])

    async def open_technician(self) -> dict[str, Any]:
        """``{"code", "expires_in_s", "url"}`` for the status page."""
        return await self._call("POST", "/api/1/technician/open", {})

    async def _call(self, method: str, path: str, body: object) -> dict[str, Any]:
        connector = aiohttp.UnixConnector(str(self.socket))
        timeout = aiohttp.ClientTimeout(total=self.timeout_s)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout) as http,
                http.request(method, f"http://hub{path}", json=body) as got,
            ):
                return _answer(await got.text(), got.status, f"the hub's {path}")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Trouble(f"the hub does not answer {path}: {error or 'too slow'}") from error


@dataclass(frozen=True, slots=True)
class OmsAdmin:
    """The sandbox OMS's own calls below ``/sandbox``."""

    url: str
    ca: str
    token: str
    timeout_s: float = 30.0

    async def misbehave(self, **how: object) -> None:
        """Set how it misbehaves (``cloud_link.sandbox.misbehave``); nothing: good behaviour."""
        await self._call("POST", "misbehave", how)

    async def bank(self, **how: object) -> None:
        """Set how its processor misbehaves (``PaymentFaults``); nothing: good behaviour."""
        await self._call("POST", "payments/faults", how)

    async def make_card(self, account: str, token: str, balance_minor: int) -> None:
        """A gift card in the world; one that is there stays as it is."""
        card = {"account_ref": account, "token": token, "balance_minor": balance_minor}
        await self._call("POST", "value/cards", card)

    async def stats(self) -> dict[str, Any]:
        """Counts of what it has."""
        return await self._call("GET", "stats", None)

    async def _call(self, method: str, path: str, body: object) -> dict[str, Any]:
        context = ssl.create_default_context(cafile=self.ca) if self.ca else False
        timeout = aiohttp.ClientTimeout(total=self.timeout_s)
        try:
            async with (
                aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(ssl=context), timeout=timeout
                ) as http,
                http.request(
                    method,
                    f"{self.url}/sandbox/{path}",
                    json=body,
                    headers={"Authorization": f"Bearer {self.token}"},
                ) as got,
            ):
                return _answer(await got.text(), got.status, f"the OMS's {path}")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Trouble(f"the OMS does not answer {path}: {error or 'too slow'}") from error


def _answer(text: str, status: int, what: str) -> dict[str, Any]:
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        found = None
    if status >= 400 or not isinstance(found, dict):
        raise Trouble(f"{what} answered {status}: {text[:500]}")
    return found
