"""Starting sandboxes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from cloud_link.check.bench import Bench
from cloud_link.check.caller import Caller, client_session
from cloud_link.sandbox.app import running_sandbox
from cloud_link.sandbox.context import Settings
from tests.wire.oms.cloud_room import CLOCK, IDS, RANDOMNESS, Cloud, StartCloud


@pytest.fixture
async def start_cloud(tmp_path: Path) -> AsyncIterator[StartCloud]:
    """Start a sandbox with settings; every one is stopped at the end."""
    async with AsyncExitStack() as stack:

        async def start(**changed: Any) -> Cloud:
            given: dict[str, Any] = {"state": tmp_path / "oms", "plain_http": True, **changed}
            settings = Settings(**given)
            running = await stack.enter_async_context(
                running_sandbox(settings, CLOCK, IDS, RANDOMNESS)
            )
            http = await stack.enter_async_context(client_session(running.ca or None))
            secrets = running.secrets
            caller = Caller(
                http,
                running.url,
                settings.stores[0],
                secrets.token,
                CLOCK,
                IDS,
                secrets.signing_secret if settings.signed else None,
            )
            return Cloud(running, caller, Bench(caller, IDS), settings.state)

        yield start


@pytest.fixture
async def cloud(start_cloud: StartCloud) -> Cloud:
    return await start_cloud()
