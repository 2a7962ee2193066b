"""What each of the witnesses says was sold: the data set, the hub's sales, its ledger, the cloud.

Nothing here is shared with the code that sold: the data set is read again from the Parquet file
under the written rules of docs/replay-mapping.md, the databases with the standard library's
SQLite, read-only.  Money in cents, quantities in base units.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from uuid import UUID

BUCKETS = ("sellable", "staged", "quarantine", "refurbish", "damaged", "transit_in")
_HELD = ", ".join(f"s.{bucket}" for bucket in BUCKETS)

Complain = Callable[[str, str, object, object], None]
"""``(where, subject, expected, found)``: writes a difference down."""


@dataclass(slots=True)
class Ticket:
    """One basket as one witness knows it; ``lines``: SKU -> [base units, cents]."""

    total_minor: int | None = None
    paid_minor: int | None = None
    line_count: int = 0
    lines: dict[str, list[int]] = field(default_factory=dict)

    def add(self, sku: str, qty: int, net_minor: int) -> None:
        """Count a line in; several lines of a SKU add up."""
        self.line_count += 1
        sums = self.lines.setdefault(sku, [0, 0])
        sums[0] += qty
        sums[1] += net_minor


@dataclass(slots=True)
class Witness:
    """All baskets of one witness by basket id; ``money`` False: it knows quantities only."""

    name: str
    money: bool = True
    tickets: dict[int, Ticket] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """An event's place in its stream."""

    source: str
    stream: str
    seq: int
    type: str


@dataclass(frozen=True, slots=True)
class Movement:
    """``qty`` base units of ``sku`` from one place to another."""

    sku: str
    qty: int
    src: str
    dst: str
    type: str


class Names:
    """Tells the basket of a sale id: the 74 bits behind the time of its UUIDv7 are a hash."""

    def __init__(self, seed: str, basket_ids: list[int]) -> None:
        self._known = {self._bits(seed, basket_id): basket_id for basket_id in basket_ids}

    @staticmethod
    def _bits(seed: str, basket_id: int) -> tuple[int, int]:
        text = f"{seed}/sale/0/{basket_id}"
        top = int.from_bytes(hashlib.sha256(text.encode()).digest(), "big") >> 182
        return top >> 62, top & (2**62 - 1)

    def basket_of(self, sale_id: str) -> int | None:
        """The basket id, or None if this run never gave such an id."""
        try:
            value = UUID(sale_id).int
        except ValueError:
            return None
        return self._known.get(((value >> 64) & 0xFFF, value & (2**62 - 1)))


