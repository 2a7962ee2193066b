"""The settings of one hub: frozen models, one per section of the TOML file.

Every field has a description and bounds; both are what ``store-hub config example`` prints and
what a problem quotes, so a new field needs no other documentation.  Names end in their unit.
Secrets are ``SecretStr`` and have a sibling ``<name>_file``; the loader reads that file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from hub.config.base import (
    ID_PATTERN,
    AbsolutePath,
    HttpUrl,
    MqttUrl,
    Port,
    Section,
    Texts,
    Zone,
)
from hub.config.log import Log
from hub.config.metrics import Metrics
from hub.config.orders import Orders
from hub.config.payments import Payments
from hub.config.peripherals import Peripheral, check_all
from hub.config.printing import Printing
from hub.config.receipts import Receipts
from hub.config.replica import Replica
from hub.config.rules import need, refuse
from hub.config.traces import Traces


class Store(Section):
    """Which shop this is. These settle what every record means: they have no default."""

    id: str = Field(
        pattern=ID_PATTERN,
        description="The shop's id at the cloud; part of every topic and event source.",
        examples=["367"],
    )
    name: str = Field(
        default="Store",
        min_length=1,
        max_length=80,
        description="What people call the shop; shown on the status page and to devices.",
    )
    hub_name: str = Field(
        default="store-hub",
        pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
        description="This box's host label: its mDNS name and a name in its certificate.",
    )
    timezone: Zone = Field(
        description="IANA time zone of the shop; it decides the business day.",
        examples=["Europe/Berlin"],
    )
    currency: str = Field(
        pattern=r"^[A-Z]{3}$",
        description="ISO 4217 code of the shop's book currency.",
        examples=["EUR"],
    )
    training: bool = Field(
        default=False,
        description="Training mode: marked sales that reach neither books nor cloud.",
    )


class Paths(Section):
    """Where the hub keeps its files."""

    state: AbsolutePath = Field(
        default=Path("/var/lib/store-hub"),
        description="Databases, keys and the broker's files; must survive a reboot.",
    )
    run: AbsolutePath = Field(
        default=Path("/run/store-hub"),
        description="Unix sockets; may vanish at reboot. At most 90 bytes long.",
    )

    @model_validator(mode="after")
    def _sockets_fit(self) -> Self:
        # A unix socket's path is at most 107 bytes on Linux (unix(7)); ours add up to 17.
        if len(bytes(self.run)) > 90:
            refuse("run", "a unix socket's path must fit into 107 bytes; this is too long")
        return self


class Broker(Section):
    """The MQTT broker: mosquitto as our child, or one that the site runs."""

    mode: Literal["managed", "external"] = Field(
        default="managed",
        description="managed: the hub runs mosquitto itself. external: use the broker at `url`.",
    )
    url: MqttUrl | None = Field(
        default=None,
        description="external only: mqtts://host:port of an MQTT 5 broker.",
        examples=["mqtts://broker.example:8883"],
    )
    username: str | None = Field(
        default=None, max_length=256, description="external only: the hub's user name there."
    )
    password: SecretStr | None = Field(
        default=None, max_length=1024, description="external only: the hub's password there."
    )
    password_file: AbsolutePath | None = Field(
        default=None, description="A file that holds `password`; better than the password itself."
    )
    ca_file: AbsolutePath | None = Field(
        default=None,
        description="external only: the CA (PEM) of the broker's certificate.",
    )
    binary: str = Field(
        default="mosquitto",
        min_length=1,
        description="managed only: mosquitto's name or path.",
    )
    bind: str = Field(
        default="",
        max_length=255,
        description="managed only: address to listen on; empty means every address.",
    )
    password_port: Port = Field(
        default=8883, description="managed only: TLS port for devices with a password; 0 is any."
    )
    mtls_port: Port = Field(
        default=8884, description="managed only: mutual TLS port; 0 is any free one."
    )
    max_connections: int = Field(
        default=400, ge=1, le=10_000, description="Devices per TLS listener at one time."
    )
    ws_max_connections: int = Field(
        default=100, ge=1, le=10_000, description="WebSocket devices at one time."
    )
    max_packet_bytes: int = Field(
        default=262_144,
        ge=16_384,
        le=4_194_304,
        description="The largest MQTT packet accepted; a larger one ends the connection.",
    )
    max_inflight_messages: int = Field(
        default=20, ge=1, le=1000, description="Unacknowledged messages on the way per device."
    )
    max_queued_messages: int = Field(
        default=500, ge=1, le=100_000, description="Messages kept for one absent or slow device."
    )
    max_queued_bytes: int = Field(
        default=4_194_304, ge=65_536, le=268_435_456, description="The same bound in bytes."
    )
    memory_limit_mb: int = Field(
        default=256, ge=32, le=4096, description="managed only: mosquitto's memory at most."
    )
    restate_s: int = Field(
        default=60,
        ge=1,
        le=600,
        description="A device that is not back by then after a restart is shown lost.",
    )

    @model_validator(mode="after")
    def _mode_is_complete(self) -> Self:
        match self.mode:
            case "external":
                need(self, "url", because='broker.mode is "external"')
            case "managed":
                if self.url is not None:
                    refuse("url", 'broker.url is only for broker.mode = "external"')
                if self.password_port and self.password_port == self.mtls_port:
                    refuse("mtls_port", "broker.mtls_port and broker.password_port are the same")
        if self.password is not None:
            need(self, "username", because="broker.password is set")
        return self


class Web(Section):
    """The hub's HTTPS server: status page, pairing, WebSocket for browser tills."""

    bind: str = Field(
        default="", max_length=255, description="Address to listen on; empty means every address."
    )
    port: Port = Field(default=8443, description="HTTPS port; 0 is any free one.")
    public_names: Texts = Field(
        default=(),
        description="More DNS names or addresses that devices use for this box (certificate).",
    )
    session_idle_s: int = Field(
        default=900, ge=60, le=86_400, description="A signed-in page is signed out after this idle."
    )
    session_max_s: int = Field(
        default=28_800, ge=300, le=604_800, description="Longest life of one sign-in."
    )
    max_body_bytes: int = Field(
        default=262_144, ge=16_384, le=16_777_216, description="The largest request body accepted."
    )
    max_connections: int = Field(
        default=200, ge=10, le=10_000, description="Open HTTPS connections; more are refused."
    )
    request_timeout_s: int = Field(
        default=30, ge=1, le=300, description="A request that is not complete by then is closed."
    )


