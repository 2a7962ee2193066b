"""What holds in every hub's database at every instant, whatever was asked and whatever failed.

Each law is a function of a reader that gives what breaks it, as sentences; nothing: it holds.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache

from hub.contract.oms_events import EVENT_DATA
from hub.service import auditlog, ledger
from hub.storage.rows import Rows
from tests.support.cardlaws import CARDS
from tests.support.orderlaws import ORDERS

Law = Callable[[Rows], Iterator[str]]
ONCE = (
    " NOT EXISTS (SELECT 1 FROM audit a"
    " WHERE a.action = 'sale.given_back_twice' AND a.subject = s.sale_id)"
)
"""Of a sale: nobody has been told that its money was given back before and after a restore."""


def broken(rows: Rows, *, quick: bool = False) -> list[str]:
    """All sentences; ``quick``: without those laws that read every row's hash or event."""
    laws = QUICK if quick else QUICK + WHOLE
    return [sentence for law in laws for sentence in law(rows)]


def levels_are_the_sum_of_the_ledger(rows: Rows) -> Iterator[str]:
    """Every bucket of every product, and the ledger's hash chain."""
    found = ledger.verify(rows)
    if not found.whole:
        yield f"the stock ledger is not whole: {found}"


def the_audit_log_is_unbroken(rows: Rows) -> Iterator[str]:
    """Its hash chain."""
    seq = auditlog.verify(rows).broken_seq
    if seq is not None:
        yield f"the audit log is broken at {seq}"


def every_row_has_its_parent(rows: Rows) -> Iterator[str]:
    """Foreign keys."""
    for row in rows.all("PRAGMA foreign_key_check"):
        yield f"a row without its parent: {row}"


def claims_are_what_is_claimed(rows: Rows) -> Iterator[str]:
    """Holds of baskets and reservations of orders."""
    for column, table in (("held", "holds"), ("reserved", "reservations")):
        total = f"(SELECT coalesce(sum(qty), 0) FROM {table} c WHERE c.sku_id = s.sku_id)"
        for row in rows.all(
            f"SELECT sku_id, {column}, {total} FROM stock s WHERE {column} <> {total}"
        ):
            yield f"{column} is not the sum of the {table}: {row}"
    for row in rows.all(
        "SELECT h.* FROM holds h JOIN baskets b ON b.id = h.basket"
        " WHERE b.state NOT IN ('open', 'suspended')"
    ):
        yield f"a basket that ended still holds goods: {row}"


def nothing_is_oversold(rows: Rows) -> Iterator[str]:
    """Below nought only where somebody with the permission said so."""
    for row in rows.all(
        "SELECT k.sku, s.sellable FROM stock s JOIN skus k ON k.id = s.sku_id WHERE s.sellable < 0"
        " AND NOT EXISTS (SELECT 1 FROM movements m WHERE m.sku_id = s.sku_id"
        " AND m.type = 'sale_override')"
    ):
        yield f"below 0 without an override: {row}"


def goods_of_sales_left_the_shelf_once(rows: Rows) -> Iterator[str]:
    """Each line of each sale and return, against its movements to and from the customer."""
    for document, lines, ref, side in (
        ("sales", "SELECT sale, sum(qty) FROM sale_lines GROUP BY sale", "sale", "dst"),
        ("returns", 'SELECT "return", sum(qty) FROM return_lines GROUP BY 1', "return", "src"),
    ):
        for row in rows.all(
            f"SELECT d.id, l.qty, m.qty FROM {document} d"
            f" JOIN (SELECT 0 AS id, 0 AS qty WHERE 0 UNION ALL {lines}) l ON l.id = d.id"
            " LEFT JOIN (SELECT ref_id, sum(qty) AS qty FROM movements"
            f" WHERE ref_type = '{ref}' AND {side} = 'customer' GROUP BY ref_id) m"
            " ON m.ref_id = d.id WHERE m.qty IS NOT l.qty"
        ):
            yield f"goods moved are not the goods of one of the {document}: {row}"


