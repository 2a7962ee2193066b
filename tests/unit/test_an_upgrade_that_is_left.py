"""A hub that an upgrade has stopped is started again, whatever became of the upgrade."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")


def upgrade(tmp_path: Path, steps: str, stdout: int) -> tuple[int, str]:
    """Run ``steps`` as the script's, in the phase in which the hub is stopped; the exit code, and
    what systemctl was told."""
    text = (ROOT / "scripts/install").read_text()
    talk = text[text.index("say() {") : text.index("deb= store=")]
    ends = text[text.index("start_again() {") : text.index("report() {")]
    traps = "\n".join(line for line in text.splitlines() if line.startswith("trap "))
    told = tmp_path / "told"
    told.touch()
    program = (
        "set -euo pipefail\nme=upgrade units=(one two) phase=copying cache=/nowhere\n"
        f"{talk}{ends}\nsystemctl() {{ echo \"$*\" >>'{told}'; }}\n{traps}\n{steps}\n"
    )
    done = subprocess.run(
        ["bash", "-c", program], stdout=stdout, stderr=stdout, timeout=60, check=False
    )
    return done.returncode, told.read_text()


STARTED = "start --no-block one\nstart --no-block two\n"


@pytest.mark.parametrize("steps", ["false", "die nothing", "kill -HUP $$; sleep 60", "exit 1"])
def test_what_ends_before_anything_was_changed_starts_the_hubs_again(
    tmp_path: Path, steps: str
) -> None:
    assert upgrade(tmp_path, steps, subprocess.DEVNULL) == (1, STARTED)


def test_it_goes_on_when_nobody_listens_any_more(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        steps = "say stopped; say copied; phase=installing; say installed; systemctl through"
        assert upgrade(tmp_path, steps, writing) == (0, "through\n")
    finally:
        os.close(writing)


@pytest.mark.parametrize(("whole", "told"), [("true", STARTED), ("false", "")])
def test_interrupted_while_it_installs_it_starts_the_hubs_if_a_version_is_there_whole(
    tmp_path: Path, whole: str, told: str
) -> None:
    steps = f"installed() {{ {whole}; }}; phase=installing; kill -HUP $$; sleep 60"
    assert upgrade(tmp_path, steps, subprocess.DEVNULL) == (4, told)
