"""A disk that is really full: nothing half stored, look-ups go on, and the shop comes back."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.shop import Shop

pytestmark = pytest.mark.may_block  # mounting is waited for; no loop runs here


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def health(shop: Shop) -> tuple[bool, Exception | None]:
    """Whether the writer thinks the disk full, and whether it gave up."""
    return shop.core.full, shop.core.fatal


def test_a_full_disk_refuses_sales_one_by_one_and_recovers(small_disk: Path) -> None:
    shop = Shop(small_disk, quick=False)
    shop.product("tea", 499, stock=100_000)
    shop.sign_in("till-1")
    line = {"code": "tea", "qty": 1, "unit_price_minor": 499}
    reserve = small_disk / "reserve"
    reserve.write_bytes(bytes(300_000))
    sold, kept = 0, (shop.sale(line, total_minor=499), shop.id())
    first = shop.ask("till-1", "sale/commit", kept[0], key=kept[1])
    for _ in range(3000):
        body, key = shop.sale(line, total_minor=499), shop.id()
        reply = shop.ask("till-1", "sale/commit", body, key=key)
        if not reply.ok:
            break
        sold += 1
    assert (reply.code, reply.problem["retryable"]) == ("storage-full", True)
    assert health(shop) == (True, None)

    with shop.unchanged():
        assert shop.no("till-1", "sale/commit", shop.sale(line, total_minor=499))
        assert shop.level("tea")["sellable"] == 100_000 - sold - 1
        assert shop.ask("till-1", "sale/commit", kept[0], key=kept[1]).text == first.text
        shop.core.checkpoint()
    assert health(shop) == (True, None)
    reserve.unlink()
    assert shop.ask("till-1", "sale/commit", body, key=key).ok
    assert health(shop) == (False, None)
    shop.check_laws()
    shop.restart()
    assert shop.value("SELECT count(*) FROM sales") == sold + 2
    shop.close()
