"""Opening the cash drawer without a sale."""

from __future__ import annotations

from hub.contract.base import Command
from hub.contract.oms_events import CASH_MOVED
from hub.contract.printing import DrawerOpening, OpenDrawer
from hub.contract.problems import Code, refuse
from hub.contract.staff import ApprovalSubject
from hub.domain.dayparts import business_day
from hub.domain.staff import Permission
from hub.service import permits, receipts
from hub.service.gate import Handler
from hub.service.unit import Unit
from hub.storage import devicerows, printrows

NO_SALE = "no_sale"


def open_drawer(unit: Unit, command: OpenDrawer) -> DrawerOpening:
    """See :class:`OpenDrawer`."""
    till = _till(unit, command)
    approver = None
    if not unit.caller.is_admin:  # the page's roles were looked at before
        approver = permits.need(
            unit,
            Permission.DRAWER_NO_SALE,
            approval_id=command.approval_id,
            subject=ApprovalSubject(),
        )
    if not unit.shop.has_drawer(till):
        raise refuse(
            Code.CONFLICT,
            "The hub knows of no drawer at this till: have a technician set one up.",
        )
    job_id = receipts.queue_kick(unit, "no-sale", device_id=till)
    if job_id is None:
        raise refuse(Code.CONFLICT, "Too many drawers wait to be opened: see to their printers.")
    day = business_day(unit.now_ms, unit.shop.zone, unit.shop.day_cutover_hour).isoformat()
    opened = printrows.count_no_sale(unit.tx, day, till)
    unit.note(
        "drawer.no_sale",
        till,
        {
            "reason": command.reason,
            "approved_by": approver,
            "job_id": job_id,
            "today": opened,
            "business_day": day,
        },
    )
    unit.emit(
        "sales",
        CASH_MOVED,
        till,
        {
            "kind": NO_SALE,
            "device_id": till,
            "staff_id": unit.caller.staff_id if unit.caller.is_admin else unit.staff_id,
            "business_day": day,
            "occurred_at_ms": unit.now_ms,
            "currency": unit.shop.currency,
            "amount_minor": 0,
            "reason": command.reason,
            "approved_by": approver,
            "count": opened,
        },
        job_id,
    )
    return DrawerOpening(job_id=job_id, no_sales_today=opened, business_day=day)


def _till(unit: Unit, command: OpenDrawer) -> str:
    """Whose drawer is meant.  Errors: ``validation``, ``not-found``."""
    if not unit.caller.is_admin:
        if command.device_id not in (None, unit.caller.id):
            raise refuse(Code.VALIDATION, "device_id: a till opens its own drawer only.")
        return unit.caller.id
    if command.device_id is None:
        raise refuse(Code.VALIDATION, "device_id: name the till whose drawer is meant.")
    device = devicerows.get(unit.tx, command.device_id)
    if device is None or device.status != "paired" or device.auth == "hub":
        raise refuse(
            Code.NOT_FOUND, f"No device {command.device_id} is paired.", device_id=command.device_id
        )
    return command.device_id


WRITES: dict[type[Command], Handler] = {OpenDrawer: open_drawer}
