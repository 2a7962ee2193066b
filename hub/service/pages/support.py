"""What a support bundle tells of the database: devices, the cloud, figures; nobody's name, no
content of a sale, no secret."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hub.contract.local import CloudStatus
from hub.contract.pages.cloud import CommandsQuery, ParkedQuery
from hub.contract.pages.devices import DevicesQuery
from hub.contract.pages.history import HOURS_MAX, LinkHistoryQuery, OutagesQuery
from hub.contract.pages.sales import DaysQuery
from hub.service.gate import ReadUnit
from hub.service.pages import cloud, devices, history, outages, sales
from hub.storage.pages import support

DAYS_SHOWN = 30
AUDIT_SHOWN = 500
_ALL = 200


@dataclass(frozen=True, slots=True)
class SupportRows:
    """Parts of a bundle, ready to be written; ``people`` are names to leave out everywhere."""

    devices: list[dict[str, Any]]
    cloud: dict[str, Any]
    figures: dict[str, Any]
    audit: list[dict[str, Any]]
    schema_version: int
    people: tuple[str, ...]


def read(unit: ReadUnit) -> SupportRows:
    """Read all parts; bounded, and quick."""
    unconnected = CloudStatus(state="unknown", since_ms=unit.now_ms)
    link = _plain(cloud.page(unit, unconnected))
    del link["link"]
    link["parked_events"] = _plain(cloud.parked(unit, ParkedQuery(limit=_ALL)))["parked"]
    link["commands"] = _plain(cloud.commands(unit, CommandsQuery(limit=_ALL)))["commands"]
    link["outages"] = _plain(outages.listed(unit, OutagesQuery()))["outages"]
    link["week"] = _plain(history.link(unit, LinkHistoryQuery(hours=HOURS_MAX)))
    shown = devices.listed(unit, DevicesQuery(limit=_ALL)).devices
    return SupportRows(
        devices=[_plain(one.model_copy(update={"signed_in": None})) for one in shown],
        cloud=link,
        figures={
            "newest_rows": support.newest(unit.rows),
            "days": _plain(sales.days(unit, DaysQuery(limit=DAYS_SHOWN)))["days"],
        },
        audit=[
            {"seq": seq, "at_ms": at_ms, "caller": caller, "action": action}
            for seq, at_ms, caller, action in support.audit_tail(unit.rows, AUDIT_SHOWN)
        ],
        schema_version=support.schema_version(unit.rows),
        people=tuple(support.people(unit.rows)),
    )


def _plain(model: Any) -> dict[str, Any]:
    found: dict[str, Any] = model.model_dump(mode="json", exclude_none=True)
    return found
