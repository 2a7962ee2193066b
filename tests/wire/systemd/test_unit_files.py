"""The unit files stand up to systemd's own checks, and the checks notice what they are for."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from hub.config.fields import all_settings

PROJECT = Path(__file__).parents[3]
UNITS = PROJECT / "systemd"
UNIT = UNITS / "store-hub.service"

pytestmark = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs the Debian package systemd"
)


def verify(*units: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PROJECT / "scripts" / "verify-units"), *map(str, units)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def changed(directory: Path, old: str, new: str) -> Path:
    text = UNIT.read_text(encoding="utf-8")
    assert text.count(old) == 1
    copy = directory / UNIT.name
    copy.write_text(text.replace(old, new), encoding="utf-8")
    return copy


def test_every_unit_is_understood_in_full_and_exposed_little() -> None:
    result = verify()

    assert (result.returncode, result.stderr) == (0, "")
    for unit in UNITS.glob("*.service"):
        assert re.search(rf"^exposure \d\.\d .*: {re.escape(unit.name)}$", result.stdout, re.M)


def test_a_misspelt_key_is_refused(tmp_path: Path) -> None:
    result = verify(changed(tmp_path, "WatchdogSec=30", "WatchdogSeconds=30"))

    assert result.returncode == 1
    assert "WatchdogSeconds" in result.stderr


def test_a_value_that_systemd_would_ignore_is_refused(tmp_path: Path) -> None:
    result = verify(changed(tmp_path, "KillMode=mixed", "KillMode=all"))

    assert result.returncode == 1
    assert "KillMode" in result.stderr or "kill mode" in result.stderr.lower()


def test_a_weakened_sandbox_is_refused(tmp_path: Path) -> None:
    result = verify(changed(tmp_path, "ProtectKernelModules=yes\n", ""))

    assert result.returncode == 1
    assert "exposed more than 1.5" in result.stderr


@pytest.mark.parametrize("name", ["store-hub", "store-hub-backup", "store-hub-verify"])
def test_a_second_hubs_units_differ_in_what_names_the_instance_only(name: str) -> None:
    def settings(unit: Path) -> list[str]:
        lines = unit.read_text(encoding="utf-8").splitlines()
        return [line for line in lines if line and not line.startswith(("#", "Description="))]

    usual = settings(UNITS / f"{name}.service")
    further = settings(UNITS / f"{name}@.service")
    assert len(usual) == len(further)
    for one, other in zip(usual, further, strict=True):
        without = other.replace(" --config /etc/store-hub/%i.toml", "").replace("/%i.", "/config.")
        assert without.replace("@%i", "").replace("-%i", "") == one
        if one.startswith(
            ("User=", "StateDirectory=", "RuntimeDirectory=", "Load", "Assert", "Exec")
        ):
            assert "%i" in other


@pytest.mark.parametrize("unit", sorted(UNITS.glob("*.service")), ids=lambda unit: unit.stem)
def test_every_unit_is_handed_each_secret_that_the_settings_have(unit: Path) -> None:
    lines = unit.read_text(encoding="utf-8").splitlines()
    handed = {line.split("=")[1].partition(":")[0] for line in lines if line.startswith("LoadC")}
    assert handed == {key for key, setting in all_settings().items() if setting.secret}


def test_the_unit_keeps_what_a_shop_relies_on() -> None:
    lines = UNIT.read_text(encoding="utf-8").splitlines()

    for needed in (
        "Type=notify",
        "ExecStart=/opt/store-hub/venv/bin/store-hub run",
        "WatchdogSec=30",
        "Restart=always",
        "StartLimitIntervalSec=0",
        "KillMode=mixed",
        "LimitCORE=0",
        "SystemCallFilter=pidfd_getfd",  # silent connections to the broker are closed by it
    ):
        assert needed in lines
    # An absolute path fails the start of a hub that lacks this one secret.
    assert not [line for line in lines if line.startswith("LoadCredential=") and "/" in line]
