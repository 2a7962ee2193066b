"""A cloud that answers polls at once, or never moves on, is not asked at full speed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from cloud_link.downlink import Downlink
from cloud_link.errors import CursorGone
from hub.contract.oms import Command, CommandsReply

LIFE = "o1"
EMPTY = CommandsReply(commands=(), cursor="c1", oms_incarnation=LIFE)
COMMAND = Command(cursor="c1", id="one", type="epoch.closed", issued_at_ms=1)
STUCK = CommandsReply(commands=(COMMAND,), cursor="c1", oms_incarnation=LIFE)


class Enough(Exception):
    """Seen enough."""


@pytest.mark.parametrize("answer", [EMPTY, STUCK, CursorGone("gone")])
async def test_polls_that_lead_nowhere_are_paced(answer: CommandsReply | Exception) -> None:
    polls = pauses = 0

    async def call(_send: object) -> CommandsReply:
        nonlocal polls
        polls += 1
        if polls > 9:
            raise Enough
        if isinstance(answer, Exception):
            if polls % 2:
                raise answer
            return EMPTY
        return answer

    async def sleep(_seconds: float) -> None:
        nonlocal pauses
        pauses += 1

    async def internal(_caller: object, _command: object) -> Any:
        return SimpleNamespace(counts={}, datasets=())

    downlink = Downlink(
        cast(Any, SimpleNamespace(internal=internal)),
        cast(Any, None),
        cast(Any, SimpleNamespace(call=call)),
        50,
        sleep=sleep,
        on_dataset=lambda _: None,
    )
    with pytest.raises(Enough):
        await downlink.run("c1")
    assert pauses >= polls // 2