class Discovery(Section):
    """Announcing the hub on the local network (mDNS, RFC 6762)."""

    enabled: bool = Field(default=True, description="Announce the hub by mDNS.")
    interfaces: Texts = Field(
        default=(),
        description="Network interfaces to announce on, by name; empty means every one.",
        examples=[["eth0"]],
    )
    retry_s: int = Field(
        default=30, ge=1, le=3600, description="Wait before trying again when mDNS is refused."
    )


class Cloud(Section):
    """The link to the cloud OMS. Without a URL the hub sells and keeps its outbox."""

    url: HttpUrl | None = Field(
        default=None,
        description="Base URL of the OMS, without /v1; https, or http to this machine.",
        examples=["https://oms.example"],
    )
    token: SecretStr | None = Field(
        default=None, max_length=8192, description="A fixed bearer token for the OMS."
    )
    token_file: AbsolutePath | None = Field(default=None, description="A file that holds `token`.")
    client_id: str | None = Field(
        default=None, max_length=256, description="OAuth2 client credentials: the client id."
    )
    client_secret: SecretStr | None = Field(
        default=None, max_length=1024, description="OAuth2 client credentials: the secret."
    )
    client_secret_file: AbsolutePath | None = Field(
        default=None, description="A file that holds `client_secret`."
    )
    token_url: HttpUrl | None = Field(
        default=None,
        description="OAuth2 token endpoint.",
        examples=["https://id.example/token"],
    )
    ca_file: AbsolutePath | None = Field(
        default=None, description="CA (PEM) of the OMS, when the system's CAs don't know it."
    )
    client_cert_file: AbsolutePath | None = Field(
        default=None, description="Client certificate (PEM) for mutual TLS."
    )
    client_key_file: AbsolutePath | None = Field(
        default=None, description="The key (PEM) of `client_cert_file`."
    )
    signing: Literal["none", "standard-webhooks"] = Field(
        default="none", description="How request bodies are signed."
    )
    signing_secret: SecretStr | None = Field(
        default=None, max_length=1024, description="Key for `signing`: whsec_ and base64."
    )
    signing_secret_file: AbsolutePath | None = Field(
        default=None, description="A file that holds `signing_secret`."
    )
    connect_timeout_s: int = Field(
        default=10, ge=1, le=120, description="Give up connecting after this."
    )
    request_timeout_s: int = Field(
        default=30, ge=1, le=300, description="Give up waiting for an answer (polls: + the wait)."
    )
    poll_wait_s: int = Field(
        default=50, ge=0, le=300, description="How long one poll for commands may hang."
    )
    batch_events: int = Field(default=200, ge=1, le=200, description="Events per request at most.")
    batch_bytes: int = Field(
        default=262_144, ge=16_384, le=262_144, description="Bytes of events per request at most."
    )
    linger_ms: int = Field(
        default=500, ge=0, le=10_000, description="Wait to fill a batch when there is no hurry."
    )
    retry_base_s: int = Field(
        default=1, ge=1, le=60, description="First back-off; it doubles, with full jitter."
    )
    retry_max_s: int = Field(default=60, ge=1, le=3600, description="Longest back-off.")
    digest_every_s: int = Field(
        default=900, ge=10, le=86_400, description="How often stock is compared with the cloud."
    )
    dataset_every_s: int = Field(
        default=300, ge=1, le=86_400, description="How often datasets are asked for changes."
    )

    @model_validator(mode="after")
    def _credentials_are_complete(self) -> Self:
        if self.signing != "none":
            need(self, "signing_secret", because=f'cloud.signing is "{self.signing}"')
        if self.client_id is not None:
            need(self, "client_secret", because="cloud.client_id is set")
            need(self, "token_url", because="cloud.client_id is set")
            if self.token is not None:
                refuse("token", "cloud.token and cloud.client_id exclude each other")
        elif self.client_secret is not None:
            need(self, "client_id", because="cloud.client_secret is set")
        if self.client_cert_file is not None:
            need(self, "client_key_file", because="cloud.client_cert_file is set")
        if self.retry_max_s < self.retry_base_s:
            refuse("retry_max_s", "cloud.retry_max_s is below cloud.retry_base_s")
        return self


