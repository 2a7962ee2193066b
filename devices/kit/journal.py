"""What this device still owes its hub, kept on disk: requests that must be answered, and facts.

Writes go through one thread and are grouped: everything that waits shares one fsync.  The state in
memory changes only after the disk has it, except where losing the record merely means to ask again.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from devices.kit import journal_state as records
from devices.kit.errors import JournalForeign, JournalFull
from devices.kit.journal_file import JournalFile, pack
from devices.kit.journal_state import Answer, Entry, FactId, JournalState, PendingFact, replay

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalBounds:
    """``entries`` and ``facts`` that may wait, ``bytes`` of the file before new ones are refused;
    answers are always written.  Below ``compact_bytes`` the file is left to grow."""

    entries: int = 20_000
    facts: int = 20_000
    bytes: int = 128 * 1_048_576
    compact_bytes: int = 1_048_576


@dataclass(frozen=True, slots=True)
class _Waiting:
    payload: bytes
    applied: bool


class Journal:
    """An open journal; belongs to the running event loop.

    ``journal_id`` is new each time it is opened, so that a device restored from an older copy of
    its disk never uses a fact number twice.
    """

    def __init__(
        self,
        thread: ThreadPoolExecutor,
        file: JournalFile,
        state: JournalState,
        journal_id: str,
        bounds: JournalBounds,
    ) -> None:
        self.journal_id = journal_id
        self._file = file
        self._state = state
        self._bounds = bounds
        self._evt_seq = 0
        self._thread = thread
        self._buffer: list[_Waiting] = []
        self._written: asyncio.Future[None] | None = None
        self._worker: asyncio.Task[None] | None = None
        self._compacted_bytes = file.size

    @classmethod
    async def open(
        cls, path: Path, *, owner: str, journal_id: str, bounds: JournalBounds | None = None
    ) -> Journal:
        """``owner`` names store and device.  Raises JournalInUse, JournalForeign, or OSError."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="kit-journal")
        try:
            file = await asyncio.get_running_loop().run_in_executor(thread, JournalFile, path)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        try:
            if file.damaged_copy is not None:
                _log.error("%s was damaged; the original is kept as %s", path, file.damaged_copy)
            state = replay(file.payloads)
            file.payloads = []
            if state.owner not in (None, owner) and (state.entries or state.facts):
                raise JournalForeign(
                    f"{path} holds {len(state.entries)} requests and {len(state.facts)} facts of "
                    f"{state.owner}: connect there first, or move the file aside"
                )
        except BaseException:
            file.close()
            thread.shutdown(wait=False)
            raise
        journal = cls(thread, file, state, journal_id, bounds or JournalBounds())
        if state.owner != owner:
            await journal._keep([records.owner_record(owner)])
        return journal

    # -- requests ------------------------------------------------------------------------------

    @property
    def entries(self) -> list[Entry]:
        """Everything kept, in the order written."""
        return list(self._state.entries.values())

    def first_new(self) -> Entry | None:
        """The oldest request that no incarnation of the hub has answered."""
        return self._first(self._state.new)

    def first_again(self) -> Entry | None:
        """The oldest request that another incarnation had answered."""
        return self._first(self._state.again)

    def _first(self, line: dict[str, None]) -> Entry | None:
        key = next(iter(line), None)
        return None if key is None else self._state.entries[key]

    def entry(self, key: str) -> Entry | None:
        return self._state.entries.get(key)

    async def ask(self, entry: Entry) -> None:
        """Keep a request before it is sent; raises JournalFull or JournalBroken."""
        if len(self._state.entries) >= self._bounds.entries:
            raise JournalFull(f"{self._bounds.entries} requests wait for their hub already")
        self._check_size()
        await self._keep([records.ask_record(entry)])

    def answered(self, key: str, answer: Answer, record: str | None = None) -> None:
        """Not waited for: if it is lost, the request is sent again and answered again."""
        self._note([records.answer_record(key, answer, record)])

    def ask_again(self, keys: Iterable[str]) -> None:
        self._note([records.again_record(key) for key in keys])

    def defer(self, key: str) -> None:
        """Offer the others again before this one."""
        self._state.defer(key)

    def doubt(self, key: str, detail: str) -> None:
        self._note([records.doubt_record(key, detail)])

    def end(self, key: str) -> None:
        self._note([records.end_record(key)])

    def safe(self, incarnation: str, safe_seq: int) -> int:
        """Forget what the hub keeps elsewhere too; returns how many entries that were."""
        keys = self._state.safe_keys(incarnation, safe_seq)
        if keys:
            self._note([records.safe_record(incarnation, safe_seq)])
        return len(keys)

    def stale_keys(self, incarnation: str) -> list[str]:
        return self._state.stale_keys(incarnation)

    # -- facts ---------------------------------------------------------------------------------

    def facts(self, at_most: int) -> list[PendingFact]:
        """The oldest facts without an acknowledgement."""
        return list(islice(self._state.facts.values(), at_most))

    def next_fact_id(self) -> FactId:
        self._evt_seq += 1
        return (self.journal_id, self._evt_seq)

    async def add_fact(self, fact: PendingFact) -> None:
        """Keep a fact before it is sent; raises JournalFull or JournalBroken."""
        if len(self._state.facts) >= self._bounds.facts:
            raise JournalFull(f"{self._bounds.facts} facts wait for their hub already")
        self._check_size()
        await self._keep([records.fact_record(fact)])

    def fact_acked(self, fact_id: FactId) -> bool:
        if fact_id not in self._state.facts:
            return False
        self._note([records.acked_record(fact_id)])
        return True

    def renumber_facts(self, stale_id: str, journal_id: str) -> int:
        """Number the facts of ``stale_id`` from 1 under a fresh ``journal_id``; how many."""
        facts = [fact for fact in self._state.facts.values() if fact.journal_id == stale_id]
        if stale_id == self.journal_id:
            self.journal_id, self._evt_seq = journal_id, len(facts)
        payloads = []
        for number, old in enumerate(facts, start=1):
            body = json.loads(old.body) | {"journal_id": journal_id, "evt_seq": number}
            text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
            fact = replace(old, journal_id=journal_id, evt_seq=number, body=text)
            payloads += [records.fact_record(fact), records.acked_record(old.id)]
        self._note(payloads)
        return len(facts)

    def has_fact(self, fact_id: FactId) -> bool:
        return fact_id in self._state.facts

    # -- the disk ------------------------------------------------------------------------------

    async def flush(self) -> None:
        """Wait until everything noted is on disk; raises JournalBroken."""
        if self._buffer or self._written is not None:
            await self._on_disk()
        elif self._worker is not None:  # the last notes may be on their way
            await asyncio.wait({self._worker})

    async def close(self) -> None:
        """Write what is noted, end the thread, free the file."""
        try:
            await self.flush()
        finally:
            if self._worker is not None:
                await asyncio.wait({self._worker})
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._thread, self._file.close)
            self._thread.shutdown(wait=False)  # idle after that: it ends at once

    async def _keep(self, payloads: list[bytes]) -> None:
        """On disk first, then in memory."""
        self._buffer += [_Waiting(payload, applied=False) for payload in payloads]
        await self._on_disk()

    def _note(self, payloads: list[bytes]) -> None:
        """In memory at once, on disk with the next write."""
        for payload in payloads:
            self._state.apply(payload)
        self._buffer += [_Waiting(payload, applied=True) for payload in payloads]
        self._begin()

    async def _on_disk(self) -> None:
        self._begin()
        assert self._written is not None
        await asyncio.shield(self._written)

    def _begin(self) -> None:
        """Make sure that a write which includes all of the buffer is coming."""
        if self._written is None:
            self._written = asyncio.get_running_loop().create_future()
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._write_all())

    async def _write_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._written is not None:
            written, self._written = self._written, None
            batch, self._buffer = self._buffer, []
            blob = b"".join(pack(one.payload) for one in batch)
            try:
                await loop.run_in_executor(self._thread, self._file.append, blob)
            except Exception as error:
                _log.error("the journal can't be written: %s", error)
                written.set_exception(error)
                written.exception()  # the notes of this batch are waited for by nobody
            else:
                for one in batch:
                    if not one.applied:
                        self._state.apply(one.payload)
                written.set_result(None)
                await self._compact_if_worth()

    async def _compact_if_worth(self) -> None:
        bound = max(self._bounds.compact_bytes, 4 * self._compacted_bytes)
        if self._file.size < bound:
            return
        payloads = list(self._state.snapshot())
        try:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._thread, self._file.replace, payloads)
        except Exception as error:
            _log.error("the journal can't be compacted: %s", error)
        self._compacted_bytes = self._file.size

    def _check_size(self) -> None:
        if self._file.size > self._bounds.bytes:
            raise JournalFull(f"{self._file.path} has {self._file.size} bytes, its bound")
