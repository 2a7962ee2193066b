"""Settings of what a monitoring system reads."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from hub.config.base import AbsolutePath, Port, Section
from hub.config.rules import need


class Metrics(Section):
    """`GET /metrics` for Prometheus, on a port of its own."""

    listen: Literal["off", "loopback", "lan"] = Field(
        default="loopback",
        description="loopback: this machine only, in clear. lan: the network, over TLS with the"
        " hub's certificate, and only with `token`.",
    )
    port: Port = Field(default=9464, description="Port of /metrics; 0 is any free one.")
    bind: str = Field(
        default="", max_length=255, description="lan only: address; empty means every address."
    )
    token: SecretStr | None = Field(
        default=None, max_length=1024, description="The bearer token that a scrape has to show."
    )
    token_file: AbsolutePath | None = Field(default=None, description="A file that holds `token`.")

    @model_validator(mode="after")
    def _network_needs_a_token(self) -> Self:
        if self.listen == "lan":
            need(self, "token", because='metrics.listen is "lan"')
        return self
