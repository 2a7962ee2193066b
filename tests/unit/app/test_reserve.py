"""Space that is put by, and when the shop stops and goes on."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hub.app.caretaker import MB, Caretaker
from hub.app.reserve import FILE_NAME, Reserve

pytestmark = pytest.mark.may_block  # a few bytes of files


async def nothing() -> None:
    """In the place of a job."""


class Care(Caretaker):
    """A caretaker of a disk of 100 MB that others have ``taken_mb`` of."""

    def __init__(self, state: Path, reserve: Reserve | None) -> None:
        self.reserve_file = state / FILE_NAME
        self.taken_mb = 0
        self.full_writer = False
        self.gate = SimpleNamespace(storage_full=False)
        settings = SimpleNamespace(storage=SimpleNamespace(reserve_mb=16))
        anything = cast(Any, SimpleNamespace(keep=nothing))
        super().__init__(
            cast(Any, settings), cast(Any, self.gate), anything, anything, anything,
            reserve=reserve, writer_full=lambda: self.full_writer,
        )  # fmt: skip

    def free_bytes(self) -> int:
        held = self.reserve_file.stat().st_size if self.reserve_file.exists() else 0
        return (100 - self.taken_mb) * MB - held

    async def at(self, taken_mb: int) -> tuple[bool, bool]:
        """(nothing new is taken in, the reserve is held) after a look at the disk."""
        self.taken_mb = taken_mb
        await self.guard_disk()
        return self.gate.storage_full, self.reserve_file.exists()


def test_space_is_put_by_once_and_given_back_once(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path, 3 * MB)

    assert not reserve.hold(3 * MB - 1)
    assert reserve.hold(3 * MB)
    assert reserve.hold(0)
    assert (tmp_path / FILE_NAME).stat().st_blocks * 512 >= 3 * MB
    assert reserve.release()
    assert not reserve.release()
    assert not reserve.held


async def test_the_shop_goes_on_only_when_the_reserve_is_put_by_again(tmp_path: Path) -> None:
    care = Care(tmp_path, Reserve(tmp_path, 16 * MB))

    assert await care.at(10) == (False, True)
    assert await care.at(60) == (False, True)
    assert await care.at(70) == (True, False)
    assert await care.at(70) == (True, False), "the reserve's own space is no room"
    assert await care.at(69) == (True, False)
    assert await care.at(68) == (False, True)


async def test_a_writer_that_found_the_disk_full_stops_the_shop_too(tmp_path: Path) -> None:
    care = Care(tmp_path, Reserve(tmp_path, 16 * MB))
    await care.at(10)

    care.full_writer = True
    assert await care.at(10) == (True, False)
    care.full_writer = False
    assert await care.at(10) == (False, True)


async def test_without_a_reserve_the_bound_alone_decides(tmp_path: Path) -> None:
    care = Care(tmp_path, None)

    assert [await care.at(mb) for mb in (80, 85, 84)] == [
        (False, False),
        (True, False),
        (False, False),
    ]


def test_a_disk_that_can_not_keep_a_reserve_does_not_stop_the_shop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(code: int) -> None:
        def allocate(_handle: int, _start: int, _length: int) -> None:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(os, "posix_fallocate", allocate)

    reserve = Reserve(tmp_path, MB)
    refused(errno.EOPNOTSUPP)
    assert reserve.hold(10 * MB)
    assert not reserve.held
    refused(errno.EDQUOT)
    assert not reserve.hold(10 * MB)
