"""Every kind of event that the log tells apart: its name, its id for ever, and its fields.

A log call names its kind: ``log.error("...", extra=events.BROKER_DOWN(wait_ms=500))``.  Under
systemd the record then carries ``MESSAGE_ID`` (systemd, "Journal Fields"), so that a question about
one kind of event finds it whatever its text says: ``journalctl MESSAGE_ID=...``.  An id never
changes, and is never used again for something else.

Fields hold ids, codes and numbers only: never what was sold, to whom, by whom, or for how much.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

Value = str | int | bool | None


@dataclass(frozen=True, slots=True)
class Kind:
    """``page``: the page of the runbook that belongs to it, or empty.  ``fields`` may be absent
    from a record, and there are no others."""

    name: str
    message_id: str
    level: str
    text: str
    fields: tuple[str, ...] = ()
    page: str = ""

    def __call__(self, **fields: Value) -> dict[str, Value]:
        """What a log call hands over as ``extra``; what isn't known is left out."""
        return {
            "event": self.name,
            **{name: one for name, one in fields.items() if one is not None},
        }


HUB_READY: Final = Kind(
    "hub-ready",
    "30db766d21c90312259907700acfd0e6",
    "info",
    "The hub is up and devices can connect.",
    ("port",),
    "",
)
HUB_STOPS: Final = Kind(
    "hub-stops", "aa875e65fa85d6417a23bae5bd7fe5dc", "info", "The hub was told to stop.", (), ""
)
HUB_FAILED: Final = Kind(
    "hub-failed",
    "1e4ebb55cfb010d5c4f5fa03c6b62d74",
    "critical",
    "The hub can't go on and asks to be started again.",
    (),
    "restarts",
)
BROKER_DOWN: Final = Kind(
    "broker-down",
    "bf6d4c2698032882b9d37db08779a4e2",
    "error",
    "The broker ended or could not start; it is started again.",
    ("wait_ms",),
    "broker",
)
BROKER_SILENT: Final = Kind(
    "broker-silent",
    "15d94137d8fe161dd782fc4a567b1ea5",
    "critical",
    "The broker was silent for so long that everything starts anew.",
    (),
    "broker",
)
BROKER_DAMAGED: Final = Kind(
    "broker-damaged",
    "dbe46431131f4a587b025b8457c4d93e",
    "error",
    "The broker's own database was damaged; it goes on without.",
    (),
    "broker",
)
BROKER_SESSION_UP: Final = Kind(
    "broker-session-up",
    "7f3573fcb55e8365e8ed6489f3c374be",
    "info",
    "The hub has a session with its broker.",
    (),
    "broker",
)
BROKER_SESSION_DOWN: Final = Kind(
    "broker-session-down",
    "77706d92d5cb27072cc88c28c751eac4",
    "warning",
    "The hub lost, or can't get, its session with the broker.",
    (),
    "broker",
)
DEVICES_LOST: Final = Kind(
    "devices-lost",
    "6907138b077cd622008b37e82d095df3",
    "warning",
    "Devices did not come back after an interruption.",
    ("count",),
    "devices",
)
REQUEST_ANSWERED: Final = Kind(
    "request-answered",
    "b4a01cccb636e242c298728f76ecb0d4",
    "debug",
    "A device's request was answered.",
    ("device", "operation", "correlation", "outcome", "seq", "took_ms"),
    "requests",
)
REQUEST_FAILED: Final = Kind(
    "request-failed",
    "ed00bb91755ad324b741721ef675d1d2",
    "error",
    "The hub failed on a request; the trace has the cause.",
    ("device", "operation", "correlation", "instance"),
    "requests",
)
PAGE_FAILED: Final = Kind(
    "page-failed",
    "c1dc0f8709666fc38153584f1bec33a2",
    "error",
    "The hub failed on a request over HTTP; the trace has the cause.",
    ("instance",),
    "requests",
)
RECORD_FOREIGN: Final = Kind(
    "record-foreign",
    "48b8a89f584d093aa079791f7b8185c7",
    "warning",
    "A device offers a record that this hub never made.",
    ("device",),
    "",
)
CONNECTIONS_REFUSED: Final = Kind(
    "connections-refused",
    "203bf2d89eab437e0903d707e9fda105",
    "warning",
    "Connections were refused at the bound.",
    ("count",),
    "requests",
)
CLOUD_SESSION: Final = Kind(
    "cloud-session",
    "ce47a108a6b64abc9f1c70097e513214",
    "info",
    "The hub has a session with the cloud.",
    ("incarnation",),
    "link",
)
CLOUD_SILENT: Final = Kind(
    "cloud-silent",
    "37749a138ba1a236184fd5b3ebbf9c44",
    "info",
    "The cloud gave no answer; it is tried again.",
    ("attempt",),
    "link",
)
CLOUD_REFUSES: Final = Kind(
    "cloud-refuses",
    "4389c3c48bd17ef2c216fb91a9c1e3fe",
    "error",
    "The cloud refuses this hub.",
    (),
    "link",
)
CLOUD_LINK_FAILED: Final = Kind(
    "cloud-link-failed",
    "69449c76ae1abd4d154e5c1b89339356",
    "error",
    "The link failed for a reason of its own; the trace has the cause.",
    (),
    "link",
)
EVENT_TAKEN: Final = Kind(
    "event-taken",
    "e03102bc858df4ea030af290821f0402",
    "debug",
    "The cloud has an event for good.",
    ("seq", "event_id", "stream"),
    "outbox",
)
EVENT_PARKED: Final = Kind(
    "event-parked",
    "ea721df7c1ccbda5caef214f43ccc1be",
    "error",
    "An event was set aside because the cloud can't take it.",
    ("seq", "event_id", "event_type"),
    "parked",
)
EVENT_CONTRADICTED: Final = Kind(
    "event-contradicted",
    "2f268a5592e792c99f82c41b139fb663",
    "error",
    "The cloud keeps an event but contradicts it.",
    ("event_id",),
    "parked",
)
STOCK_DRIFT: Final = Kind(
    "stock-drift",
    "c30149221912bb78fd9dfab9eb846b2b",
    "error",
    "Stock differs from the cloud's.",
    ("count",),
    "drift",
)
DATASET_TAKEN: Final = Kind(
    "dataset-taken",
    "a9412b814632a178fe6beb87cdb12199",
    "info",
    "A data set was taken over from the cloud.",
    ("dataset", "count"),
    "link",
)
DATASET_STALE: Final = Kind(
    "dataset-stale",
    "0b203d7e689766363c948b21e484f355",
    "error",
    "A data set can't be brought up to date.",
    ("dataset",),
    "link",
)
DISK_FULL: Final = Kind(
    "disk-full",
    "e39f2ad184d8bdcb6438e43a1d609156",
    "error",
    "The disk is nearly full: nothing new is taken in.",
    ("free_mb",),
    "disk-space",
)
DISK_ROOM: Final = Kind(
    "disk-room",
    "e24860c3f2f7cf1a9c9e0d633decd50c",
    "warning",
    "There is room on the disk again: selling goes on.",
    ("free_mb",),
    "disk-space",
)
DISK_DOUBTED: Final = Kind(
    "disk-doubted",
    "264840366c99d2a033680ace25f41352",
    "error",
    "What looked like damage was gone at a second look: the disk is failing.",
    (),
    "database",
)
WRITING_FAILED: Final = Kind(
    "writing-failed",
    "c478b6b9ee567a566716b52316a2dce6",
    "critical",
    "The database can't be written; the hub stops and recovers at its next start.",
    (),
    "database",
)
SCHEMA_MIGRATED: Final = Kind(
    "schema-migrated",
    "4e5087a080921fdb280f68ffd0920167",
    "info",
    "The database was brought to a newer schema.",
    (),
    "",
)
BOX_FENCED: Final = Kind(
    "box-fenced",
    "dba4af2bc654656011e11f7e6f4f58c2",
    "warning",
    "The state is a copy, or from another machine: fenced until the cloud gives a new epoch.",
    (),
    "standing",
)
CERTIFICATE_RENEWED: Final = Kind(
    "certificate-renewed",
    "6ff09fdd0c6329ec8073169d373c041b",
    "info",
    "The hub's own certificate was issued anew.",
    (),
    "certificate",
)
CHECK_BROKEN: Final = Kind(
    "check-broken",
    "baba2beed4f606ce73c998462636f4f4",
    "error",
    "A health check failed itself; the trace has the cause.",
    ("check",),
    "readiness",
)
LEVEL_CHANGED: Final = Kind(
    "level-changed",
    "3bfd6e91ca75ca2cce4fadcf4863ca95",
    "warning",
    "Somebody changed what is logged, for a while.",
    ("logger_name", "for_s"),
    "",
)
LINES_DROPPED: Final = Kind(
    "lines-dropped",
    "dcc30059258addbfc3bafd46452385f0",
    "warning",
    "There were more messages than log.max_per_s.",
    ("dropped",),
    "errors",
)
METRICS_NOT_SERVED: Final = Kind(
    "metrics-not-served",
    "358396450a54bb4d22049fac971d91bd",
    "warning",
    "The port for metrics can't be had.",
    ("port",),
    "gone",
)
EXPORT_WAITS: Final = Kind(
    "export-waits",
    "1fa32544d66c688f33d637a723c4f0b3",
    "warning",
    "The log or the traces can't be sent to the collector now.",
    ("signal",),
    "collector",
)
EXPORT_FAILED: Final = Kind(
    "export-failed",
    "703fb76d28196690134c191c5faf8599",
    "error",
    "Sending the log or the traces failed for a reason of its own; it goes on.",
    ("signal",),
    "collector",
)
EXPORT_GOES_ON: Final = Kind(
    "export-goes-on",
    "c2ab695751d36f491c85b6b5ce8964c3",
    "info",
    "The log or the traces are sent to the collector again.",
    ("signal",),
    "",
)
METRICS_BLIND: Final = Kind(
    "metrics-blind",
    "7a1a8a5365d13820694dc11a3bcfef53",
    "warning",
    "Metrics come without the hub's status: the database doesn't answer in time.",
    (),
    "status",
)

KINDS: Final = tuple(one for one in tuple(globals().values()) if isinstance(one, Kind))
BY_NAME: Final = {one.name: one for one in KINDS}
