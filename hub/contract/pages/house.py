"""The hub's log, its settings, and the bundle for whoever helps from afar.

- ``GET /api/1/logs``              → :class:`LogsPage`
- ``GET /api/1/settings``          → :class:`SettingsPage`
- ``GET /api/1/support/preview``   → :class:`SupportPreview`
- ``GET /api/1/support/bundle``    a .zip with the same files
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from hub.contract.base import Command, Incoming, Outgoing

LogLevelName = Literal["debug", "info", "warning", "error", "critical"]
LINES_MAX = 500
LOGGER_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9_.]*$"


class LogsQuery(Incoming):
    """``level`` is the least; ``logger`` a name or its beginning up to a dot (``hub.mqtt``);
    ``text`` is looked for in the message, whatever its case.  ``after``: only lines with a higher
    number, the way to follow the log; ``before``: only lower ones, the way back."""

    level: LogLevelName = "debug"
    logger: str = Field(default="", max_length=100, pattern=r"^[A-Za-z0-9_.]*$")
    text: str = Field(default="", max_length=100)
    since_ms: int = Field(default=0, ge=0, le=1 << 53)
    after: int = Field(default=0, ge=0, le=1 << 53)
    before: int | None = Field(default=None, ge=1, le=1 << 53)
    limit: int = Field(default=200, ge=1, le=LINES_MAX)


class LogLine(Outgoing):
    """One message; secrets are masked already."""

    number: int
    at_ms: int
    level: str
    logger: str
    text: str
    trace: str = ""
    fields: dict[str, str] = Field(default_factory=dict)


class LogLevelView(Outgoing):
    """A level in force; the empty logger is all of them.  ``until_ms``: then the settings' level
    is in force again."""

    logger: str
    level: str
    until_ms: int | None = None


class LogsPage(Outgoing):
    """Lines that the hub keeps in memory, newest first.  ``newest`` is the ``after`` of the next
    request, ``next_before`` the ``before`` of the next page."""

    lines: tuple[LogLine, ...]
    newest: int
    next_before: int | None = None
    levels: tuple[LogLevelView, ...]


class SetLogLevel(Command):
    """Log more, or less, for a while: afterwards, and after a start of the hub, the level of the
    settings is in force again.  An empty ``logger`` means all."""

    service: ClassVar[str] = "log"
    operation: ClassVar[str] = "level"
    level: LogLevelName
    logger: str = Field(default="", max_length=100, pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.]*)?$")
    for_s: int = Field(default=1800, ge=10, le=86_400)


class SettingsQuery(Incoming):
    """Nothing to choose."""


class SettingView(Outgoing):
    """One setting in force.  A secret's value is never told, only whether there is one."""

    key: str = Field(description="`section.name`.")
    section: str
    name: str
    value: str = Field(description="As in the settings file; empty: not set, or a secret.")
    is_set: bool
    is_secret: bool
    is_default: bool
    default: str = Field(description="As in the settings file; empty: none.")
    origin: str = Field(description="Where the value came from: a file and line, a variable, …")
    what: str = Field(description="What it means.")
    expected: str = Field(description="What a value must be.")


class SettingsPage(Outgoing):
    """All settings in the order of the settings file; they are changed there, and read at the
    start."""

    file: str
    settings: tuple[SettingView, ...]


class PreviewQuery(Incoming):
    """Nothing to choose."""


class SupportFile(Outgoing):
    """One file of the bundle."""

    name: str
    title: str = Field(description="What it is, in plain words.")
    bytes: int
    cut: bool = Field(default=False, description="The whole was too long; the rest is left out.")
    text: str


class SupportPreview(Outgoing):
    """What a bundle holds: exactly this is downloaded with its ``bundle_id`` for 15 minutes."""

    bundle_id: str
    made_at_ms: int
    file_name: str
    total_bytes: int
    files: tuple[SupportFile, ...]
    left_out: tuple[str, ...] = Field(description="What no bundle ever holds, in plain words.")


class SupportQuery(Incoming):
    """Which bundle; without it a fresh one is made."""

    bundle_id: str | None = Field(default=None, max_length=36, pattern=r"^[0-9a-f-]+$")
