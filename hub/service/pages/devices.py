"""The page of devices."""

from __future__ import annotations

from hub.contract.pages.devices import (
    CertificateView,
    DeviceOnPage,
    DevicePage,
    DeviceQuery,
    DevicesPage,
    DevicesQuery,
)
from hub.contract.problems import Code, refuse
from hub.service import conditions
from hub.service.gate import ReadUnit
from hub.service.pages import dotted, numbers
from hub.storage import basketrows
from hub.storage.pages import devices
from hub.storage.pages.devices import DevicePageRow

CERTIFICATES_MAX = 20


def listed(unit: ReadUnit, query: DevicesQuery) -> DevicesPage:
    """Devices by number, revoked ones last."""
    revoked, number = numbers(query.cursor, (0, -1))
    rows = devices.listed(
        unit.rows,
        unit.budget_ms,
        text=query.q.strip(),
        state=query.state,
        after=(revoked, number),
        limit=query.limit + 1,
    )
    shown, more = rows[: query.limit], len(rows) > query.limit
    last = shown[-1] if shown else None
    return DevicesPage(
        devices=tuple(_view(row) for row in shown),
        next_cursor=dotted(last.status != "paired", last.number) if more and last else None,
    )


def one(unit: ReadUnit, query: DeviceQuery) -> DevicePage:
    """One device.  Errors: ``not-found``."""
    row = devices.one(unit.rows, unit.budget_ms, query.device_id)
    if row is None:
        raise refuse(Code.NOT_FOUND, "There is no such device in this shop.")
    return DevicePage(
        device=_view(row),
        certificates=tuple(
            CertificateView(
                serial=one.serial,
                issued_at_ms=one.issued_at_ms,
                expires_at_ms=one.expires_at_ms,
                revoked_at_ms=one.revoked_at_ms,
                revoke_reason=one.revoke_reason,
            )
            for one in devices.certificates(unit.rows, query.device_id, CERTIFICATES_MAX)
        ),
        baskets=basketrows.count_live(unit.rows, query.device_id),
    )


def _view(row: DevicePageRow) -> DeviceOnPage:
    held = conditions.shown(row.presence, row.conditions)
    told = {"conditions": tuple(held), "conditions_since_ms": held}
    return DeviceOnPage.model_validate(row._asdict() | told)
