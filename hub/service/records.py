"""Records: what a hub hands to the device whose change it made, to have it back exactly.

A record is the events of one request and its answer, sealed with a key that every copy of the hub
keeps.  A device stores it unread.  Offered to a hub that was put back from an older copy, it is
taken in as the cloud's log would be: what was decided once is not judged again.
"""

from __future__ import annotations

import binascii
import hmac
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hub.contract.base import MAX_MESSAGE_BYTES, Command
from hub.contract.envelope import MAX_RECORD_CHARS
from hub.service.answers import quoted, split_success
from hub.service.caller import Caller, CallerKind
from hub.service.internal import InternalCommand
from hub.storage import outbox
from hub.storage.outbox import Emitted
from hub.storage.requests import KnownRequest
from hub.storage.rows import Rows

VERSION = 1
PACK_OVER_BYTES = 12_288
"""Longer content is deflated, which makes the lines of the largest sale fit."""
UNPACKED_BYTES_MAX = 4 * 1_048_576
PURPOSE = "records of answers"
PLAIN_BYTES = 32
"""Of a request's hash without secrets."""
_PLAIN, _PACKED, _SECRETS = b"\0", b"\1", b"\2"
"""How what is hashed under the key begins."""
_MAC_BYTES = 32
_KEYED_BYTES = 16
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")


@dataclass(frozen=True, slots=True)
class Told:
    """A record that this hub, or the one it was copied from, has made; ``result`` is JSON."""

    events: tuple[Emitted, ...]
    result: str


@dataclass(frozen=True, slots=True)
class TakeTold(InternalCommand):
    """Take in what a record says about ``command``; True if that was possible."""

    command: Command
    told: Told


def same_hash(known_hash: bytes, body_hash: bytes) -> bool:
    """Whether two hashes are of one request.  What was written down before secrets counted (see
    ``command_hash``) tells as much as it did then."""
    return known_hash == (body_hash[:PLAIN_BYTES] if len(known_hash) == PLAIN_BYTES else body_hash)


class Recorder:
    """Makes and reads records under one key of 32 bytes (see ``SecretsBox.derive``).

    ``packet_bytes``: the largest message of a device, of which a record takes a third at most.
    """

    def __init__(self, key: bytes, store: str, packet_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._key = key
        self._store = store
        self._chars_max = min(MAX_RECORD_CHARS, packet_bytes // 3)

    def keyed(self, secrets: bytes) -> bytes:
        """A hash of secrets by which nobody without the key finds them."""
        return hmac.digest(self._key, _SECRETS + secrets, "sha256")[:_KEYED_BYTES]

    def make(
        self, device: str, key: str, body_hash: bytes, events: Sequence[Emitted], result: str
    ) -> str | None:
        """The record of a request, or None when it would be longer than a device can send."""
        told = ",".join(
            f'["{one.stream}","{one.type}",{quoted(one.aggregate)},"{one.event_id}",{one.at_ms},'
            f"{one.data}]"
            for one in events
        )
        content = (
            f'{{"v":{VERSION},"store":"{self._store}","device":"{device}","key":{quoted(key)},'
            f'"hash":"{body_hash.hex()}","events":[{told}],"result":{result}}}'
        ).encode()
        if len(content) > PACK_OVER_BYTES:
            body = _PACKED + zlib.compress(content, 1)
        else:
            body = _PLAIN + content
        raw = hmac.digest(self._key, body, "sha256") + body
        record = binascii.b2a_base64(raw, newline=False).translate(_TO_URL)
        return record.decode() if len(record) <= self._chars_max else None

    def add(
        self, answer: str, caller: Caller, key: str, body_hash: bytes, events: Sequence[Emitted]
    ) -> str:
        """``answer`` (a yes) with its record, if it is one to be kept by a device."""
        if not events or caller.kind is not CallerKind.DEVICE:
            return answer
        _, result = split_success(answer)
        record = self.make(caller.id, key, body_hash, events, result)
        return f'{answer[:-1]},"record":"{record}"}}' if record else answer

    def add_again(
        self, rows: Rows, known: KnownRequest, caller: Caller, key: str, body_hash: bytes
    ) -> str:
        """A stored answer with its record, as long as its events are kept as they were."""
        if not known.events:
            return known.reply
        seq, _ = split_success(known.reply)
        found = outbox.span(rows, seq, known.events)
        if len(found) < known.events or any(outbox.is_parked(rows, row.id) for row in found):
            return known.reply
        return self.add(known.reply, caller, key, body_hash, [row.event for row in found])

    def read(self, record: str, caller: Caller, key: str, body_hash: bytes) -> Told | None:
        """What a record says, or None when it isn't this hub's word on this very request of this
        very device."""
        if caller.kind is not CallerKind.DEVICE or not 0 < len(record) <= MAX_RECORD_CHARS:
            return None
        try:
            raw = binascii.a2b_base64(record.encode("ascii").translate(_FROM_URL), strict_mode=True)
        except ValueError:
            return None
        mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, hmac.digest(self._key, body, "sha256")):
            return None
        # What follows is in our own words.
        content = _unpacked(body)
        told = json.loads(content) if content is not None else {}
        ours = (VERSION, self._store, caller.id, key)
        if tuple(told.get(name) for name in ("v", "store", "device", "key")) != ours:
            return None
        if not same_hash(bytes.fromhex(told["hash"]), body_hash):
            return None
        events = tuple(
            Emitted(stream, type_, aggregate, event_id, at_ms, _plain(data))
            for stream, type_, aggregate, event_id, at_ms, data in told["events"]
        )
        return Told(events, _plain(told["result"]))


def _unpacked(body: bytes) -> bytes | None:
    kind, rest = body[:1], body[1:]
    if kind == _PLAIN:
        return rest
    if kind != _PACKED:
        return None
    unpacking = zlib.decompressobj()
    content = unpacking.decompress(rest, UNPACKED_BYTES_MAX)
    return content if unpacking.eof else None


def _plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
