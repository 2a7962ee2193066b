"""What a hub can do to mend itself: each action is one object; who runs it is written down.

The actions are put together where the parts are (``hub.app.actions``); this room knows only what an
action is, and how it is run: one at a time, within its time, with an entry in the audit log before
and after.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from hub.contract.health import ActionDone, Actions, ActionView
from hub.contract.problems import Code, Refusal, problem, refuse
from hub.service.caller import Caller
from hub.service.gate import Gate
from hub.service.handlers.mending import NoteAction
from hub.storage.errors import StorageError

log = logging.getLogger(__name__)

TIME_MAX_S: Final = 20.0
KEYS_SHOWN: Final = 20
PAUSE_S: Final = 2.0

Outcome = Literal["done", "started", "nothing-to-do"]


@dataclass(frozen=True, slots=True)
class Done:
    """What came of an action; ``text`` is one sentence for a person."""

    outcome: Outcome
    text: str


def _always() -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Action:
    """``run`` is harmless when repeated, and may raise :class:`Refusal`.  ``why_not`` says why
    it can do nothing here, or is empty.  ``pause_s`` has to pass before it runs again.
    ``needs_room``: it is refused when it can't be written down; one that makes room on the disk
    goes on without.  ``run_for`` is one whose minutes a shell may choose."""

    key: str
    title: str
    what: str
    confirm: str
    run: Callable[[Caller], Awaitable[Done]]
    disturbs: bool = False
    why_not: Callable[[], str] = _always
    pause_s: float = PAUSE_S
    needs_room: bool = True
    run_for: Callable[[Caller, int], Awaitable[Done]] | None = None


class ActionDesk:
    """Lists the actions and runs them."""

    def __init__(self, gate: Gate, actions: Sequence[Action] = ()) -> None:
        self._gate = gate
        self._actions = {one.key: one for one in actions}
        assert len(self._actions) == len(actions), "two actions share a key"
        self._ran_s: dict[str, float] = {}
        self._lock = asyncio.Lock()

    @property
    def keys(self) -> frozenset[str]:
        """The keys of all actions."""
        return frozenset(self._actions)

    def listed(self) -> Actions:
        """All actions as a page shows them."""
        return Actions(actions=tuple(_view(one) for one in self._actions.values()))

    async def run(self, caller: Caller, key: str, minutes: int | None = None) -> ActionDone:
        """Do it, for so many minutes where that can be chosen.

        Errors: ``not-found``; ``conflict`` where it can do nothing; ``busy`` while another one
        runs, or so soon after the last time; what the action itself refuses.
        """
        action = self._actions.get(key)
        if action is None:
            known = ", ".join(list(self._actions)[:KEYS_SHOWN]) or "none here"
            raise refuse(Code.NOT_FOUND, f"There is no such action; there are: {known}.")
        if why_not := action.why_not():
            raise refuse(Code.CONFLICT, why_not)
        if self._lock.locked():
            raise _busy("Another action is running: wait for it.", 2.0)
        async with self._lock:
            self._pace(action)
            return await self._noted(caller, action, minutes)

    def _pace(self, action: Action) -> None:
        now_s = self._gate.clock.monotonic_s()
        last_s = self._ran_s.get(action.key)
        if last_s is not None and now_s - last_s < action.pause_s:
            left_s = action.pause_s - (now_s - last_s)
            raise _busy("This was done a moment ago: see what comes of it first.", left_s)
        self._ran_s[action.key] = now_s

    async def _noted(self, caller: Caller, action: Action, minutes: int | None) -> ActionDone:
        await self._note(caller, action, "asked", "")
        try:
            async with asyncio.timeout(TIME_MAX_S):
                if minutes is None:
                    done = await action.run(caller)
                else:
                    done = await _for_minutes(action)(caller, minutes)
        except Exception as error:
            await self._note(caller, action, "failed", _words(error))
            if isinstance(error, TimeoutError):
                raise _busy("This takes too long; it may still come about.", 10.0) from None
            raise
        await self._note(caller, action, done.outcome, done.text)
        return ActionDone(
            key=action.key,
            outcome=done.outcome,
            text=done.text,
            at_ms=self._gate.clock.wall_ms(),
        )

    async def _note(self, caller: Caller, action: Action, outcome: str, text: str) -> None:
        try:
            await self._gate.internal(caller, NoteAction(action.key, outcome, text))
        except StorageError:
            if action.needs_room:
                raise
            log.warning("%s: %s is %s; that can't be written down", caller.key, action.key, outcome)


def _for_minutes(action: Action) -> Callable[[Caller, int], Awaitable[Done]]:
    if action.run_for is None:
        raise refuse(Code.VALIDATION, "The minutes of this action can't be chosen.")
    return action.run_for


def _view(action: Action) -> ActionView:
    why_not = action.why_not()
    return ActionView(
        key=action.key,
        title=action.title,
        what=action.what,
        confirm=action.confirm,
        disturbs=action.disturbs,
        available=not why_not,
        why_not=why_not,
    )


def _words(error: Exception) -> str:
    if isinstance(error, Refusal):
        return error.problem.detail
    return "it took too long" if isinstance(error, TimeoutError) else str(error)


def _busy(text: str, wait_s: float) -> Refusal:
    return Refusal(problem(Code.BUSY, text, retry_after_ms=int(wait_s * 1000)))