@contextmanager
def open_database(path: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection inside one read transaction; raises FileNotFoundError."""
    if not path.is_file():
        raise FileNotFoundError(f"no database at {path}: has the shop been started?")
    con = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
    try:
        con.execute("BEGIN")
        yield con
    finally:
        con.close()


def read_dataset(store_id: int, days: int | None, transactions: Path) -> Witness:
    """The real tickets: units = quantity (0 counts as 1), cents = ``sales_value``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(
        transactions,
        columns=["basket_id", "product_id", "quantity", "sales_value", "transaction_timestamp"],
        filters=[("store_id", "==", store_id)],
    ).sort_by([("transaction_timestamp", "ascending"), ("basket_id", "ascending")])
    dates = table.column("transaction_timestamp").cast(pa.date32()).to_pylist()
    wanted = set(sorted(set(dates))[:days])
    witness = Witness("dataset")
    rows = zip(
        dates,
        table.column("basket_id").to_pylist(),
        table.column("product_id").to_pylist(),
        table.column("quantity").to_pylist(),
        table.column("sales_value").to_pylist(),
        strict=True,
    )
    for day, basket_id, product_id, quantity, sales_value in rows:
        if day not in wanted:
            continue
        ticket = witness.tickets.setdefault(basket_id, Ticket())
        ticket.add(str(product_id), quantity or 1, _whole_cents(sales_value))
    for ticket in witness.tickets.values():
        ticket.total_minor = ticket.paid_minor = sum(net for _, net in ticket.lines.values())
    return witness


def _whole_cents(dollars: float) -> int:
    scaled = Decimal(str(dollars)).scaleb(2)
    whole = round(scaled)
    if abs(scaled - whole) > Decimal("1e-6"):
        raise ValueError(f"the data set holds {dollars!r} dollars: not a whole number of cents")
    return whole


def read_hub_sales(con: sqlite3.Connection, names: Names, complain: Complain) -> Witness:
    """The hub's sales with their lines and tenders; also checks each sale in itself."""
    return read_sales(
        con,
        "hub sales",
        names,
        complain,
        sales="SELECT id, sale_id, state, total_minor, rounding_minor, change_minor FROM sales",
        lines="SELECT sale, sku, qty, gross_minor, discount_minor, net_minor FROM sale_lines",
        tenders="SELECT sale, amount_minor FROM tenders",
    )


def read_sales(
    con: sqlite3.Connection,
    name: str,
    names: Names,
    complain: Complain,
    *,
    sales: str,
    lines: str,
    tenders: str,
    parameters: tuple[str, ...] = (),
) -> Witness:
    """Sales by three queries: ``(key, sale_id, state, total, rounding, change)``, ``(key, sku, qty,
    gross, discount, net)`` and ``(key, amount)``.  Checks each sale in itself."""
    witness = Witness(name)
    tickets: dict[object, Ticket] = {}
    owed: dict[object, int] = {}
    for key, sale_id, state, total, rounding, change in con.execute(sales, parameters):
        basket_id = names.basket_of(sale_id)
        if basket_id is None:
            complain(name, f"sale {sale_id}", "no sale that isn't of this run", "a foreign sale")
            continue
        if state != "completed":
            complain(name, f"basket {basket_id} state", "completed", state)
        if basket_id in witness.tickets:
            complain(name, f"basket {basket_id}", "sold once", f"again as {sale_id}")
            continue
        tickets[key] = witness.tickets[basket_id] = Ticket(total_minor=total, paid_minor=0)
        owed[key] = rounding + change
    for key, sku, qty, gross, discount, net in con.execute(lines, parameters):
        if gross - discount != net:
            complain(name, f"line of {sku} in sale {key}", f"{gross} - {discount}", net)
        if key in tickets:
            tickets[key].add(sku, qty, net)
    for key, amount in con.execute(tenders, parameters):
        if key in tickets:
            tickets[key].paid_minor = (tickets[key].paid_minor or 0) + amount
    for key, ticket in tickets.items():
        ticket.paid_minor = (ticket.paid_minor or 0) - owed[key]
    return witness


def read_hub_ledger(con: sqlite3.Connection, names: Names, complain: Complain) -> Witness:
    """What left the shelf for a customer, by sale; quantities only."""
    witness = Witness("hub ledger", money=False)
    rows = con.execute(
        "SELECT s.sale_id, m.ref_id, k.sku, m.qty, m.src, m.dst, m.type FROM movements m"
        " LEFT JOIN skus k ON k.id = m.sku_id LEFT JOIN sales s ON s.id = m.ref_id"
        " WHERE m.ref_type = 'sale' OR m.type IN ('sale', 'sale_override')"
    )
    for sale_id, ref_id, sku, qty, src, dst, kind in rows:
        basket_id = names.basket_of(sale_id or "")
        if basket_id is None:
            complain("hub ledger", f"movement of {sku}", "for a sale of this run", f"for {ref_id}")
            continue
        if (src, dst) != ("sellable", "customer") or kind not in ("sale", "sale_override"):
            complain(
                "hub ledger",
                f"basket {basket_id} SKU {sku}",
                "sale from sellable to customer",
                f"{kind} from {src} to {dst}",
            )
        witness.tickets.setdefault(basket_id, Ticket()).add(sku, qty, 0)
    return witness


def read_hub_levels(con: sqlite3.Connection) -> dict[str, tuple[int, ...]]:
    """SKU -> its levels in the order of ``BUCKETS``."""
    rows = con.execute(f"SELECT k.sku, {_HELD} FROM stock s JOIN skus k ON k.id = s.sku_id")
    return {row[0]: tuple(row[1:]) for row in rows}


def read_store(con: sqlite3.Connection) -> str:
    """The store's name in the hub and in the cloud."""
    row = con.execute("SELECT store FROM hub").fetchone()
    if row is None:
        raise ValueError("the hub's database names no store: has the hub been started?")
    return str(row[0])


def check_ledger(con: sqlite3.Connection, complain: Complain) -> dict[int, Movement]:
    """The whole ledger by sequence; checks it against the levels and each SKU's own chain."""
    ledger: dict[int, Movement] = {}
    sums: Counter[tuple[str, str]] = Counter()
    last: dict[str, int] = {}
    rows = con.execute(
        "SELECT m.seq, m.prev_seq, k.sku, m.qty, m.src, m.dst, m.type FROM movements m"
        " LEFT JOIN skus k ON k.id = m.sku_id ORDER BY m.seq"
    )
    for seq, prev_seq, *fields in rows:
        moved = ledger[seq] = Movement(*fields)
        sums[moved.sku, moved.src] -= moved.qty
        sums[moved.sku, moved.dst] += moved.qty
        if prev_seq != last.get(moved.sku, 0):
            complain("hub ledger", f"movement before {seq}", prev_seq, last.get(moved.sku, 0))
        last[moved.sku] = seq
    levels = con.execute(
        f"SELECT k.sku, s.last_seq, {_HELD} FROM stock s JOIN skus k ON k.id = s.sku_id"
    )
    for sku, last_seq, *held in levels:
        newest = last.pop(sku, 0)
        if last_seq != newest:
            complain("hub ledger", f"newest movement of {sku}", last_seq, newest)
        for bucket, qty in zip(BUCKETS, held, strict=True):
            if sums[sku, bucket] != qty:
                complain("hub levels", f"{bucket} of {sku}", sums[sku, bucket], qty)
    for sku in last:
        complain("hub levels", f"levels of {sku}", "a row", "none")
    return ledger


def read_hub_outbox(con: sqlite3.Connection, complain: Complain) -> dict[str, Event]:
    """Event id -> its place; checks that every stream is whole and acked."""
    events: dict[str, Event] = {}
    found: dict[tuple[str, str], list[int]] = {}
    rows = con.execute(
        "SELECT o.event_id, s.uri, o.stream, o.seq, o.type FROM outbox o"
        " LEFT JOIN sources s ON s.id = o.source ORDER BY o.source, o.stream, o.seq"
    )
    for event_id, uri, stream, seq, kind in rows:
        if event_id in events:
            complain("hub outbox", f"event {event_id}", "once", "twice")
        events[event_id] = Event(uri, stream, seq, kind)
        found.setdefault((uri, stream), []).append(seq)
    heads = con.execute(
        "SELECT s.uri, t.stream, t.head_seq, t.acked_seq FROM streams t"
        " LEFT JOIN sources s ON s.id = t.source"
    )
    for uri, stream, head, acked in heads:
        seqs = found.pop((uri, stream), [])
        check_contiguous("hub outbox", f"{stream} of {uri}", seqs, complain)
        if head != max(seqs, default=0):
            complain("hub outbox", f"{stream} of {uri} head", head, max(seqs, default=0))
        if acked != head:
            complain("hub outbox", f"{stream} of {uri} acked", head, acked)
    for uri, stream in found:
        complain("hub outbox", f"{stream} of {uri}", "a head", "none")
    for (event_id,) in con.execute("SELECT event_id FROM parked WHERE resent_at_ms IS NULL"):
        complain("hub outbox", f"event {event_id}", "not parked", "parked")
    return events


def check_contiguous(where: str, what: str, seqs: list[int], complain: Complain) -> None:
    """Complains of the first hole or repeat in a stream that should be 1, 2, 3, ..."""
    for expected, seq in enumerate(sorted(seqs), start=1):
        if seq != expected:
            complain(where, f"sequence of {what}", expected, seq)
            return