def money_of_sales_is_the_tenders(rows: Rows) -> Iterator[str]:
    """Tenders - change - rounding = total = lines; refunds within what was paid."""
    taken = "(SELECT coalesce(sum(amount_minor), 0) FROM tenders t WHERE t.sale = s.id)"
    for row in rows.all(
        f"SELECT sale_id FROM sales s WHERE total_minor <> {taken} - change_minor - rounding_minor"
    ):
        yield f"tenders - change - rounding is not the total of {row[0]}"
    for row in rows.all(
        "SELECT s.sale_id FROM sales s JOIN sale_lines l ON l.sale = s.id GROUP BY s.id"
        " HAVING s.tax_minor <> sum(l.tax_minor) OR s.total_minor NOT IN"
        " (sum(l.net_minor), sum(l.net_minor + l.tax_minor))"
    ):
        yield f"the lines don't add up in {row[0]}"
    for row in rows.all(
        f"SELECT s.sale_id FROM sales s JOIN sale_lines l ON l.sale = s.id WHERE {ONCE}"
        " GROUP BY s.id"
        " HAVING sum(l.returned_minor) > s.total_minor OR max(l.returned_qty - l.qty) > 0"
    ):
        yield f"more came back than was sold in {row[0]}"
    for row in rows.all(
        "SELECT sale FROM tenders t JOIN sales s ON s.id = t.sale"
        f" WHERE kind <> 'cash' AND refunded_minor > amount_minor AND {ONCE}"
    ):
        yield f"more was paid back than was taken: {row}"


def what_was_given_back_is_counted(rows: Rows) -> Iterator[str]:
    """Each card's refunds by returns, against what its tender says; a void gives all back.  Store
    credit counts in place of the cards that it was given for."""
    given: Counter[str] = Counter()
    credit: Counter[int] = Counter()
    for sale, refund in rows.all("SELECT sale, refund FROM returns"):
        for one in json.loads(refund):
            if one.get("payment_id"):
                given[one["payment_id"]] += one["amount_minor"]
            elif one["kind"] == "store_credit":
                credit[sale] += one["amount_minor"]
    for sale, payment_id, amount, refunded, state in rows.all(
        "SELECT t.sale, t.payment_id, t.amount_minor, t.refunded_minor, s.state FROM tenders t"
        " JOIN sales s ON s.id = t.sale WHERE t.payment_id IS NOT NULL"
    ):
        due = given[payment_id] + (amount if state == "voided" else 0)
        credited = min(credit[sale], max(0, refunded - due))
        credit[sale] -= credited
        if refunded != due + credited:
            yield f"of payment {payment_id} {refunded} count as given back, {due} were"


def what_was_paid_for_a_void_goes_back(rows: Rows) -> Iterator[str]:
    """All of it, less the change that was given already."""
    for row in rows.all(
        "SELECT s.sale_id, s.total_minor + s.rounding_minor, sum(t.refunded_minor) FROM sales s"
        f" JOIN tenders t ON t.sale = s.id WHERE s.state = 'voided' AND {ONCE} GROUP BY s.id"
        " HAVING sum(t.refunded_minor) <> s.total_minor + s.rounding_minor"
    ):
        yield f"a void gives back something else than was paid: {row}"


def counts_begin_with_the_book(rows: Rows) -> Iterator[str]:
    """A count is held against what the ledger said when it began, whatever was sold meanwhile."""
    moved = "CASE 'sellable' WHEN m.dst THEN m.qty WHEN m.src THEN -m.qty ELSE 0 END"
    for row in rows.all(
        "SELECT d.document_id, json_extract(d.data, '$.book_qty') AS book,"
        f" (SELECT coalesce(sum({moved}), 0) FROM movements m JOIN skus k ON k.id = m.sku_id"
        "  WHERE k.sku = json_extract(d.data, '$.sku')"
        "  AND m.seq <= json_extract(d.data, '$.ledger_seq')) AS said"
        " FROM documents d WHERE d.kind = 'count' AND json_extract(d.data, '$.closed')"
        " AND json_extract(d.data, '$.type') IS NULL AND said <> book"  # not told of another ledger
    ):
        yield f"a count was held against another book: {row}"


