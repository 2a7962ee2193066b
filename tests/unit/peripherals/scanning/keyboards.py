"""Types on a keyboard as the kernel tells it, and reads the streams that are kept as files."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from devices.peripherals.scanning.layouts import LAYOUTS

RECORD = struct.Struct("@llHHi")
SHIFT, CTRL, ALT, ALT_GR, CAPS, ENTER, TAB, F8, RIGHT_BRACE, SPACE = (
    *(42, 29, 56, 100, 58),
    *(28, 15, 66, 27, 57),
)
KEYPAD = dict(zip("7894561230", (71, 72, 73, 75, 76, 77, 79, 80, 81, 82), strict=True))
FIXTURES = Path(__file__).with_name("streams.json")


def event(kind: int, code: int, value: int) -> bytes:
    return RECORD.pack(1_700_000_000, 0, kind, code, value)


def key(code: int, *held: int) -> bytes:
    """A key pressed and released while others are held, with the reports between."""
    sync = event(0, 0, 0)
    scan = event(4, 4, 0x70000 + code)
    down = b"".join(event(1, one, 1) + sync for one in held)
    up = b"".join(event(1, one, 0) + sync for one in reversed(held))
    return down + scan + event(1, code, 1) + sync + event(1, code, 0) + sync + up


def alt_code(digits: str) -> bytes:
    pad = b"".join(key(KEYPAD[one]) for one in digits)
    return event(1, ALT, 1) + event(0, 0, 0) + pad + event(1, ALT, 0) + event(0, 0, 0)


def typed(text: str, layout: str = "us", *, end: Iterable[bytes] = (key(ENTER),)) -> bytes:
    """A text as a scanner with this layout types it: dead keys with a space, GS as Ctrl+]."""
    return b"".join(_one(sign, layout) for sign in text) + b"".join(end)


def _one(sign: str, layout: str) -> bytes:
    if sign == "\x1d":
        return key(RIGHT_BRACE, CTRL)
    found = LAYOUTS[layout]
    for code, levels in found.keys.items():
        for level, (given, held) in enumerate(zip(levels, ((), (SHIFT,), (ALT_GR,)), strict=True)):
            if given == sign:
                dead = (code, level) in found.dead
                return key(code, *held) + (key(SPACE) if dead else b"")
    return alt_code(f"0{ord(sign)}")


def streams() -> dict[str, Any]:
    """By name: what a stream means, its ``layout`` and ``suffix``, its ``keys`` (records of 24
    bytes, reports and times as the kernel of a 64-bit machine writes them; packed by zlib) and the
    ``codes`` that are in it."""
    told: dict[str, Any] = json.loads(FIXTURES.read_text())
    for one in told.values():
        stream = zlib.decompress(base64.b64decode("".join(one["keys"])))
        one["keys"] = b"".join(
            RECORD.pack(*fields) for fields in struct.iter_unpack("<qqHHi", stream)
        )
    return told
