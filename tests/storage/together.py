"""A shop whose tills ask at the same time: their requests share the writer's batches.

Still one thread and no loop: what is asked together waits until all have asked, then the writer
runs.  What was answered is kept, to be held against the database later.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Coroutine, Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.service.caller import Caller, CallerKind
from hub.service.gate import Gate, Request
from hub.storage import requests
from hub.storage.errors import WriterStopped
from hub.storage.rows import Tx
from hub.storage.writer import Job, Outcome, WriterCore
from tests.support.shop import Shop


class Pending:
    """What waits for a commit; on its own it has the writer run at once."""

    def __init__(self, writer: BatchWriter) -> None:
        self._writer = writer
        self.outcome: Outcome | None = None

    def __await__(self) -> Generator[Any, None, Any]:
        if self.outcome is None and not self._writer.gathering:
            self._writer.flush()
        while self.outcome is None:
            yield self
        if self.outcome.error is not None:
            raise self.outcome.error
        return self.outcome.value


class BatchWriter:
    """The writer without its thread; ``gathering``: nothing runs before :meth:`flush`."""

    def __init__(self, core: WriterCore) -> None:
        self.core = core
        self.notices: list[object] = []
        self.gathering = False

    def submit(
        self,
        work: Callable[[Tx], Any],
        *,
        refused: Callable[[Tx, Exception], Any] | None = None,
        background: bool = False,
    ) -> Pending:
        """As :meth:`hub.storage.writer_thread.WriterThread.submit`."""
        if self.core.fatal is not None:
            raise WriterStopped("the hub is stopping")
        pending = Pending(self)
        self.core.offer(Job(work, pending, refused), background=background)
        return pending

    def flush(self) -> None:
        """Write everything that waits, as the writer's thread does."""
        core = self.core
        while not core.idle:
            outcomes = core.run_once()
            if core.fatal is not None:
                outcomes += core.abandon(core.fatal)
            for one in outcomes:
                one.job.reply_to.outcome = one
                self.notices.extend(one.notices)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request and its answer."""

    device: str
    address: str
    body: dict[str, Any]
    key: str
    text: str

    @property
    def reply(self) -> dict[str, Any]:
        """The answer, parsed."""
        found: dict[str, Any] = json.loads(self.text)
        return found

    @property
    def ok(self) -> bool:
        """It was done."""
        return bool(self.reply["ok"])

    @property
    def code(self) -> str:
        """``ok``, or the problem's code."""
        reply = self.reply
        return "ok" if reply["ok"] else str(reply["problem"]["code"])

    @property
    def final(self) -> bool:
        """Done, or refused for good: nothing to repeat."""
        return self.ok or not self.reply["problem"]["retryable"]


Wanted = tuple[str, str, dict[str, Any], str]
"""Device, address, body, key."""


class BusyShop(Shop):
    """See the module's text."""

    writer: Any

    def __init__(self, directory: Path, **how: Any) -> None:
        self.answered: list[Asked] = []
        super().__init__(directory, **{"quick": False} | how)

    def _open(self) -> None:
        super()._open()
        self.writer = BatchWriter(self.core)
        gate: Any = self.gate
        gate._writer = self.writer

    def together(self, wanted: Iterable[Wanted]) -> list[Asked]:
        """Ask all at once; the answers in the order asked."""
        todo = list(wanted)
        runs = [_answer(self.gate, one) for one in todo]
        texts: list[str | None] = [None] * len(runs)
        while None in texts:
            self.writer.gathering = True
            for place, run in enumerate(runs):
                if texts[place] is None:
                    texts[place] = _go_on(run)
            self.writer.gathering = False
            self.writer.flush()
        asked = [Asked(*one, str(text)) for one, text in zip(todo, texts, strict=True)]
        self.answered += [one for one in asked if one.final]
        return asked

    def stored(self, asked: Asked) -> str | None:
        """The remembered answer to a request."""
        found = requests.find(self.rows, Caller(CallerKind.DEVICE, asked.device).key, asked.key)
        return found[1] if found is not None else None


def bare(answer: str | None) -> str | None:
    """An answer as it is stored: without the record, which is made anew for each repeat."""
    return answer and re.sub(r',"record":"[^"]*"}$', "}", answer)


def _answer(gate: Gate, wanted: Wanted) -> Coroutine[Any, Any, str]:
    device, address, body, key = wanted
    service, operation = address.split("/")
    raw = json.dumps(body).encode()
    return gate.answer(Request(Caller(CallerKind.DEVICE, device), service, operation, raw, key))


def _go_on(run: Coroutine[Any, Any, str]) -> str | None:
    try:
        run.send(None)
    except StopIteration as stop:
        return str(stop.value)
    return None
