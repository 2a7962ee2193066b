"""Within a version the contract only grows: what breaks a device or a cloud is noticed."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from hub.contract.publish import files, outline
from hub.contract.publish.__main__ import ROOT, main

Documents = dict[str, dict[str, Any]]


@cache
def text() -> str:
    return json.dumps(files.documents())


@cache
def before() -> outline.Outline:
    return outline.outline(files.documents())


def after(change: Callable[[Documents], object]) -> list[str]:
    """What is broken by a change of the documents."""
    changed: Documents = json.loads(text())
    change(changed)
    return outline.breaches(before(), outline.outline(changed))


def schema(documents: Documents, name: str, file: str = "asyncapi.yaml") -> Any:
    return documents[file]["components"]["schemas"][name]


def test_the_published_version_is_kept() -> None:
    frozen = outline.read_frozen(ROOT / "contract")
    assert frozen is not None, "run python -m hub.contract.publish --freeze"
    assert outline.breaches(frozen, before()) == []


def test_no_change_breaks_nothing() -> None:
    assert after(lambda documents: None) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda d: schema(d, "CommitSale")["properties"].update(extra={"type": "string"}),
        lambda d: schema(d, "SaleDone")["properties"].update(extra={"type": "string"}),
        lambda d: schema(d, "SaleDone")["required"].append("receipt_printed"),
        lambda d: schema(d, "CommitSale")["required"].remove("tenders"),
        lambda d: schema(d, "Tender")["properties"]["kind"]["enum"].append("gift_card"),
        lambda d: schema(d, "CommitSale")["properties"]["lines"].update(maxItems=1000),
        lambda d: d["asyncapi.yaml"]["components"]["schemas"].update(New={"type": "object"}),
        lambda d: d["oms.openapi.yaml"]["paths"].update({"/new": {"get": {"operationId": "n"}}}),
    ],
)
def test_additions_are_free(change: Callable[[Documents], object]) -> None:
    assert after(change) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda d: schema(d, "SaleDone")["properties"].pop("receipt_no"), "receipt_no is gone"),
        (lambda d: schema(d, "CommitSale")["properties"].pop("note"), "note is gone"),
        (lambda d: schema(d, "SaleDone")["required"].remove("at_ms"), "at_ms may be missing now"),
        (lambda d: schema(d, "CommitSale")["required"].append("note"), "note is required now"),
        (
            lambda d: schema(d, "Tender")["properties"]["kind"]["enum"].remove("card"),
            "no value card",
        ),
        (
            lambda d: schema(d, "CommitSale")["properties"]["lines"].update(maxItems=5),
            "lower maxItems",
        ),
        (
            lambda d: schema(d, "SaleDone")["properties"].update(at_ms={"type": "string"}),
            "at_ms is no integer any more",
        ),
        (
            lambda d: schema(d, "SaleDone")["properties"].update(
                at_ms={"anyOf": [{"type": "integer"}, {"type": "null"}]}
            ),
            "at_ms may be null now",
        ),
        (
            lambda d: schema(d, "BasketView")["properties"]["lines"]["items"].update(
                {"$ref": "#/components/schemas/SaleLine"}
            ),
            "no BasketLine any more",
        ),
        (lambda d: d["asyncapi.yaml"]["components"]["schemas"].pop("Problem"), "Problem is gone"),
        (lambda d: schema(d, "Fact")["properties"]["journal_id"].update(pattern="x"), "pattern"),
        (lambda d: schema(d, "SaleDone").update(additionalProperties=False), "refuses unknown"),
        (
            lambda d: d["asyncapi.yaml"]["channels"].pop("req.sale.commit"),
            "channel req.sale.commit",
        ),
        (
            lambda d: d["asyncapi.yaml"]["channels"]["rep"].update(address="elsewhere"),
            "channel rep",
        ),
        (
            lambda d: d["asyncapi.yaml"]["operations"]["fact"].update(action="receive"),
            "operation fact",
        ),
        (lambda d: d["hub.openapi.yaml"]["paths"].pop("/api/1/pair"), "POST /api/1/pair"),
        (
            lambda d: d["oms.openapi.yaml"]["paths"]["/v1/stores/{store}/events"].pop("get"),
            "GET /v1/stores/{store}/events",
        ),
        (
            lambda d: schema(d, "Hello", "oms.openapi.yaml")["properties"]["reason"]["enum"].remove(
                "new"
            ),
            "no value new",
        ),
    ],
)
def test_breaches_are_noticed(change: Callable[[Documents], object], told: str) -> None:
    found = after(change)
    assert any(told in line for line in found), found


def test_a_code_that_went_or_changed_its_status_is_noticed() -> None:
    present = copy.deepcopy(before())
    present["codes"].pop("busy")
    present["oms codes"]["superseded"] = 410
    assert outline.breaches(before(), present) == [
        "codes: busy was 429, now gone",
        "oms codes: superseded was 409, now 410",
    ]


def test_a_breach_fails_the_check_and_can_not_be_frozen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--write", "--root", str(tmp_path)]) == 0
    assert main(["--freeze", "--root", str(tmp_path)]) == 0
    path = tmp_path / "contract" / outline.FROZEN
    frozen = json.loads(path.read_text("utf-8"))
    frozen["asyncapi.yaml"]["schemas"]["SaleDone"]["fields"]["colour"] = {"types": ["string"]}
    path.write_text(json.dumps(frozen), "utf-8")
    capsys.readouterr()
    for option in ("--check", "--freeze"):
        assert main([option, "--root", str(tmp_path)]) == 1
        told = capsys.readouterr().out
        assert "SaleDone.colour is gone" in told
        assert "Next: add instead of changing" in told
