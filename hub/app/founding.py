"""Opening a hub's state directory: lock, database, identity, and the check for copies.

The witness is a small file beside the database that counts starts and running time, too.  A
database that counts less than its witness was put back from a copy; one without its witness, or on
another machine, was moved.  Either way the hub is fenced until the cloud has given it a new epoch.
"""

from __future__ import annotations

import fcntl
import glob
import json
import logging
import os
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path

from hub import events
from hub.clock import Clock, Randomness
from hub.config import Settings
from hub.crashpoints import crashpoint
from hub.security.files import SECRET_MODE, sync_directory, write_atomic
from hub.storage import hubrow, printrows, sqlite, websessions
from hub.storage.database import open_database, refusing
from hub.storage.hubrow import HubRow
from hub.storage.rows import Tx
from hub.storage.sqlite import Connection

log = logging.getLogger(__name__)

BEING_RESTORED = ".being-restored-"
MACHINE_ID = Path("/etc/machine-id")
REPLICA_MEMORY = "replica.json"
"""In the state directory: which of the replica's series these books write on this box."""


class StateInUse(Exception):
    """Another hub runs on this state directory."""


class WrongStore(Exception):
    """The state directory belongs to another store."""


class RestoreUnfinished(Exception):
    """A restore was cut short when the former state was aside and the copy not yet in its place."""


class StateLock:
    """One hub per state directory, for as long as this lives."""

    def __init__(self, state: Path) -> None:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = open(state / "hub.lock", "a+")  # noqa: SIM115 - held for the hub's life
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise StateInUse(
                f"another hub runs on {state}: stop it first (systemctl stop store-hub), or set"
                " paths.state to another directory"
            ) from None

    def release(self) -> None:
        """Let the next one in."""
        self._file.close()


@dataclass(frozen=True, slots=True)
class Opened:
    """An open state directory."""

    conn: Connection
    hub: HubRow
    database: Path


def warn_of_sqlite() -> None:
    """Say so in the log when this SQLite may damage books that two programs write at once."""
    if sqlite.has_wal_reset_bug():
        log.warning(
            "SQLite %s can corrupt a database that two programs write at once: install the "
            "pysqlite3 wheel, and don't run a replicator beside this hub",
            sqlite.version(),
        )


def open_state(settings: Settings, clock: Clock, randomness: Randomness) -> Opened:
    """Open (or found) the database and note this start.

    Errors: :class:`~hub.storage.errors.DatabaseRefused`, :class:`WrongStore`,
    :class:`RestoreUnfinished`.
    """
    path = settings.paths.state / "hub.db"
    if not path.exists():
        _refuse_half_restored(settings.paths.state)
    conn = open_database(path)
    try:
        with refusing(path):
            conn.execute("BEGIN IMMEDIATE")
            try:
                hub = _identify(settings, conn, clock, randomness)
                conn.execute("COMMIT")
            except BaseException:
                if conn.in_transaction:
                    conn.execute("ROLLBACK")
                raise
        crashpoint("founding.identified")
        _write_witness(settings.paths.state, hub)
        crashpoint("founding.witnessed")
    except BaseException:
        conn.close()
        raise
    return Opened(conn, hub, path)


def being_restored(state: Path) -> list[Path]:
    """What restores that were cut short have left beside a state directory."""
    real = state.resolve()  # systemd's private state directories are links
    return sorted(real.parent.glob(f"{glob.escape(real.name)}{BEING_RESTORED}*"))


def _refuse_half_restored(state: Path) -> None:
    """A new hub must not be founded where another one was about to be put back."""
    left = being_restored(state)
    if left:
        raise RestoreUnfinished(
            f"a restore of {state} was cut short: run `store-hub restore` again (to begin a new hub"
            f" instead, delete {left[-1]})"
        )


