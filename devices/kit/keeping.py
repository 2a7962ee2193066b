"""Keeping copies of stored payments for the hub: on disk before it is said."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from devices.kit import linefile
from hub.contract.keeping import (
    COPIES_MAX,
    COPIES_PER_ANSWER,
    AskCopies,
    Copies,
    CopyKept,
    DropCopies,
    PaymentCopy,
)
from hub.contract.problems import Code, Refusal, refuse

_SLACK: Final = 1000
"""So many lines more than copies the file may have."""


class Keeping:
    """The handlers of ``cmd/payment-keep``, ``cmd/payment-drop`` and ``cmd/payment-return``.

    The file has a line ``[payment_id, copy]`` for each copy, and ``[payment_id, null]`` for one
    that was dropped.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._copies: dict[str, str] = {}
        self._lines = 0
        self._turn = asyncio.Lock()
        self._loaded = False

    async def on_keep(self, data: dict[str, Any]) -> dict[str, Any]:
        """Keep one, in place of one that is kept already."""
        try:
            copy = PaymentCopy.model_validate(data)
        except ValidationError:
            raise _strange() from None
        async with self._turn:
            await self._load()
            known = copy.payment_id in self._copies
            if not known and len(self._copies) >= COPIES_MAX:
                raise refuse(
                    Code.STORAGE_FULL,
                    f"This device keeps {COPIES_MAX} payments already: forward those that wait.",
                )
            if self._copies.get(copy.payment_id) != copy.copy_text:
                await self._write(copy.payment_id, copy.copy_text)
                self._copies[copy.payment_id] = copy.copy_text
            return self._kept()

    async def on_drop(self, data: dict[str, Any]) -> dict[str, Any]:
        """Forget some."""
        try:
            dropped = DropCopies.model_validate(data)
        except ValidationError:
            raise _strange() from None
        async with self._turn:
            await self._load()
            for payment_id in dropped.payment_ids:
                if payment_id in self._copies:
                    await self._write(payment_id, None)
                    del self._copies[payment_id]
            return self._kept()

    async def on_return(self, data: dict[str, Any]) -> dict[str, Any]:
        """Give some back; they stay."""
        try:
            asked = AskCopies.model_validate(data)
        except ValidationError:
            raise _strange() from None
        async with self._turn:
            await self._load()
            left = sorted(name for name in self._copies if name > asked.after)
        some = left[:COPIES_PER_ANSWER]
        copies = tuple(PaymentCopy(payment_id=name, copy_text=self._copies[name]) for name in some)
        return Copies(copies=copies, more=len(left) > len(some)).model_dump(mode="json")

    async def _load(self) -> None:
        if self._loaded:
            return
        for line in await asyncio.to_thread(linefile.read, self._path):
            try:
                name, text = json.loads(line)
            except (ValueError, TypeError):
                continue  # a line that was being written when the power went
            self._lines += 1
            if text is None:
                self._copies.pop(str(name), None)
            else:
                self._copies[str(name)] = str(text)
        self._loaded = True

    async def _write(self, payment_id: str, text: str | None) -> None:
        """Errors: ``storage-full`` when the disk doesn't take it."""
        try:
            if self._lines > len(self._copies) + _SLACK:
                after = self._copies | ({payment_id: text} if text is not None else {})
                if text is None:
                    after.pop(payment_id, None)
                await asyncio.to_thread(linefile.replace, self._path, list(after.items()))
                self._lines = len(after)
            else:
                await asyncio.to_thread(linefile.append, self._path, (payment_id, text))
                self._lines += 1
        except OSError as error:
            raise refuse(Code.STORAGE_FULL, f"The device's disk failed: {error}") from error

    def _kept(self) -> dict[str, Any]:
        return CopyKept(kept=len(self._copies)).model_dump()


def _strange() -> Refusal:
    return refuse(Code.VALIDATION, "This is no copy of a payment: update the hub or the device.")
