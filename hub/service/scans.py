"""A scan on its way from a scanner at the hub to its till.

Nothing is kept: a scan is a person's intention of this very moment, so it goes out once (QoS 0)
with a short life, and a till that isn't there never hears of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from hub.contract.scans import (
    SCAN_COMMAND,
    SCAN_LIFE_S,
    ResolveScan,
    Scan,
    ScanEvent,
    ScanResolved,
)
from hub.domain.cards import find_card_data
from hub.service.answers import quoted, split_success
from hub.service.caller import HUB
from hub.service.gate import Gate, Request

MAX_CODE_CHARS: Final = 512
_HUB_FAILED: Final = (
    "The hub could not look this code up: scan it again, or look it up on the till."
)


class ReadCode(Protocol):
    """What a scanner has read: UTF-8, else Latin-1; without suffix and AIM identifier."""

    @property
    def data(self) -> bytes: ...

    @property
    def aim(self) -> str: ...


class NoCode(Protocol):
    """Bytes of a scanner that are no code."""

    @property
    def why(self) -> str: ...

    @property
    def length_bytes(self) -> int: ...


@dataclass(frozen=True, slots=True)
class ScanTold:
    """What is to be told of one scan.  ``scan_json`` is its :class:`Scan`; ``event``, a
    :class:`ScanEvent` as JSON, is there when it came to nothing."""

    scan_id: str
    scan_json: str
    event: bytes | None = None
    expiry_s: int = SCAN_LIFE_S

    def command_for(self, till: str) -> bytes:
        """The message on ``dev/{till}/cmd/scan``: publish with QoS 0 and ``expiry_s``."""
        return (
            f'{{"command_id":"{self.scan_id}","device_id":"{till}","operation":"{SCAN_COMMAND}",'
            f'"data":{self.scan_json}}}'
        ).encode()


def scan_message(gate: Gate, scanner: str, scanned: ReadCode) -> ScanTold:
    """Look a scan up and put into words what its till is told.  ``scanner``: its peripheral's id.

    Never raises for anything that was scanned.  Called on the event loop; it costs one look-up.
    """
    code = _text(scanned.data)
    if len(code) > MAX_CODE_CHARS:
        why = (
            f"A code has at most {MAX_CODE_CHARS} characters, this one {len(code)}: scan it again."
        )
        return _malformed(gate, scanner, why, len(scanned.data))
    body = f'{{"code":{quoted(code)},"aim":{quoted(scanned.aim)}}}'.encode()
    answer = gate.begin(Request(HUB, ResolveScan.service, ResolveScan.operation, body))
    if not isinstance(answer, str) or not answer.startswith('{"ok":true'):
        return _unavailable(gate, scanner, scanned)
    resolved = split_success(answer)[1]
    scan_id = gate.ids.uuid7()
    head = f'{{"scan_id":"{scan_id}","scanner":"{scanner}","scanned_at_ms":{gate.clock.wall_ms()},'
    scan_json = head + resolved[1:]
    if '"why_not":' not in resolved:
        return ScanTold(scan_id, scan_json)
    scan = Scan.model_validate_json(scan_json)
    if scan.why_not == "receipt":  # it came to something
        return ScanTold(scan_id, scan_json)
    return _with_event(scan, len(scanned.data), scan_json)


def misread_message(gate: Gate, scanner: str, misread: NoCode) -> ScanTold:
    """The same for what was no code at all."""
    return _malformed(gate, scanner, misread.why, misread.length_bytes)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _malformed(gate: Gate, scanner: str, why: str, length_bytes: int) -> ScanTold:
    resolved = ScanResolved(code="", why_not="malformed", detail=why)
    return _with_event(_scan(gate, scanner, resolved), length_bytes)


def _unavailable(gate: Gate, scanner: str, scanned: ReadCode) -> ScanTold:
    code = _text(scanned.data)
    shown = code if find_card_data(code) is None else ""
    resolved = ScanResolved(code=shown, why_not="unavailable", detail=_HUB_FAILED)
    return _with_event(_scan(gate, scanner, resolved), len(scanned.data))


def _scan(gate: Gate, scanner: str, resolved: ScanResolved) -> Scan:
    return Scan(
        scan_id=gate.ids.uuid7(),
        scanner=scanner,
        scanned_at_ms=gate.clock.wall_ms(),
        **dict(resolved),
    )


def _with_event(scan: Scan, length_bytes: int, scan_json: str | None = None) -> ScanTold:
    assert scan.why_not is not None
    event = ScanEvent(
        scan_id=scan.scan_id,
        scanner=scan.scanner,
        scanned_at_ms=scan.scanned_at_ms,
        why_not=scan.why_not,
        code=scan.code,
        aim=scan.aim,
        length_bytes=length_bytes,
        detail=scan.detail,
    )
    return ScanTold(
        scan.scan_id,
        scan_json or scan.model_dump_json(exclude_none=True),
        event.model_dump_json().encode(),
    )


__all__ = ["NoCode", "ReadCode", "ScanTold", "misread_message", "scan_message"]
