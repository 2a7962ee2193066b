"""A message as each sink wants it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

from hub import events
from hub.logs.entries import Entry

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_PRIORITIES = {"critical": 2, "error": 3, "warning": 4, "info": 6}


def text_line(entry: Entry) -> str:
    """``entry`` for people, ending in a newline."""
    time = datetime.fromtimestamp(entry.at_ms / 1000, UTC).strftime("%H:%M:%S.%f")[:-3]
    fields = "".join(f" {name}={_plain(str(value))}" for name, value in entry.fields.items())
    line = f"{time}Z {entry.level.upper():<8}{entry.source}: {_plain(entry.message)}{fields}\n"
    return line + "".join(f"    {_plain(row)}\n" for row in entry.trace.splitlines())


def _plain(text: str) -> str:
    return _CONTROL.sub(lambda found: f"\\x{ord(found.group()):02x}", text)


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")


def json_line(entry: Entry, store: str = "") -> str:
    """``entry`` as one JSON object, ending in a newline."""
    body: dict[str, object] = {
        "time": _iso(entry.at_ms),
        "level": entry.level,
        "source": entry.source,
        "message": entry.message,
    }
    if store:
        body["store"] = store
    if entry.trace:
        body["trace"] = entry.trace
    if entry.fields:
        body["fields"] = dict(entry.fields)
    return json.dumps(body, ensure_ascii=False) + "\n"


def journal_datagram(entry: Entry, store: str = "") -> bytes:
    """``entry`` as one journal datagram: values are length-prefixed, so any byte is allowed.

    A kind of event brings its ``MESSAGE_ID``; its fields are ``HUB_DEVICE`` and so on.
    """
    message = f"{entry.message}\n{entry.trace}" if entry.trace else entry.message
    fields: dict[str, object] = {
        "MESSAGE": message,
        "PRIORITY": _PRIORITIES.get(entry.level, 7),
        "SYSLOG_IDENTIFIER": "store-hub",
        "LOGGER": entry.source,
    }
    kind = events.BY_NAME.get(str(entry.fields.get("event")))
    if kind is not None:
        fields["MESSAGE_ID"] = kind.message_id
    if store:
        fields["HUB_STORE"] = store
    for name, extra in entry.fields.items():
        # Names: upper-case letters, digits and underscores, at most 64, not trusted ones (_X).
        fields["HUB_" + re.sub(r"[^A-Z0-9_]", "_", name.upper())[:60]] = extra
    datagram = bytearray()
    for name, value in fields.items():
        data = str(value).encode(errors="replace")
        datagram += name.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n"
    return bytes(datagram)
