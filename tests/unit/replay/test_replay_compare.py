"""The judge: silent about a perfect replay, and loud about any planted fault."""

from __future__ import annotations

import ast
import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from scripts.replay_shop import compare as judge
from scripts.replay_shop.baskets import data_file, first_days, read_baskets, read_products
from scripts.replay_shop.compare import Comparison, compare, main
from scripts.replay_shop.mapping import build_catalogue, map_basket
from scripts.replay_shop.report import Kills, Outcome, print_json, print_report
from tests.unit.replay.fake_shop import ROOT, SEED, write_shop
from tests.unit.replay.planted_faults import HUB_FAULTS, OMS_FAULTS, Fault

pytestmark = pytest.mark.xdist_group("replay-compare")

DAYS = 4
FOLDER = ROOT / "scripts/replay_shop"


class Shop:
    """A shop's databases after a replay of the first days of a store, to be tampered with."""

    def __init__(self, hub_db: Path, oms_db: Path, transactions: Path) -> None:
        self.paths = {"hub": hub_db, "oms": oms_db}
        self.transactions = transactions

    def tamper(self, where: str, sql: str) -> None:
        with closing(sqlite3.connect(self.paths[where])) as con:
            con.executescript(sql)
            assert con.total_changes > 0

    def judge(self, seed: str = SEED) -> Comparison:
        return compare(
            store_id=367,
            days=DAYS,
            seed=seed,
            hub_db=self.paths["hub"],
            oms_db=self.paths["oms"],
            transactions=self.transactions,
        )


@pytest.fixture(scope="module")
def perfect(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("perfect")
    year = read_baskets(367)
    facts = read_products({line.product_id for basket in year for line in basket.lines})
    catalogue = build_catalogue(year, facts)
    some = [map_basket(basket, catalogue) for basket in first_days(year, DAYS)]
    hub_db, oms_db = write_shop(folder, some)
    transactions = folder / "transactions.parquet"
    store = pq.read_table(data_file("transactions.parquet"), filters=[("store_id", "=", 367)])
    pq.write_table(store.slice(0, 5_000), transactions)
    return Shop(hub_db, oms_db, transactions)


@pytest.fixture
def shop(perfect: Shop, tmp_path: Path) -> Shop:
    hub_db, oms_db = (Path(shutil.copy(path, tmp_path)) for path in perfect.paths.values())
    return Shop(hub_db, oms_db, perfect.transactions)


def test_a_perfect_replay_is_exact_to_the_cent_and_the_unit(shop: Shop) -> None:
    verdict = shop.judge()
    assert verdict.shown == ()
    assert (verdict.exact, verdict.exit_code, verdict.mismatches) == (True, 0, 0)
    for name in ("baskets", "lines", "products", "units", "line cents", "sale cents", "paid cents"):
        figure = verdict.figure(name)
        assert figure.dataset
        assert {figure.dataset, figure.hub_sales, figure.oms} == {figure.dataset}
        assert figure.hub_ledger in (figure.dataset, None)
    assert verdict.figure("baskets").hub_ledger == verdict.figure("baskets").dataset
    assert verdict.figure("movements").oms == verdict.figure("movements").hub_ledger
    assert verdict.figure("events").oms == verdict.figure("events").hub_sales


@pytest.mark.parametrize("fault", [*HUB_FAULTS, *OMS_FAULTS], ids=lambda f: f"{f.db}: {f}")
def test_one_planted_fault_is_noticed(shop: Shop, fault: Fault) -> None:
    shop.tamper(fault.db, fault.sql)
    verdict = shop.judge()
    assert (verdict.exact, verdict.exit_code) == (False, 1)
    assert fault.witness in {mismatch.where for mismatch in verdict.shown}


def test_a_run_with_another_seed_is_not_this_run(shop: Shop) -> None:
    verdict = shop.judge(seed="another")
    assert verdict.mismatches > judge.MAX_SHOWN
    assert len(verdict.shown) == judge.MAX_SHOWN
    assert verdict.figure("baskets").hub_sales == 0


def test_more_days_than_were_sold_are_missing(shop: Shop) -> None:
    verdict = compare(
        store_id=367,
        days=DAYS + 2,
        seed=SEED,
        hub_db=shop.paths["hub"],
        oms_db=shop.paths["oms"],
        transactions=shop.transactions,
    )
    assert not verdict.exact


def test_the_judge_shares_nothing_with_those_it_judges() -> None:
    allowed = {"pyarrow", "rich", "scripts", *sys.stdlib_module_names}
    for path in sorted(FOLDER.glob("compare*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path.name} imports relatively"
                names = [node.module or ""]
            elif isinstance(node, ast.Name | ast.Attribute):
                called = node.id if isinstance(node, ast.Name) else node.attr
                assert called not in {"import_module", "__import__", "exec", "eval"}
            for name in names:
                assert name.split(".")[0] in allowed, f"{path.name} imports {name}"
                if name.startswith("scripts"):
                    assert name.startswith("scripts.replay_shop.compare_"), name


def test_importing_the_judge_loads_nothing_of_the_shop() -> None:
    code = (
        "import sys, scripts.replay_shop.compare;"
        "bad = {'hub', 'devices', 'cloud_link', 'scripts.replay_shop.mapping',"
        " 'scripts.replay_shop.baskets'} & set(sys.modules); sys.exit(repr(bad) if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=120)


def test_the_judge_is_a_program(
    shop: Shop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge, "_transactions", lambda: shop.transactions)
    asked = ["--store", "367", "--days", str(DAYS), "--seed", SEED]
    asked += ["--hub", str(shop.paths["hub"]), "--oms", str(shop.paths["oms"])]
    assert main([*asked, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["exact"] is True
    shop.tamper("hub", "UPDATE sales SET total_minor = total_minor + 1 WHERE id = 1")
    assert main(asked) == 1
    assert "1 differences" in capsys.readouterr().out
    shop.paths["hub"].unlink()
    assert main(asked) == 2
    assert "has the shop been started?" in capsys.readouterr().err


def test_the_report_has_the_promised_figures(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    kills = Kills(hub=10, broker=11, oms=12, link_cuts=5)
    outcome = Outcome(367, DAYS, 8, SEED, 2.0, shop.judge(), chaos=True, kills=kills)
    print_json(outcome)
    told = json.loads(capsys.readouterr().out)
    assert told["baskets"] == outcome.baskets > 0
    assert told["lines"] == outcome.lines > told["baskets"]
    assert (told["mismatches"], told["kills"], told["seconds"]) == (0, 33, 2.0)
    assert told["sales_per_s"] == pytest.approx(outcome.baskets / 2)
    print_report(outcome, Console(width=120))
    assert "Exact: to the cent and the unit." in capsys.readouterr().out
    assert outcome.exit_code == 0


def test_a_refused_basket_fails_the_replay(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.tamper("oms", "DELETE FROM events WHERE event = 3")
    outcome = Outcome(367, DAYS, 8, SEED, 2.0, shop.judge(), refused=1)
    print_report(outcome, Console(width=120))
    told = capsys.readouterr().out
    assert "NOT exact" in told
    assert "1 baskets were refused" in told
    assert outcome.exit_code == 1
