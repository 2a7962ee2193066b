"""Guards and fixtures for every test."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from hub.clock import SystemIds
from tests.besides import pytest_configure, pytest_terminal_summary
from tests.fakes import FakeClock, SeededRandomness, seeded_ids_of
from tests.grouping import (
    pytest_collection_finish,
    pytest_collection_modifyitems,
    pytest_xdist_make_scheduler,
)
from tests.guards import _watched, pytest_addoption, pytest_runtest_teardown

if TYPE_CHECKING:
    from hub.config import Settings

__all__ = [
    "_watched",
    "pytest_addoption",
    "pytest_collection_finish",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_runtest_teardown",
    "pytest_terminal_summary",
    "pytest_xdist_make_scheduler",
]

pytest_plugins = ["pytester"]

# Continuous integration tries the same examples each time; people and campaigns try new ones.  No
# example has a deadline: how long one takes says more of the machine than of the code.
hypothesis.settings.register_profile(
    "patient",
    derandomize=bool(os.environ.get("CI")),
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("patient")


@pytest.fixture
def fake_clock() -> FakeClock:
    """A clock that only the test moves."""
    return FakeClock()


@pytest.fixture
def seeded_randomness() -> SeededRandomness:
    """Randomness that is the same on every run."""
    return SeededRandomness()


@pytest.fixture
def seeded_ids(fake_clock: FakeClock) -> SystemIds:
    """UUIDv7s over ``fake_clock``, the same on every run."""
    return seeded_ids_of(fake_clock)


@pytest.fixture
def tmp_state() -> Iterator[Path]:
    """An empty private directory whose path leaves room for unix sockets (107 bytes)."""
    path = Path(tempfile.mkdtemp(prefix="sh-", dir="/tmp"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def make_settings(tmp_state: Path) -> Callable[..., Settings]:
    """Settings of a test shop: directories that exist, free ports, no mDNS.

    ``make_settings(web={"port": 8443}, cloud={"url": "http://127.0.0.1:9"})`` changes fields.
    """

    def make(**sections: dict[str, Any]) -> Settings:
        from hub.config import Settings

        base: dict[str, dict[str, Any]] = {
            "store": {"id": "367", "timezone": "Europe/Berlin", "currency": "EUR"},
            "paths": {"state": tmp_state / "state", "run": tmp_state / "run"},
            "broker": {"bind": "127.0.0.1", "password_port": 0, "mtls_port": 0},
            "web": {"bind": "127.0.0.1", "port": 0},
            "discovery": {"enabled": False},
            "metrics": {"port": 0},
        }
        for name, fields in sections.items():
            base[name] = base.get(name, {}) | fields
        settings = Settings.model_validate(base)
        settings.paths.state.mkdir(mode=0o700, exist_ok=True)
        settings.paths.run.mkdir(mode=0o700, exist_ok=True)
        return settings

    return make
