"""Settings of the log."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from hub.config.base import HttpUrl, Section
from hub.config.otlp import (
    SPOOL_MB,
    OtlpCaFile,
    OtlpSpoolMb,
    OtlpToken,
    OtlpTokenFile,
    need_collector,
)


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
    otlp_token: OtlpToken = None
    otlp_token_file: OtlpTokenFile = None
    otlp_ca_file: OtlpCaFile = None
    otlp_spool_mb: OtlpSpoolMb = SPOOL_MB

    @model_validator(mode="after")
    def _sending_is_complete(self) -> Self:
        need_collector(self, "otlp_token", "otlp_ca_file")
        return self
