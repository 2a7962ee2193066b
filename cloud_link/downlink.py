"""Fetching commands: a long poll of a durable log, applied together with the cursor."""

from __future__ import annotations

import logging
from collections.abc import Callable

from cloud_link.errors import CursorGone, Permanent
from cloud_link.http import OmsClient
from cloud_link.orders import in_parts, lines_of
from cloud_link.pacing import Pacer, Sleep
from hub.contract.oms import MAX_WAIT_S, CommandsReply
from hub.crashpoints import crashpoint
from hub.service.caller import CLOUD
from hub.service.gate import Gate
from hub.service.handlers.cloud import Applied, ApplyCommands

log = logging.getLogger(__name__)

EMPTY_PAUSE_S = 1.0


class Downlink:
    """One session's receiver.  ``on_dataset`` is told which dataset the cloud says has changed."""

    def __init__(
        self,
        gate: Gate,
        client: OmsClient,
        pacer: Pacer,
        wait_s: int,
        *,
        sleep: Sleep,
        on_dataset: Callable[[str], None],
    ) -> None:
        self._gate = gate
        self._client = client
        self._pacer = pacer
        self._wait_s = min(wait_s, MAX_WAIT_S)
        self._sleep = sleep
        self._on_dataset = on_dataset
        self.counts: dict[str, int] = {}

    async def run(self, cursor: str) -> None:
        """Receive from ``cursor`` until cancelled.  Errors: what ends the session."""
        while True:
            try:
                reply = await self._poll(cursor)
            except (CursorGone, Permanent) as error:
                if not cursor:
                    raise
                # Every command is harmless when repeated.
                log.warning(
                    "the cloud doesn't know the commands' cursor, beginning anew: %s", error
                )
                cursor = ""
                await self._sleep(EMPTY_PAUSE_S)
                continue
            if reply.commands or reply.cursor != cursor:
                crashpoint("downlink.received")
                await self._apply(reply)
                crashpoint("downlink.applied")
            if reply.cursor == cursor:  # whoever doesn't hold the poll isn't asked at full speed
                await self._sleep(EMPTY_PAUSE_S)
            cursor = reply.cursor

    async def _poll(self, cursor: str) -> CommandsReply:
        def send(probing: bool):  # type: ignore[no-untyped-def]
            wait_s = 0 if probing else self._wait_s  # a probe reports at once
            query: dict[str, str | int] = {"cursor": cursor, "wait": wait_s}
            return self._client.get("/commands", CommandsReply, query, wait_s=wait_s)

        return await self._pacer.call(send)

    async def _apply(self, reply: CommandsReply) -> None:
        """In bites, each with its own cursor: orders with many lines keep the shop waiting."""
        parts = list(in_parts(reply.commands, lines_of)) or [()]
        for number, part in enumerate(parts, start=1):
            cursor = reply.cursor if number == len(parts) else part[-1].cursor
            applied: Applied = await self._gate.internal(CLOUD, ApplyCommands(tuple(part), cursor))
            for outcome, count in applied.counts.items():
                self.counts[outcome] = self.counts.get(outcome, 0) + count
            for name in applied.datasets:
                self._on_dataset(name)
