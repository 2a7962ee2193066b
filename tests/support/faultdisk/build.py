"""Compiling the faulty disk on first use."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
SOURCES = ("faultdisk.c", "platters.h")
HEADER = Path("/usr/include/sqlite3ext.h")
FLAGS = ("-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread")
NEEDS = "run ./scripts/setup, or: apt-get install --no-install-recommends gcc libc6-dev"


class NoCompiler(RuntimeError):
    """What the faulty disk is compiled with isn't on this machine."""


def built() -> Path:
    """The compiled disk; a change of its sources makes a new one.

    Errors: :class:`NoCompiler`, naming what is missing; RuntimeError with the compiler's words.
    """
    digest = sha256("\0".join(FLAGS).encode())
    for name in SOURCES:
        digest.update((HERE / name).read_bytes())
    place = _place()
    library = place / f"faultdisk-{digest.hexdigest()[:16]}.so"
    if not library.exists():
        _compile(library)
    return library


def _place() -> Path:
    place = ROOT / "var" / "faultdisk"
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError:
        place = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "store-hub-tests"
        place.mkdir(parents=True, exist_ok=True)
    return place


def _compile(library: Path) -> None:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or not HEADER.exists():
        raise NoCompiler(f"the faulty disk needs gcc and {HEADER}: {NEEDS} libsqlite3-dev")
    # Beside its final place, so that test processes that start together don't meet a half one.
    handle, part = tempfile.mkstemp(prefix=library.stem, suffix=".part", dir=library.parent)
    os.close(handle)
    try:
        done = subprocess.run(
            [compiler, *FLAGS, "-o", part, str(HERE / "faultdisk.c")],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if done.returncode:
            raise RuntimeError(f"the faulty disk doesn't compile:\n{done.stderr}")
        Path(part).replace(library)
    finally:
        Path(part).unlink(missing_ok=True)
