"""Keeping the hub's copies of the cloud's data sets: snapshots in chunks, then changes."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from dataclasses import dataclass

from cloud_link.errors import CursorGone, OmsError, Permanent, SessionOver
from cloud_link.http import OmsClient
from cloud_link.pacing import Pacer, Sleep, first_of
from hub import events
from hub.contract.oms_datasets import MAX_CHUNK_BYTES, Changes, Chunk, DatasetName, Manifest
from hub.crashpoints import crashpoint
from hub.service.caller import CLOUD
from hub.service.gate import Gate
from hub.service.handlers.datasets import (
    SYNCED,
    ApplyChanges,
    BadRow,
    BeginStaging,
    DropStaging,
    PurgeGenerations,
    Shaped,
    StageRows,
    SwapStaging,
    dataset_row,
    jobs,
    read_lines,
    shape_changes,
    staged_rows,
)

log = logging.getLogger(__name__)

CHANGES_PER_PAGE = 250
PAGES_PER_ROUND = 400
FULL_ROUND_PAUSE_S = 1.0
BAD_SHOWN = 5


class SnapshotRefused(Exception):
    """A snapshot is damaged or has a bad row; the generation in force stays."""


class ChunkDamaged(SnapshotRefused):
    """A chunk isn't what its hash says, twice; what is staged stays, to go on from."""


class ChangesRefused(Exception):
    """The cloud's pages of changes contradict each other; asked again at the usual interval."""


class SnapshotMoved(Exception):
    """The cloud no longer keeps this snapshot: ask for the manifest again."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is."""

    dataset: str
    rows: int
    total: int

    def __str__(self) -> str:
        return f"{self.dataset} {self.rows}/{self.total}"


