"""The simulated card terminal as a child: started, told what to do, killed, and asked for its
ledger, which is the truth about whose money was taken."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp

from devices.peripherals.nexo.requests import service_id
from scripts.rig.process import Child

ANSWER_S = 60.0


class TerminalRig:
    """``ports``: the API's and the admin's, which stay the same over restarts."""

    def __init__(
        self,
        folder: Path,
        ports: tuple[int, int],
        *,
        poi_id: str = "Simulated-000000001",
        more: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.poi_id = poi_id
        self.told: dict[str, Any] = {}
        port, self._admin_port = ports
        command = [sys.executable, "-m", "devices.terminal", "--state", str(folder)]
        command += ["--poi-id", poi_id, "--port", str(port)]
        command += ["--admin-port", str(self._admin_port), *more]
        self.child = Child("terminal", command, log=folder / "log")

    async def start(self) -> None:
        """Returns when it listens."""
        await self.child.start()
        self.told = await self.child.ready()

    async def stop(self) -> None:
        """Switch it off; it may have lost its power already."""
        await self.child.stop()

    async def killed(self) -> None:
        """Wait until it has lost its power."""
        async with asyncio.timeout(ANSWER_S):
            await self.child.ended()

    def options(self, **more: Any) -> dict[str, Any]:
        """A peripheral's options that lead to it."""
        names = ("poi_id", "keys_file", "root_file", "certificate_name")
        return {name: self.told[name] for name in names} | {"look_s": 1} | more

    def entry(self, **more: Any) -> dict[str, Any]:
        """A ``[[peripherals]]`` entry that leads to it."""
        found = {"driver": "nexo-terminal", "address": self.told["address"]}
        return found | {"options": self.options()} | more

    async def act(self, *acts: Any) -> None:
        """What it is to do with the next payments."""
        await self._admin("acts", list(acts))

    async def usual(self, act: Any) -> None:
        """What it is to do with all others."""
        await self._admin("usual", act)

    async def go(self, *, online: bool, declines: Sequence[str] = ()) -> None:
        """Its acquirer can be reached, or not."""
        await self._admin("online", {"online": online, "declines": list(declines)})

    async def read_keys(self) -> None:
        """Its file of keys was changed."""
        await self._admin("keys", {})

    async def ledger(self) -> dict[str, Any]:
        """All that it has done."""
        async with self._session() as session, session.get(self._url("ledger")) as response:
            found: dict[str, Any] = await response.json()
            return found

    async def taken(self) -> dict[str, int]:
        """Payment → what the shop has of it."""
        return {
            deed["payment_id"]: deed["taken_minor"]
            for deed in (await self.ledger())["deeds"]
            if deed["category"] == "Payment" and not deed["refund"] and deed["how"] != "failed"
        }

    async def has_in_hand(self, payment_id: str) -> bool:
        """Whether the customer is being asked for it."""
        return bool((await self.ledger())["in_hand"] == service_id(payment_id))

    async def _admin(self, what: str, body: Any) -> None:
        async with (
            self._session() as session,
            session.post(self._url(what), json=body) as response,
        ):
            assert response.status == 200, await response.text()

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_S))

    def _url(self, what: str) -> str:
        return f"http://127.0.0.1:{self._admin_port}/{what}"
