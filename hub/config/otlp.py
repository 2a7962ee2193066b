"""What every section that sends to an OpenTelemetry collector says alike."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr

from hub.config.base import AbsolutePath, Section
from hub.config.rules import need

OtlpToken = Annotated[
    SecretStr | None, Field(max_length=8192, description="A bearer token for `otlp_url`.")
]
OtlpTokenFile = Annotated[AbsolutePath | None, Field(description="A file that holds `otlp_token`.")]
OtlpCaFile = Annotated[
    AbsolutePath | None,
    Field(description="CA (PEM) of `otlp_url`, when the system's CAs don't know it."),
]
OtlpSpoolMb = Annotated[
    int,
    Field(
        ge=1,
        le=4096,
        description="Room on disk for what waits to be sent; beyond, the oldest is dropped.",
    ),
]
SPOOL_MB = 64


def need_collector(section: Section, *only_with_one: str) -> None:
    """Refuse ``only_with_one`` (a token, a CA) where there is no collector to use them for."""
    if any(getattr(section, field) is not None for field in only_with_one):
        name = type(section).__name__.lower()
        because = " or ".join(f"{name}.{field}" for field in only_with_one) + " is set"
        need(section, "otlp_url", because=because)
