"""The report, its pictures and its verdicts, from results that are written down here."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from scripts.benchmarks import machine, markdown, measure, report
from scripts.benchmarks.__main__ import command
from scripts.benchmarks.bench import Bench
from scripts.benchmarks.figures import NO_AIM, Aim, Failed, Figure, Line, Series, Sheet, Skipped
from scripts.benchmarks.machine import Instant

MACHINE: dict[str, Any] = {
    "at_ms": 1_767_225_600_000,
    "cpus": 2,
    "sync_ms": 0.7,
    "load": 0.4,
    "load_before": 0.2,
    "others": 0.02,
    "seconds": 61.0,
    "python": "3.11",
    "sqlite": "3.53",
    "kernel": "6",
    "quick": False,
    "warning": None,
}
PROFILE = [
    {
        "batch": batch,
        "parse_us": 15.0,
        "screen_us": 5.0,
        "hash_us": 5.0,
        "loop_us": 60.0,
        "writer_us": 400.0,
        "sqlite_us": 150.0,
        "statements": [[1.0, 28.4, "INSERT INTO movements"], [0.06, 13.1, "COMMIT"]],
    }
    for batch in (1, 16)
]


def figure_of(name: str, aim: Aim, *rounds: tuple[float, float]) -> Figure:
    return measure.figure(
        name, rounds, unit="ms", floor_name="a floor", aim=aim, explanation=f"what {name} is"
    )


@pytest.fixture
def result(tmp_path: Path) -> dict[str, Any]:
    """A run with something of everything."""
    names = frozenset({"till.latency", "growth.commit", "daemon.memory", "crowd.cpu", "x"})
    bench = Bench(tmp_path, False, names, lambda text: None)
    bench.add(figure_of("till.latency", Aim(at_most=2.5), (5.0, 1.0), (5.0, 1.0)))
    bench.add(figure_of("growth.commit", Aim(at_most=1.15), (1.0, 1.0), (1.1, 1.0)))
    bench.add(figure_of("daemon.memory", Aim(value_at_most=80), (70.0, 35.0)))
    bench.skip("crowd.cpu", "no | room")
    bench.outcomes.append(Failed("x", "it broke"))
    points = ((1_000.0, 1.0), (1_000_000.0, 1.2))
    lines = (Line("p50", points), Line("one sync", ((1_000.0, 0.7), (1_000_000.0, 0.7)), True))
    bench.draw(
        Series("sales-held", "A sale", "sales held", "ms", lines, log_y=True),
        Series("sales-held", "Processor time", "sales held", "µs", lines[:1]),
    )
    bench.show(Sheet("Enqueues", ("what", "per second"), (("ours", "1,000"),), "Medians."))
    return report.result_of(bench, MACHINE, PROFILE)


# Verdicts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("aim", "value", "floor", "verdict"),
    [
        (Aim(at_most=3), 3.0, 1.0, "met"),
        (Aim(at_most=2.5), 5.0, 1.0, "not met: 50% of the aim"),
        (Aim(at_least=0.3), 0.15, 1.0, "not met: 50% of the aim"),
        (Aim(at_least=0.3), 0.6, 1.0, "met"),
        (Aim(value_at_most=80), 100.0, 1.0, "not met: 80% of the aim"),
        (Aim(value_at_least=5), 0.5, 1.0, "not met: 10% of the aim"),
        (NO_AIM, 1.0, 1.0, "-"),
    ],
)
def test_a_verdict_says_whether_and_by_how_much_an_aim_is_missed(
    aim: Aim, value: float, floor: float, verdict: str
) -> None:
    assert figure_of("x", aim, (value, floor)).verdict == verdict


def test_a_verdict_says_when_the_spread_leaves_doubt() -> None:
    wide = figure_of("x", Aim(at_most=3), (2.0, 1.0), (3.1, 1.0), (5.0, 1.0))
    assert wide.verdict == "not met: 97% of the aim, within the spread"
    narrow = figure_of("x", Aim(at_most=3), (3.1, 1.0), (3.1, 1.0), (3.1, 1.0))
    assert narrow.verdict == "not met: 97% of the aim"


def test_nothing_lost_meets_an_aim_of_nothing_and_anything_lost_misses_it() -> None:
    aim = Aim(value_at_most=0)
    assert figure_of("x", aim, (0.0, 10.0)).met is True
    assert figure_of("x", aim, (1.0, 10.0)).met is False


def test_a_figure_without_a_floor_has_its_own_spread() -> None:
    found = measure.bare_figure(
        "x", [1.0, 2.0, 3.0], unit="s", aim=Aim(value_at_least=5), explanation="what it is"
    )
    assert (found.value, found.floor, found.ratio, found.runs) == (2.0, None, None, 3)
    assert found.spread == pytest.approx(0.5)
    assert found.met is False


def test_a_tail_is_taken_over_all_samples_and_its_spread_over_the_rounds() -> None:
    found = measure.tail_figure(
        "x",
        [([1.0] * 99, [1.0] * 10), ([1.0] * 98 + [9.0], [1.0] * 10)],
        unit="s",
        floor_name="a floor",
        aim=NO_AIM,
        explanation="what it is",
    )
    assert (found.value, found.floor, found.runs) == (1.0, 1.0, 2)
    assert found.ratio == pytest.approx(5.0)


# The machine -------------------------------------------------------------------------------------


def test_what_others_used_is_told_as_a_share_of_all_processors() -> None:
    before, after = Instant(0.0, 100.0, 10.0, 0.0), Instant(10.0, 115.0, 20.0, 0.0)
    assert machine.others_part(before, after, 2) == pytest.approx(0.25)
    assert machine.others_part(before, before, 2) == 0.0


def test_a_busy_machine_is_warned_about_and_a_quiet_one_is_not() -> None:
    assert machine.warning(0.02, 0.3, 2) is None
    assert "others used 60%" in str(machine.warning(0.6, 0.3, 2))
    assert machine.warning(0.02, 4.0, 2) is not None


def test_the_machine_is_told_from_the_kernel_s_own_counts() -> None:
    told = machine.told(Instant.now(), 0.5, quick=True)
    assert told["cpus"] >= 1
    assert 0 <= told["others"] <= 1
    assert told.keys() <= MACHINE.keys()


# The report --------------------------------------------------------------------------------------


def test_the_report_names_what_is_missed_and_by_how_much(result: dict[str, Any]) -> None:
    text = markdown.render(result, {})
    assert "**2 of 3 aims are met; not met: till.latency.**" in text
    assert "| till.latency | ≤ 2.5x | 5.00x ± 0% | 50% of the aim |" in text
    assert "| growth.commit | 1.05 ms | 1 ms | 1.05x ± 2% | ≤ 1.15x | met |" in text
    assert "| daemon.memory | 70 ms | 35 ms | 2.00x | ≤ 80 | met |" in text
    assert "`till.latency`: what till.latency is. Floor: a floor. 2 rounds." in text


def test_the_report_has_the_machine_the_comparison_the_profile_and_what_is_missing(
    result: dict[str, Any],
) -> None:
    text = markdown.render(result, {})
    assert "| measured | 2026-01-01 00:00 UTC, 61 s |" in text
    assert "| ours | 1,000 |" in text
    assert "| · the rest | 35 | 35 |" in text
    assert "| · in Python | 250 | 250 |" in text
    assert "| crowd.cpu | no \\| room |" in text
    assert "| x | failed: it broke |" in text
    assert "Warning" not in text


def test_the_report_warns_of_a_busy_machine(result: dict[str, Any]) -> None:
    result["machine"] |= {"warning": "The machine was busy.", "quick": True}
    text = markdown.render(result, {})
    assert "> **Warning.** The machine was busy." in text
    assert "quick form" in text


def test_growth_is_a_table_with_every_line_and_a_gap_where_nothing_was_measured(
    result: dict[str, Any],
) -> None:
    result["series"][1]["lines"][0]["points"] = [[1_000_000, 9.0]]
    text = markdown.render(result, {})
    assert "| 1,000 | 1 | 0.7 | - |" in text
    assert "| 1,000,000 | 1.2 | 0.7 | 9 |" in text


def test_the_report_is_written_with_its_pictures_and_its_data(
    result: dict[str, Any], tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    path = markdown.write(result, tmp_path / "report")
    text = path.read_text()
    for name in ("overview", "sales-held", "profile"):
        assert f"({name}.png)" in text
        assert (path.parent / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((path.parent / "bench.json").read_text()) == result


def test_without_matplotlib_the_report_says_how_to_get_plots(
    result: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "scripts.benchmarks.plots", None)
    monkeypatch.delattr("scripts.benchmarks.plots", raising=False)
    text = markdown.write(result, tmp_path).read_text()
    assert "Plots need matplotlib" in text
    assert ".png" not in text


def test_an_empty_run_has_a_report_too(tmp_path: Path) -> None:
    bench = Bench(tmp_path, True, frozenset(), lambda text: None)
    assert "0 of 0 aims are met." in markdown.render(report.result_of(bench, MACHINE), {})


# The command line --------------------------------------------------------------------------------


def test_an_earlier_run_is_shown_and_reported_again(result: dict[str, Any], tmp_path: Path) -> None:
    file, folder = tmp_path / "old.json", tmp_path / "again"
    result["failed"] = []
    file.write_text(json.dumps(result))
    told = CliRunner().invoke(command, ["--again", str(file), "--report", str(folder)])
    assert told.exit_code == 0, told.output
    assert "2 of 3 aims are met" in told.stdout
    assert (folder / "report.md").exists()
    as_json = CliRunner().invoke(command, ["--again", str(file), "--json"])
    assert json.loads(as_json.stdout) == result


def test_a_failed_figure_is_an_exit_status(result: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "old.json"
    file.write_text(json.dumps(result))
    told = CliRunner().invoke(command, ["--again", str(file)])
    assert told.exit_code == 1
    assert "it broke" in told.stdout
    assert "no | room" in told.stdout


@pytest.mark.parametrize("after", [["--quick"], []])
def test_a_report_needs_no_directory(after: list[str]) -> None:
    context = command.make_context("bench", ["--report", *after])
    assert context.params["report_dir"].parts[-2:] == ("var", "bench")
    assert context.params["quick"] is bool(after)


def test_a_report_takes_a_directory(tmp_path: Path) -> None:
    context = command.make_context("bench", ["--quick", "--report", str(tmp_path)])
    assert context.params["report_dir"] == tmp_path


def test_the_help_teaches() -> None:
    told = CliRunner().invoke(command, ["--help"])
    assert told.exit_code == 0
    for part in ("./scripts/bench --quick", "--again", "Exit status", "20 minutes"):
        assert part in told.output


def test_numbers_are_short_enough_to_read() -> None:
    assert [report.amount(one) for one in (0.0, 0.123456, 12.3456, 1234.56)] == [
        "0",
        "0.1235",
        "12.35",
        "1,235",
    ]


def test_a_skipped_figure_is_in_the_json_with_its_reason(result: dict[str, Any]) -> None:
    assert result["skipped"] == [{"name": "crowd.cpu", "reason": "no | room"}]
    assert Skipped("x", "y").reason == "y"
