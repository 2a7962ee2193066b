"""The hub's own HTTP API: pairing, renewal, sign-in to the status page, status.

Paths (HTTPS on the web port unless said otherwise):

- ``GET  /api/1/hello``                who this hub is (no sign-in)
- ``GET  /api/1/ca``                   the hub's CA certificate, PEM (no sign-in; check its
  SHA-256 fingerprint, then connect again trusting it)
- ``POST /api/1/pair``                 :class:`PairRequest` → :class:`PairReply`
- ``POST /api/1/renewals/nonce``       → :class:`RenewalNonce`
- ``POST /api/1/renewals``             :class:`RenewalRequest` → :class:`PairReply`
- ``POST /api/1/session``              :class:`TechnicianSignIn` → session cookie
- ``GET  /api/1/me``                   :class:`PageUser` (signed in)
- ``DELETE /api/1/session``            sign out
- ``GET  /api/1/status``               :class:`HubStatus` (signed in)
- ``GET  /api/1/status/stream``        the same as server-sent events (signed in)
- ``GET  /api/1/actions``              what the hub can do to mend itself (signed in)
- ``POST /api/1/actions/{key}``        :class:`~hub.contract.health.ActionDone` (signed in)
- reads of the technician's pages      :mod:`hub.contract.pages.table`
- ``GET  /mqtt``                       WebSocket, subprotocol ``mqtt``
- ``POST /api/1/{service}/{operation}`` admin operations (signed in, or the admin socket)
"""

from __future__ import annotations

from typing import Final, Literal, Self

from pydantic import ConfigDict, Field, JsonValue, SecretStr, model_validator

from hub.contract.admin import DeviceAuth, DeviceView
from hub.contract.base import Incoming, Outgoing, StaffId
from hub.contract.health import HealthReport
from hub.contract.peripherals import PeripheralView

_TEXT: Final[JsonValue] = {"type": "string"}
_NOTHING: Final[JsonValue] = {"type": "null"}


class Hello(Outgoing):
    """Who this hub is; enough for a device to decide whether to pair."""

    store: str
    name: str
    version: str
    contract: tuple[int, int]
    ca_fingerprint: str
    time_ms: int


class PairRequest(Incoming):
    """A device spends a pairing code.  ``csr`` (PEM) is needed for a client certificate.

    Whoever heard no answer asks again: with the key of the same ``csr``, or without one the same
    ``nonce``, the code gives the same device until it was seen for the first time.
    """

    code: str = Field(min_length=4, max_length=32)
    auth: DeviceAuth = DeviceAuth.MTLS
    csr: str | None = Field(default=None, max_length=16_384)
    nonce: str | None = Field(
        default=None,
        min_length=32,
        max_length=64,
        pattern=r"^[0-9a-f-]+$",
        description="Random, made by the device for this pairing; with a new password each time.",
    )
    model: str = Field(default="", max_length=64)
    firmware: str = Field(default="", max_length=64)


class MqttAddress(Outgoing):
    """Where the broker listens."""

    host: str
    password_port: int
    mtls_port: int
    websocket_path: str = "/mqtt"


class PairReply(Outgoing):
    """Everything a device needs to connect."""

    device_id: str
    name: str
    kind: str
    store: str
    auth: DeviceAuth
    ca: str = Field(description="PEM bundle of the hub's CAs")
    certificate: str | None = None
    username: str | None = None
    password: str | None = None
    mqtt: MqttAddress
    contract: tuple[int, int] = (1, 1)


class RenewalNonce(Outgoing):
    """A single-use nonce for a renewal."""

    nonce: str
    expires_in_s: int


class RenewalRequest(Incoming):
    """Renewal by proof of the old key, up to 12 months after the certificate expired.

    ``signature`` (base64) is by the old key over
    ``b"store-hub certificate renewal v1\\0" + nonce (ASCII) + CSR (DER)``: ECDSA with SHA-256
    (DER), RSA PKCS #1 v1.5 with SHA-256, or Ed25519.
    """

    nonce: str = Field(max_length=128)
    certificate: str = Field(max_length=16_384)
    csr: str = Field(max_length=16_384)
    signature: str = Field(max_length=2048)


