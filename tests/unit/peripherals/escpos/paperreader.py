"""Reads ESC/POS back: an independent, strict reading of what the encoder may send."""

from __future__ import annotations

from dataclasses import dataclass, field

CODECS = {
    0: "cp437",
    2: "cp850",
    3: "cp860",
    4: "cp863",
    5: "cp865",
    16: "cp1252",
    17: "cp866",
    18: "cp852",
    19: "cp858",
    46: "cp1251",
}

ONE_PARAMETER = (
    *(b"\x1ba", b"\x1bE", b"\x1b-", b"\x1bd", b"\x1bJ", b"\x1bR"),
    *(b"\x1dB", b"\x1d!", b"\x1dw", b"\x1dh", b"\x1dH", b"\x1dr"),
)


@dataclass
class Read:
    """``lines``: typed text, line by line; ``rasters``: width and height in dots, black dots."""

    lines: list[str] = field(default_factory=list)
    rasters: list[tuple[int, int, int]] = field(default_factory=list)
    barcodes: list[tuple[int, bytes]] = field(default_factory=list)
    qr: list[bytes] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    pages: list[int] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def read_paper(data: bytes) -> Read:
    """Fails on anything that no command of ours begins with."""
    found, at, page, line = Read(), 0, 0, ""
    while at < len(data):
        two, rest = data[at : at + 2], data[at + 2 :]
        if data[at] >= 0x20:
            line += data[at : at + 1].decode(CODECS[page])
            at += 1
        elif data[at] == 0x0A:
            found.lines.append(line)
            line, at = "", at + 1
        elif two == b"\x1bt":
            page = rest[0]
            found.pages.append(page)
            at += 3
        elif two in ONE_PARAMETER:
            at += 3
        elif two in (b"\x1b@", b"\x1b2", b"\x1c."):
            at += 2
        elif two == b"\x1dV":
            assert rest[0] in (65, 66)
            found.cuts.append(rest[0])
            at += 4
        elif two == b"\x1dk":
            found.barcodes.append((rest[0], rest[2 : 2 + rest[1]]))
            at += 4 + rest[1]
        elif data[at : at + 3] == b"\x1d(k":
            length = data[at + 3] + 256 * data[at + 4]
            body = data[at + 5 : at + 5 + length]
            assert len(body) == length
            if body[1] == 80:
                found.qr.append(body[3:])
            at += 5 + length
        elif data[at : at + 4] == b"\x1dv0\x00":
            row_bytes = data[at + 4] + 256 * data[at + 5]
            rows = data[at + 6] + 256 * data[at + 7]
            dots = data[at + 8 : at + 8 + row_bytes * rows]
            assert len(dots) == row_bytes * rows
            black = sum(byte.bit_count() for byte in dots)
            found.rasters.append((row_bytes * 8, rows, black))
            at += 8 + row_bytes * rows
        else:
            raise AssertionError(f"no command begins with {data[at : at + 8]!r} at {at}")
    assert not line, "text without an end of line"
    return found
