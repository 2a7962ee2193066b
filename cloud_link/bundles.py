"""Support bundles that the cloud asked for: made here, posted in pieces, each repeated until it is
answered; what became of it is written down once all have arrived.

A hub that is ended in between makes another bundle and begins anew; the OMS keeps the first one
that is complete.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from cloud_link.errors import OmsError, Permanent, SessionOver
from cloud_link.http import Body, OmsClient
from cloud_link.pacing import Pacer, Sleep
from hub.contract.oms import OmsCode
from hub.contract.oms_remote import (
    MAX_BUNDLE_BYTES,
    MAX_PIECE_BYTES,
    SupportPiece,
    SupportPieceReply,
)
from hub.service.caller import CLOUD
from hub.service.gate import Gate
from hub.service.handlers.remote import BeginSupport, EndSupport, next_support

log = logging.getLogger(__name__)

AGAIN_S: Final = 10.0
BEGINNINGS_MAX: Final = 3
"""How often one bundle is begun anew before it counts as a try that failed."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A support bundle as a file."""

    file_name: str
    content: bytes


Make = Callable[[], Awaitable[Bundle]]


class Bundles:
    """One session's sender; without ``make`` every request fails: this hub makes none."""

    def __init__(
        self, gate: Gate, client: OmsClient, pacer: Pacer, make: Make | None, *, sleep: Sleep
    ) -> None:
        self._gate = gate
        self._client = client
        self._pacer = pacer
        self._make = make
        self._sleep = sleep
        self._asked = asyncio.Event()
        self._made: tuple[str, Bundle] | None = None

    def wake(self) -> None:
        """The cloud asked for one."""
        self._asked.set()

    async def run(self) -> None:
        """Send until cancelled.  Errors: what ends the session, or a failure of the database."""
        while True:
            self._asked.clear()
            row = next_support(self._gate.rows)
            if row is None:
                await self._asked.wait()
            elif not await self._sent(row.command_id):
                await self._sleep(AGAIN_S)

    async def _sent(self, command_id: str) -> bool:
        """False: it is to be tried again."""
        if self._made is None or self._made[0] != command_id:
            if not await self._gate.internal(CLOUD, BeginSupport(command_id)):
                return True
            bundle = await self._bundle()
            if bundle is None:
                return False
            self._made = (command_id, bundle)
        bundle = self._made[1]
        try:
            why = await self._posted(command_id, bundle)
        except SessionOver:
            raise
        except OmsError as error:
            why = f"the OMS refuses it: {error}"
        if why is None:
            self._made = None
            return False
        end = EndSupport(command_id, why, 0 if why else len(bundle.content))
        await self._gate.internal(CLOUD, end)
        self._made = None
        return True

    async def _bundle(self) -> Bundle | None:
        if self._make is None:
            return Bundle("none.zip", b"")
        try:
            return await self._make()
        except Exception as error:
            log.warning("no support bundle could be made for the cloud: %s", error, exc_info=error)
            return None

    async def _posted(self, command_id: str, bundle: Bundle) -> str | None:
        """Empty: it has arrived.  None: begin anew with another one.  Else why it can't be sent."""
        size = len(bundle.content)
        if not size:
            return "this hub makes no support bundles"
        if size > MAX_BUNDLE_BYTES:
            return f"the bundle has {size} bytes, more than {MAX_BUNDLE_BYTES}"
        pieces = pieces_of(command_id, bundle)
        for _ in range(BEGINNINGS_MAX):
            for piece in pieces:
                try:
                    reply = await self._pacer.call(lambda _, one=piece: self._post(one))  # type: ignore[misc]
                except Permanent as error:
                    if error.problem is None or error.problem.code != OmsCode.CONFLICT:
                        raise
                    break
                if reply.complete:
                    return ""
            else:
                break
        return None

    async def _post(self, piece: SupportPiece) -> SupportPieceReply:
        body = Body(piece.model_dump_json().encode())
        return await self._client.post("/support-bundles", body, SupportPieceReply)


def pieces_of(command_id: str, bundle: Bundle) -> list[SupportPiece]:
    """The bundle in pieces, in order."""
    content, step = bundle.content, MAX_PIECE_BYTES
    cuts = [content[at : at + step] for at in range(0, len(content), step)]
    shared: dict[str, Any] = {
        "command_id": command_id,
        "file_name": bundle.file_name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "total_bytes": len(content),
        "pieces": len(cuts),
    }
    return [
        SupportPiece(index=index, content=base64.b64encode(cut).decode(), **shared)
        for index, cut in enumerate(cuts)
    ]
