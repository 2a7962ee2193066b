"""One day of a shop on a disk that fails, and what a supervisor and a technician do about it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.app.backup import BackupRefused, make_backup, verify_backup
from hub.app.founding import StateInUse
from hub.contract.oms_datasets import PriceRow
from hub.service.caller import HUB
from hub.service.handlers import cloud, datasets
from hub.service.internal import Housekeep, InternalCommand
from hub.storage import outbox
from hub.storage.errors import OutcomeUnknown, StorageError
from tests.storage.powercut import SKUS, TILLS
from tests.storage.together import Asked, BusyShop, Wanted, bare
from tests.storage.trials import GOODS, Report
from tests.support import laws
from tests.support.faultdisk import Fault, FaultDisk, Op
from tests.support.gatebench import PIN, now

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Way:
    """A way for the nth operation to fail."""

    name: str
    fault: Fault
    times: int | None
    ops: Op = Op.ALL


MEANINGS = frozenset({"ok", "storage-full", "outcome-unknown", "unavailable", "busy"})
"""What a till may hear on a day whose requests are all in order."""
NOT_STORED = frozenset({"storage-full", "busy"})
"""Answers which say that nothing is stored."""
MISREAD = MEANINGS | {"not-found"}
"""The same when the disk gives half a page: SQLite keeps no checksums, the page looks emptier."""


class Broken(Exception):
    """A promise didn't hold."""


