"""The support bundle: one file for whoever helps from afar, without secrets and without people.

Everything in it is chosen, not collected: no content of sales, baskets or events comes in.  What is
text of any kind is looked through once more for what must never leave the shop.
"""

from __future__ import annotations

import io
import json
import platform
import re
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from hub.contract.local import HubStatus
from hub.contract.pages.house import SettingsPage, SupportFile
from hub.domain import cards
from hub.logs import Entry, Masker, text_line
from hub.service.pages.support import SupportRows
from hub.storage.pages import support as rows_of

FILE_MAX_CHARS: Final = 512_000
TOTAL_MAX_CHARS: Final = 2_000_000
MASK: Final = "(left out)"
LOG_NAME: Final = "log.txt"
LEFT_OUT: Final = (
    "secrets, passwords, keys and one-time codes",
    "names and PINs of people",
    "card numbers, card digits and payment tokens",
    "what was sold to whom: lines, notes and labels of sales and baskets",
    "the content of events for the cloud",
)
_NEVER: Final = (
    re.compile(
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S
    ),
    re.compile(r"(?i)(?<=bearer )[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(r"\$argon2\w*\$[^\s\"']+"),
    re.compile(r"(?<=://)[^/@\s\"']*@"),
    re.compile(r"(?i)(?<=__host-store-hub=)[A-Za-z0-9._~+/=-]+"),
)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a bundle is made of; what isn't at hand is None or empty.  ``secrets`` are hidden
    wherever they turn up; ``lines`` come newest first."""

    store: str
    version: str
    made_at_ms: int
    rows: SupportRows | None
    settings: SettingsPage | None
    status: HubStatus | None = None
    lines: Sequence[Entry] = ()
    integrity: str = "not checked"
    metrics: str = ""
    secrets: tuple[str, ...] = ()


def files(parts: Parts) -> tuple[SupportFile, ...]:
    """The files of a bundle: at most 512,000 characters each, two million together.

    For a thread: texts are looked through line by line, so that others have their turn between.
    """
    scrub = scrubber(parts.secrets, parts.rows.people if parts.rows else ())
    left = TOTAL_MAX_CHARS
    made: list[SupportFile] = []
    for name, title, pieces in _texts(parts):
        newest_first = name == LOG_NAME
        kept, cut = _bounded(pieces, scrub, min(left, FILE_MAX_CHARS))
        text = "".join(reversed(kept) if newest_first else kept)
        left -= len(text)
        size = len(text.encode())
        made.append(SupportFile(name=name, title=title, bytes=size, cut=cut, text=text))
    return tuple(made)


def _bounded(
    pieces: Iterable[str], scrub: Callable[[str], str], most: int
) -> tuple[list[str], bool]:
    """The first pieces that fit, looked through; and whether there were more."""
    kept: list[str] = []
    for piece in pieces:
        clean = scrub(piece)
        if len(clean) > most:
            return kept, True
        most -= len(clean)
        kept.append(clean)
    return kept, False


def integrity_text(found: Sequence[str]) -> str:
    """What the database's check found, in words."""
    if not found:
        return "The database is whole."
    return "\n".join(["The database is damaged:", *found])


def file_name(store: str, made_at_ms: int) -> str:
    """How the bundle is called."""
    at = datetime.fromtimestamp(made_at_ms / 1000, UTC)
    return f"store-hub-{re.sub(r'[^A-Za-z0-9_-]', '', store)}-{at:%Y%m%dT%H%M%SZ}.zip"


def zipped(found: Sequence[SupportFile], made_at_ms: int) -> bytes:
    """The files as a .zip; the same files give the same bytes."""
    at = datetime.fromtimestamp(made_at_ms / 1000, UTC)
    stamp = (min(max(at.year, 1980), 2107), at.month, at.day, at.hour, at.minute, at.second)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for one in found:
            info = zipfile.ZipInfo(one.name, stamp)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o600 << 16
            archive.writestr(info, one.text)
    return out.getvalue()


def scrubber(secrets: Iterable[str], people: Iterable[str]) -> Callable[[str], str]:
    """Hides secrets, people's names as whole words, card numbers, keys and tokens in a text."""
    known = tuple(secrets)
    masker = Masker((*known, *(json.dumps(one, ensure_ascii=False)[1:-1] for one in known)))
    names = sorted(
        {name.strip() for name in people if len(name.strip()) > 1}, key=len, reverse=True
    )
    named = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, names))})(?!\w)") if names else None

    def scrub(text: str) -> str:
        clean = masker(text)
        for pattern in _NEVER:
            clean = pattern.sub(MASK, clean)
        if named is not None:
            clean = named.sub(MASK, clean)
        return cards.mask(clean)

    return scrub


def _texts(parts: Parts) -> Iterable[tuple[str, str, Iterable[str]]]:
    """Names, titles and pieces, which are lines; of the log the newest first."""
    for name, title, text in _whole_texts(parts):
        yield name, title, text.splitlines(keepends=True)
    lines = map(text_line, parts.lines) if parts.lines else ["No lines are kept here.\n"]
    yield LOG_NAME, "The last lines of the log", lines


def _whole_texts(parts: Parts) -> Iterable[tuple[str, str, str]]:
    yield "about.txt", "What this is", _about(parts)
    yield "versions.json", "Versions of the hub and of what it stands on", _json(_versions(parts))
    if parts.status is not None:
        yield "health.json", "The verdict and every check", _json(_health(parts.status))
        yield "status.json", "The hub's status", _json(_status(parts.status))
    if parts.metrics:
        yield "metrics.txt", "What the hub counts, as Prometheus reads it", parts.metrics
    yield "integrity.txt", "Whether the database is whole", parts.integrity + "\n"
    if parts.settings is not None:
        shown = parts.settings.model_dump(mode="json")
        yield "settings.json", "All settings in force; secrets only as set or not", _json(shown)
    if parts.rows is not None:
        yield "figures.json", "Figures of the last days", _json(parts.rows.figures)
        yield "devices.json", "The devices", _json(parts.rows.devices)
        yield (
            "cloud.json",
            "What waits for the cloud, and what came from it",
            _json(parts.rows.cloud),
        )
        yield (
            "audit.json",
            "Who did what: the newest entries, without subjects",
            _json(parts.rows.audit),
        )


def _about(parts: Parts) -> str:
    at = datetime.fromtimestamp(parts.made_at_ms / 1000, UTC)
    left_out = "\n".join(f"- {one}" for one in LEFT_OUT)
    state = "running" if parts.status is not None else "stopped"
    return (
        f"Support bundle of the hub of store {parts.store}, made {at:%Y-%m-%d %H:%M:%S} UTC while"
        f" the hub was {state}.\n\nNever in it:\n{left_out}\n"
    )


def _versions(parts: Parts) -> dict[str, Any]:
    return {
        "store_hub": parts.version,
        "schema": parts.rows.schema_version if parts.rows else None,
        "python": platform.python_version(),
        "sqlite": rows_of.library_version(),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
    }


def _health(status: HubStatus) -> Any:
    return status.health.model_dump(mode="json", exclude_none=True) if status.health else {}


def _status(status: HubStatus) -> Any:
    devices = tuple(one.model_copy(update={"signed_in": None}) for one in status.devices)
    bare = status.model_copy(update={"devices": devices, "health": None})
    return bare.model_dump(mode="json", exclude_none=True)


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"
