"""What is for technicians only is not even there for a device, a manager signed in on it or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.contract.publish import samples
from hub.contract.registry import OPERATIONS, Door, Operation
from tests.support.shop import Shop

FOR_TECHNICIANS = [row for row in OPERATIONS.values() if Door.DEVICE not in row.doors]


@pytest.fixture
def manned(tmp_path: Path) -> Iterator[Shop]:
    """A shop with a manager at the first till."""
    shop = Shop(tmp_path)
    shop.sign_in("till-1", "mia")
    yield shop
    shop.close()


@pytest.mark.parametrize("row", FOR_TECHNICIANS, ids=lambda row: "/".join(row.address))
def test_no_device_reaches_a_technician_s_operation(manned: Shop, row: Operation) -> None:
    address = "/".join(row.address)
    with manned.unchanged():
        for device in ("till-1", "till-2"):
            problem = manned.no(device, address, samples.REQUESTS[row.address])
            assert problem["code"] == "not-found"


def test_technicians_have_what_the_pages_offer() -> None:
    offered = {"/".join(row.address) for row in FOR_TECHNICIANS}
    assert offered >= {
        *("device/rename", "device/revoke", "outbox/retry", "outbox/park", "outbox/give-up"),
        "log/level",
    }
