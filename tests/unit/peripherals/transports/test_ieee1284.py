"""What a printer says of itself by IEEE 1284, which not every printer says well."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.peripherals.model import Identity
from devices.peripherals.transports.ieee1284 import TEXT_MAX, identity, introduced
from devices.peripherals.transports.memory import pair


@pytest.mark.parametrize(
    ("said", "known"),
    [
        ("MFG:EPSON;CMD:ESC/POS;MDL:TM-T20II;CLS:PRINTER;", Identity("EPSON", "TM-T20II")),
        (
            "MANUFACTURER:Zebra Technologies ;COMMAND SET:ZPL;MODEL:ZTC ZD420;SN:50J1",
            Identity("Zebra Technologies", "ZTC ZD420", serial="50J1"),
        ),
        ("mfg: Star;mdl:\x07TSP143\x00", Identity("Star", "TSP143")),
        ("MFG:;MANUFACTURER:Star;MDL:A:B", Identity("Star", "A:B")),
        ("no key at all", Identity()),
        ("", Identity()),
    ],
)
def test_maker_model_and_serial_number_are_read(said: str, known: Identity) -> None:
    assert identity(said) == known


def test_the_serial_number_of_the_descriptors_stands_in_for_its_own() -> None:
    assert identity("MFG:EPSON", "X1").serial == "X1"
    assert identity("SN:Y2", "X1").serial == "Y2"


@given(st.text(max_size=300), st.text(max_size=100))
def test_whatever_it_says_is_short_and_printable(said: str, maker: str) -> None:
    told = identity(f"{said};MFG:{maker}")
    for one in (told.maker, told.model):
        assert len(one) <= TEXT_MAX
        assert one.isprintable()


def test_a_wire_that_knows_nothing_of_its_other_side_says_nothing() -> None:
    assert introduced(pair()[0]) == Identity()
