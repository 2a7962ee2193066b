"""Single faults to plant in a shop's databases, and the witness that has to notice each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Fault:
    """SQL for one database; ``witness`` is the ``where`` of a difference that must be reported."""

    name: str
    db: Literal["hub", "oms"]
    witness: str
    sql: str

    def __str__(self) -> str:
        return self.name


def _bump(table: str, column: str, where: str, by: int = 1) -> str:
    return f"UPDATE {table} SET {column} = {column} + {by} WHERE {where};"


def _copy(table: str, where: str, changes: str) -> str:
    return (
        f"CREATE TEMP TABLE twin AS SELECT * FROM {table} WHERE {where};"
        f"UPDATE twin SET {changes}; INSERT INTO {table} SELECT * FROM twin;"
    )


_LINE = "(sale, line_no) = (2, 1)"
_SOLD = "(ref_type, ref_id, ref_line) = ('sale', 2, 1)"
_OMS_SALE = "sale_id = (SELECT min(sale_id) FROM sales)"
_OMS_LINE = f"{_OMS_SALE} AND line_no = 1"
_LATER_ID = "sale_id = '01a00000' || substr(sale_id, 9)"
_PARK = (
    "INSERT INTO parked SELECT id, source, stream, seq, event_id, type, aggregate, at_ms, data,"
    " 'a reason', 0, NULL FROM outbox WHERE id = 3;"
)
_CENT_FROM_LINE_TO_LINE = (
    _bump("sale_lines", "net_minor", "(sale, line_no) = (3, 1)")
    + _bump("sale_lines", "gross_minor", "(sale, line_no) = (3, 1)")
    + _bump("sale_lines", "net_minor", "(sale, line_no) = (3, 2)", -1)
    + _bump("sale_lines", "gross_minor", "(sale, line_no) = (3, 2)", -1)
)


def _cent_in_line(where: str) -> str:
    return _bump("sale_lines", "net_minor", where) + _bump("sale_lines", "gross_minor", where)


HUB_FAULTS = (
    Fault("a cent in a line", "hub", "hub sales", _cent_in_line(_LINE)),
    Fault("a cent in a total", "hub", "hub sales", _bump("sales", "total_minor", "id = 2")),
    Fault("a cent in a tender", "hub", "hub sales", _bump("tenders", "amount_minor", "sale = 2")),
    Fault("a cent of change", "hub", "hub sales", _bump("sales", "change_minor", "id = 2")),
    Fault("a cent moved between lines", "hub", "hub sales", _CENT_FROM_LINE_TO_LINE),
    Fault("a wrong discount", "hub", "hub sales", _bump("sale_lines", "discount_minor", _LINE)),
    Fault("a unit in a line", "hub", "hub sales", _bump("sale_lines", "qty", _LINE)),
    Fault("another product", "hub", "hub sales", f"UPDATE sale_lines SET sku='1' WHERE {_LINE};"),
    Fault("a line removed", "hub", "hub sales", f"DELETE FROM sale_lines WHERE {_LINE};"),
    Fault("a tender removed", "hub", "hub sales", "DELETE FROM tenders WHERE sale = 2;"),
    Fault("a sale removed", "hub", "hub sales", "DELETE FROM sales WHERE id = 2;"),
    Fault("a sale voided", "hub", "hub sales", "UPDATE sales SET state='voided' WHERE id=2;"),
    Fault("sold twice", "hub", "hub sales", _copy("sales", "id = 2", f"id = 999, {_LATER_ID}")),
    Fault(
        "a sale of somebody else",
        "hub",
        "hub sales",
        "UPDATE sales SET sale_id = '01a00000-0000-7000-8000-000000000000' WHERE id = 2;",
    ),
    Fault("a unit in a movement", "hub", "hub ledger", _bump("movements", "qty", _SOLD)),
    Fault("a movement removed", "hub", "hub ledger", f"DELETE FROM movements WHERE {_SOLD};"),
    Fault("a receipt removed", "hub", "hub ledger", "DELETE FROM movements WHERE seq = 1;"),
    Fault("a movement twice", "hub", "hub ledger", _copy("movements", _SOLD, "seq=99999, n=1")),
    Fault(
        "goods gone elsewhere",
        "hub",
        "hub ledger",
        f"UPDATE movements SET dst = 'shrink' WHERE {_SOLD};",
    ),
    Fault("a unit in a level", "hub", "hub levels", _bump("stock", "sellable", "sku_id = 1")),
    Fault("a level removed", "hub", "hub levels", "DELETE FROM stock WHERE sku_id = 1;"),
    Fault("an event removed", "hub", "hub outbox", "DELETE FROM outbox WHERE id = 3;"),
    Fault(
        "the last event removed",
        "hub",
        "hub outbox",
        "DELETE FROM outbox WHERE id = (SELECT max(id) FROM outbox);",
    ),
    Fault(
        "an event twice",
        "hub",
        "hub outbox",
        _copy("outbox", "id = 3", "id = 9999, seq = 9999"),
    ),
    Fault(
        "an event not acked",
        "hub",
        "hub outbox",
        _bump("streams", "acked_seq", "stream = 'sales'", -1),
    ),
    Fault("an event parked", "hub", "hub outbox", _PARK),
)

OMS_FAULTS = (
    Fault("a cent in a line", "oms", "cloud", _cent_in_line(_OMS_LINE)),
    Fault("a cent in a total", "oms", "cloud", _bump("sales", "total_minor", _OMS_SALE)),
    Fault("a cent in a tender", "oms", "cloud", _bump("tenders", "amount_minor", "n = 1")),
    Fault("a unit in a line", "oms", "cloud", _bump("sale_lines", "qty", _OMS_LINE)),
    Fault("a line removed", "oms", "cloud", f"DELETE FROM sale_lines WHERE {_OMS_LINE};"),
    Fault("a sale removed", "oms", "cloud", f"DELETE FROM sales WHERE {_OMS_SALE};"),
    Fault("sold twice", "oms", "cloud", _copy("sales", _OMS_SALE, _LATER_ID)),
    Fault("an event removed", "oms", "cloud events", "DELETE FROM events WHERE event = 3;"),
    Fault(
        "the last event removed",
        "oms",
        "cloud events",
        "DELETE FROM events WHERE event = (SELECT max(event) FROM events);",
    ),
    Fault("an event twice", "oms", "cloud events", _copy("events", "event = 3", "event = 99999")),
    Fault(
        "a sale under two events",
        "oms",
        "cloud events",
        _copy("events", "event = 3", "event = 99999, seq = 9999, id = 'another'"),
    ),
    Fault(
        "an event rejected",
        "oms",
        "cloud events",
        "UPDATE events SET status = 'rejected' WHERE event = 3;",
    ),
    Fault("a watermark", "oms", "cloud events", _bump("watermarks", "seq", "stream='sales'", -1)),
    Fault(
        "a movement removed",
        "oms",
        "cloud ledger",
        "DELETE FROM movements WHERE ledger_seq = 5;",
    ),
    Fault("a unit in a movement", "oms", "cloud ledger", _bump("movements", "qty", "n = 5")),
    Fault("a movement twice", "oms", "cloud ledger", _copy("movements", "n = 5", "n = 99999")),
    Fault(
        "a unit in a level",
        "oms",
        "cloud levels",
        _bump("levels", "qty", "sku = (SELECT min(sku) FROM levels)", -1),
    ),
)
