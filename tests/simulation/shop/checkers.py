"""What is checked of a simulated shop: while things go wrong, and after all is well again."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from hub.contract.oms_events import OUTBOX_PARKED
from hub.service.handlers.printing import DIED, NO_END
from hub.storage.rows import Rows
from tests.simulation.shop.history import DOCUMENTS, RETURN, SALE, VOID, Asked
from tests.support import laws

if TYPE_CHECKING:
    from tests.simulation.shop.scenario import Scenario


class Checker:
    """``during`` may be asked at any moment at which the hub is up; ``after`` once, at rest."""

    def __init__(self, shop: Scenario) -> None:
        self._shop = shop
        self._world = shop.world

    def during(self, *, whole: bool) -> None:
        """Safety: it holds whatever is broken at the moment."""
        running = self._shop.hub.running
        if running is None or not running.process.ready or self._shop.disk.broken:
            return
        rows = running.rows.quiet
        for sentence in laws.broken(rows, quick=not whole):
            self._violated(sentence)
        self._acked_is_in_the_cloud(rows)
        if self._shop.plan.takes_cards:
            self._shop.cards.during(rows)
        if self._shop.plan.gift_cards:
            self._shop.value.during(rows)
        if self._shop.history.restored:
            return  # what an older copy doesn't know comes back: `after` looks
        self._answered_is_there(rows)

    def after(self) -> None:
        """Everything is well again and nothing is under way."""
        running = self._shop.hub.running
        assert running is not None
        rows = running.rows.quiet
        for sentence in laws.broken(rows):
            self._violated(sentence)
        self._answered_is_there(rows)
        self._nothing_was_made_up(rows)
        self._refused_left_nothing(rows)
        self._receipts_are_queued_once(rows)
        self._paper_is_as_told(rows)
        self._goods_are_booked_as_told(rows)
        self._lines_count_what_came_back(rows)
        self._a_full_disk_is_a_full_disk()
        self._nothing_stands_in()
        self._acked_is_in_the_cloud(rows)
        self._commands_arrived(rows)
        self._cloud_is_the_same(rows)
        if "oms restored" not in self._shop.plan.faults:  # else it has forgotten what it said
            for sentence in self._shop.customers.wrong(rows):
                self._violated(sentence)
        if self._shop.plan.takes_cards:
            self._shop.cards.after(rows)
        if self._shop.plan.gift_cards:
            self._shop.value.after(rows)
        if self._shop.debtors is not None:
            self._shop.debtors.check(rows)
        if not self._shop.plan.loses_storage:
            self._nothing_was_repaired(rows)

    # The hub against what the tills were told ----------------------------------------------------

    def _answered_is_there(self, rows: Rows) -> None:
        sales = {row[0]: row for row in rows.all("SELECT sale_id, total_minor, state FROM sales")}
        returns = {row[0]: row[1] for row in rows.all("SELECT return_id, total_minor FROM returns")}
        documents = {
            row[0]
            for row in rows.all(
                "SELECT document_id FROM documents"
                " UNION SELECT reference FROM documents WHERE kind = 'recovered'"
            )
        }
        for asked in self._shop.history.asked.values():
            result = asked.result
            if result is None:
                continue
            body = asked.body
            if asked.operation == SALE:
                row = sales.get(body["sale_id"])
                if row is None:
                    self._lost(asked)
                elif row[1] != result["total_minor"]:
                    self._violated(f"sale {row[0]} is {row[1]}, the till heard {result}")
            elif asked.operation == VOID:
                row = sales.get(body["sale_id"])
                if row is None or row[2] != "voided":
                    self._lost(asked)
            elif asked.operation == RETURN:
                if body["return_id"] not in returns:
                    self._lost(asked)
            elif (name := DOCUMENTS.get(asked.operation)) and body[name] not in documents:
                self._lost(asked)

    def _nothing_was_made_up(self, rows: Rows) -> None:
        wanted = {
            asked.body["sale_id"]
            for asked in self._shop.history.asked.values()
            if asked.operation == SALE and "sale_id" in asked.body
        }
        for (sale_id,) in rows.all("SELECT sale_id FROM sales ORDER BY id"):
            if sale_id not in wanted:
                self._violated(f"nobody asked for sale {sale_id}")

    def _refused_left_nothing(self, rows: Rows) -> None:
        """A sale that was refused, and never answered well under any key, isn't there."""
        if self._shop.history.restored:
            return
        good: set[str] = set()
        refused: dict[str, Asked] = {}
        pending: set[str] = set()
        for asked in self._shop.history.asked.values():
            if asked.operation != SALE:
                continue
            sale_id = asked.body.get("sale_id", "")
            if asked.result is not None:
                good.add(sale_id)
            elif asked.answers:
                refused[sale_id] = asked
            else:
                pending.add(sale_id)
        for sale_id, asked in refused.items():
            if sale_id in good or sale_id in pending:
                continue
            if rows.one("SELECT 1 FROM sales WHERE sale_id = ?", sale_id) is not None:
                self._violated(f"sale {sale_id} was refused and is there: {asked.answers}")

    def _receipts_are_queued_once(self, rows: Rows) -> None:
        """A sale has one receipt if somebody was told that it is printed, and else none."""
        if self._shop.history.restored:
            return
        jobs = Counter(
            row[0]
            for row in rows.all("SELECT subject FROM print_jobs WHERE kind = 'sale' AND copy = 0")
        )
        told: dict[str, bool] = {}
        for asked in self._shop.history.asked.values():
            if asked.operation == SALE and asked.result is not None:
                sale_id = asked.body["sale_id"]
                told[sale_id] = told.get(sale_id, False) or asked.result["receipt_printed"]
        for sale_id, printed in told.items():
            self._world.count("receipt queued" if printed else "no receipt")
            if jobs[sale_id] != int(printed):
                self._violated(
                    f"{jobs[sale_id]} receipts are queued for {sale_id}, the tills heard"
                    f" {'that it is printed' if printed else 'of none'}"
                )

    def _paper_is_as_told(self, rows: Rows) -> None:
        """What the hub says of each job, against the paper."""
        paper, hub = self._shop.paper, self._shop.world.machine("hub")
        unaware = bool(self._world.counters["hub set back without being told"])
        sheets = {sheet.job_id: sheet for sheet in paper.sheets()}
        died = 0
        for job_id, state, copy, reason, confirmed in rows.all(
            "SELECT job_id, state, copy, reason, confirmed FROM print_jobs ORDER BY id"
        ):
            sheet = sheets.get(job_id)
            whole = sheet is not None and sheet.whole
            if confirmed:
                self._world.count("receipt printed")
                if not whole:
                    self._violated(f"job {job_id} counts as printed, and it isn't")
            if sheet is not None and sheet.copy != bool(copy):
                self._violated(f"job {job_id} is copy {copy}, and the paper doesn't say so")
            if state in ("expired", "failed") and sheet is not None and not unaware:
                self._violated(f"job {job_id} is {state} ({reason}), and some of it is on paper")
            if state == "ambiguous" and reason in (DIED, NO_END):
                died += 1
            elif state == "ambiguous" and not self._shop.history.restored:
                self._world.count("receipt in doubt")
                if job_id not in paper.doubts:
                    self._violated(f"job {job_id} is in doubt ({reason}), and nobody knows why")
        disk_is_well = not self._shop.history.disk_fails
        if died > (hub.boots - 1) * len(paper.printers) and disk_is_well:
            self._violated(f"{died} jobs are in doubt after {hub.boots - 1} deaths of the hub")

    def _goods_are_booked_as_told(self, rows: Rows) -> None:
        """Deliveries and adjustments, by product, against their movements."""
        moved: dict[str, Counter[str]] = {}
        for document_id, sku, qty in rows.all(
            "SELECT d.document_id, k.sku, CASE WHEN m.dst = 'sellable' THEN m.qty ELSE -m.qty END"
            " FROM documents d JOIN movements m ON m.ref_type = d.kind AND m.ref_id = d.id"
            " JOIN skus k ON k.id = m.sku_id WHERE d.kind IN ('receipt', 'adjustment')"
        ):
            moved.setdefault(document_id, Counter())[sku] += qty
        here = {row[0] for row in rows.all("SELECT document_id FROM documents")}
        for asked in self._shop.history.asked.values():
            name = DOCUMENTS.get(asked.operation, "")
            if name not in ("receipt_id", "adjustment_id") or asked.result is None:
                continue
            wanted: Counter[str] = Counter()
            for line in asked.body.get("lines", [asked.body]):
                wanted[line["sku"]] += line["qty"]
            if asked.body[name] in here and moved.get(asked.body[name], Counter()) != wanted:
                self._violated(
                    f"{asked.operation} {asked.body[name]} moved {moved.get(asked.body[name])},"
                    f" the till asked for {wanted}"
                )

    def _lines_count_what_came_back(self, rows: Rows) -> None:
        """Each line of each sale, against the returns of it: or it could come back once more."""
        for row in rows.all(
            "SELECT s.sale_id, l.line_no, l.returned_qty, l.returned_minor, coalesce(b.qty, 0),"
            " coalesce(b.minor, 0) FROM sale_lines l JOIN sales s ON s.id = l.sale LEFT JOIN"
            " (SELECT r.sale, k.sale_line, sum(k.qty) AS qty, sum(k.refund_minor) AS minor"
            '  FROM return_lines k JOIN returns r ON r.id = k."return" GROUP BY 1, 2) b'
            " ON b.sale = l.sale AND b.sale_line = l.line_no"
            " WHERE (l.returned_qty, l.returned_minor)"
            " IS NOT (coalesce(b.qty, 0), coalesce(b.minor, 0))"
        ):
            self._violated(f"a line counts other goods as returned than came back: {row}")

    def _a_full_disk_is_a_full_disk(self) -> None:
        """Nobody is sent to free space on a disk that fails, or on one that is well."""
        told = self._world.counters.get("answer storage-full", 0)
        if told and "disk full" not in self._shop.plan.faults:
            self._violated(f"{told} answers say that the disk is full, and it never was")

    def _nothing_stands_in(self) -> None:
        """The cloud has the events themselves: nothing is so old that a marker takes its place."""
        if "oms restored" in self._shop.plan.faults:
            return  # it may ask for a place of which the hub, restored too, knows nothing
        for source, stream, seq in self._shop.oms.look(
            "SELECT source, stream, seq FROM events WHERE type = ?"
            " AND json_extract(data, '$.code') = 'purged'",
            OUTBOX_PARKED,
        ):
            self._violated(f"nothing but a marker stands at {seq} of {stream} of {source}")

    def _acked_is_in_the_cloud(self, rows: Rows) -> None:
        """What the hub won't send any more, the cloud has."""
        if "oms restored" in self._shop.plan.faults:
            return
        there = {
            (source, stream): seq
            for source, stream, seq in self._shop.oms.look(
                "SELECT source, stream, max(seq) FROM placements GROUP BY source, stream"
            )
        }
        for uri, stream, acked in rows.all(
            "SELECT s.uri, t.stream, t.acked_seq FROM streams t JOIN sources s ON s.id = t.source"
            " JOIN hub h ON h.source = t.source"
        ):
            if acked > there.get((uri, stream), 0):
                self._violated(
                    f"the hub counts {acked} events of {stream} as sent, the cloud has"
                    f" {there.get((uri, stream), 0)}"
                )

    # The hub and the cloud -----------------------------------------------------------------------

    def _cloud_is_the_same(self, rows: Rows) -> None:
        oms = self._shop.oms
        here = {
            row[0]: (row[1], row[2])
            for row in rows.all("SELECT sale_id, state, total_minor FROM sales ORDER BY id")
        }
        there = {sale["sale_id"]: (sale["state"], sale["total_minor"]) for sale in oms.sales()}
        self._same("sales", here, there)
        back = {row[0]: row[1] for row in rows.all("SELECT return_id, total_minor FROM returns")}
        self._same("returns", back, oms.returns())
        stock = {
            row[0]: dict(zip(BUCKETS, row[1:], strict=True))
            for row in rows.all(
                f"SELECT k.sku, {', '.join('s.' + one for one in BUCKETS)} FROM stock s"
                " JOIN skus k ON k.id = s.sku_id ORDER BY k.sku"
            )
        }
        self._same("levels", _without_zeros(stock), _without_zeros(oms.levels()))
        for sentence in oms.faults():
            self._violated(f"the cloud: {sentence}")

    def _same(self, what: str, here: dict[str, Any], there: dict[str, Any]) -> None:
        for key in sorted(here.keys() | there.keys()):
            if here.get(key) != there.get(key):
                self._violated(
                    f"{what} of {key} differ: hub {here.get(key)}, cloud {there.get(key)}"
                )

    def _commands_arrived(self, rows: Rows) -> None:
        """What the cloud sent, as far as it knows of it, was taken in."""
        noted = {
            row[0]
            for row in rows.all("SELECT subject FROM audit WHERE action LIKE 'cloud.command%'")
        }
        sent = "SELECT id, data FROM commands WHERE type = 'config.changed'"
        for command_id, data in self._shop.oms.look(sent):
            if command_id not in noted:
                key = json.loads(data)["key"]
                self._violated(f"the cloud's command {key} never arrived")

    def _nothing_was_repaired(self, rows: Rows) -> None:
        """Where no storage was lost, nothing may ever differ, be parked or be sent anew."""
        for table in ("drift", "parked"):
            found = rows.one(f"SELECT count(*) FROM {table}")
            if found and found[0]:
                self._violated(f"{found[0]} rows in {table} though nothing was ever lost")
        for (data,) in rows.all("SELECT data FROM audit WHERE action = 'stock.drift'"):
            self._violated(f"drift was found though nothing was ever lost: {data}")
        forks = rows.all("SELECT data FROM audit WHERE action = 'cloud.forked'")
        if forks:
            self._violated(f"the hub thinks it is a copy: {forks}")

    # ---------------------------------------------------------------------------------------------

    def _lost(self, asked: Asked) -> None:
        if self._shop.forgotten.excuses(asked):
            self._world.count("lost with the hub and the cloud")
            return
        self._violated(
            f"answered and not there: {asked.device} {asked.operation} {asked.key}"
            f" {json.dumps(asked.body)[:200]}"
        )

    def _violated(self, sentence: str) -> None:
        self._world.violated(sentence)


BUCKETS = ("sellable", "staged", "quarantine", "refurbish", "damaged", "transit_in")


def _without_zeros(levels: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    found = {sku: {k: v for k, v in row.items() if v} for sku, row in levels.items()}
    return {sku: row for sku, row in found.items() if row}
