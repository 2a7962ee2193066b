"""Logging: text for people, JSON lines, or journald's native protocol.

Whatever the sink, a message is bounded in size and rate, secrets are masked in its text, its
traceback and its fields, and warnings and errors stay in a bounded ring for the status page.
A kind of event and its fields are given as ``log.info("...", extra=events.HUB_READY(port=8443))``;
JSON lines and the journal name the store with every message.
"""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from hub import events
from hub.domain.cards import mask

if TYPE_CHECKING:
    from hub.clock import Clock
    from hub.config import Log

JOURNAL_SOCKET = "/run/systemd/journal/socket"
RECENT_LIMIT = 200
LINES_LIMIT = 5000
LINES_LIMIT_CHARS = 4_000_000
TEXT_LIMIT_CHARS = 16_384
FIELD_LIMIT_CHARS = 2_000
SECRETS_LIMIT = 1000
_SHORTEST_SECRET = 4
_MASK = "********"
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Entry:
    """One message, already masked and cut."""

    at_ms: int
    level: str
    source: str
    message: str
    trace: str
    fields: Mapping[str, str | int | bool | None]


class Lines:
    """The last messages of any level, for the page of logs; safe from any thread.  At most 5,000,
    and no more than four million characters."""

    def __init__(self, limit: int = LINES_LIMIT, limit_chars: int = LINES_LIMIT_CHARS) -> None:
        self._entries: deque[Entry] = deque()
        self._limit = limit
        self._limit_chars = limit_chars
        self._chars = 0
        self._total = 0
        self._lock = threading.Lock()

    def add(self, entry: Entry) -> None:
        with self._lock:
            self._entries.append(entry)
            self._total += 1
            self._chars += _size(entry)
            while len(self._entries) > self._limit or self._chars > self._limit_chars:
                self._chars -= _size(self._entries.popleft())

    def newest(self) -> list[tuple[int, Entry]]:
        """All of them with their numbers, which go up by one a message, the newest first."""
        with self._lock:
            entries, total = tuple(self._entries), self._total
        return [(total - back, entry) for back, entry in enumerate(reversed(entries))]


def _size(entry: Entry) -> int:
    return 100 + len(entry.message) + len(entry.trace) + sum(map(_field_size, entry.fields.items()))


def _field_size(field: tuple[str, str | int | bool | None]) -> int:
    return len(field[0]) + (len(field[1]) if isinstance(field[1], str) else 20)


class Recent:
    """The last warnings and errors, for the status page; safe from any thread.  ``lines`` are the
    messages of all levels."""

    def __init__(self, limit: int = RECENT_LIMIT) -> None:
        self.lines = Lines()
        self._entries: deque[Entry] = deque(maxlen=limit)
        self._lock = threading.Lock()
        self._total = 0
        self.tap: Callable[[Entry], None] | None = None
        """Told of every message that is written, in any thread; it must not wait or log."""
        self.lost = 0
        """Messages that were not written: over the bound, or to a journal that doesn't read."""

    def add(self, entry: Entry) -> None:
        with self._lock:
            self._entries.append(entry)
            self._total += 1

    def newest(self, count: int = RECENT_LIMIT) -> tuple[Entry, ...]:
        """At most ``count`` entries, the newest first."""
        with self._lock:
            return tuple(reversed(self._entries))[:count]

    @property
    def total(self) -> int:
        """Warnings and errors since the start, also those that left the ring."""
        return self._total


class Masker:
    """Hides known secrets in texts.  At the bound the oldest secret is forgotten."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: deque[str] = deque(maxlen=SECRETS_LIMIT)
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Mask ``secret`` from now on; texts under four characters would hide half the log."""
        if len(secret) >= _SHORTEST_SECRET and secret not in self._secrets:
            self._secrets.append(secret)

    def __call__(self, text: str) -> str:
        for secret in tuple(self._secrets):
            text = text.replace(secret, _MASK)
        return text


class RateBound:
    """At most ``max_per_s`` messages a second, apart for severe ones, so that chatter can't
    push an error out."""

    def __init__(self, max_per_s: int, clock: Clock) -> None:
        self._clock = clock
        self._max = max_per_s
        self._second = -1
        self._counts = {False: 0, True: 0}
        self._lock = threading.Lock()
        self.dropped = 0

    def admits(self, *, severe: bool) -> bool:
        second = int(self._clock.monotonic_s())
        with self._lock:
            if second != self._second:
                self._second = second
                self._counts = {False: 0, True: 0}
            self._counts[severe] += 1
            if self._counts[severe] <= self._max:
                return True
            self.dropped += 1
            return False

    def take_dropped(self) -> int:
        """How many were dropped since the last call."""
        with self._lock:
            count, self.dropped = self.dropped, 0
            return count