class TechnicianSignIn(Incoming):
    """Sign in to the page: with the technician's ``code``, or, what came later, with the
    ``staff_no`` and ``pin`` of a member of staff."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {
                    "required": ["code"],
                    "properties": {"code": _TEXT, "staff_no": _NOTHING, "pin": _NOTHING},
                },
                {
                    "required": ["staff_no", "pin"],
                    "properties": {"code": _NOTHING, "staff_no": _TEXT, "pin": _TEXT},
                },
            ]
        }
    )

    code: SecretStr | None = Field(default=None, min_length=4, max_length=64)
    staff_no: StaffId | None = None
    pin: SecretStr | None = Field(default=None, min_length=4, max_length=12)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        by_pin = (self.staff_no is not None, self.pin is not None)
        if by_pin != ((False, False) if self.code is not None else (True, True)):
            raise ValueError("send either code, or staff_no and pin")
        return self


class PageUser(Outgoing):
    """Who is signed in to the page and what they may do there."""

    user: str = Field(description="the person's name, or `technician`")
    role: Literal["viewer", "technician", "manager"]
    may: tuple[str, ...] = Field(
        description="of: actions, pairing, devices, outbox, log-level, support, drill, staff; "
        "more may come"
    )
    expires_at_ms: int = Field(description="when the session ends in any case")
    signed_in_by: Literal["code", "pin"]


class BrokerStatus(Outgoing):
    """The MQTT broker: ``running``, ``starting``, ``backoff``, ``stopped`` or ``external``."""

    mode: Literal["managed", "external"]
    state: str
    since_ms: int
    restarts: int
    connected: bool
    detail: str = ""


class OutboxStatus(Outgoing):
    """What waits for the cloud."""

    depth: int
    oldest_at_ms: int | None = None
    parked: int
    streams: dict[str, int] = Field(default_factory=dict, description="stream → events waiting")


class CloudStatus(Outgoing):
    """The cloud link: ``unconfigured``, ``connecting``, ``up``, ``down``, ``refused`` or
    ``superseded``."""

    state: str
    since_ms: int
    detail: str = ""
    last_success_at_ms: int | None = None
    url: str | None = None
    datasets: dict[str, str] = Field(default_factory=dict, description="dataset → generation")
    importing: str | None = None
    drift: int = 0


class SalesStatus(Outgoing):
    """Today's trade (business day of the store)."""

    business_day: str
    count: int
    total_minor: int
    voided: int
    returned_minor: int
    currency: str
    last_at_ms: int | None = None
    per_minute: float = 0.0


class DiscoveryStatus(Outgoing):
    """mDNS: ``off``, ``waiting``, ``announced`` or ``degraded``."""

    state: str
    detail: str = ""
    name: str = ""
    addresses: tuple[str, ...] = ()


class RecentError(Outgoing):
    """One warning or error of the log."""

    at_ms: int
    level: str
    source: str
    text: str


class StorageStatus(Outgoing):
    """The database."""

    state: str
    queue_depth: int
    database_bytes: int
    wal_bytes: int
    free_bytes: int
    sqlite_version: str


class DrillStatus(Outgoing):
    """An outage drill that runs: the link to the cloud is cut on purpose until ``until_ms``."""

    drill_id: str
    began_at_ms: int
    until_ms: int
    asked_by: str


class DrillOutcome(Outgoing):
    """What came of the last outage drill.

    ``how`` it ended: at its ``time``, by a ``person``, or as the ``clock`` was set back.
    ``waiting`` events were told to the cloud afterwards; ``caught_up_ms`` after its end all were:
    None while it is awaited (``settled`` is false), or after half an hour.
    """

    drill_id: str
    asked_by: str
    began_at_ms: int
    ended_at_ms: int
    length_ms: int
    how: str
    devices_began: int
    devices_ended: int
    devices_selling: int
    sales: int
    total_minor: int
    waiting: int
    caught_up_ms: int | None = None
    settled: bool = False


class JobNamed(Outgoing):
    """What people call a print job; ``printer_id``: where it is or was, empty before that."""

    kind: str
    title: str = ""
    printer_id: str = ""


