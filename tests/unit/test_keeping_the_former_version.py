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


def keep(
    tmp_path: Path, *, tar: str = "", conffiles: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
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
    (info / "store-hub.md5sums").touch()
    (info / "store-hub.conffiles").write_text("".join(f"{one}\n" for one in conffiles))
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


def test_a_settings_file_that_was_deleted_does_not_keep_the_rest_from_being_kept(
    tmp_path: Path,
) -> None:
    there = str(tmp_path / "installed" / "file")
    done = keep(tmp_path, conffiles=("/etc/default/no-such-hub", there))
    assert done.returncode == 0, done.stdout + done.stderr
    package = str(tmp_path / "cache" / "former.deb")
    listed = subprocess.run(
        ["dpkg-deb", "-I", package, "conffiles"], capture_output=True, text=True, check=True
    )
    assert listed.stdout.split() == [there]


@pytest.mark.parametrize("tar", ["-c", "-x"])
def test_half_a_package_is_not_kept(tmp_path: Path, tar: str) -> None:
    done = keep(tmp_path, tar=tar)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "refused" in done.stdout
    assert not (tmp_path / "cache" / "former.deb").exists()


def test_the_copy_just_made_is_put_back_though_the_clock_was_set_back(tmp_path: Path) -> None:
    text = (ROOT / "scripts/install").read_text()
    functions = text[text.index("instance_of() {") : text.index("report() {")]
    hub = tmp_path / "store-hub"
    hub.write_text(f'#!/bin/sh\ncat "{tmp_path}/list"\n')
    hub.chmod(0o755)
    program = (
        f"set -euo pipefail\n{functions}\n"
        f'before=$(copies store-hub.service)\ncp "{tmp_path}/after" "{tmp_path}/list"\n'
        'made_since store-hub.service "$before"\n'
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


TELLS = """#!/bin/sh
echo "$(basename "$0") $*" >>"$LOG"
case "$*" in
    *list-units*) echo "store-hub@training.service loaded active running Store Hub" ;;
    *"start store-hub-backup@training.service"*) [ -z "$FULL" ] || exit 1 ;;
    *is-enabled* | *is-active*) [ -z "$OFF" ] || exit 1 ;;
esac
"""


def functions_of_an_upgrade(
    tmp_path: Path, program: str, *, full: str = "", off: str = ""
) -> tuple[int, str, str]:
    """Run it with the script's functions between tools that only write down what they are told;
    exit code, output and what the tools were told."""
    text = (ROOT / "scripts/install").read_text()
    functions = text[text.index("instance_of() {") : text.index("report() {")]
    functions = functions.replace("/var/lib/store-hub", f"{tmp_path}/store-hub")
    for name in ("systemctl", "journalctl", "store-hub"):
        (tmp_path / name).write_text(TELLS)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "store-hub@training").mkdir()
    (tmp_path / "store-hub@training" / "hub.db").touch()
    log = tmp_path / "log"
    begin = (
        "set -euo pipefail\nunit=store-hub.service phase=copying cache=/var/cache\n"
        "declare -A copied=()\nsay() { printf '%s\\n' \"$*\"; }\n"
        'die() { printf "%s\\n" "$1" >&2; exit "${2:-1}"; }\n'
    )
    done = subprocess.run(
        ["bash", "-c", f"{begin}{functions}\n{program}"],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "LOG": str(log), "FULL": full, "OFF": off},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr, log.read_text()


ALL = 'mapfile -t units < <(hubs)\nfor one in "${units[@]}"; do copy_books "$one"; done\n'


def test_the_books_of_a_further_hub_are_copied_too(tmp_path: Path) -> None:
    code, said, told = functions_of_an_upgrade(tmp_path, ALL)
    assert code == 0, said
    assert "start store-hub-backup@training.service" in told
    assert f"--directory {tmp_path}/store-hub-backups@training" in told


def test_without_a_copy_of_a_further_hubs_books_all_hubs_start_again(tmp_path: Path) -> None:
    code, said, told = functions_of_an_upgrade(tmp_path, f"trap left EXIT\n{ALL}", full="1")
    assert code == 1
    assert "nothing was changed" in said
    for name in ("store-hub.service", "store-hub@training.service"):
        assert f"systemctl start --no-block {name}" in told


def test_a_hub_that_was_switched_off_stays_so(tmp_path: Path) -> None:
    code, said, _ = functions_of_an_upgrade(tmp_path, "hubs", off="1")
    assert (code, said.split()) == (0, ["store-hub@training.service"])


def test_an_upgrade_that_is_interrupted_says_where_it_stands(tmp_path: Path) -> None:
    traps = "trap left EXIT\ntrap interrupted INT TERM HUP\n"
    cut = f"units=(store-hub.service)\n{traps}kill -TERM $$\nsleep 9\n"
    code, said, told = functions_of_an_upgrade(tmp_path, cut)
    assert (code, "the hub starts again" in said) == (1, True), said
    assert "systemctl start --no-block store-hub.service" in told
    later = tmp_path / "later"
    later.mkdir()
    code, said, _ = functions_of_an_upgrade(later, f"echo >>$LOG\nphase=installing\n{cut}")
    assert (code, "it may be there or not" in said) == (4, True), said


def test_a_further_hub_has_settings_of_its_own(tmp_path: Path) -> None:
    both = "settings_of store-hub.service; settings_of store-hub@training.service; echo >>$LOG"
    _, said, _ = functions_of_an_upgrade(tmp_path, both)
    assert said.split() == ["/etc/store-hub/config.toml", "/etc/store-hub/training.toml"]
