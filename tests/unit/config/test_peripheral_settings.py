"""``[[peripherals]]`` of the settings' file: read, or refused at its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.config import ConfigError, Loaded, Problem, load
from hub.config.example import example_toml
from hub.web import settingspage

STORE = '[store]\nid = "367"\ntimezone = "Europe/Berlin"\ncurrency = "EUR"\n'
PRINTER = '[[peripherals]]\nid = "printer-1"\ndriver = "escpos-printer"\n'


def loaded(path: Path, text: str) -> Loaded:
    file = path / "config.toml"
    file.write_text(STORE + text)
    return load(file, env={})


def only(path: Path, text: str) -> Problem:
    with pytest.raises(ConfigError) as caught:
        loaded(path, text)
    (problem,) = caught.value.problems
    return problem


def test_they_are_read_in_their_order_with_what_each_says(tmp_path: Path) -> None:
    more = (
        'address = "tcp://192.0.2.7:9100"\nserves = ["till-01"]\n[peripherals.options]\n'
        'width_mm = 58\ncutter = false\nprofile = "x"\n'
        '[[peripherals]]\nid = "drawer-1"\ndriver = "printer-drawer"\nvia = "printer-1"\n'
    )
    first, second = loaded(tmp_path, PRINTER + more).settings.peripherals
    assert (first.id, first.serves) == ("printer-1", ("till-01",))
    assert first.options == {"width_mm": 58, "cutter": False, "profile": "x"}
    assert (second.via, second.fallback, second.options) == ("printer-1", None, {})
    assert loaded(tmp_path, "").settings.peripherals == ()


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (PRINTER + 'adress = "x"\n', 8, "unknown setting 'adress'"),
        (PRINTER + 'driver_ = "x"\n', 8, "unknown setting 'driver_'"),
        ('[[peripherals]]\nid = "printer-1"\n', 5, "driver is missing"),
        ('[[peripherals]]\nid = "P 1"\ndriver = "escpos-printer"\n', 6, "id: "),
        (PRINTER + PRINTER, 9, "comes twice"),
        (PRINTER + 'via = "printer-1"\n', 8, "can't lean on itself"),
        (PRINTER + 'fallback = "printer-2"\n', 8, "no peripheral 'printer-2'"),
        (PRINTER + 'address = "tcp://a b"\n', 8, "wrong shape"),
        (PRINTER + "serves = 5\n", 8, "serves: "),
        ('[peripherals]\nid = "printer-1"\n', 5, "a list of sections"),
        (PRINTER + 'name = "4111 1111 1111 1111"\n', 5, "a card number"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_the_next_step(
    tmp_path: Path, text: str, line: int, words: str
) -> None:
    problem = only(tmp_path, text)
    assert words in problem.message
    assert problem.where == f"{tmp_path}/config.toml:{line}"
    assert problem.next_step
    assert "4111" not in str(problem)


def test_a_slip_in_a_name_is_answered_with_the_right_one(tmp_path: Path) -> None:
    assert only(tmp_path, PRINTER + 'adress = "x"\n').next_step == "did you mean address?"


def test_a_slip_in_another_one_s_id_is_answered_with_it_and_never_with_its_own(
    tmp_path: Path,
) -> None:
    assert "did you mean" not in only(tmp_path, PRINTER + 'fallback = "printer-2"\n').message
    two = PRINTER + PRINTER.replace("printer-1", "office-1") + 'fallback = "printr-1"\n'
    assert only(tmp_path, two).message.endswith("did you mean 'printer-1'?")


def test_more_than_the_bound_are_refused(tmp_path: Path) -> None:
    many = "".join(
        f'[[peripherals]]\nid = "p-{n:02d}"\ndriver = "simulated-x"\n' for n in range(33)
    )
    assert "more than 32" in only(tmp_path, many).message


def test_the_example_shows_one_that_is_valid_once_its_comments_are_removed(tmp_path: Path) -> None:
    text = example_toml()
    shown = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    office = '[[peripherals]]\nid = "printer-office"\ndriver = "escpos-printer"\n'
    kept = [line for line in shown if not line.startswith("via")]
    first, second = loaded(tmp_path, office + "\n".join(kept)).settings.peripherals
    assert (first.id, second.id) == ("printer-office", "printer-counter")
    assert second.options == {"width_mm": 80}


def test_what_is_set_about_them_is_shown_with_the_other_settings(tmp_path: Path) -> None:
    more = 'serves = ["till-01"]\n[peripherals.options]\nwidth_mm = 58\n'
    found = loaded(tmp_path, PRINTER + more)
    assert found.peripheral_rows() == [
        ("printer-1", "driver", "escpos-printer"),
        ("printer-1", "serves", ("till-01",)),
        ("printer-1", "options.width_mm", 58),
    ]
    shown = {one.key: one for one in settingspage.page(found).settings}
    served = shown["peripherals.printer-1.serves"]
    assert (served.section, served.value) == ("peripherals.printer-1", '["till-01"]')
    assert served.origin == str(tmp_path / "config.toml")
    assert served.what.startswith("Ids of the tills")
    assert shown["peripherals.printer-1.options.width_mm"].value == "58"
    assert "peripherals.printer-1.via" not in shown
