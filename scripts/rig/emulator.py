"""Emulated peripherals: the PyPI package emupos as a process of its own.

It wants Python 3.13 or newer, which this project doesn't: one that is on the machine is used, else
a small Debian 13 is made once (``debootstrap``, needs root) and run by ``chroot``.  Its packages
are installed from ``tests/emulator-requirements.lock``, apart from ours.

``python -m scripts.rig.emulator --setup`` prepares all that and takes a moment when it is done.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.rig.process import ROOT

LOCK = ROOT / "tests" / "emulator-requirements.lock"
KEPT = ROOT / "var" / "emulator"
DEBIAN = Path("/var/cache/store-hub-emulator")
"""Outside of the checkout: whatever walks through that must not fall into a second system."""
_SUITE = "trixie"
_INSIDE = "/opt/emupos"
_START = "from emupos.cli.app import main; main()"
_PYTHONS = ("python3.13", "python3.14", "python3")
_SETUP_TIMEOUT_S = 1500


class NotPrepared(RuntimeError):
    """The emulator can't be run here; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """How the emulator is run.  ``root``: of the system it runs in, None for this one."""

    python: str
    packages: Path
    root: Path | None = None

    def command(self, *arguments: str) -> list[str]:
        """A program and its arguments that run ``emupos ARGUMENTS``."""
        inside = str(self.packages) if self.root is None else _INSIDE
        whole = ["/usr/bin/env", f"PYTHONPATH={inside}", "PYTHONNOUSERSITE=1", "TERM=dumb"]
        whole += [self.python, "-c", _START, *arguments]
        return whole if self.root is None else ["/usr/sbin/chroot", str(self.root), *whole]

    def seen(self, path: Path) -> str:
        """A path as the emulator sees it."""
        return str(path) if self.root is None else f"/{path.relative_to(self.root)}"

    @property
    def scratch(self) -> Path | None:
        """Where its files have to be; None: anywhere."""
        return None if self.root is None else self.root / "tmp"


def runtime() -> Runtime:
    """What ``--setup`` has prepared.  Errors: :class:`NotPrepared`."""
    kept = KEPT / "runtime.json"
    try:
        told = json.loads(kept.read_text())
    except (OSError, ValueError):
        told = {}
    found = None
    if told.get("lock") == _lock_hash():
        root = Path(told["root"]) if told["root"] else None
        found = Runtime(told["python"], Path(told["packages"]), root)
    if found is None or not (found.packages / ".whole").exists():
        raise NotPrepared(
            "the emulated peripherals aren't set up: run ./scripts/setup"
            " (or python -m scripts.rig.emulator --setup)"
        )
    return found


def prepare() -> Runtime:
    """Set up what is missing.  Errors: :class:`NotPrepared`, CalledProcessError."""
    KEPT.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(KEPT / ".lock"):
        try:
            return runtime()
        except NotPrepared:
            pass
        native = _newer_python()
        if native is not None:
            made = Runtime(native[0], KEPT / f"packages-{_lock_hash()}")
            _install(made.packages, native[1])
        else:
            with _one_at_a_time(DEBIAN.with_suffix(".lock")):
                _make_debian()
                made = Runtime("/usr/bin/python3", DEBIAN / _INSIDE[1:], DEBIAN)
                if _told(DEBIAN / _INSIDE[1:] / ".whole") != _lock_hash():
                    _install(made.packages, _version_of(["chroot", str(DEBIAN), made.python]))
        kept = {"python": made.python, "packages": str(made.packages), "lock": _lock_hash()}
        kept["root"] = str(made.root) if made.root else ""
        new = KEPT / "runtime.new"
        new.write_text(json.dumps(kept))
        new.replace(KEPT / "runtime.json")
        return made


def _lock_hash() -> str:
    return hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]


