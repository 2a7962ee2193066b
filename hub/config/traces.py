"""Settings of traces."""

from __future__ import annotations

from typing import Self

from pydantic import Field, SecretStr, model_validator

from hub.config.base import AbsolutePath, HttpUrl, Section
from hub.config.rules import need


class Traces(Section):
    """How a request went, from its device to the cloud, for an OpenTelemetry collector. Without
    `otlp_url` nothing is traced."""

    otlp_url: HttpUrl | None = Field(
        default=None,
        description="Where traces are sent to by OTLP/HTTP (JSON); https, or http to this machine.",
        examples=["https://otlp.example/v1/traces"],
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
        if self.otlp_token is not None or self.otlp_ca_file is not None:
            need(self, "otlp_url", because="traces.otlp_token or traces.otlp_ca_file is set")
        return self