class DatasetSync:
    """One link's data sets.  ``progress`` is what is being imported now, ``problems`` why a data
    set is not up to date."""

    def __init__(
        self, gate: Gate, client: OmsClient, pacer: Pacer, every_s: float, *, sleep: Sleep
    ) -> None:
        self._gate = gate
        self._client = client
        self._pacer = pacer
        self._every_s = every_s
        self._sleep = sleep
        self._hinted: set[str] = set()
        self._hint = asyncio.Event()
        self._bad: dict[str, str] = {}
        self.progress: Progress | None = None
        self.problems: dict[str, str] = {}

    def hint(self, dataset: str) -> None:
        """The cloud (or a person) says that a data set changed: look at it now."""
        self._hinted.add(dataset)
        self._bad.pop(dataset, None)
        self._hint.set()

    async def run(self) -> None:
        """Sync all, then again every so often and when hinted, until cancelled."""
        names: tuple[DatasetName, ...] = SYNCED
        while True:
            for name in names:
                await self._one(name)
            await first_of(self._hint, self._every_s * self._pacer.uniform(0.9, 1.1), self._sleep)
            self._hint.clear()
            hinted, self._hinted = self._hinted, set()
            names = tuple(name for name in SYNCED if name in hinted) or SYNCED

    async def _one(self, name: DatasetName) -> None:
        try:
            await self._sync(name)
            self.problems.pop(name, None)
        except SessionOver:
            raise
        except (SnapshotRefused, ChangesRefused, OmsError) as error:
            if self.problems.get(name) != str(error):
                log.error(
                    "the data set %s is not up to date: %s",
                    name,
                    error,
                    extra=events.DATASET_STALE(dataset=str(name)),
                )
            self.problems[name] = str(error)
        finally:
            self.progress = None
        await self._purge(name)

    async def _sync(self, name: DatasetName) -> None:
        now = await self._gate.read(lambda rows: dataset_row(rows, name))
        if now.generation == 0 or not now.cursor:
            await self._snapshot(name)
        try:
            await self._changes(name)
        except CursorGone:
            await self._snapshot(name)
            await self._changes(name)

    # Snapshots -----------------------------------------------------------------------------------

    async def _snapshot(self, name: DatasetName) -> None:
        for _ in range(3):
            manifest = await self._pacer.call(
                lambda _: self._client.get(f"/datasets/{name}/manifest", Manifest)
            )
            if self._bad.get(name) == manifest.generation:
                raise SnapshotRefused(self.problems.get(name, "its snapshot was refused"))
            try:
                await self._take(name, manifest)
            except SnapshotMoved:
                continue
            except ChunkDamaged:
                raise
            except (SnapshotRefused, BadRow) as error:
                self._bad[name] = manifest.generation
                await self._gate.internal(CLOUD, DropStaging(name))
                raise SnapshotRefused(
                    f"snapshot {manifest.generation} is refused, the old one stays: {error}"
                ) from None
            return
        raise SnapshotRefused("its snapshots go before they can be fetched")

    async def _take(self, name: DatasetName, manifest: Manifest) -> None:
        """Stage what isn't staged yet, then swap."""
        now = await self._gate.read(lambda rows: dataset_row(rows, name))
        if not now.staging or now.staging_label != manifest.generation:
            now = await self._gate.internal(CLOUD, BeginStaging(name, manifest.generation))
        done = sum(chunk.rows for chunk in manifest.chunks[: now.staging_chunk])
        for index, chunk in enumerate(manifest.chunks):
            if index < now.staging_chunk:
                continue
            self.progress = Progress(name, done, manifest.rows)
            done += await self._take_chunk(name, now.staging, index, chunk, done, manifest.rows)
        staging = now.staging
        there = await self._gate.read(lambda rows: staged_rows(rows, name, staging))
        if there != manifest.rows:
            raise SnapshotRefused(
                f"{there} different rows came, the manifest says {manifest.rows}: rows are missing"
                " or two have the same key"
            )
        crashpoint("datasets.before-swap")
        swapped = await self._gate.internal(
            CLOUD,
            SwapStaging(name, staging, manifest.generation, manifest.as_of_cursor, manifest.rows),
        )
        if not swapped:
            raise SnapshotMoved("another snapshot is being staged")
        crashpoint("datasets.swapped")
        log.info(
            "data set %s: snapshot %s, %d rows",
            name,
            manifest.generation,
            manifest.rows,
            extra=events.DATASET_TAKEN(dataset=str(name), count=manifest.rows),
        )

    async def _take_chunk(
        self, name: DatasetName, staging: int, index: int, chunk: Chunk, done: int, total: int
    ) -> int:
        where = f"{name} chunk {index}"
        try:
            text = await self._fetch(chunk)
            count, rows = await asyncio.to_thread(_checked, name, text, chunk, where)
        except ChunkDamaged:
            text = await self._fetch(chunk)
            count, rows = await asyncio.to_thread(_checked, name, text, chunk, where)
        pieces = list(jobs(rows))
        for number, piece in enumerate(pieces, start=1):
            last = number == len(pieces)
            await self._room()
            staged = await self._gate.internal(
                CLOUD, StageRows(name, staging, piece, index + 1 if last else None)
            )
            if not staged:
                raise SnapshotMoved("another snapshot is being staged")
            crashpoint("datasets.staged")
            self.progress = Progress(name, done + count * number // len(pieces), total)
        if not pieces:
            await self._gate.internal(CLOUD, StageRows(name, staging, (), index + 1))
        return count

    async def _fetch(self, chunk: Chunk) -> bytes:
        if chunk.bytes > MAX_CHUNK_BYTES:
            raise SnapshotRefused(f"chunk {chunk.index} has more than {MAX_CHUNK_BYTES} bytes")
        try:
            return await self._pacer.call(lambda _: self._client.get_text(chunk.url))
        except CursorGone:
            raise SnapshotMoved(f"chunk {chunk.index} is gone") from None

    async def _room(self) -> None:
        """Imports are the first to stop when the disk is nearly full."""
        if self._gate.storage_full:
            raise Permanent("the disk is nearly full: the import waits until there is room")

    # Changes -------------------------------------------------------------------------------------

    async def _changes(self, name: DatasetName) -> None:
        """Page by page; what follows a full round waits, so that no cloud is asked without pause.

        Errors: :class:`ChangesRefused`."""
        seen: set[str] = set()
        for _ in range(PAGES_PER_ROUND):
            now = await self._gate.read(lambda rows: dataset_row(rows, name))
            cursor, generation = now.cursor, now.generation
            page = await self._pacer.call(
                lambda _, cursor=cursor: self._client.get(  # type: ignore[misc]
                    f"/datasets/{name}/changes",
                    Changes,
                    {"cursor": cursor, "limit": CHANGES_PER_PAGE},
                )
            )
            seen.add(cursor)
            if page.more and page.cursor in seen:
                raise ChangesRefused(
                    f"the cloud says that more changes follow, but its cursor {page.cursor[:40]!r}"
                    " was there before: correct it there"
                )
            if page.changes or page.cursor != cursor:
                await self._room()
                await self._apply(name, generation, page)
                crashpoint("datasets.changed")
            if not page.more:
                return
        await self._sleep(FULL_ROUND_PAUSE_S)
        self.hint(name)

    async def _apply(self, name: DatasetName, generation: int, page: Changes) -> None:
        changes = page.changes
        shaped: Shaped = await self._gate.read(
            lambda rows: shape_changes(rows, name, generation, changes)
        )
        for bad in shaped.bad[:BAD_SHOWN]:
            log.error("a change of %s is left out, the old row stays: %s", name, bad)
        await self._gate.internal(
            CLOUD,
            ApplyChanges(
                name, generation, shaped.removed, shaped.written, len(changes), page.cursor
            ),
        )

    async def _purge(self, name: DatasetName) -> None:
        left = True
        while left:
            left = bool(await self._gate.internal(CLOUD, PurgeGenerations(name)))


def _checked(
    name: str, text: bytes, chunk: Chunk, where: str
) -> tuple[int, list[tuple[str, tuple[object, ...]]]]:
    """A chunk's rows, after its hash; for a thread."""
    if hashlib.sha256(text).hexdigest() != chunk.sha256:
        raise ChunkDamaged(f"{where} is not what its sha256 says")
    count, rows = read_lines(name, text, where=where)
    if count != chunk.rows:
        raise SnapshotRefused(f"{where} has {count} rows, the manifest says {chunk.rows}")
    return count, rows
