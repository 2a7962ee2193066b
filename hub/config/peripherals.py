"""Settings of what hangs on the hub's own box: an array of tables, one a peripheral.

What a driver makes of its options only the driver knows: that is looked at when the hub starts, and
the peripheral then says what is wrong.
"""

from __future__ import annotations

import difflib
from typing import Annotated

from pydantic import Field
from pydantic_core import PydanticCustomError

from hub.config.base import Section
from hub.contract.base import DeviceId
from hub.contract.peripherals import (
    OPTIONS_MAX,
    PERIPHERALS_MAX,
    SERVES_MAX,
    DriverKey,
    OptionName,
    PeripheralName,
)

Option = bool | int | str


class Peripheral(Section):
    """What hangs on this box: a printer, cash drawer, scanner, scale or display. Repeat the section
    for each. `store-hub peripherals drivers` lists the drivers with their options, `store-hub
    peripherals find` what is there."""

    id: DeviceId = Field(
        description="Its name in topics and lists: 3 to 40 of a-z, 0-9 and '-'.",
        examples=["printer-counter"],
    )
    driver: DriverKey = Field(
        description="What drives it; `store-hub peripherals drivers` lists them.",
        examples=["escpos-printer"],
    )
    address: Annotated[str, Field(max_length=200, pattern=r"^[!-~]*$")] = Field(
        default="",
        description="Where it is: tcp://HOST:9100, usb://VENDOR:PRODUCT/SERIAL,"
        " usb-raw://VENDOR:PRODUCT/SERIAL (without the driver usblp),"
        " serial:///dev/serial/by-id/…?baud=9600, hid:///dev/input/by-id/… or device:TILL (what a"
        " till lends). Empty where the driver needs none.",
        examples=["tcp://192.0.2.7:9100"],
    )
    name: PeripheralName = Field(
        default="", description="What people call it.", examples=["Receipts, counter"]
    )
    serves: tuple[DeviceId, ...] = Field(
        default=(),
        strict=False,
        max_length=SERVES_MAX,
        description="Ids of the tills it belongs to; empty: every till that has none of its own.",
        examples=[["till-01"]],
    )
    via: DeviceId | None = Field(
        default=None,
        description="The peripheral it hangs on: a drawer or display at a printer.",
        examples=["printer-counter"],
    )
    fallback: DeviceId | None = Field(
        default=None,
        description="Printers: who prints when this one can't.",
        examples=["printer-office"],
    )
    options: dict[OptionName, Option] = Field(
        default_factory=dict,
        max_length=OPTIONS_MAX,
        description="The driver's own, in a section [peripherals.options] below it.",
    )


def check_all(found: tuple[Peripheral, ...]) -> tuple[Peripheral, ...]:
    """Refuse more than 32, an id that comes twice, and ``via`` or ``fallback`` of nobody."""
    if len(found) > PERIPHERALS_MAX:
        raise _wrong(PERIPHERALS_MAX, "id", f"more than {PERIPHERALS_MAX} peripherals")
    ids = [one.id for one in found]
    for index, one in enumerate(found):
        if one.id in ids[:index]:
            raise _wrong(index, "id", f"the id {one.id!r} comes twice")
        for field, other in (("via", one.via), ("fallback", one.fallback)):
            if other == one.id:
                raise _wrong(index, field, f"{field}: {other!r} can't lean on itself")
            if other is not None and other not in ids:
                near = difflib.get_close_matches(other, {*ids} - {one.id}, n=1)
                hint = f", did you mean {near[0]!r}?" if near else ""
                raise _wrong(index, field, f"{field}: there is no peripheral {other!r}{hint}")
    return found


def _wrong(index: int, field: str, message: str) -> PydanticCustomError:
    return PydanticCustomError(
        "peripherals", "{message}", {"index": index, "field": field, "message": message}
    )
