"""``store-hub cloud``, ``outbox`` and ``catalog``, on a hub that is stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hub.cli.program import root

TAX = (
    '{"kind":"policy","mode":"inclusive","rounding_scope":"line","rounding":"half_up"}\n'
    '{"kind":"rate","tax_code":"standard","rate_ppm":190000}\n'
)
PRODUCTS = "".join(
    json.dumps(
        {
            "sku": f"SKU-{n}",
            "name": name,
            "barcodes": [f"{n:014d}"],
            "uom": "piece",
            "scale": 0,
            "tax_code": "standard",
            "category": "Dairy",
        }
    )
    + "\n"
    for n, name in enumerate(["Crème fraîche", "Whole milk", "Butter milk"])
)


@pytest.fixture
def call(tmp_state: Path) -> Any:
    config = tmp_state / "config.toml"
    config.write_text(
        '[store]\nid = "367"\ntimezone = "Europe/Berlin"\ncurrency = "EUR"\n'
        f'[paths]\nstate = "{tmp_state}/state"\nrun = "{tmp_state}/run"\n'
    )

    def run(*arguments: str, good: bool = True) -> Result:
        result = CliRunner().invoke(root, ["--config", str(config), *arguments])
        assert (result.exit_code == 0) is good, result.output
        return result

    return run


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "catalog.jsonl").write_text(PRODUCTS)
    (folder / "taxes.jsonl").write_text(TAX)
    (folder / "prices.jsonl").write_text('{"sku":"SKU-1","price_minor":129}\n')
    return folder


def test_a_shop_without_a_cloud_imports_its_data_and_finds_it(call: Any, files: Path) -> None:
    done = json.loads(call("catalog", "import", str(files), "--json").stdout)
    assert [(one["dataset"], one["rows"]) for one in done] == [
        ("catalog", 3),
        ("prices", 1),
        ("taxes", 2),
    ]
    hits = json.loads(call("catalog", "search", "mil", "--json").stdout)
    assert [(hit["sku"], hit["price_minor"]) for hit in hits] == [("SKU-1", 129), ("SKU-2", None)]
    assert json.loads(call("catalog", "search", "creme", "--json").stdout)[0]["sku"] == "SKU-0"
    status = json.loads(call("cloud", "status", "--json").stdout)
    assert status["live"] is None
    assert status["datasets"]["catalog"]["rows"] == 3
    assert "catalog" in call("cloud", "status").stdout


def test_a_file_with_a_bad_row_changes_nothing(call: Any, files: Path) -> None:
    call("catalog", "import", str(files))
    bad = files / "catalog.jsonl"
    bad.write_text(PRODUCTS + '{"sku":"X","name":""}\n')
    failed = call("catalog", "import", str(bad), good=False)
    assert "line 4: name" in failed.output
    bad.write_text(PRODUCTS + PRODUCTS)
    assert "keys come twice" in call("catalog", "import", str(bad), good=False).output
    (files / "taxes.jsonl").write_text(TAX.splitlines()[1])
    assert "policy" in call("catalog", "import", str(files / "taxes.jsonl"), good=False).output
    hits = json.loads(call("catalog", "search", "milk", "--json").stdout)
    assert len(hits) == 2


def test_the_outbox_is_shown_while_the_hub_is_stopped(call: Any, files: Path) -> None:
    call("catalog", "import", str(files))
    assert json.loads(call("outbox", "status", "--json").stdout)["waiting"] == 0
    assert "No event waits" in call("outbox", "list").stdout
    assert "No event is parked" in call("outbox", "list", "--parked").stdout
    assert "no event 7" in call("outbox", "show", "7", good=False).output
    assert "isn't running" in call("outbox", "retry", "7", good=False).output


def test_print_jobs_are_shown_while_the_hub_is_stopped(call: Any, files: Path) -> None:
    call("catalog", "import", str(files))
    assert "Nothing waits to be printed" in call("print", "list").stdout
    assert "Nothing was ever printed" in call("print", "list", "--all").stdout
    assert json.loads(call("print", "list", "--json").stdout) == []
    assert "no print job 'abcdef'" in call("print", "cancel", "abcdef", good=False).output
    odd = call("print", "settle", "abcdef", "perhaps", good=False).output
    assert "'printed', 'again', 'forget'" in odd
