"""What needs a person, in plain sentences, worst first; decided from the status alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hub.contract.local import HubStatus

MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000
CLOUD_DOWN_AFTER_MS: Final = 2 * MINUTE_MS
OUTBOX_OLD_AFTER_MS: Final = 15 * MINUTE_MS
BROKER_LATE_AFTER_MS: Final = 30_000
CERTIFICATE_SOON_MS: Final = 14 * DAY_MS
FREE_LOW_BYTES: Final = 512 << 20
NAMED_MAX: Final = 3
PROBLEMS_MAX: Final = 30

Finding = tuple[int, str]
"""Severity (smaller is worse) and the sentence."""


def find_problems(
    status: HubStatus,
    *,
    server_certificate_expires_at_ms: int | None = None,
    free_low_bytes: int = FREE_LOW_BYTES,
) -> tuple[str, ...]:
    """The sentences for ``status`` (its own ``problems`` are ignored)."""
    found: list[Finding] = [
        *_standing(status),
        *_storage(status, free_low_bytes),
        *_broker(status),
        *_cloud(status),
        *_outbox(status),
        *_devices(status),
        *_certificates(status, server_certificate_expires_at_ms),
    ]
    if status.discovery.state == "degraded":
        why = status.discovery.detail or "no reason known"
        found.append((70, f"Devices can't find this hub by name: {why}."))
    return tuple(text for _, text in sorted(found, key=lambda one: one[0])[:PROBLEMS_MAX])


def _standing(status: HubStatus) -> Iterator[Finding]:
    if status.mode == "superseded":
        since_ms = status.superseded_at_ms
        when = f" {ago(status.time_ms - since_ms)} ago" if since_ms is not None else ""
        yield (
            0,
            (
                f"Another box took this hub's place{when}, and nothing is sold here: sell through "
                "the other one and switch this one off, or call central IT if this is the right "
                "one."
            ),
        )
    if status.mode == "recovery":
        yield (
            5,
            (
                "The hub was restored and is waiting for the cloud: it sells over the counter only "
                "until the cloud is reached."
            ),
        )
    if status.clock_suspect:
        yield (
            20,
            (
                "The hub's clock can't be trusted: set the box's clock, then confirm it with "
                "hub/trust-clock."
            ),
        )
    if status.training:
        yield 95, "Training mode is on: sales are not real and don't reach the cloud."


def _storage(status: HubStatus, free_low_bytes: int) -> Iterator[Finding]:
    storage = status.storage
    match storage.state:
        case "ok":
            pass
        case "full":
            yield 2, "The disk is full: nothing new is stored until space is freed on the box."
        case other:
            yield 1, f"The database can't be written ({other}): restart the hub; see its log."
    if storage.state == "ok" and storage.free_bytes < free_low_bytes:
        yield (
            15,
            (
                f"The disk is nearly full, {storage.free_bytes >> 20} MiB are left: "
                "free space on the box."
            ),
        )


def _broker(status: HubStatus) -> Iterator[Finding]:
    broker = status.broker
    age_ms = status.time_ms - broker.since_ms
    why = f": {broker.detail}" if broker.detail else ""
    if broker.state == "backoff":
        yield (
            3,
            (
                f"The broker doesn't stay up (started {broker.restarts} times), so no device can "
                f"sell{why}."
            ),
        )
    elif broker.state in ("starting", "stopped") and age_ms > BROKER_LATE_AFTER_MS:
        yield (
            4,
            f"The broker has been {broker.state} for {ago(age_ms)}, so no device can sell{why}.",
        )
    elif not broker.connected and age_ms > BROKER_LATE_AFTER_MS:
        yield 4, f"The hub has no connection to its broker, so no device can sell{why}."


def _cloud(status: HubStatus) -> Iterator[Finding]:
    cloud = status.cloud
    age_ms = status.time_ms - cloud.since_ms
    why = f" ({cloud.detail})" if cloud.detail else ""
    selling = " The shop goes on selling." if status.broker.connected else ""
    match cloud.state:
        case "refused":
            yield 10, f"The cloud refuses this hub{why}: check its credentials in the settings."
        case "superseded" if status.mode != "superseded":
            yield 10, f"The cloud says that another box has taken this hub's place{why}."
        case "down" if age_ms > CLOUD_DOWN_AFTER_MS:
            yield (
                40,
                f"The cloud hasn't been reached for {ago(age_ms)}{why}.{selling}",
            )
        case "connecting" if age_ms > CLOUD_DOWN_AFTER_MS:
            yield (
                40,
                f"The hub has tried to reach the cloud for {ago(age_ms)}{why}.{selling}",
            )
        case "unconfigured":
            yield 90, "No cloud is set up: sales are kept here and sent once cloud.url is set."
        case _:
            pass
    if cloud.drift:
        yield (
            50,
            (
                f"{cloud.drift} product{_s(cloud.drift)} differ{'s' if cloud.drift == 1 else ''} "
                "between the hub's and the cloud's stock: count them."
            ),
        )


def _outbox(status: HubStatus) -> Iterator[Finding]:
    outbox = status.outbox
    if outbox.parked:
        yield (
            30,
            (
                f"The cloud refused {outbox.parked} event{_s(outbox.parked)}, which wait"
                f"{'s' if outbox.parked == 1 else ''} aside: see `store-hub outbox show`."
            ),
        )
    if outbox.oldest_at_ms is not None and status.cloud.state == "up":
        age_ms = status.time_ms - outbox.oldest_at_ms
        if age_ms > OUTBOX_OLD_AFTER_MS:
            yield (
                35,
                (
                    f"The oldest unsent event is {ago(age_ms)} old though the cloud is reached: "
                    "see `store-hub outbox status`."
                ),
            )


def _devices(status: HubStatus) -> Iterator[Finding]:
    lost = [one for one in status.devices if one.status == "paired" and one.presence == "lost"]
    for one in lost[:NAMED_MAX]:
        since = f" for {ago(status.time_ms - one.last_seen_at_ms)}" if one.last_seen_at_ms else ""
        yield 60, f"{one.name} ({one.device_id}) has been lost{since}: check its power and network."
    if len(lost) > NAMED_MAX:
        yield 61, f"{len(lost) - NAMED_MAX} more devices are lost."


def _certificates(status: HubStatus, server_expires_at_ms: int | None) -> Iterator[Finding]:
    if server_expires_at_ms is not None:
        left_ms = server_expires_at_ms - status.time_ms
        if left_ms < 0:
            yield 12, "The hub's certificate has expired: restart the hub, and check its clock."
        elif left_ms < CERTIFICATE_SOON_MS:
            yield 65, f"The hub's certificate ends in {ago(left_ms)} and wasn't renewed."
    ending = [
        one
        for one in status.devices
        if one.status == "paired"
        and one.certificate_expires_at_ms is not None
        and one.certificate_expires_at_ms - status.time_ms < CERTIFICATE_SOON_MS
    ]
    for one in ending[:NAMED_MAX]:
        assert one.certificate_expires_at_ms is not None
        left_ms = one.certificate_expires_at_ms - status.time_ms
        text = f"ends in {ago(left_ms)}" if left_ms > 0 else "has expired"
        yield (
            66,
            (
                f"The certificate of {one.name} ({one.device_id}) {text}: "
                "switch the device on so that it renews, or pair it again."
            ),
        )
    if len(ending) > NAMED_MAX:
        yield 67, f"The certificates of {len(ending) - NAMED_MAX} more devices end soon."


def ago(span_ms: int) -> str:
    """A span in words: ``40 s``, ``12 min``, ``5 h``, ``3 days``."""
    seconds = max(0, span_ms) // 1000
    if seconds < 90:
        return f"{seconds} s"
    if seconds < 90 * 60:
        return f"{seconds // 60} min"
    if seconds < 48 * 3600:
        return f"{seconds // 3600} h"
    return f"{seconds // 86_400} days"


def _s(count: int) -> str:
    return "" if count == 1 else "s"
