"""Logging: text for people, JSON lines, or journald's native protocol.

Whatever the sink, a message is bounded in size and rate, secrets are masked in its text, its
traceback and its fields, and warnings and errors stay in a bounded ring for the status page.
A kind of event and its fields are given as ``log.info("...", extra=events.HUB_READY(port=8443))``;
JSON lines and the journal name the store with every message.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from hub.logs.bounds import Masker, RateBound
from hub.logs.entries import Entry, Lines, Recent
from hub.logs.formats import journal_datagram, text_line
from hub.logs.handlers import (
    JOURNAL_SOCKET,
    TEXT_LIMIT_CHARS,
    HubHandler,
    JournalHandler,
    JsonHandler,
    TextHandler,
)

if TYPE_CHECKING:
    from hub.clock import Clock
    from hub.config import Log


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


__all__ = [
    "TEXT_LIMIT_CHARS",
    "Entry",
    "HubHandler",
    "JsonHandler",
    "Lines",
    "Logging",
    "Masker",
    "RateBound",
    "Recent",
    "TextHandler",
    "journal_datagram",
    "set_up",
    "text_line",
    "under_journal",
]
