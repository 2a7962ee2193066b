"""A copy of the database that follows it, elsewhere."""

from __future__ import annotations

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError

from hub.config.base import AbsolutePath, HttpUrl, Section
from hub.config.rules import need, refuse


def _replica_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.password is not None:
        raise PydanticCustomError("password_in_url", "a password has no place in a URL")
    match parts.scheme:
        case "file":
            fits = not parts.netloc and parts.path.startswith("/") and len(parts.path) > 1
        case "sftp":
            fits = bool(parts.username and parts.hostname and len(parts.path) > 1)
        case "s3":
            fits = bool(parts.hostname)
        case _:
            fits = False
    if not fits or parts.query or parts.fragment:
        raise PydanticCustomError(
            "bad_url", "not file:///directory, sftp://user@host/directory or s3://bucket/prefix"
        )
    return url


ReplicaUrl = Annotated[str, AfterValidator(_replica_url)]


class Replica(Section):
    """A copy of the database that follows it within a second or two, elsewhere (by Litestream).
    Without a URL there is none. The keys are not in it: see `store-hub escrow export`."""

    url: ReplicaUrl | None = Field(
        default=None,
        max_length=1024,
        description="Where it goes: file:///directory (of another machine, mounted),"
        " sftp://user@host/directory or s3://bucket/prefix; one of its own for each hub.",
        examples=["sftp://store-367@replicas.example/store-367"],
    )
    sync_every_ms: int = Field(
        default=1000,
        ge=100,
        le=60_000,
        description="How often what is new is sent. It bounds what is lost with a box.",
    )
    binary: str = Field(
        default="litestream", min_length=1, description="Litestream's name or path (0.5 or newer)."
    )
    s3_endpoint: HttpUrl | None = Field(
        default=None,
        description="s3 only: the service's URL, when it isn't Amazon's.",
        examples=["https://s3.example"],
    )
    s3_region: str = Field(
        default="us-east-1", min_length=1, max_length=64, description="s3 only: the region."
    )
    s3_ca_file: AbsolutePath | None = Field(
        default=None, description="s3 only: CA (PEM) of the service, when the system doesn't know."
    )
    s3_access_key_id: str | None = Field(
        default=None, max_length=256, description="s3 only: the access key's id."
    )
    s3_secret_key: SecretStr | None = Field(
        default=None, max_length=1024, description="s3 only: the secret access key."
    )
    s3_secret_key_file: AbsolutePath | None = Field(
        default=None, description="A file that holds `s3_secret_key`."
    )
    sftp_host_key: str | None = Field(
        default=None,
        max_length=4096,
        description="sftp only: the server's public key, one line as ssh-keyscan prints it, without"
        " the host's name.",
        examples=["ssh-ed25519 AAAA"],
    )
    sftp_key: SecretStr | None = Field(
        default=None, max_length=16_384, description="sftp only: the hub's private SSH key."
    )
    sftp_key_file: AbsolutePath | None = Field(
        default=None, description="A file that holds `sftp_key`."
    )
    sftp_password: SecretStr | None = Field(
        default=None, max_length=1024, description="sftp only: a password instead of `sftp_key`."
    )
    sftp_password_file: AbsolutePath | None = Field(
        default=None, description="A file that holds `sftp_password`."
    )

    @model_validator(mode="after")
    def _credentials_are_complete(self) -> Self:
        match urlsplit(self.url or "").scheme:
            case "sftp":
                need(self, "sftp_host_key", because="replica.url is an sftp URL")
                if self.sftp_key is None and self.sftp_password is None:
                    refuse("sftp_key", "sftp needs replica.sftp_key or replica.sftp_password")
            case "s3":
                if self.s3_access_key_id is not None:
                    need(self, "s3_secret_key", because="replica.s3_access_key_id is set")
                elif self.s3_secret_key is not None:
                    need(self, "s3_access_key_id", because="replica.s3_secret_key is set")
        return self