class Day:
    """One day on a disk that fails."""

    def __init__(self, place: Path, disk: FaultDisk, report: Report, way: Way, nth: int) -> None:
        self.kills = nth % 4 < 2
        self.meanings = MISREAD if way.fault is Fault.SHORT_READ else MEANINGS
        self.place = place
        self.disk = disk
        self.report = report
        self.shop: BusyShop | None = None
        self.closed = False
        self.open: list[Wanted] = []
        self.heard: list[Asked] = []
        self.not_stored: list[Asked] = []
        self.seed = 1

    # Running -----------------------------------------------------------------------------------

    def run(self) -> None:
        """All steps, and what a supervisor does in between."""
        for step in self.steps():
            if not self._running():
                return  # the disk stays broken: the technician's turn
            step()
            self._supervise()

    def steps(self) -> list[Callable[[], None]]:
        """The day."""
        return [
            self.sign_in, self.sell, self.give_back, self.swap, self.look, self.ack, self.sell,
            self.checkpoint, self.receive, self.housekeep, self.close, self.back_up, self.sell,
            self.checkpoint, self.close,
        ]  # fmt: skip

    def start(self) -> BusyShop:
        """Open the database.  Errors: :class:`StorageError` and nothing else."""
        if self.shop is None:
            self.seed += 1
            self.shop = BusyShop(self.place, seed=self.seed, furnish=False)
            gate: Any = self.shop.gate
            gate._handlers.internal.update(cloud.INTERNAL | datasets.INTERNAL)
        elif self.closed or self.shop.core.fatal is not None:
            if not self.closed:
                self.close()
            self.shop.restart()
            gate = self.shop.gate
            gate._handlers.internal.update(cloud.INTERNAL | datasets.INTERNAL)
        self.closed = False
        return self.shop

    def _running(self) -> bool:
        """Whether the hub is up, perhaps at its second try."""
        for _ in range(2):
            try:
                self.start()
            except StorageError as error:
                self._refused(error)
            else:
                return True
        return False

    def _refused(self, error: StorageError) -> None:
        if not self.disk.fired():
            raise Broken(f"a sound disk isn't opened: {error}") from error
        if "restore" in str(error):
            raise Broken(f"an I/O error is taken for damage: {error}") from error
        self.report.faults["refused-to-open"] += 1

    def _supervise(self) -> None:
        """Start again after the writer gave up."""
        shop = self.shop
        if shop is None or self.closed:
            return
        if shop.core.fatal is None:
            self.report.faults["went-on"] += self.disk.fired() > 0
            return
        if not isinstance(shop.core.fatal, OutcomeUnknown):
            raise Broken(f"the writer ended with {shop.core.fatal!r}")
        self.report.faults["restarted"] += 1

    def ask(self, *wanted: tuple[str, str, dict[str, Any]]) -> None:
        """Requests asked together; what each answer means is held against the writer."""
        shop = self._shop()
        keyed = [(*one, shop.id()) for one in wanted]
        for asked in shop.together(keyed):
            self._judge(asked)
            if asked.final:
                self.heard.append(asked)
            else:
                self.open.append((asked.device, asked.address, asked.body, asked.key))
                if asked.code in NOT_STORED:
                    self.not_stored.append(asked)

    def _judge(self, asked: Asked) -> None:
        core = self._shop().core
        if asked.code != "ok":
            self.report.faults[asked.code] += 1
        if asked.code not in self.meanings:
            raise Broken(f"{asked.address} is answered {asked.text}")
        if asked.code != "ok" and not self.disk.fired():
            raise Broken(f"on a sound disk {asked.address} is answered {asked.text}")
        if asked.code == "outcome-unknown" and core.fatal is None:
            raise Broken(f"the outcome is unknown and the writer goes on: {asked.text}")
        if "failed on this request" in asked.text:
            raise Broken(f"a failing disk is taken for a fault of the hub: {asked.text}")

    def internal(self, command: InternalCommand) -> Any:
        """A command of the hub's own machinery; None when the disk refused it."""
        try:
            return now(self._shop().gate.internal(HUB, command))
        except StorageError as error:
            if not self.disk.fired():
                raise Broken(f"on a sound disk {command} fails: {error}") from error
            return None

    def _shop(self) -> BusyShop:
        assert self.shop is not None
        return self.shop

    # Steps -------------------------------------------------------------------------------------

    def sign_in(self) -> None:
        body = {"staff_id": "mia", "pin": PIN}
        self.ask(*((till, "staff/sign-in", body) for till in TILLS))

    def sell(self) -> None:
        self.ask(*((till, "sale/commit", self._sale(SKUS[n])) for n, till in enumerate(TILLS)))
        self.ask(("till-1", "sale/commit", self._sale("milk")))

    def _sale(self, sku: str) -> dict[str, Any]:
        line = {"code": sku, "qty": 1, "unit_price_minor": GOODS[sku]}
        return self._shop().sale(line, total_minor=GOODS[sku])

    def give_back(self) -> None:
        sold = [one for one in self.heard if one.address == "sale/commit" and one.ok]
        if sold:
            line = {"line_no": 1, "qty": 1, "disposition": "resellable", "reason": "x"}
            body = {"return_id": self._shop().id(), "sale_id": sold[0].body["sale_id"]}
            self.ask(("till-2", "return/commit", body | {"lines": [line]}))

    def receive(self) -> None:
        body = {"receipt_id": self._shop().id(), "lines": [{"sku": "tea", "qty": 5}]}
        self.ask(("till-3", "stock/receive", body))

    def swap(self) -> None:
        prices = [PriceRow(sku=sku, price_minor=price) for sku, price in GOODS.items()]
        rows = [row for price in prices for row in datasets.table_rows(price)]
        label = f"p{self.seed}"
        begun = self.internal(datasets.BeginStaging("prices", label))
        if begun is None:
            return
        number = begun.staging
        if self.internal(datasets.StageRows("prices", number, rows, 1)):
            self.internal(datasets.SwapStaging("prices", number, label, "c", len(prices)))
            self.internal(datasets.PurgeGenerations("prices"))

    def look(self) -> None:
        """Look-ups, which need no writer."""
        shop = self._shop()
        for address, body in (
            ("stock/levels", {"skus": list(SKUS)}),
            ("catalog/look-up", {"code": "tea"}),
        ):
            (asked,) = shop.together([("till-1", address, body, shop.id())])
            self._judge(asked)

    def ack(self) -> None:
        shop = self._shop()
        try:
            heads = outbox.heads(shop.rows)
        except StorageError:
            return
        marks = tuple((head.source_uri, head.stream, head.head_seq) for head in heads)
        self.internal(cloud.MarkAcked(marks))

    def checkpoint(self) -> None:
        if self._shop().core.fatal is None:
            self._shop().core.checkpoint()

    def housekeep(self) -> None:
        self.internal(Housekeep())

    def close(self) -> None:
        """Stop the hub: in order, or by killing it, which leaves its log as it is."""
        if self.kills:
            self.disk.kill()
            self.report.faults["killed-instead-of-stopped"] += 1
        self._shop().close()
        self.closed = True

    def back_up(self) -> None:
        """A copy is whole or refused."""
        shop = self._shop()
        if not self.closed:
            self.close()
        target = self.place / f"copy-{self.seed}-{self.disk.fired()}"
        try:
            make_backup(self.place, target, shop.clock)
        except (BackupRefused, StateInUse, StorageError) as error:
            if not self.disk.fired():
                raise Broken(f"on a sound disk there is no copy: {error}") from error
            self.report.faults["no-backup"] += 1
            try:
                verify_backup(target)
            except BackupRefused:
                return
            raise Broken("a copy that failed passes for a whole one") from error
        verify_backup(target)

    # Afterwards --------------------------------------------------------------------------------

    def settle(self, *, power: bool) -> Iterator[str]:
        """Heal the disk, start again, sell, lose power, start again; what doesn't hold."""
        self.disk.clear()
        if self.shop is not None and not self.closed:
            self.close()
        self.closed = True
        shop = self.start()
        for one in self.not_stored:
            if shop.stored(one) is not None:
                yield f"{one.address} was answered {one.code} and is stored"
        yield from self._ask_again(shop)
        for till, sku in zip(TILLS, SKUS, strict=False):  # stands on what was written before
            self.ask((till, "sale/commit", self._sale(sku)))
        if power:
            self.disk.cut(7, keep_probability=0.0)
            shop.restart()
        gone = [one for one in self.heard if one.ok and shop.stored(one) != bare(one.text)]
        if gone:
            yield f"{len(gone)} answered requests are gone, the first {gone[0].address}"
            return
        yield from self._repeats(shop)
        if shop.value("PRAGMA integrity_check") != "ok":
            yield "the database is damaged"
        sales = shop.value("SELECT count(*) FROM sales") - 20
        done = sum(one.ok and one.address == "sale/commit" for one in self.heard)
        if sales != done:
            yield f"{sales} sales are there, {done} were answered"
        yield from laws.broken(shop.rows)

    def _repeats(self, shop: BusyShop) -> Iterator[str]:
        for one in self.heard:
            (again,) = shop.together([(one.device, one.address, one.body, one.key)])
            if one.ok and again.text != one.text and one.address != "staff/sign-in":
                yield f"a repeat is answered otherwise: {one.text} / {again.text}"

    def _ask_again(self, shop: BusyShop) -> Iterator[str]:
        """What wasn't answered, in its order; then somebody is signed in on every till."""
        for wanted in self.open:
            (again,) = shop.together([wanted])
            self.heard.append(again)
            if not again.ok:
                yield f"what wasn't answered can't be asked again: {again.text}"
        self.open.clear()

    def end(self) -> None:
        """Let go of the database."""
        if self.shop is not None:
            self.shop.close()