class Storage(Section):
    """The database's queue and its share of the disk."""

    queue_limit: int = Field(
        default=1000, ge=10, le=100_000, description="Waiting requests; above it: busy."
    )
    batch_max: int = Field(
        default=256, ge=1, le=4096, description="Requests that share one commit at most."
    )
    reserve_mb: int = Field(
        default=16,
        ge=16,
        le=4096,
        description="Below this nothing new is taken in; look-ups go on. As much again is put by"
        " in a file, for what must still be written then.",
    )
    min_free_mb: int = Field(
        default=256, ge=32, le=1_048_576, description="Below this the status page warns."
    )


class Stock(Section):
    """Claims on stock and counting."""

    hold_ttl_s: int = Field(
        default=900, ge=30, le=86_400, description="How long a basket holds its goods untouched."
    )


class Cash(Section):
    """Rounding of the cash part of a payment."""

    rounding_step_minor: int = Field(
        default=0, ge=0, le=10_000, description="Smallest coin in minor units; 0 is no rounding."
    )
    rounding: Literal["half-up", "half-even", "down"] = Field(
        default="half-up", description="Which way cash is rounded."
    )


class Pairing(Section):
    """How devices join."""

    code_ttl_s: int = Field(
        default=600, ge=60, le=3600, description="Life of a one-time pairing code."
    )
    tries: int = Field(default=5, ge=1, le=20, description="Wrong tries before a code is void.")
    device_cert_days: int = Field(
        default=397, ge=1, le=3650, description="Life of a device's certificate."
    )


class Staff(Section):
    """Sign-in of the shop's people."""

    sign_in_ttl_s: int = Field(
        default=43_200, ge=300, le=86_400, description="Longest life of one sign-in at a till."
    )


class Settings(Section):
    """Everything that is set about one hub."""

    store: Store
    paths: Paths = Paths()
    broker: Broker = Broker()
    web: Web = Web()
    discovery: Discovery = Discovery()
    cloud: Cloud = Cloud()
    storage: Storage = Storage()
    stock: Stock = Stock()
    cash: Cash = Cash()
    pairing: Pairing = Pairing()
    staff: Staff = Staff()
    printing: Printing = Printing()
    orders: Orders = Orders()
    receipts: Receipts = Receipts()
    payments: Payments = Payments()
    log: Log = Log()
    replica: Replica = Replica()
    metrics: Metrics = Metrics()
    traces: Traces = Traces()
    peripherals: Annotated[tuple[Peripheral, ...], AfterValidator(check_all)] = ()

    @model_validator(mode="after")
    def _processor_is_there(self) -> Self:
        if self.payments.processor == "oms" and self.cloud.url is None:
            refuse(
                "payments.processor",
                'payments.processor = "oms" needs cloud.url: the OMS presents what the hub keeps',
            )
        return self
