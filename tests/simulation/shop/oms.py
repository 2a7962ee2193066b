"""The cloud as a machine: the sandbox OMS itself, called in memory, and an oracle over its file.

Requests pass through its real routes, middleware and database.  What goes wrong on the way to and
from them is drawn here: answers of 5xx and 429, answers that are lost after their effect, late
ones, and bodies cut short.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar, cast

from aiohttp import web

from cloud_link.sandbox.app import application
from cloud_link.sandbox.auth import Doorkeeper, Secrets
from cloud_link.sandbox.commands import append_command
from cloud_link.sandbox.context import CONTEXT, Context
from cloud_link.sandbox.context import Settings as OmsSettings
from cloud_link.sandbox.datasets import Snapshots, change_rows, load_rows
from cloud_link.sandbox.door import Door, DoorBounds
from cloud_link.sandbox.store import Database, connect
from cloud_link.sandbox.value_books import books
from cloud_link.transport import HttpReply, HttpRequest
from hub.contract.oms import MAX_WAIT_S
from hub.contract.oms_datasets import DATASETS, DatasetName
from tests.fakes import SeededRandomness
from tests.simulation.kernel import Lost, Machine, Process, World
from tests.simulation.shop import goods
from tests.simulation.shop.inmemory import answered

if TYPE_CHECKING:
    from sqlite3 import Connection

T = TypeVar("T")
STEM = "oms"
FILE = "oms.db"
SECRETS = Secrets(goods.TOKEN, "admin", "store-hub", "secret", "whsec_", "00" * 32)
HUNG_S = 900.0
TOLD_TWICE = (
    "SELECT type, coalesce(json_extract(data, '$.return_id'), json_extract(data, '$.sale_id')),"
    " count(*) FROM events WHERE type IN ('com.storehub.sale.completed.v1',"
    " 'com.storehub.sale.voided.v1', 'com.storehub.return.completed.v1')"
    " AND json_extract(data, '$.original_id') IS NULL GROUP BY 1, 2 HAVING count(*) > 1"
)
"""An event's id says what it tells: one told again, after a restore too, is the same event."""


