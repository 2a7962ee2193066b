"""The ``store-hub`` program, as a script sees it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from hub.cli import COMMANDS, Entry, root
from hub.cli.common import fail, run_async
from hub.cli.program import LazyGroup

STORE = '[store]\nid = "367"\ntimezone = "Europe/Berlin"\ncurrency = "EUR"\n'


def store_hub(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("STORE_HUB")}
    return subprocess.run(
        [sys.executable, "-c", "from hub.cli import main; main()", *args],
        capture_output=True,
        text=True,
        timeout=200,
        env=clean | env,
        check=False,
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(STORE)
    return path


def test_help_lists_the_commands_that_exist() -> None:
    done = store_hub("--help")
    assert done.returncode == 0
    assert "config" in done.stdout
    assert "version" in done.stdout


def test_importing_the_command_line_stays_light() -> None:
    heavy = ("pydantic", "rich", "aiohttp", "asyncio", "cryptography", "paho", "hub.config")
    code = f"import sys, hub.cli; print([one for one in {heavy!r} if one in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=200, check=True
    )
    assert done.stdout.strip() == "[]"


def test_an_entry_without_its_module_is_simply_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = (*COMMANDS, Entry("later", "not_yet_written", "Comes later."))
    monkeypatch.setattr("hub.cli.program.COMMANDS", entries)
    result = CliRunner().invoke(root, ["--help"])
    assert result.exit_code == 0
    assert "later" not in result.output
    assert CliRunner().invoke(root, ["later"]).exit_code == 2


def test_a_mistyped_command_gets_the_nearest_name() -> None:
    result = CliRunner().invoke(root, ["confg"])
    assert result.exit_code == 2
    assert "did you mean 'config'?" in result.output


def test_every_command_that_exists_has_help() -> None:
    assert isinstance(root, LazyGroup)
    context = click.Context(root)
    for name in root.list_commands(context):
        result = CliRunner().invoke(root, [name, "--help"])
        assert result.exit_code == 0, name
        assert "usage:" in result.output.lower()


def test_version_tells_what_the_hub_stands_on() -> None:
    done = store_hub("version", "--json")
    facts = json.loads(done.stdout)
    assert set(facts) == {"store-hub", "python", "sqlite", "mosquitto"}
    assert facts["sqlite"] is not None
    assert "sqlite" in store_hub("version").stdout


def test_config_check_says_yes(file: Path) -> None:
    done = store_hub("config", "check", str(file))
    assert done.returncode == 0
    assert "good" in done.stdout
    assert json.loads(store_hub("config", "check", str(file), "--json").stdout) == {
        "ok": True,
        "problems": [],
    }


def test_config_check_explains_each_problem_and_exits_with_one(file: Path) -> None:
    file.write_text(STORE + "[web]\nprot = 1\nsession_idle_s = 1\n")
    done = store_hub("config", "check", str(file))
    assert done.returncode == 1
    assert f"{file}:6: unknown setting 'web.prot'" in done.stdout
    assert "did you mean web.port?" in done.stdout
    assert f"{file}:7: web.session_idle_s: too small" in done.stdout
    assert "2 problems" in done.stdout
    as_json = store_hub("config", "check", str(file), "--json")
    assert as_json.returncode == 1
    keys = [problem["key"] for problem in json.loads(as_json.stdout)["problems"]]
    assert keys == ["web.prot", "web.session_idle_s"]


def test_config_check_names_peripherals_that_no_driver_takes(file: Path) -> None:
    good = [
        'id = "drawer-1"\ndriver = "printer-drawer"\nvia = "printer-1"',
        'id = "printer-1"\ndriver = "escpos-printer"\naddress = "tcp://192.0.2.7"',
        'id = "printer-2"\ndriver = "lent-printer"\naddress = "device:till-01"',
    ]
    bad = [
        'id = "printer-3"\ndriver = "escpos"\naddress = "tcp://192.0.2.7"',
        'id = "printer-4"\ndriver = "escpos-printer"\naddress = "192.0.2.7"',
    ]
    file.write_text("\n[[peripherals]]\n".join([STORE, *good]))
    assert store_hub("config", "check", str(file)).returncode == 0
    file.write_text("\n[[peripherals]]\n".join([STORE, *good, *bad]))
    done = store_hub("config", "check", str(file))
    assert done.returncode == 1
    assert "printer-3 can't be driven: there is no driver 'escpos'" in done.stdout
    assert "printer-4 can't be driven: '192.0.2.7': expected to begin with" in done.stdout
    assert "2 problems" in done.stdout


def test_config_show_tells_values_and_origins_and_masks_secrets(file: Path) -> None:
    printer = '[[peripherals]]\nid = "printer-1"\ndriver = "escpos-printer"\n'
    file.write_text(STORE + '[cloud]\ntoken = "hunter2-hunter2"\n' + printer)
    options = ("--config", str(file), "--set", "log.level=debug", "config", "show")
    shown = store_hub(*options, STORE_HUB__WEB__PORT="9443").stdout
    assert "hunter2" not in shown
    rows = {row.split()[0]: row.split(maxsplit=2)[1:] for row in shown.splitlines()}
    assert rows["log.level"] == ['"debug"', "--set log.level"]
    assert rows["web.port"] == ["9443", "env STORE_HUB__WEB__PORT"]
    assert rows["cloud.token"] == ["********", f"{file}:6"]
    assert rows["storage.queue_limit"] == ["1000", "default"]
    assert rows["peripherals.printer-1.driver"] == ['"escpos-printer"', str(file)]
    body = json.loads(store_hub(*options, "--json").stdout)
    assert body["cloud.token"] == {"value": "**********", "from": f"{file}:6"}
    assert body["store.id"] == {"value": "367", "from": f"{file}:2"}
    key = "peripherals.printer-1.driver"
    assert body[key] == {"value": "escpos-printer", "from": str(file)}


def test_config_may_be_named_after_the_command_or_by_a_variable(file: Path) -> None:
    assert store_hub("config", "show", "--config", str(file)).returncode == 0
    assert store_hub("config", "show", STORE_HUB_CONFIG=str(file)).returncode == 0


def test_config_example_is_itself_a_good_file(tmp_path: Path) -> None:
    example = tmp_path / "example.toml"
    example.write_text(store_hub("config", "example").stdout)
    assert store_hub("config", "check", str(example)).returncode == 0


def test_a_command_without_settings_ends_with_the_next_step(tmp_path: Path) -> None:
    done = store_hub("config", "show", "--config", str(tmp_path / "none.toml"))
    assert done.returncode == 1
    assert done.stdout == ""
    assert "doesn't exist" in done.stderr
    assert "store-hub config example" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_failure_names_its_next_step() -> None:
    @click.command()
    def broken() -> None:
        fail("the hub doesn't answer", next_step="start it: store-hub run")

    result = CliRunner().invoke(broken)
    assert result.exit_code == 1
    assert result.output == ("Error: the hub doesn't answer\nNext step: start it: store-hub run\n")


def test_an_async_command_runs_in_a_loop_and_ends_on_ctrl_c() -> None:
    @click.command()
    @click.option("--stop", is_flag=True)
    @run_async
    async def command(*, stop: bool) -> None:
        if stop:
            raise KeyboardInterrupt
        click.echo("ran")

    assert CliRunner().invoke(command).output == "ran\n"
    assert CliRunner().invoke(command, ["--stop"]).exit_code == 130
