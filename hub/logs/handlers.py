"""The handlers: each writes what was masked, bounded and remembered to one kind of sink."""

from __future__ import annotations

import logging
import socket
import sys
from typing import TextIO

from hub import events
from hub.domain.cards import mask
from hub.logs.bounds import Masker, RateBound
from hub.logs.entries import Entry, Recent
from hub.logs.formats import journal_datagram, json_line, text_line

JOURNAL_SOCKET = "/run/systemd/journal/socket"
TEXT_LIMIT_CHARS = 16_384
FIELD_LIMIT_CHARS = 2_000
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


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
        self._stream.write(json_line(entry, self.store))
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
