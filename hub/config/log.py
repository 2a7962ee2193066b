"""Settings of the log."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from hub.config.base import AbsolutePath, HttpUrl, Section
from hub.config.rules import need


class Log(Section):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severe message that is logged."
    )
    format: Literal["auto", "text", "json", "journal"] = Field(
        default="auto",
        description="auto: journal under systemd, else text. json: one object a line on stderr.",
    )
    max_per_s: int = Field(
        default=200, ge=10, le=100_000, description="Messages per second; more are counted only."
    )
    otlp_url: HttpUrl | None = Field(
        default=None,
        description="Where the log is sent to by OTLP/HTTP (JSON); https, or http to this machine.",
        examples=["https://otlp.example/v1/logs"],
    )
    otlp_token: SecretStr | None = Field(
        default=None, max_length=8192, description="A bearer token for `otlp_url`."
    )
    otlp_token_file: AbsolutePath | None = Field(
        default=None, description="A file that holds `otlp_token`."
    )
    otlp_ca_file: AbsolutePath | None = Field(
        default=None, description="CA (PEM) of `otlp_url`, when the system's CAs don't know it."
    )
    otlp_spool_mb: int = Field(
        default=64,
        ge=1,
        le=4096,
        description="Room on disk for what waits to be sent; beyond, the oldest is dropped.",
    )

    @model_validator(mode="after")
    def _sending_is_complete(self) -> Self:
        if self.otlp_token is not None or self.otlp_ca_file is not None:
            need(self, "otlp_url", because="log.otlp_token or log.otlp_ca_file is set")
        return self
