"""The keyboard of the virtual machine types what the hub's own reading of keys understands."""

from __future__ import annotations

import pytest

from scripts.usbvm.gadget import KEYBOARD, REPORT_BYTES, keys


def test_each_key_goes_down_and_up_again() -> None:
    reports = keys("a1")
    assert [one.hex() for one in reports[::2]] == [
        "0000040000000000",
        "00001e0000000000",
        "0000280000000000",
    ]
    assert set(reports[1::2]) == {bytes(REPORT_BYTES)}


def test_capitals_are_typed_with_shift() -> None:
    assert keys("Z")[0] == bytes((2, 0, 0x1D, 0, 0, 0, 0, 0))


def test_a_sign_without_a_key_is_refused() -> None:
    with pytest.raises(ValueError, match="no key"):
        keys("4,5")


def test_the_descriptor_is_that_of_a_boot_keyboard() -> None:
    assert (len(KEYBOARD), KEYBOARD[:6].hex(), KEYBOARD[-1]) == (63, "05010906a101", 0xC0)
