"""The kinds of values that settings are made of, and the base of every section."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise PydanticCustomError("unknown_zone", "no such time zone") from error
    return name


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise PydanticCustomError("relative_path", "the path is not absolute")
    return path


def _http_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise PydanticCustomError("bad_url", "not an http(s) URL with a host")
    if parts.scheme == "http" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}:
        raise PydanticCustomError("clear_text", "clear text is allowed to this machine only")
    return url


def _mqtt_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname:
        raise PydanticCustomError("bad_url", "not an mqtt(s) URL with a host")
    return url


AbsolutePath = Annotated[Path, Field(strict=False), AfterValidator(_absolute)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
MqttUrl = Annotated[str, AfterValidator(_mqtt_url)]
Zone = Annotated[str, AfterValidator(_known_zone)]
Port = Annotated[int, Field(ge=0, le=65535)]
Texts = Annotated[tuple[str, ...], Field(strict=False, max_length=32)]


class Section(BaseModel):
    """A frozen section: unknown fields refused, no silent conversion of types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True)
