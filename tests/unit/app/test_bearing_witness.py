"""The witness is written by one at a time, also when a hub is stopped while it is written."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hub.app import caretaker as caring
from hub.app.caretaker import Caretaker

UNTIL_S = 30.0


async def test_a_stop_waits_for_the_turn_that_it_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def done(*_: object) -> None:
        return None

    entered, go, busy = threading.Event(), threading.Event(), threading.Lock()
    alone: list[bool] = []

    def note(_state: Path, _budget_ms: int) -> None:
        alone.append(busy.acquire(blocking=False))
        entered.set()
        go.wait(UNTIL_S)
        if alone[-1]:
            busy.release()

    monkeypatch.setattr(caring, "note_running", note)
    parts: Any = SimpleNamespace(
        paths=SimpleNamespace(state=tmp_path),
        budget=SimpleNamespace(budget_ms=lambda: 1),
        internal=done,
        keep=done,
        tick=lambda: "",
        wall_ms=lambda: 1,
    )
    caretaker = Caretaker(parts, parts, parts, parts, parts)
    turn = asyncio.create_task(caretaker.bear_witness())
    await asyncio.to_thread(entered.wait, UNTIL_S)
    turn.cancel()
    await asyncio.gather(turn, return_exceptions=True)
    asyncio.get_running_loop().call_later(0.2, go.set)
    await caretaker.stop()
    assert alone == [True, True]