def variances_are_booked(rows: Rows) -> Iterator[str]:
    """A count that has ended moved what it found too little or too much.

    One that is written again after a restore may first have to find what the book lacks by then:
    that isn't part of what was counted.
    """
    for row in rows.all(
        "SELECT d.document_id, json_extract(d.data, '$.counted_qty') AS found,"
        " json_extract(d.data, '$.book_qty') AS book,"
        " (SELECT coalesce(sum(CASE WHEN m.dst = 'sellable' THEN m.qty ELSE -m.qty END), 0)"
        "  FROM movements m WHERE m.ref_type = 'count' AND m.ref_id = d.id AND NOT ("
        "   m.src = 'shrink' AND m.dst = 'sellable' AND EXISTS (SELECT 1 FROM movements told"
        "    WHERE told.ref_type = 'count' AND told.ref_id = d.id AND told.seq > m.seq))) AS moved"
        " FROM documents d WHERE d.kind = 'count' AND json_extract(d.data, '$.closed')"
        " AND moved <> found - book"
    ):
        yield f"a count's variance is not what was moved: {row}"


def the_day_counts_its_sales(rows: Rows) -> Iterator[str]:
    """The totals that the status page shows."""
    found = rows.all(
        "SELECT business_day, count(*), sum(total_minor), sum(state = 'voided') FROM sales"
        " GROUP BY business_day ORDER BY business_day"
    )
    kept = rows.all(
        "SELECT business_day, sales, total_minor, voided FROM day_totals WHERE sales > 0"
        " ORDER BY business_day"
    )
    if found != kept:
        yield f"the day's totals are {kept}, its sales {found}"


def events_stand_in_unbroken_order(rows: Rows) -> Iterator[str]:
    """Each stream's numbers, and each fact told once by one source.

    What was lost with a box and offered again has been told by that box, too.  The cloud knows the
    two as one by their id and gives back the first: at the second's place a source that was lost
    may have a hole among what was sent.  What a hub wrote before it found out that it was put back
    has moved to another source, and was never sent under the first, which may have told it before.
    """
    for source, stream, head, open_from in rows.all(
        "SELECT source, stream, head_seq, CASE WHEN source IN (SELECT source FROM hub) THEN 0"
        " ELSE acked_seq END FROM streams"
    ):
        found = [
            row[0]
            for row in rows.all(
                "SELECT seq FROM outbox WHERE source = ? AND stream = ? ORDER BY id", source, stream
            )
        ]
        holes = set(found) ^ set(range(min(found, default=head + 1), head + 1))
        if found != sorted(found) or any(seq > open_from for seq in holes):
            yield f"stream {stream} of source {source} has gaps before {head}"
    for row in rows.all(
        "SELECT event_id FROM outbox o GROUP BY source, event_id HAVING count(*) > 1 + EXISTS ("
        "SELECT 1 FROM outbox m JOIN sources s ON s.id = m.source WHERE m.event_id = o.event_id"
        " AND m.source <> o.source AND m.id <= s.moved_last_id)"
    ):
        yield f"one fact was told twice: {row[0]}"


def every_document_has_its_event(rows: Rows) -> Iterator[str]:
    """A sale or return whose event for the cloud is missing, or is another's.

    Rows that came back from the cloud (without hash) have their event there.
    """
    for table, name, where in (
        ("sales", "sale_id", "o.type LIKE '%sale.completed%' AND o.aggregate = d.sale_id"),
        ("returns", "return_id", "json_extract(o.data, '$.return_id') = d.return_id"),
    ):
        for row in rows.all(
            f"SELECT d.{name}, o.type FROM {table} d LEFT JOIN outbox o ON o.id = d.outbox_id"
            " WHERE length(d.hash) > 0 AND CASE WHEN o.id IS NULL"
            f" THEN d.outbox_id >= (SELECT min(id) FROM outbox) ELSE NOT ({where}) END"
        ):
            yield f"{table}: {row[0]} has no event of its own: {row[1]}"


def events_are_as_the_contract_says(rows: Rows) -> Iterator[str]:
    """Each event's data."""
    for kind, data in rows.all("SELECT type, data FROM outbox"):
        if wrong := _wrong_with_event(kind, data):
            yield wrong


