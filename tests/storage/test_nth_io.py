"""Whichever disk operation fails: nothing that was answered is lost, nothing is half done."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from hub.storage import database
from hub.storage.errors import DiskFails
from tests.storage import nthio
from tests.storage.trials import Report
from tests.support.faultdisk import Fault, FaultDisk, Files, Op
from tests.support.shop import Shop

pytestmark = pytest.mark.may_block  # databases are opened again and again; no loop runs here


@pytest.mark.parametrize(("seed", "rare_first"), [(0, True), (1, False), (2, False)])
def test_a_day_with_a_failing_operation_keeps_every_promise(
    seed: int, rare_first: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL + 1, "hub")  # failing disks are what is asked for
    days = 170 if rare_first else 80  # all of the rare ones
    report = Report("nth-io", "days", limit=days, quiet=True)

    last = nthio.run(report, seed, rare_first=rare_first)

    assert last["findings"] == []
    assert last["trials"] == days
    expected = nthio.WAYS[:2] if rare_first else nthio.WAYS[2:]
    assert [way.name for way in expected if not last["faults"][way.name]] == []


def sale_after_a_failed_sync(directory: Path) -> bool:
    """Whether a sale outlives a power cut that was repeated after its first sync had failed."""
    with FaultDisk(directory) as disk:
        shop = Shop(directory, quick=False)
        shop.product("tea", 499, stock=100)
        shop.sign_in("till-1")
        line = {"code": "tea", "qty": 1, "unit_price_minor": 499}
        body, key = shop.sale(line, total_minor=499), shop.id()
        disk.fail(Op.SYNC, files=Files.WAL)
        assert shop.ask("till-1", "sale/commit", body, key=key).code == "outcome-unknown"
        disk.kill()
        shop.restart()  # finds the sale in the log, from where it was never written to the disk
        assert shop.ask("till-1", "sale/commit", body, key=key).ok
        shop.sell("till-1", "tea", 1, 499)
        disk.cut(1, keep_probability=0.0)
        shop.restart()
        shop.check_laws()
        found = shop.value("SELECT count(*) FROM sales")
        shop.close()
        return bool(found == 2)


def test_a_sale_whose_sync_failed_is_safe_once_it_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    assert sale_after_a_failed_sync(tmp_path / "a")

    monkeypatch.setattr(database, "_empty_the_log", lambda conn: None)
    assert not sale_after_a_failed_sync(tmp_path / "b"), "the disk doesn't lose what it should"


def test_a_disk_that_misreads_once_is_not_called_damaged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "hub.db"
    database.open_database(path).close()
    with FaultDisk(tmp_path) as disk:
        disk.fail(Op.READ, nth=6)
        with pytest.raises(DiskFails, match="start again"):
            database.open_database(path)
        disk.fail(Op.READ, nth=6, fault=Fault.SHORT_READ)
        database.open_database(path).close()
    assert "the disk is failing" in caplog.text
