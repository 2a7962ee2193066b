"""Alert rules, dashboard and runbook: they fit the metrics that are served, and each other."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import promql_parser
import pytest
import yaml

from hub.health.allchecks import all_checks
from hub.observe.exposition import LINK_STATES, MODES, PRESENCES
from hub.observe.table import METRICS

DOCS: Final = Path("docs")
RULES: Final = DOCS / "monitoring" / "rules.yml"
RUNBOOK: Final = DOCS / "runbook"
OUTSIDE: Final = {"up": {"job", "instance"}}
CHECKS: Final = {one.key for one in all_checks()}
VALUES: Final = {
    "state": set(LINK_STATES),
    "mode": set(MODES),
    "presence": set(PRESENCES),
    "check": CHECKS,
}
TIMEOUT_S: Final = 60


def served() -> dict[str, set[str]]:
    """Names that a query may use, with their labels."""
    found = dict(OUTSIDE)
    for one in METRICS:
        labels = {*one.labels, "instance", "job"}
        match one.kind:
            case "histogram":
                found[f"{one.name}_bucket"] = labels | {"le"}
                found[f"{one.name}_count"] = found[f"{one.name}_sum"] = labels
            case _:
                found[one.served_as] = labels
    return found


def rules() -> list[dict[str, Any]]:
    return [
        rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
    ]


def panels() -> list[dict[str, Any]]:
    board: dict[str, Any] = json.loads((DOCS / "monitoring" / "dashboard.json").read_text())
    return list(board["panels"])


def queries() -> Iterator[tuple[str, str]]:
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            filled = target["expr"].replace("$__rate_interval", "5m").replace("$instance", ".*")
            assert "$" not in filled
            yield panel["title"], filled


def selectors(query: str) -> list[Any]:
    """Every selector of a metric in a query.  Errors: ValueError when it doesn't parse."""
    found: list[Any] = []

    def visit(node: Any) -> None:
        match node:
            case promql_parser.VectorSelector():
                found.append(node)
            case promql_parser.MatrixSelector():
                found.append(node.vector_selector)
            case _:
                pass

    promql_parser.walk(promql_parser.parse(query), visit)
    return found


def text_of(page: Path) -> str:
    """Its words on one line each, wherever they are broken."""
    return re.sub(r"(?<=\S)\n +(?=\S)|(?<=[^\n#])\n(?=[^\n#-])", " ", page.read_text())


@pytest.mark.parametrize(("where", "query"), list(queries()))
def test_every_query_parses_and_asks_for_what_is_served(where: str, query: str) -> None:
    known = served()
    found = selectors(query)
    assert found, where
    for one in found:
        assert one.name in known, f"{where}: {one.name} is not served"
        for matcher in one.matchers.matchers:
            assert matcher.name in known[one.name], f"{where}: {one.name} has no {matcher.name}"
            if matcher.name in VALUES:
                assert set(matcher.value.split("|")) <= VALUES[matcher.name], where


def test_every_alert_has_a_page_that_names_it_and_says_how_bad_it_is() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)
    for rule in rules():
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        page = rule["annotations"]["runbook"]
        if "{{ $labels.check }}" in page:
            pages = [RUNBOOK / f"{key}.md" for key in sorted(CHECKS)]
        else:
            pages = [Path(page)]
            assert f"`{rule['alert']}`" in text_of(pages[0])
        assert all(one.exists() for one in pages)


def test_every_check_has_its_page_and_an_alert() -> None:
    for key in CHECKS:
        text = text_of(RUNBOOK / f"{key}.md")
        assert f"Health check: `{key}`." in text
    (rest,) = [rule["expr"] for rule in rules() if rule["alert"] == "StoreHubCheckFails"]
    apart = re.search(r'check!~"([^"]*)"', rest)
    assert apart is not None
    named = "\n".join(text_of(RUNBOOK / f"{key}.md").split("##")[0] for key in apart[1].split("|"))
    assert "StoreHubCheckFails" not in named, "left out there, so it needs an alert of its own"
    for key in CHECKS - set(apart[1].split("|")):
        assert "`StoreHubCheckFails`" in text_of(RUNBOOK / f"{key}.md")


def test_every_page_is_whole_and_names_alerts_that_exist() -> None:
    names = {rule["alert"] for rule in rules()}
    for page in RUNBOOK.glob("*.md"):
        if page.name == "README.md":
            continue
        text = text_of(page)
        headings = re.findall(r"^## (.*)$", text, re.M)
        assert headings == ["What it means for the shop", "How to see it", "How to mend it"]
        assert set(re.findall(r"`(StoreHub\w+)`", text)) <= names
        for query in re.findall(r"`(store_hub_\w+|\w+ ?(?:by )?\([^`]*store_hub_[^`]*)`", text):
            assert any(one.name in query for one in METRICS), f"{page.name}: {query}"


def test_the_index_says_what_pages_and_rules_say() -> None:
    """Each page is somebody's: of an alert, or of a health check; and nobody points elsewhere."""
    index = {
        page: (title, set(re.findall(r"`(StoreHub\w+)`", alerts)))
        for page, title, alerts in re.findall(
            r"^\| \[[\w-]+\]\(([\w-]+)\.md\) \| (.*) \| (.*) \|$",
            (RUNBOOK / "README.md").read_text(),
            re.M,
        )
    }
    for page in RUNBOOK.glob("*.md"):
        if page.name == "README.md":
            continue
        head = page.read_text().split("\n## ")[0]
        title, alerts = index.pop(page.stem)
        assert head.startswith(f"# {title}\n"), page.name
        assert set(re.findall(r"`(StoreHub\w+)`", head)) == alerts, page.name
        sent_here = {
            rule["alert"] for rule in rules() if rule["annotations"]["runbook"] == str(page)
        }
        assert sent_here <= alerts, page.name
        check = re.search(r"Health check: `([\w-]+)`", head)
        assert check is None or check[1] == page.stem, page.name
        assert check is None or check[1] in CHECKS, f"{page.name}: there is no such check"
        assert alerts, f"{page.name}: no alert leads here"
    assert index == {}


def test_everything_is_reached_from_the_readme() -> None:
    readme = Path("README.md").read_text()
    for name in ("docs/metrics.md", "docs/monitoring/", "docs/runbook/README.md"):
        assert name in readme
    index = (RUNBOOK / "README.md").read_text()
    for page in RUNBOOK.glob("*.md"):
        assert page.name == "README.md" or f"]({page.name})" in index, f"{page.name} isn't listed"
    for page in (*RUNBOOK.glob("*.md"), DOCS / "monitoring" / "README.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page}: {target} doesn't exist"


def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool isn't here: apt-get install prometheus")
    return found


@pytest.mark.parametrize("arguments", [("check", "rules", "rules.yml"), ("test", "rules")])
def test_prometheus_own_tool_takes_the_rules(arguments: tuple[str, ...]) -> None:
    files = () if "check" in arguments else ("rules.test.yml",)
    done = subprocess.run(
        [promtool(), *arguments, *files],
        cwd=RULES.parent,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
