"""An upgrade keeps the installed version as a package: a whole one, or the upgrade ends there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(
    any(shutil.which(name) is None for name in ("bash", "tar", "dpkg-deb")),
    reason="needs the tools of a Debian",
)
CONTROL = """Package: store-hub
Status: install ok installed
Version: 1.2
Architecture: all
Maintainer: nobody
Description: the hub
"""


def keep(tmp_path: Path, *, tar: str = "") -> subprocess.CompletedProcess[str]:
    """Run the script's functions with a package of one file installed, and one that is gone."""
    text = (ROOT / "scripts/install").read_text()
    functions = text[text.index("keep_installed() {") : text.index("copies() {")]
    info, tools = tmp_path / "dpkg" / "info", tmp_path / "tools"
    info.mkdir(parents=True)
    tools.mkdir()
    for name in ("postinst", "prerm", "postrm"):
        script = info / f"store-hub.{name}"
        script.write_text("#!/bin/sh\n")
        script.chmod(0o755)
    for name in ("conffiles", "md5sums"):
        (info / f"store-hub.{name}").touch()
    kept = tmp_path / "installed" / "file"
    kept.parent.mkdir()
    kept.write_text("whole")
    (tmp_path / "status").write_text(CONTROL)
    listed = f"printf '%s\\n' '{kept.parent}' '{kept}' '{kept}.excluded'"
    query = f'#!/bin/sh\nif [ "$1" = -L ]; then {listed}; else cat "{tmp_path}/status"; fi\n'
    fakes = {"dpkg-query": query}
    if tar:
        fakes["tar"] = f'#!/bin/sh\ncase "$1" in {tar}) exit 2 ;; esac\nexec /bin/tar "$@"\n'
    for name, script_text in fakes.items():
        (tools / name).write_text(script_text)
        (tools / name).chmod(0o755)
    program = (
        "set -euo pipefail\nsay() { printf '%s\\n' \"$*\"; }\nfield() { echo 1.2; }\n"
        f'cache="{tmp_path}/cache"\n{functions}\n'
        "keep_installed || { echo refused; exit 1; }\n"
    )
    env = {"PATH": f"{tools}:{os.environ['PATH']}", "DPKG_ADMINDIR": str(tmp_path / "dpkg")}
    return subprocess.run(
        ["bash", "-c", program], env=env, capture_output=True, text=True, timeout=60, check=False
    )


def test_it_is_kept_whole_but_for_what_the_box_itself_has_not(tmp_path: Path) -> None:
    done = keep(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    package = tmp_path / "cache" / "former.deb"
    found = subprocess.run(
        ["dpkg-deb", "-c", str(package)], capture_output=True, text=True, check=True
    ).stdout
    assert "installed/file" in found
    assert "excluded" not in found


@pytest.mark.parametrize("tar", ["-c", "-x"])
def test_half_a_package_is_not_kept(tmp_path: Path, tar: str) -> None:
    done = keep(tmp_path, tar=tar)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "refused" in done.stdout
    assert not (tmp_path / "cache" / "former.deb").exists()


def test_the_copy_just_made_is_put_back_though_the_clock_was_set_back(tmp_path: Path) -> None:
    text = (ROOT / "scripts/install").read_text()
    functions = text[text.index("copies() {") : text.index("report() {")]
    hub = tmp_path / "store-hub"
    hub.write_text(f'#!/bin/sh\ncat "{tmp_path}/list"\n')
    hub.chmod(0o755)
    program = (
        f"set -euo pipefail\n{functions}\n"
        f'before=$(copies)\ncp "{tmp_path}/after" "{tmp_path}/list"\nmade_since "$before"\n'
    )
    older, other, made = ("/b/20260101T000000.000Z", "/b/20260102T000000.000Z", "/b/20200101T0")
    for before in ([], [older, other]):
        (tmp_path / "list").write_text(json.dumps(before, indent=1))
        (tmp_path / "after").write_text(json.dumps([made, *before[1:]], indent=1))
        done = subprocess.run(
            ["bash", "-c", program],
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.stdout.strip(), done.returncode) == (made, 0), done.stderr