class HubHandler(logging.Handler):
    """Masks, bounds and remembers; a subclass only writes."""

    def __init__(self, masker: Masker, recent: Recent, bound: RateBound) -> None:
        super().__init__()
        self.store = ""
        self._masker = masker
        self._recent = recent
        self._bound = bound

    def emit(self, record: logging.LogRecord) -> None:
        try:
            entry = self._entry(record)
            if record.levelno >= logging.WARNING:
                self._recent.add(entry)
            if not self._bound.admits(severe=record.levelno >= logging.WARNING):
                self._recent.lost += 1
                return
            if dropped := self._bound.take_dropped():
                self._out(_dropped(entry, dropped))
            self._out(entry)
        except RecursionError:
            raise
        except Exception:
            # A log that fails must not fail its caller; logging prints the reason to stderr.
            self.handleError(record)

    def write(self, entry: Entry) -> None:
        raise NotImplementedError

    def _out(self, entry: Entry) -> None:
        self._recent.lines.add(entry)
        if self._recent.tap is not None:
            self._recent.tap(entry)
        self.write(entry)

    def _entry(self, record: logging.LogRecord) -> Entry:
        trace = ""
        if record.exc_info and record.exc_info[0] is not None:
            trace = logging.Formatter().formatException(record.exc_info)
        if record.stack_info:
            trace += record.stack_info
        return Entry(
            at_ms=int(record.created * 1000),
            level=record.levelname.lower(),
            source=record.name,
            message=self._text(record.getMessage()),
            trace=self._text(trace),
            fields={
                name: value
                if isinstance(value, (bool, int)) or value is None
                else self._text(str(value), FIELD_LIMIT_CHARS)
                for name, value in vars(record).items()
                if name not in _STANDARD
            },
        )

    def _text(self, text: str, limit: int = TEXT_LIMIT_CHARS) -> str:
        masked = mask(self._masker(text))
        if len(masked) <= limit:
            return masked
        return f"{masked[:limit]}… ({len(masked)} characters)"


def _dropped(before: Entry, count: int) -> Entry:
    message = f"{count} messages were not logged: more than log.max_per_s in one second"
    fields = events.LINES_DROPPED(dropped=count)
    return Entry(before.at_ms, "warning", "hub.logs", message, "", fields)


class TextHandler(HubHandler):
    """One line for people; control characters are escaped, so nobody can forge a line."""

    def __init__(self, masker: Masker, recent: Recent, bound: RateBound, stream: TextIO) -> None:
        super().__init__(masker, recent, bound)
        self._stream = stream

    def write(self, entry: Entry) -> None:
        self._stream.write(text_line(entry))
        self._stream.flush()


class JsonHandler(TextHandler):
    """One JSON object a line."""

    def write(self, entry: Entry) -> None:
        body: dict[str, object] = {
            "time": _iso(entry.at_ms),
            "level": entry.level,
            "source": entry.source,
            "message": entry.message,
        }
        if self.store:
            body["store"] = self.store
        if entry.trace:
            body["trace"] = entry.trace
        if entry.fields:
            body["fields"] = dict(entry.fields)
        self._stream.write(json.dumps(body, ensure_ascii=False) + "\n")
        self._stream.flush()


class JournalHandler(HubHandler):
    """journald's native datagram protocol (systemd, "Native Journal Protocol").

    Without a journal the text goes to stderr instead.  A journal that doesn't read loses
    messages rather than stop the shop; they are counted.
    """

    def __init__(
        self, masker: Masker, recent: Recent, bound: RateBound, path: str = JOURNAL_SOCKET
    ) -> None:
        super().__init__(masker, recent, bound)
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self.unread = 0

    def write(self, entry: Entry) -> None:
        try:
            self._socket.sendto(journal_datagram(entry, self.store), self._path)
        except BlockingIOError:
            self.unread += 1
            self._recent.lost += 1
        except OSError:
            sys.stderr.write(text_line(entry))

    def close(self) -> None:
        self._socket.close()
        super().close()


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


_PRIORITIES = {"critical": 2, "error": 3, "warning": 4, "info": 6}


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


@dataclass(slots=True)
class Logging:
    """Logging in force; ``recent`` feeds the status page, ``masker`` takes new secrets."""

    handler: HubHandler
    recent: Recent
    masker: Masker

    def close(self) -> None:
        """Take the handler off the root logger and release its socket."""
        logging.captureWarnings(False)
        logging.getLogger().removeHandler(self.handler)
        self.handler.close()


def set_up(
    settings: Log,
    *,
    clock: Clock,
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
    journal_path: str = JOURNAL_SOCKET,
    store: str = "",
) -> Logging:
    """Send the root logger's messages where ``settings`` say; call it once, at start."""
    masker, recent = Masker(secrets), Recent()
    bound = RateBound(settings.max_per_s, clock)
    target = sys.stderr if stream is None else stream
    chosen = settings.format
    if chosen == "auto":
        chosen = "journal" if under_journal(os.environ) else "text"
    handler: HubHandler
    match chosen:
        case "journal":
            handler = JournalHandler(masker, recent, bound, journal_path)
        case "json":
            handler = JsonHandler(masker, recent, bound, target)
        case "text":
            handler = TextHandler(masker, recent, bound, target)
    handler.store = store
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(settings.level.upper())
    logging.captureWarnings(True)
    return Logging(handler, recent, masker)


def under_journal(env: Mapping[str, str]) -> bool:
    """Whether systemd connected our stderr to its journal ($JOURNAL_STREAM is device:inode)."""
    wanted = env.get("JOURNAL_STREAM")
    if not wanted:
        return False
    try:
        stat = os.fstat(2)
    except OSError:
        return False
    return wanted == f"{stat.st_dev}:{stat.st_ino}"
