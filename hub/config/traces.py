"""Settings of traces."""

from __future__ import annotations

from typing import Self

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


class Traces(Section):
    """How a request went, from its device to the cloud, for an OpenTelemetry collector. Without
    `otlp_url` nothing is traced."""

    otlp_url: HttpUrl | None = Field(
        default=None,
        description="Where traces are sent to by OTLP/HTTP (JSON); https, or http to this machine.",
        examples=["https://otlp.example/v1/traces"],
    )
    otlp_token: OtlpToken = None
    otlp_token_file: OtlpTokenFile = None
    otlp_ca_file: OtlpCaFile = None
    otlp_spool_mb: OtlpSpoolMb = SPOOL_MB
    sample_per_mille: int = Field(
        default=10,
        ge=0,
        le=1000,
        description="Of a thousand requests so many are traced; failed and slow ones always are.",
    )
    slow_ms: int = Field(
        default=1000, ge=1, le=600_000, description="A request that takes longer is slow."
    )
    max_per_s: int = Field(
        default=20,
        ge=1,
        le=10_000,
        description="Traces per second, and as many of failed and slow ones; more are counted"
        " only.",
    )

    @model_validator(mode="after")
    def _sending_is_complete(self) -> Self:
        need_collector(self, "otlp_token", "otlp_ca_file")
        return self
