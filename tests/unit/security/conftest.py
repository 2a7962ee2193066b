"""A clock and randomness that the tests hold in their hands."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from hub.security.authority import Authority

NOW_MS = 1_780_000_000_000  # 2026-05-28


class HeldClock:
    def __init__(self) -> None:
        self.now_ms = NOW_MS
        self.running_s = 1000.0

    def wall_ms(self) -> int:
        return self.now_ms

    def monotonic_s(self) -> float:
        return self.running_s


class SeededRandomness:
    def __init__(self, seed: int = 1) -> None:
        self._source = Random(seed)

    def uniform(self, low: float, high: float) -> float:
        return self._source.uniform(low, high)

    def token_bytes(self, count: int) -> bytes:
        return self._source.randbytes(count)


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
def randomness() -> SeededRandomness:
    return SeededRandomness()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.open(tmp_path / "tls", store_name="Corner Shop", now_ms=NOW_MS)
