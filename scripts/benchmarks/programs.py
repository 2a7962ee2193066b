"""Other programs, run to their end: never longer than this one, gone when it is interrupted."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from scripts.benchmarks.bench import Missing
from scripts.rig.process import ROOT

_GRACE_S = 10.0
_TAIL_CHARS = 300
_LINE_BYTES_MAX = 1 << 22

OnLine = Callable[[str], None]


async def output_of(
    arguments: Sequence[str],
    *,
    timeout_s: float,
    on_line: OnLine | None = None,
    codes: tuple[int, ...] = (0,),
) -> str:
    """What a program writes to its standard output.  It has a process group of its own, which gets
    SIGTERM, and SIGKILL later, when it takes too long or nobody waits any more.

    Errors: RuntimeError quoting the end of its standard error, TimeoutError.
    """
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
        start_new_session=True,
        limit=_LINE_BYTES_MAX,
    )
    try:
        async with asyncio.timeout(timeout_s):
            out, errors, code = await asyncio.gather(
                _lines(process.stdout, on_line), _lines(process.stderr, None), process.wait()
            )
    finally:
        await _end(process)
    if code not in codes:
        told = (errors or out).strip()[-_TAIL_CHARS:]
        raise RuntimeError(f"{Path(arguments[0]).name} ended with status {code}: {told}")
    return out


async def _lines(stream: asyncio.StreamReader | None, on_line: OnLine | None) -> str:
    assert stream is not None
    found = []
    async for raw in stream:
        found.append(line := raw.decode(errors="replace"))
        if on_line is not None:
            on_line(line)
    return "".join(found)


async def _end(process: asyncio.subprocess.Process) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(TimeoutError):
            async with asyncio.timeout(_GRACE_S):
                await process.wait()


async def environment(folder: Path, packages: Sequence[str], timeout_s: float = 300.0) -> Path:
    """The interpreter of a throw-away virtual environment with these packages; made on first use,
    and anew when the list has changed.  Errors: :class:`Missing` when they can't be had."""
    python, marker = folder / "bin" / "python", folder / "packages.txt"
    wanted = "\n".join(packages)
    if python.exists() and marker.exists() and marker.read_text() == wanted:
        return python
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    try:
        await output_of([sys.executable, "-m", "venv", "--clear", str(folder)], timeout_s=timeout_s)
        await output_of([*pip, *packages], timeout_s=timeout_s)
    except (OSError, RuntimeError, TimeoutError) as error:
        raise Missing(f"{', '.join(packages)} can't be installed: {error}") from error
    marker.write_text(wanted)
    return python
