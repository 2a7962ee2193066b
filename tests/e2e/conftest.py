"""A real browser: Debian's chromium, driven by playwright."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.support.loopthreads import threads_first

if TYPE_CHECKING:
    from tests.e2e.pagekit import Seen
    from tests.hubparts import HubParts

CHROMIUM = "/usr/bin/chromium"
STARTS_WITHIN_S = 120.0


@dataclass(frozen=True, slots=True)
class Chromium:
    """A running chromium and where it listens for its driver."""

    process: subprocess.Popen[bytes]
    address: str


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """One for all tests that run in this process: starting it takes longer than most of them.  The
    tests are skipped where none is installed."""
    if not os.access(CHROMIUM, os.X_OK):
        pytest.skip("needs chromium: apt-get install chromium")
    profile = tmp_path_factory.mktemp("chromium")
    process = subprocess.Popen(
        [
            *(CHROMIUM, "--headless", "--no-sandbox", "--no-first-run"),
            *("--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield Chromium(process, _address(process, profile / "DevToolsActivePort"))
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _address(process: subprocess.Popen[bytes], told: Path) -> str:
    """As chromium writes it into its profile once it listens."""
    until_s = time.monotonic() + STARTS_WITHIN_S
    while process.poll() is None and time.monotonic() < until_s:
        if told.exists() and (lines := told.read_text().splitlines())[1:]:
            return f"http://127.0.0.1:{lines[0]}"
        time.sleep(0.05)
    pytest.fail(f"chromium didn't start listening (ended with {process.poll()})")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_browser(chromium: Chromium) -> AsyncIterator[tuple[Any, Any]]:
    """playwright's driver and its connection: one for all tests of a module, as starting a driver
    takes as long as loading a page."""
    from playwright.async_api import async_playwright

    threads_first()
    async with async_playwright() as playwright:
        kind = playwright.chromium
        if chromium.process.poll() is not None:
            yield kind, None
            return
        found = await kind.connect_over_cdp(chromium.address, timeout=120_000)
        yield kind, found
        await found.close()


@pytest_asyncio.fixture(loop_scope="module")
async def browser(shared_browser: tuple[Any, Any]) -> AsyncIterator[Any]:
    """A headless browser; each test opens contexts of its own in it.  Should the shared one have
    died, the test gets one for itself."""
    kind, shared = shared_browser
    if shared is not None and shared.is_connected():
        yield shared
        return
    found = await kind.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=120_000)
    yield found
    await found.close()


@pytest.fixture
def seen() -> Seen:
    """What ``page`` asks for and complains about."""
    from tests.e2e.pagekit import Seen

    return Seen()


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Any, hub: HubParts, seen: Seen) -> AsyncIterator[Any]:
    """The page of the module's ``hub`` on a phone, not signed in."""
    from tests.e2e.pagekit import opened

    async with opened(browser, hub, seen) as found:
        yield found