class OmsMachine:
    """The odds are per answered call, of: an error before any effect, an answer lost after its
    effect, an answer that takes up to a minute more, and a body cut short."""

    def __init__(self, world: World) -> None:
        self.fail_odds = 0.0
        self.lose_reply_odds = 0.0
        self.slow_odds = 0.0
        self.break_body_odds = 0.0
        self._world = world
        self._random = world.random("oms")
        self._run: tuple[Process, Context] | None = None
        self._copies = 0

    @property
    def machine(self) -> Machine:
        """The machine that this was added as."""
        return self._world.machine(STEM)

    @property
    def _context(self) -> Context | None:
        """The present run's; None before it has come up and after its end."""
        return self._run[1] if self._run is not None and self._run[0].alive else None

    def heal(self) -> None:
        """Good behaviour from now on."""
        self.fail_odds = self.lose_reply_odds = self.slow_odds = self.break_body_odds = 0.0

    # Life ----------------------------------------------------------------------------------------

    async def start(self, process: Process) -> None:
        """One run."""
        path = process.directory / FILE
        if not path.exists():
            path.write_bytes(_furnished())
        database = _Database(path, process.randomness)
        context = Context(
            settings=OmsSettings(state=process.directory, stores=(goods.STORE,)),
            clock=process.clock,
            ids=process.ids,
            randomness=process.randomness,
            database=database,
            doorkeeper=Doorkeeper(SECRETS, (goods.STORE,), process.clock, signed=False),
            snapshots=Snapshots(process.directory / "snapshots"),
            door=Door(DoorBounds()),
        )
        await database.open()
        process.at_death(database.shut)
        app = application(context)
        app.freeze()
        self._run = (process, context)

        async def serve(_caller: str, request: HttpRequest) -> HttpReply:
            return await self._served(process, app, request)

        process.serve = serve

    async def _served(
        self, process: Process, app: web.Application, request: HttpRequest
    ) -> HttpReply:
        if self._strikes(self.fail_odds):
            return self._failed(app)
        reply = await self._held(app, request)
        process.note(f"{request.method} {_short(request.url)} {reply.status}")
        if self._strikes(self.slow_odds):
            self._world.count("oms slow")
            await asyncio.sleep(self._random.uniform(0.5, 60))
        if self._strikes(self.lose_reply_odds):
            self._world.count("oms reply lost")
            if self._random.random() < 0.5:
                await asyncio.sleep(HUNG_S)
            raise Lost("the connection ended without an answer")
        if reply.body and self._strikes(self.break_body_odds):
            self._world.count("oms body broken")
            cut = self._random.randrange(len(reply.body))
            return HttpReply(reply.status, reply.headers, reply.body[:cut])
        return reply

    async def _held(self, app: web.Application, request: HttpRequest) -> HttpReply:
        """The answer; a poll may be held longer than the contract has it, to save polls."""
        head, given, wait = request.url.partition("&wait=")
        if not given or int(wait) <= MAX_WAIT_S:
            return await answered(app, request)
        bell = app[CONTEXT].bell.current()
        reply = await answered(app, replace(request, url=f"{head}&wait=0"))
        if reply.status != 200 or json.loads(reply.body)["commands"]:
            return reply
        try:
            async with asyncio.timeout(int(wait)):
                await bell.wait()
        except TimeoutError:
            return reply  # nothing has come
        return await answered(app, replace(request, url=f"{head}&wait=0"))

    def _strikes(self, odds: float) -> bool:
        return odds > 0 and self._random.random() < odds

    def _failed(self, app: web.Application) -> HttpReply:
        """What a load balancer or an overloaded OMS says, with and without a body of ours."""
        status = self._random.choice((429, 500, 502, 503, 504))
        self._world.count(f"oms {status}")
        headers = {"content-type": "text/html"}
        if status in (429, 503) and self._random.random() < 0.7:
            headers["retry-after"] = str(self._random.choice((0, 1, 5, 120)))
        return HttpReply(status, headers, b"<html>try again</html>")

    # Asked for by the test -----------------------------------------------------------------------

    def queue_command(self, kind: str, data: dict[str, Any], command_id: str | None = None) -> bool:
        """Send the hub a command (``order.assigned``, ``count.requested``, ...).  False: the OMS is
        down, and nothing was queued."""
        context = self._context
        if context is None:
            return False
        now_ms = context.clock.wall_ms()
        name = command_id or context.ids.uuid7()
        self._write(context, lambda db: append_command(db, goods.STORE, name, kind, data, now_ms))
        return True

    def change_dataset(
        self,
        dataset: DatasetName,
        rows: tuple[dict[str, Any], ...] = (),
        delete: tuple[dict[str, Any], ...] = (),
    ) -> bool:
        """Set and remove rows of a data set, and tell the hub.  False: the OMS is down."""
        context = self._context
        if context is None:
            return False
        name, now_ms = context.ids.uuid7(), context.clock.wall_ms()

        def change(db: Connection) -> None:
            change_rows(db, goods.STORE, dataset, rows, delete)
            told = {"dataset": dataset}
            append_command(db, goods.STORE, name, "dataset.changed", told, now_ms)

        self._write(context, change)
        return True

    def set_price(self, sku: str, price_minor: int) -> bool:
        """Change a price."""
        row = {"sku": sku, "price_minor": price_minor, "valid_from_ms": None, "valid_to_ms": None}
        return self.change_dataset("prices", (row,))

    def write(self, work: Callable[[Connection, int], T]) -> T | None:
        """Whatever its people do: ``work`` is given the database and the time (UTC ms).  None: it
        is down.  Errors: those of ``work``, which leaves nothing then."""
        context = self._context
        if context is None:
            return None
        now_ms = context.clock.wall_ms()
        found = context.database._transact(lambda db: work(db, now_ms))
        context.bell.ring()
        return found

    def _write(self, context: Context, work: Callable[[Connection], Any]) -> None:
        context.database._transact(work)
        context.bell.ring()

    async def backup(self) -> Path | None:
        """A copy of everything committed so far; None without a database."""
        path = self.machine.directory / FILE
        if not path.exists():
            return None
        self._copies += 1
        target = self._world.root / f"oms-copy-{self._copies}.db"
        with closing(connect(path)) as db:
            db.execute("VACUUM INTO ?", (str(target),))
        self._world.count("oms copied")
        return target

    def restore(self, copy: Path) -> None:
        """Go back to a copy, as a new life of the OMS.  It is off."""
        assert self.machine.process is None, "switch the OMS off first"
        path = self.machine.directory / FILE
        path.with_name("backup.db").write_bytes(copy.read_bytes())
        database = Database(path, SeededRandomness(self._random.getrandbits(64)))
        database._open()
        try:
            database._restore()
        finally:
            database._close()
        self._world.count("oms restored")

    # The oracle ----------------------------------------------------------------------------------

    def value_missing(self) -> dict[str, int]:
        """Card → what of its value is nowhere in the issuer's book."""
        context = self._context
        if context is not None and context.database._db is not None:
            return dict(books(context.database._db)["missing"])
        with closing(connect(self.machine.directory / FILE)) as db:
            return dict(books(db)["missing"])

    def look(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        """Ask the OMS's file as it is now, also while the OMS is off."""
        if self._context is not None:
            db = self._context.database._db
            assert db is not None
            return db.execute(sql, params).fetchall()
        with closing(connect(self.machine.directory / FILE)) as db:
            return db.execute(sql, params).fetchall()

    def events(self) -> list[tuple[str, str, int, str, str, str]]:
        """Every place that was filled: (source, stream, seq, id, type, status), in order."""
        return cast(
            "list[tuple[str, str, int, str, str, str]]",
            self.look(
                "SELECT p.source, p.stream, p.seq, p.id, e.type, e.status FROM placements p"
                " JOIN events e ON e.event = p.event ORDER BY p.source, p.stream, p.seq"
            ),
        )

    def applied(self) -> dict[str, int]:
        """Event id → how often it had an effect (1, or something is wrong)."""
        return dict(self.look("SELECT id, count(*) FROM events GROUP BY id ORDER BY min(event)"))

    def sales(self) -> list[dict[str, Any]]:
        """Sales in the order in which they came."""
        names = ("sale_id", "state", "total_minor", "receipt_no", "device_id")
        rows = self.look(f"SELECT {', '.join(names)} FROM sales ORDER BY event")
        return [dict(zip(names, row, strict=True)) for row in rows]

    def returns(self) -> dict[str, int]:
        """Return id → total in minor units."""
        return dict(self.look("SELECT return_id, total_minor FROM returns ORDER BY event"))

    def levels(self) -> dict[str, dict[str, int]]:
        """SKU → stock bucket → base units."""
        levels: dict[str, dict[str, int]] = {}
        for sku, bucket, qty in self.look("SELECT sku, bucket, qty FROM levels"):
            levels.setdefault(sku, {})[bucket] = qty
        return levels

    def rejected(self) -> list[tuple[str, str, str]]:
        """Events that contradict what was known: (id, type, why)."""
        return cast(
            "list[tuple[str, str, str]]",
            self.look("SELECT id, type, problem FROM events WHERE status = 'rejected'"),
        )

    def faults(self) -> list[str]:
        """What should never be, as sentences."""
        return list(self._faults())

    def _faults(self) -> Iterator[str]:
        for event_id, count in self.applied().items():
            if count != 1:
                yield f"event {event_id} was applied {count} times"
        for event_id, kind, why in self.rejected():
            yield f"event {event_id} ({kind}) contradicts what is known: {why}"
        for source, stream, head, count in self.look(
            "SELECT source, stream, max(seq), count(*) FROM placements GROUP BY source, stream"
        ):
            if head != count:
                yield f"{source} {stream} has {count} events up to {head}"
        for sale_id, total, paid in self.look(
            "SELECT s.sale_id, s.total_minor + s.rounding_minor + s.change_minor,"
            " (SELECT coalesce(sum(amount_minor), 0) FROM tenders t"
            "  WHERE t.store = s.store AND t.sale_id = s.sale_id) AS paid"
            " FROM sales s WHERE s.total_minor + s.rounding_minor + s.change_minor <> paid"
        ):
            yield f"sale {sale_id} costs {total}, {paid} was paid"
        for kind, number, count in self.look(TOLD_TWICE):
            yield f"{kind} of {number} was told by {count} events"

    def under_way(self) -> str:
        """What is still to come, in words."""
        if self._context is None or not self.machine.up:
            return "the OMS is not up"
        waiting = self.look(
            "SELECT count(*) FROM commands c JOIN stores s ON s.store = c.store"
            " WHERE c.n > s.commands_confirmed"
        )[0][0]
        return f"{waiting} commands are not confirmed" if waiting else ""


class _Database(Database):
    """Reads take the writer's connection: opening one for each read is most of its price."""

    def _read(self, work: Callable[[Connection], T]) -> T:
        db = self._db
        assert db is not None, "the database is closed"
        db.execute("BEGIN")
        try:
            return work(db)
        finally:
            db.execute("ROLLBACK")

    def _open(self) -> None:
        super()._open()
        assert self._db is not None
        self._db.execute("PRAGMA synchronous=OFF")

    def shut(self) -> None:
        """Free the file descriptors."""
        self._close()


def _short(url: str) -> str:
    """The call without its store and without cards' numbers, for the trace."""
    path = url.partition(f"/stores/{goods.STORE}")[2].partition("?")[0]
    return re.sub(r"/gift-cards/[^/]+/holds$", "/gift-cards/*/holds", path)


@cache
def _furnished() -> bytes:
    """The database of an OMS that has the shop's data sets and hasn't met its hub."""
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / FILE
        database = Database(path, SeededRandomness(0))
        database._open()

        def fill(db: Connection) -> None:
            for dataset in DATASETS:
                load_rows(db, goods.STORE, dataset, goods.rows_of(dataset))
            db.execute("DELETE FROM meta")

        database._transact(fill)
        database._close()
        return path.read_bytes()