def _told(path: Path) -> str:
    return path.read_text().strip() if path.exists() else ""


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _newer_python() -> tuple[str, str] | None:
    """A Python 3.13 or newer of this machine, and its version as "3.13"."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    versions = sorted(pyenv.glob("3.1[3-9]*/bin/python3"), key=lambda path: path.parts[-3])
    found = [path for name in _PYTHONS if (path := shutil.which(name))]
    for candidate in [*found, *map(str, versions)]:
        version = _version_of([candidate])
        if version in ("3.13", "3.14"):
            return os.path.realpath(candidate) if "shims" not in candidate else candidate, version
    return None


def _version_of(python: Sequence[str]) -> str:
    says = "import sys, ssl, zlib; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run(
        [*python, "-c", says], capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def _install(target: Path, version: str) -> None:
    """With our own pip and its settings, as wheels for the other Python."""
    _say(f"installing {_count(LOCK)} Python packages from {LOCK.relative_to(ROOT)}")
    shutil.rmtree(target, ignore_errors=True)
    machine = platform.machine()
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in (36, 34, 31, 28, 17, 12, 5)]
    platforms += [f"manylinux2014_{machine}", f"linux_{machine}"]
    command = [sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", "--no-input"]
    command += ["install", "--require-hashes", "--only-binary", ":all:", "--no-compile"]
    command += ["--target", str(target), "--python-version", version, "--implementation", "cp"]
    # The lock is whole; our own Python is not the one whose wishes count.
    command += ["--no-deps", "--ignore-requires-python"]
    for one in platforms:
        command += ["--platform", one]
    subprocess.run([*command, "-r", str(LOCK)], check=True, timeout=_SETUP_TIMEOUT_S)
    (target / ".whole").write_text(_lock_hash())


def _count(lock: Path) -> int:
    return len(re.findall(r"(?m)^\S+==", lock.read_text()))


def _make_debian() -> None:
    if (DEBIAN / "usr/bin/python3").exists() and (DEBIAN / ".whole").exists():
        return
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        raise NotPrepared(
            "the emulated peripherals need Python 3.13: install it, or the Debian package"
            " debootstrap and run this as root"
        )
    _say(f"making a small Debian ({_SUITE}) for Python 3.13 in {DEBIAN} (some minutes)")
    shutil.rmtree(DEBIAN, ignore_errors=True)
    DEBIAN.mkdir(parents=True)
    log = Path(tempfile.gettempdir()) / "store-hub-emulator-debootstrap.log"
    command = ["debootstrap", "--variant=minbase", "--include=python3,ca-certificates"]
    with log.open("wb") as out:
        done = subprocess.run(
            [*command, _SUITE, str(DEBIAN), _mirror()],
            stdout=out,
            stderr=out,
            timeout=_SETUP_TIMEOUT_S,
            check=False,
        )
    if done.returncode != 0:
        raise NotPrepared(f"debootstrap failed; its whole output is in {log}")
    for folder in ("var/cache/apt/archives", "var/lib/apt/lists"):
        shutil.rmtree(DEBIAN / folder, ignore_errors=True)
    (DEBIAN / ".whole").touch()


def _mirror() -> str:
    """From where this machine gets its own packages."""
    for path in [*sorted(Path("/etc/apt/sources.list.d").glob("*")), Path("/etc/apt/sources.list")]:
        if path.is_file():
            found = re.search(r"(?m)^(?:URIs:|deb\s+(?:\[.*?\])?)\s*(\S+)", path.read_text())
            if found:
                return found[1]
    raise NotPrepared(f"apt's sources name no mirror; make {DEBIAN} with debootstrap yourself")


def _say(text: str) -> None:
    print(f"setup: {text}", flush=True)


def main() -> int:
    """Entry point of ``python -m scripts.rig.emulator``."""
    parser = argparse.ArgumentParser(prog="scripts.rig.emulator", description=__doc__)
    parser.add_argument("--setup", action="store_true", help="install what is missing")
    if not parser.parse_args().setup:
        parser.print_help()
        return 2
    try:
        prepare()
    except (NotPrepared, subprocess.SubprocessError) as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