class PrintingStatus(Outgoing):
    """What is to be printed.  ``ambiguous``: nobody knows whether it is on paper; a person has to
    say.  ``oldest_at_ms``: of those that wait, ``doubted_at_ms``: of the ambiguous ones.
    ``failed``: within the last hour.  ``…_job``: the oldest that waits or is in doubt, and the last
    that failed."""

    waiting: int = 0
    printing: int = 0
    ambiguous: int = 0
    failed: int = 0
    oldest_at_ms: int | None = None
    doubted_at_ms: int | None = None
    waiting_job: JobNamed | None = None
    doubted_job: JobNamed | None = None
    failed_job: JobNamed | None = None


class PaymentsStatus(Outgoing):
    """Card payments: what is at risk (``meter``: ``clear``, ``near`` or ``full``; ``bars``: why
    nothing more is accepted offline), and what needs somebody.

    ``states``: how many are in each state that isn't final, those authorised only until a sale has
    them.  ``waiting``: kept by the hub to be presented, the first of them since
    ``waiting_since_ms``.  ``sealed``: tokens that the hub keeps, readable only with its ``vault``.
    ``keyless`` of them, and ``keyless_contacts``, are under a key that isn't here;
    ``copies_refused``: copies of the second keeper that couldn't be taken in at the last start.
    ``since_ms``: since when the first one needs a person.  ``way``: to the processor: ``running``,
    ``waiting`` (no connection), ``held`` (cut on purpose), ``resting`` (it doesn't answer) or
    ``stopped``; empty without one.  ``problem``: what a person has to mend about it.
    """

    meter: str = "clear"
    bars: tuple[str, ...] = ()
    currency: str = ""
    exposed: int = 0
    exposure_minor: int = 0
    cap_minor: int = 0
    oldest_age_ms: int = 0
    warn_age_ms: int = 0
    stop_age_ms: int = 0
    next_expiry_in_ms: int | None = None
    states: dict[str, int] = Field(default_factory=dict)
    needs: dict[str, int] = Field(default_factory=dict, description="by what is wrong")
    since_ms: int | None = None
    receivable_minor: int = 0
    waiting: int = 0
    waiting_since_ms: int | None = None
    sealed: int = 0
    vault: bool = True
    keyless: int = 0
    keyless_contacts: int = 0
    copies_refused: int = 0
    processor: bool = False
    way: str = ""
    problem: str = ""


class OrdersStatus(Outgoing):
    """Open online orders: those that lack goods (``short``), those promised by now and not ready
    (``late``, the first of them since ``late_since_ms``), and the promise that comes next."""

    open: int = 0
    short: int = 0
    late: int = 0
    late_since_ms: int | None = None
    next_promise_at_ms: int | None = None


class HubStatus(Outgoing):
    """All the status page shows."""

    store: str
    store_name: str
    hub_id: str
    version: str
    mode: str
    training: bool
    started_at_ms: int
    time_ms: int
    incarnation: str
    epoch: int
    seq: int
    safe_seq: int
    clock_suspect: bool
    superseded_at_ms: int | None = Field(
        default=None, description="since when another box has this hub's place"
    )
    sales: SalesStatus
    devices: tuple[DeviceView, ...]
    outbox: OutboxStatus
    cloud: CloudStatus
    broker: BrokerStatus
    discovery: DiscoveryStatus
    storage: StorageStatus
    errors: tuple[RecentError, ...]
    problems: tuple[str, ...] = Field(
        default=(), description="what needs a person, worst first; the same as in health, shorter"
    )
    health: HealthReport | None = None
    peripherals: tuple[PeripheralView, ...] = Field(
        default=(), description="what hangs on the hub's own box; none while it isn't driven"
    )
    printing: PrintingStatus = PrintingStatus()
    payments: PaymentsStatus = PaymentsStatus()
    orders: OrdersStatus = OrdersStatus()
    drill: DrillStatus | None = Field(default=None, description="while one runs")
    last_drill: DrillOutcome | None = Field(default=None, description="unless one runs")
