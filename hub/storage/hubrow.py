"""The one row that says who this hub is and where it stands with the cloud."""

from __future__ import annotations

from dataclasses import dataclass

from hub.storage.rows import Rows, Tx

RECEIPTS_FROM_MS = 1_577_836_800_000
"""2020-01-01, from where receipt numbers after a restore are counted."""


@dataclass(frozen=True, slots=True)
class HubRow:
    """The hub's identity and fences. ``fence``: '', 'restored' or 'superseded'."""

    store: str
    hub_id: str
    machine_hash: str
    incarnation: int
    fork: str
    source: int
    source_uri: str
    epoch: int
    fence: str
    hello_nonce: str | None
    oms_incarnation: str
    budget_ms: int
    trusted_wall_ms: int
    clock_suspect: str
    commands_cursor: str
    starts: int

    @property
    def label(self) -> str:
        """The incarnation as devices see it: ``7``, or ``7~fork`` before the cloud was met."""
        return f"{self.incarnation}~{self.fork}" if self.fork else str(self.incarnation)


_SELECT = """
SELECT h.store, h.hub_id, h.machine_hash, h.incarnation, s.fork, h.source, s.uri, h.epoch, h.fence,
       h.hello_nonce, h.oms_incarnation, h.budget_ms, h.trusted_wall_ms, h.clock_suspect,
       h.commands_cursor, h.starts
FROM hub h JOIN sources s ON s.id = h.source
"""


def load(rows: Rows) -> HubRow | None:
    """The row, or None in a database that is being founded."""
    row = rows.one(_SELECT)
    return HubRow(*row) if row else None


def get(rows: Rows) -> HubRow:
    """The row of a founded database."""
    row = load(rows)
    assert row is not None
    return row


def clock_suspect(rows: Rows) -> bool:
    """Whether the hub doesn't trust its own clock."""
    row = rows.one("SELECT clock_suspect FROM hub")
    assert row is not None
    return bool(row[0])


def source_and_fence(tx: Tx) -> tuple[int, str]:
    """The source of new outbox rows, and the fence."""
    row = tx.one("SELECT source, fence FROM hub")
    assert row is not None
    return row[0], row[1]


def source_uri(store: str, hub_id: str, incarnation: int, fork: str) -> str:
    """CloudEvents ``source`` of an incarnation of a hub."""
    label = f"{incarnation}~{fork}" if fork else str(incarnation)
    return f"/stores/{store}/hubs/{hub_id}/{label}"


def new_source(tx: Tx, store: str, hub_id: str, incarnation: int, fork: str) -> int:
    """The number of the source, made if it is new."""
    uri = source_uri(store, hub_id, incarnation, fork)
    row = tx.one("SELECT id FROM sources WHERE uri = ?", uri)
    if row:
        return int(row[0])
    return tx.insert(
        "INSERT INTO sources (incarnation, fork, uri) VALUES (?, ?, ?)", incarnation, fork, uri
    )


def found(tx: Tx, store: str, hub_id: str, machine_hash: str, fork: str) -> None:
    """Write the first row of a new hub, which has not met the cloud yet."""
    source = new_source(tx, store, hub_id, 0, fork)
    tx.run(
        "INSERT INTO hub (one, store, hub_id, machine_hash, source, trusted_wall_ms, created_at_ms)"
        " VALUES (1, ?, ?, ?, ?, 0, ?)",
        store,
        hub_id,
        machine_hash,
        source,
        tx.now_ms,
    )


def set_session(tx: Tx, *, incarnation: int, source: int, epoch: int, oms_incarnation: str) -> None:
    """Take over what the cloud issued at HELLO; lifts the fence."""
    tx.run(
        "UPDATE hub SET incarnation = ?, source = ?, epoch = ?, oms_incarnation = ?, fence = '',"
        " hello_nonce = NULL",
        incarnation,
        source,
        epoch,
        oms_incarnation,
    )


def set_fork(tx: Tx, source: int, fence: str, machine_hash: str) -> None:
    """Write under a fork from now on (a restored or copied database).

    A HELLO under way is forgotten: it was another box's, or of another time.  Tills go on with
    receipt numbers that none of them can have given in what this database has lost: tenths of
    seconds since 2020, which no till catches up with.
    """
    tx.run(
        "UPDATE hub SET source = ?, fence = ?, machine_hash = ?, hello_nonce = NULL",
        source,
        fence,
        machine_hash,
    )
    tx.run(
        "UPDATE devices SET receipt_count = max(receipt_count, ?)",
        max(0, tx.now_ms - RECEIPTS_FROM_MS) // 100,
    )


def set_machine(tx: Tx, machine_hash: str) -> None:
    """Write on which machine this database lives."""
    tx.run("UPDATE hub SET machine_hash = ?", machine_hash)


def count_start(tx: Tx, starts: int) -> None:
    """Write how often the hub has been started."""
    tx.run("UPDATE hub SET starts = ?", starts)


def pass_time(tx: Tx, budget_ms: int) -> None:
    """The hub's own time is at least this far."""
    tx.run("UPDATE hub SET budget_ms = max(budget_ms, ?)", budget_ms)


def set_fence(tx: Tx, fence: str) -> None:
    """Put a fence up or take it down."""
    tx.run("UPDATE hub SET fence = ?", fence)


def set_nonce(tx: Tx, nonce: str) -> None:
    """Remember the HELLO under way, so that its repetition is the same HELLO."""
    tx.run("UPDATE hub SET hello_nonce = ?", nonce)


def set_commands_cursor(tx: Tx, cursor: str) -> None:
    """Where the down-link goes on."""
    tx.run("UPDATE hub SET commands_cursor = ?", cursor)


def keep_time(tx: Tx, *, trusted_wall_ms: int | None, suspect: str, lowers: bool = False) -> None:
    """Persist the budget clock, and the wall clock's high-water mark when it is trusted; only
    where it ``lowers`` the mark may that go back."""
    tx.run(
        "UPDATE hub SET budget_ms = max(budget_ms, ?), clock_suspect = ?,"
        " trusted_wall_ms = max(iif(?, 0, trusted_wall_ms), coalesce(?, trusted_wall_ms))",
        tx.budget_ms,
        suspect,
        lowers,
        trusted_wall_ms,
    )