def _identify(settings: Settings, conn: Connection, clock: Clock, randomness: Randomness) -> HubRow:
    state = settings.paths.state
    tx = Tx(conn, clock.wall_ms(), 0)
    known = hubrow.load(tx)
    witness = _read_witness(state)
    salt, starts = witness.salt, witness.starts
    if known is None:
        _begin_new_series(state)
        salt = salt or _new_salt(state, randomness)
        fork = randomness.token_bytes(4).hex()
        hubrow.found(tx, settings.store.id, settings.store.hub_name, machine_hash(salt), fork)
        hubrow.pass_time(tx, witness.budget_ms)
        hubrow.count_start(tx, starts + 1)
        return hubrow.get(tx)
    if known.store != settings.store.id:
        raise WrongStore(
            f"{state} belongs to store {known.store}, the settings say {settings.store.id}:"
            " correct store.id, or set paths.state to an empty directory"
        )
    here = machine_hash(salt) if salt else ""
    if not known.machine_hash:  # put back by `store-hub restore`, which has fenced it
        hubrow.set_machine(tx, machine_hash(salt or _new_salt(state, randomness)))
    elif here != known.machine_hash or witness.knows_more_than(known):
        why = "moved from another machine" if here != known.machine_hash else "an older copy"
        log.warning(
            "the database is %s: fenced until the cloud gives a new epoch",
            why,
            extra=events.BOX_FENCED(),
        )
        _begin_new_series(state)
        salt = salt or _new_salt(state, randomness)
        fork = randomness.token_bytes(4).hex()
        source = hubrow.new_source(tx, known.store, known.hub_id, known.incarnation, fork)
        hubrow.set_fork(tx, source, "restored", machine_hash(salt))
        websessions.end_all(tx)
        hubrow.pass_time(tx, witness.budget_ms)
        printrows.doubt_copied(tx)
    hubrow.count_start(tx, max(starts, known.starts) + 1)
    return hubrow.get(tx)


def _begin_new_series(state: Path) -> None:
    """Other books must not go on in the replica's series of those that were here: theirs may be
    all that is left of them.  Before the fence is written, so that a cut between does it again."""
    memory = state / REPLICA_MEMORY
    if memory.exists():
        memory.unlink()
        sync_directory(state)


def machine_hash(salt: str) -> str:
    """What tells this machine from any other, without telling which it is."""
    machine = MACHINE_ID.read_text().strip() if MACHINE_ID.exists() else ""
    return sha256(f"{machine}\0{salt}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Witness:
    """What is known beside the database; ``budget_ms`` of the hub's own time (0: not known)."""

    salt: str = ""
    starts: int = 0
    budget_ms: int = 0

    def knows_more_than(self, known: HubRow) -> bool:
        return self.starts > known.starts or self.budget_ms > known.budget_ms

    def write(self, state: Path) -> None:
        content = json.dumps(asdict(self)).encode() + os.linesep.encode()
        write_atomic(state / "witness.json", content, SECRET_MODE)


def _read_witness(state: Path) -> _Witness:
    """An empty one when it is missing or unreadable."""
    try:
        found = json.loads((state / "witness.json").read_text())
        more = int(found.get("budget_ms", 0))
        return _Witness(str(found["salt"]), int(found["starts"]), more)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return _Witness()


def note_running(state: Path, budget_ms: int) -> None:
    """The database holds this reading of the hub's own time, durably: an older file put in its
    place will show.  Errors: ``OSError``."""
    replace(_read_witness(state), budget_ms=budget_ms).write(state)


def _new_salt(state: Path, randomness: Randomness) -> str:
    """A salt for the machine's hash, written beside the database at once."""
    salt = randomness.token_bytes(16).hex()
    replace(_read_witness(state), salt=salt).write(state)
    crashpoint("founding.salted")
    return salt


def _write_witness(state: Path, hub: HubRow) -> None:
    salt = _read_witness(state).salt
    _Witness(salt, hub.starts, hub.budget_ms).write(state)
