"""The shop that ``scripts/run`` opens: it sells by itself, closes cleanly, and goes on."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OPEN_S = 100.0
CLOSE_S = 80.0


class Run:
    """A living shop's process and what it printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.said = ""

    async def until(self, pattern: str) -> re.Match[str]:
        """Read on until something matches."""
        assert self._process.stdout is not None
        async with asyncio.timeout(OPEN_S):
            while (found := re.search(pattern, self.said)) is None:
                line = await self._process.stdout.readline()
                assert line, f"it ended without {pattern!r}:\n{self.said}"
                self.said += line.decode()
        return found

    async def close(self, number: signal.Signals) -> int:
        """Send a signal; the exit status."""
        self._process.send_signal(number)
        async with asyncio.timeout(CLOSE_S):
            rest, _ = await self._process.communicate()
        self.said += rest.decode()
        assert self._process.returncode is not None
        return self._process.returncode


@asynccontextmanager
async def living_shop(state: Path, *more: str) -> AsyncIterator[Run]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scripts.living_shop", "--plain", "--state", str(state)),
        *("--tills", "2", "--rate", "600", *more),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield Run(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def left_behind(state: Path) -> list[str]:
    """Processes that still work on the shop's directory."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if folder.name.isdigit() and os.fsencode(state) in command:
            found.append(f"{folder.name} {command!r}")
    return found


@pytest.mark.timeout(600)
@pytest.mark.xdist_group("living-shop")
async def test_a_living_shop_sells_closes_and_goes_on_where_it_was(tmp_state: Path) -> None:
    state = tmp_state / "shop"
    async with living_shop(state) as shop:
        await shop.until(r"2 tills are paired over TLS")
        await shop.until(r"opening stock of \d+ products")
        await shop.until(r"sign in with +[0-9A-Z]{4}-[0-9A-Z]{4}")
        fingerprint = (await shop.until(r"CA fingerprint +([0-9a-f]{64})"))[1]
        await shop.until(r"cloud link up, \d+ events waiting, [1-9]\d* sales at the cloud")
        assert await shop.close(signal.SIGINT) == 0, shop.said
        assert "goes on" in shop.said
        assert left_behind(state) == []

    async with living_shop(state) as shop:
        await shop.until(r"2 tills are paired already")
        assert (await shop.until(r"CA fingerprint +([0-9a-f]{64})"))[1] == fingerprint
        await shop.until(r"[1-9]\d* sales, ")
        assert "opening stock" not in shop.said
        async with living_shop(state) as second:
            await second.until(r"runs on .* already")
        assert await shop.close(signal.SIGTERM) == 0, shop.said
        assert left_behind(state) == []


async def test_a_directory_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("dear")
    async with living_shop(tmp_path, "--fresh") as shop:
        await shop.until(r"holds something else")
    assert [one.name for one in tmp_path.iterdir()] == ["letters.txt"]
