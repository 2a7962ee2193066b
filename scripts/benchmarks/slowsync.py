"""A slower disk: a shim that makes fsync(2) and fdatasync(2) take longer, compiled on the spot.

The hub's answer to a slow disk is to let requests share a commit; on a fast one that hardly shows.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from scripts.benchmarks.bench import Missing

_SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
static int slowly(const char *name, int file) {
    static const struct timespec pause = {0, PAUSE_NS};
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    nanosleep(&pause, 0);
    return real(file);
}
int fsync(int file) { return slowly("fsync", file); }
int fdatasync(int file) { return slowly("fdatasync", file); }
"""


def slow_sync_library(folder: Path, pause_ms: float) -> Path:
    """A library for LD_PRELOAD.  Errors: :class:`Missing` without a C compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise Missing("no C compiler to slow fsync down with: apt-get install gcc libc6-dev")
    source, library = folder / "slowsync.c", folder / "slowsync.so"
    source.write_text(_SHIM)
    pause = f"-DPAUSE_NS={int(pause_ms * 1e6)}"
    done = subprocess.run(
        [compiler, "-O1", "-shared", "-fPIC", pause, "-o", str(library), str(source), "-ldl"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Missing(f"the C compiler can't make the shim: {done.stderr.strip()[-200:]}")
    return library
