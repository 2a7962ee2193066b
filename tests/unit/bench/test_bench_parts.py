"""How benchmarks turn samples into figures, and how they are chosen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from scripts.benchmarks import measure
from scripts.benchmarks.__main__ import command
from scripts.benchmarks.bench import Bench, between
from scripts.benchmarks.catalogue import ALL_NAMES, FAMILIES, chosen
from scripts.benchmarks.figures import NO_AIM, Aim, Figure
from scripts.benchmarks.report import print_json, result_of


def figure_of(aim: Aim, *rounds: tuple[float, float]) -> Figure:
    return measure.figure(
        "x", rounds, unit="ms", floor_name="a floor", aim=aim, explanation="what it is"
    )


def test_a_figure_is_the_median_of_its_rounds_and_of_their_own_ratios() -> None:
    found = figure_of(Aim(at_most=3), (2.0, 1.0), (9.0, 3.0), (40.0, 10.0))
    assert (found.value, found.floor, found.ratio, found.runs) == (9.0, 3.0, 3.0, 3)
    assert found.met is True


def test_an_aim_bounds_the_ratio_from_below_or_above_or_the_value_itself() -> None:
    assert figure_of(Aim(at_least=0.3), (1.0, 4.0)).met is False
    assert figure_of(Aim(at_most=2.5), (3.0, 1.0)).met is False
    assert figure_of(Aim(value_at_most=80), (79.0, 1.0)).met is True
    assert figure_of(NO_AIM, (1.0, 1.0)).met is None


def test_the_spread_is_the_interquartile_range_as_a_part_of_the_median() -> None:
    assert measure.spread_of([5.0]) == 0.0
    assert measure.spread_of([1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx(2 / 3)


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(n) for n in range(1, 101)]
    assert measure.percentile(values, 0.99) == 99.0
    assert measure.percentile([7.0], 0.99) == 7.0


async def test_rounds_take_floor_and_figure_in_turn() -> None:
    order: list[str] = []

    async def sample(name: str) -> float:
        order.append(name)
        return float(len(order))

    rounds = await measure.interleaved(2, lambda: sample("value"), lambda: sample("floor"))
    assert order == ["floor", "value", "floor", "value"]
    assert rounds == [(2.0, 1.0), (4.0, 3.0)]


def test_what_is_aimed_at_lies_between_that_of_a_fast_and_of_a_slow_disk() -> None:
    fast, slow = (0.1, 1.2), (5.1, 6.2)
    assert between(0.05, fast, slow) == 1.2
    assert between(2.6, fast, slow) == pytest.approx(3.7)
    assert between(9.0, fast, slow) == pytest.approx(6.2)


def test_figures_are_named_exactly_or_by_their_beginning() -> None:
    assert chosen(("till",), quick=True) == {
        "till.latency",
        "till.cpu",
        "till.throughput",
        "till.throughput.slow",
    }
    assert chosen(("sale.1",), quick=True) == {"sale.1", "sale.1.slow"}
    with pytest.raises(ValueError, match=r"there is no figure sal;"):
        chosen(("sal",), quick=True)


def test_the_quick_form_leaves_long_figures_out() -> None:
    assert chosen((), quick=False) == set(ALL_NAMES)
    assert "crowd.cpu" not in chosen((), quick=True)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.names[0])
def test_every_family_has_somebody_who_measures_it(family: object) -> None:
    assert callable(family.load())  # type: ignore[attr-defined]


def test_a_figure_that_nobody_asked_for_is_left_out(tmp_path: Path) -> None:
    bench = Bench(tmp_path, True, frozenset({"x"}), lambda text: None)
    assert bench.sync_ms > 0
    bench.add(figure_of(NO_AIM, (1.0, 1.0)))
    bench.skip("y", "not asked for")
    assert [outcome.name for outcome in bench.outcomes] == ["x"]


def test_the_json_form_is_one_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench(tmp_path, True, frozenset({"x", "y"}), lambda text: None)
    bench.add(figure_of(Aim(at_most=3), (2.0, 1.0)))
    bench.skip("y", "no compiler")
    print_json(result_of(bench, {"cpus": 2, "sync_ms": 0.1}))
    printed = json.loads(capsys.readouterr().out)
    assert printed["machine"] == {"cpus": 2, "sync_ms": 0.1}
    assert printed["skipped"] == [{"name": "y", "reason": "no compiler"}]
    (one,) = printed["figures"]
    assert one["aim"] == "≤ 3x"
    assert one["met"] is True
    assert one.keys() >= {"name", "value", "unit", "floor", "floor_name", "ratio", "spread", "runs"}


def test_an_unknown_name_is_refused_with_the_next_step() -> None:
    result = CliRunner().invoke(command, ["--only", "nothing"])
    assert result.exit_code == 2
    assert "--list shows them all" in result.output


def test_all_figures_can_be_listed() -> None:
    result = CliRunner().invoke(command, ["--list"])
    assert result.exit_code == 0
    assert all(name in result.output for name in ALL_NAMES)
