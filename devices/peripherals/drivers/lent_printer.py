"""A printer that hangs on a till, which lends it: asked over MQTT, printed there.

A document is encoded here, as for a printer of the hub's own, and goes to the till in pieces that
fit into a message each (:mod:`hub.contract.lending`).  The till prints nothing before it has all of
them, so a break before the last one leaves nothing on paper.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from pydantic import ValidationError

from devices.peripherals.lending import Declined, DeviceConnector, NotAsked, Unanswered
from devices.peripherals.model import (
    Capabilities,
    ConditionsAre,
    Connector,
    Ended,
    Gone,
    Identity,
    Misconfigured,
    Option,
    Outcome,
    POSPrinter,
    Told,
    Unfit,
    Unreachable,
    World,
)
from hub.contract import lending
from hub.contract.conditions import CONDITIONS
from hub.documents.layout import Layout

LOOK_EVERY_S: Final = 20.0
ANSWER_S: Final = 10.0
KICK_S: Final = 3.0
"""A drawer opens at once or not at all: the command lives no longer."""
PRINT_S: Final = 120.0
"""The till waits for its paper itself, and then says how it ended."""
NAME_MAX: Final = 64
REASON_MAX: Final = 200
_WIDTHS: Final = (58, 80)


class LentPrinter(POSPrinter):
    """Looks now and then whether its till is there and lends its printer."""

    key = "lent-printer"
    title = "Receipt printer that a till lends"
    option_help = {
        "width_mm": "58 or 80: the paper's width; 80",
        "profile": "generic, or the printer's name in python-escpos, e.g. TM-T20II; generic",
        "code_pages": "its code pages, with commas, e.g. CP437,CP858; all of the profile",
        "look_s": "how often the till is asked how it is, 1 to 600 s; 20",
    }

    def __init__(
        self,
        connector: Connector,
        world: World,
        tell: Callable[[Told], None],
        options: Mapping[str, Option] | None = None,
    ) -> None:
        super().__init__(connector, world, tell, options)
        if not isinstance(connector, DeviceConnector):
            raise Misconfigured("a lent printer's address is device: and its till's id")
        self._till = connector
        width_mm = self.options.get("width_mm", 80)
        if isinstance(width_mm, bool) or width_mm not in _WIDTHS:
            raise Misconfigured(f"width_mm is 58 or 80, not {width_mm!r}")
        self._width_mm = int(width_mm)
        look_s = self.options.get("look_s", int(LOOK_EVERY_S))
        if isinstance(look_s, bool) or not isinstance(look_s, int) or not 1 <= look_s <= 600:
            raise Misconfigured(f"look_s is a number from 1 to 600, not {look_s!r}")
        self._look_s = look_s
        self._there = False
        self._torn = False
        """Whether half a document may stand on the paper: it is cut off before the next one."""

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(frozenset({"drawer"}), self._width_mm, confirms=True)

    async def serve(self, ready: Callable[[Identity], None]) -> None:
        seen = await self._look()
        self._there = True
        try:
            ready(Identity(seen.maker[:NAME_MAX], seen.model[:NAME_MAX]))
            while True:
                held = frozenset(one for one in CONDITIONS if one in seen.conditions)
                self.tell(ConditionsAre(held))
                await asyncio.sleep(self._look_s)
                try:
                    seen = await self._look()
                except Unreachable as error:
                    raise Gone(str(error)) from error
        finally:
            self._there = False

    async def print(self, layout: Layout) -> Ended:
        torn = self._torn = self._torn or layout.after_torn
        ended = await self._print(replace(layout, after_torn=torn))
        if ended.outcome is not Outcome.NOT_BEGUN and ended.outcome is not Outcome.REFUSED:
            self._torn = ended.outcome is Outcome.UNKNOWN
        return ended

    async def _print(self, layout: Layout) -> Ended:
        try:
            data = await asyncio.to_thread(self._encoded, layout)
        except ValueError as error:  # of the encoder: it can't be printed as it is
            return Ended(Outcome.REFUSED, str(error))
        size = lending.PIECE_BYTES
        pieces = [data[at : at + size] for at in range(0, len(data), size)] or [b""]
        if len(pieces) > lending.PIECES_MAX:
            return Ended(Outcome.REFUSED, f"{len(data)} bytes are too much for a lent printer")
        job_id = self._job_id()
        for number, piece in enumerate(pieces):
            is_last = number == len(pieces) - 1
            text = base64.b64encode(piece).decode()
            sent = lending.PrintPiece(job_id=job_id, piece=number, pieces=len(pieces), data=text)
            ended = await self._do(lending.PRINT, sent, is_last)
            if ended is not None:
                return ended
        return Ended(Outcome.UNKNOWN, f"{self._till.device_id} has it all and doesn't print it")

    async def kick(self, connector_pin: int, pulse_ms: int) -> Ended:
        try:
            asked = lending.DrawerKick.model_validate({"pin": connector_pin, "pulse_ms": pulse_ms})
        except ValidationError:
            return Ended(Outcome.REFUSED, "a drawer is on pin 2 or 5, its pulse 10 to 500 ms long")
        ended = await self._do(lending.KICK, asked, True, KICK_S)
        return ended or Ended(Outcome.UNKNOWN, "the till doesn't say whether it opened")

    async def _do(
        self,
        operation: str,
        asked: lending.PrintPiece | lending.DrawerKick,
        is_last: bool,
        timeout_s: float = PRINT_S,
    ) -> Ended | None:
        """How it ended; None: the till wants the next piece."""
        wait_s = timeout_s if is_last else ANSWER_S
        try:
            said = await self._till.command(operation, asked.model_dump(mode="json"), wait_s)
            taken = lending.PieceTaken.model_validate(said)
        except NotAsked as error:
            return Ended(Outcome.NOT_BEGUN, str(error))
        except Declined as error:
            return Ended(Outcome.NOT_BEGUN, f"{self._till.device_id} declines: {error}")
        except Unanswered as error:
            return Ended(Outcome.UNKNOWN if is_last else Outcome.NOT_BEGUN, str(error))
        except ValidationError:
            return Ended(
                Outcome.UNKNOWN if is_last else Outcome.NOT_BEGUN,
                f"{self._till.device_id} gave no proper answer: update it",
            )
        if taken.outcome == "held":
            return None
        return Ended(Outcome(taken.outcome), taken.reason, taken.confirmed)

    async def _look(self) -> lending.LentPrinter:
        device_id = self._till.device_id
        try:
            said = await self._till.command(lending.LOOK, {}, ANSWER_S)
            seen = lending.LentPrinter.model_validate(said)
        except (NotAsked, Unanswered, Declined) as error:
            why = str(error)[:REASON_MAX]
            raise Unreachable(f"{device_id} can't lend its printer: {why}") from error
        except ValidationError as error:
            raise Unfit(f"{device_id} gave no proper answer: update it") from error
        if not seen.ready:
            why = seen.reason[:REASON_MAX]
            raise Unreachable(why or f"the printer at {device_id} isn't ready")
        return seen

    def _encoded(self, layout: Layout) -> bytes:
        from devices.peripherals.escpos import commands
        from devices.peripherals.escpos.encoder import NARROW, WIDE, encode
        from devices.peripherals.escpos.pages import load

        profile = str(self.options.get("profile", "generic"))
        pages = load(profile, str(self.options.get("code_pages", "")))
        data = encode(layout, NARROW if self._width_mm == 58 else WIDE, pages).data
        return commands.HEAD + commands.cut(full=True) + data if layout.after_torn else data

    def _job_id(self) -> str:
        raw = self.world.randomness.token_bytes(16).hex()
        return "-".join((raw[:8], raw[8:12], raw[12:16], raw[16:20], raw[20:]))


DRIVER = LentPrinter