@lru_cache(maxsize=20_000)
def _wrong_with_event(kind: str, data: str) -> str:
    """Events are looked at again and again: what is wrong with this one, or nothing."""
    if kind in EVENT_DATA:
        try:
            EVENT_DATA[kind].model_validate_json(data)
        except ValueError as error:
            return f"an event {kind} is not one: {error}"
    elif not isinstance(json.loads(data), dict):
        return f"an event {kind} has no object in it"
    return ""


def a_sale_is_printed_once(rows: Rows) -> Iterator[str]:
    """At most one original of what is printed for a sale or return; all others are copies."""
    for row in rows.all(
        "SELECT kind, subject, count(*) FROM print_jobs WHERE copy = 0 AND subject <> ''"
        " AND kind IN ('sale', 'return', 'void') GROUP BY kind, subject HAVING count(*) > 1"
    ):
        yield f"a receipt is printed more than once: {row}"


def copies_say_so(rows: Rows) -> Iterator[str]:
    """What is printed again is marked, and each copy was counted once."""
    for row in rows.all(
        "SELECT job_id, copy FROM print_jobs WHERE kind <> 'drawer-kick'"
        " AND (copy > 0) <> coalesce(json_extract(document, '$.is_copy'), 0)"
    ):
        yield f"a copy doesn't say so, or an original says that it is one: {row}"
    for row in rows.all(
        "SELECT j.kind, j.subject, count(*), count(DISTINCT j.copy), max(j.copy), c.copies"
        " FROM print_jobs j LEFT JOIN print_copies c ON c.kind = j.kind AND c.subject = j.subject"
        " WHERE j.copy > 0 AND j.subject <> '' GROUP BY j.kind, j.subject"
    ):
        kind, subject, jobs, numbers, highest, counted = row
        if jobs != numbers or counted is None or highest > counted:
            yield f"the copies of {kind} {subject} are not counted: {row}"


def only_a_word_prints_again(rows: Rows) -> Iterator[str]:
    """A job that is printed for another was asked for by a person: that one had ended, and each
    answer ``again`` made one."""
    for row in rows.all(
        "SELECT n.job_id, o.job_id, o.state FROM print_jobs n JOIN print_jobs o"
        " ON o.job_id = n.of_job WHERE o.ended_at_ms IS NULL OR n.copy = 0"
    ):
        yield f"a job is printed again that has no end: {row}"
    for row in rows.all(
        "SELECT o.job_id FROM print_jobs o WHERE o.answer = 'again'"
        " AND NOT EXISTS (SELECT 1 FROM print_jobs n WHERE n.of_job = o.job_id)"
    ):
        yield f"somebody wanted a job again, and there is none: {row}"


def print_jobs_add_up(rows: Rows) -> Iterator[str]:
    """States, attempts and answers go together; a drawer never waits for a person."""
    for row in rows.all(
        "SELECT job_id, kind, state, attempt, printer_id, began_at_ms, answer FROM print_jobs"
    ):
        _, kind, state, attempt, printer_id, began, answer = row
        begun = attempt > 0 and printer_id != "" and began is not None
        if state == "printing" and not begun:
            yield f"a job is being printed that was never begun: {row}"
        if state == "printed" and not (begun or answer == "printed"):
            yield f"a job is printed that was never begun: {row}"
        if kind == "drawer-kick" and (state == "ambiguous" or answer):
            yield f"a person is asked about a drawer: {row}"
        if answer and state != {"printed": "printed"}.get(answer, "cancelled"):
            yield f"a person said something else of a job: {row}"


QUICK: tuple[Law, ...] = (
    claims_are_what_is_claimed,
    nothing_is_oversold,
    money_of_sales_is_the_tenders,
    what_was_given_back_is_counted,
    what_was_paid_for_a_void_goes_back,
    goods_of_sales_left_the_shelf_once,
    the_day_counts_its_sales,
    a_sale_is_printed_once,
    copies_say_so,
    only_a_word_prints_again,
    print_jobs_add_up,
    *CARDS,
    *ORDERS,
)
WHOLE: tuple[Law, ...] = (
    levels_are_the_sum_of_the_ledger,
    the_audit_log_is_unbroken,
    every_row_has_its_parent,
    variances_are_booked,
    counts_begin_with_the_book,
    events_stand_in_unbroken_order,
    every_document_has_its_event,
    events_are_as_the_contract_says,
)
