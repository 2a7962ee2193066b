"""The hub's own housekeeping: time, expiry, purging, facts of devices, information."""

from __future__ import annotations

import json

from hub.contract.admin import HubInfo, HubInfoView, TrustClock
from hub.contract.base import CONTRACT_VERSION, Command, Nothing
from hub.contract.oms_events import AUDIT_HEAD
from hub.contract.problems import Code, refuse
from hub.domain.dayparts import business_day
from hub.domain.stock import claim
from hub.service import receiptcodes
from hub.service.gate import Handler, Reader, ReadUnit
from hub.service.handlers import baskets, printing
from hub.service.internal import Housekeep, KeepTime, TakeFact
from hub.service.ledger import Ledger
from hub.service.notices import BasketChanged, ClockTrusted, HubChanged
from hub.service.orders import commands as orders
from hub.service.orders import longover
from hub.service.payments import timing
from hub.service.payments.commands import ExpirePayments
from hub.service.timekeeping import JUMP_MS
from hub.service.unit import Unit
from hub.storage import (
    audit,
    basketrows,
    hubrow,
    outbox,
    paymentpurge,
    requests,
    staffrows,
    stockrows,
    valuerows,
)
from hub.storage.hubrow import HubRow

DAY_MS = 86_400_000
EXPIRE_MAX = 200
BASKETS_KEPT_DAYS = 7


def keep_time(unit: Unit, command: KeepTime) -> None:
    """Persist the clocks; a change of trust is told.

    A clock that is trusted although it is far behind the high-water mark was set right by somebody:
    the mark was made by one that ran ahead, and would have it doubted at every start.
    """
    hub, trusted_ms = hubrow.get(unit.tx), command.trusted_wall_ms
    before = hub.clock_suspect
    hubrow.keep_time(
        unit.tx,
        trusted_wall_ms=trusted_ms,
        suspect=command.suspect,
        lowers=trusted_ms is not None and hub.trusted_wall_ms - trusted_ms > JUMP_MS,
    )
    if before != command.suspect:
        unit.note("clock.suspect" if command.suspect else "clock.trusted", command.suspect)
        unit.tell(HubChanged())


def trust_clock(unit: Unit, command: TrustClock) -> Nothing:
    """A technician's word ends ``clock-suspect``; the high-water mark moves to the present."""
    hubrow.keep_time(unit.tx, trusted_wall_ms=unit.now_ms, suspect="", lowers=True)
    unit.note("clock.trusted", "technician", {"reason": command.reason})
    unit.tell(ClockTrusted())
    unit.tell(HubChanged())
    return Nothing()


def housekeep(unit: Unit, command: Housekeep) -> int:
    """Expire holds and forget what is old, a bounded amount per call; how much was done.

    While the wall clock isn't trusted, nothing is forgotten and no day begins.
    """
    done = _expire_holds(unit)
    if hubrow.source_and_fence(unit.tx)[1] != "superseded":
        receiptcodes.keep_own_key(unit)
        done += orders.look_again(unit)
    done += printing.expire_printing(unit, printing.ExpirePrinting())
    done += timing.expire(unit, ExpirePayments())
    if hubrow.clock_suspect(unit.tx):
        return done  # a clock that jumped ahead would have everything forgotten
    kept_ms = unit.now_ms - requests.KEEP_DAYS * DAY_MS
    done += requests.purge(unit.tx, kept_ms)
    done += outbox.purge(unit.tx, kept_ms)
    done += staffrows.purge_approvals(unit.tx, kept_ms)
    done += requests.purge_journals(unit.tx, kept_ms)
    done += _end_old_baskets(unit)
    done += basketrows.purge(unit.tx, unit.now_ms - BASKETS_KEPT_DAYS * DAY_MS)
    done += printing.purge(unit)
    old_ms = unit.now_ms - paymentpurge.KEEP_DAYS * DAY_MS
    done += paymentpurge.purge(unit.tx, old_ms)
    done += longover.forget(unit)
    done += valuerows.purge(unit.tx, old_ms, hubrow.get(unit.tx).epoch, paymentpurge.AT_ONCE)
    if hubrow.source_and_fence(unit.tx)[1] != "superseded":
        _send_audit_head(unit)
    return done


def _end_old_baskets(unit: Unit) -> int:
    """Give up baskets that nobody has touched for a day."""
    old = basketrows.abandon_old(unit.tx, unit.now_ms - DAY_MS)
    ledger = Ledger.of(unit, "basket")
    for number, basket_id in old:
        baskets.release_holds(unit, ledger, number)
        unit.note("basket.abandoned", basket_id, {"reason": "untouched for a day"})
        unit.tell(BasketChanged(basket_id, "abandoned", ""))
    if old:
        ledger.finish()
    return len(old)


def _expire_holds(unit: Unit) -> int:
    ledger = Ledger.of(unit, "basket")
    expired = stockrows.expired_holds(unit.tx, unit.tx.budget_ms, EXPIRE_MAX)
    for basket, sku_id, sku, qty in expired:
        stockrows.set_hold(unit.tx, basket, sku_id, 0, 0)
        ledger.claim(sku, claim(ledger.level(sku).levels, "held", -qty))
    if expired:
        ledger.finish()
    return len(expired)


def _send_audit_head(unit: Unit) -> None:
    """Tell the cloud the head of the audit log once per business day, so that a log rewritten as a
    whole shows."""
    seq, digest = audit.head(unit.tx)
    if seq == 0:
        return
    day = business_day(unit.now_ms, unit.shop.zone, unit.shop.day_cutover_hour).isoformat()
    if not audit.mark_head_sent(unit.tx, day):
        return
    unit.emit(
        "telemetry",
        AUDIT_HEAD,
        "audit",
        {"seq": seq, "head_hash": digest.hex(), "business_day": day},
        day,
        digest.hex(),
    )


def take_fact(unit: Unit, command: TakeFact) -> bool:
    """Take a device's fact in once.  Facts of one journal come without gaps; an older one is known.

    Facts go to the cloud as they are, on the telemetry stream.  Errors: ``conflict`` with the
    number expected when one is missing before this one.
    """
    taken = requests.fact_taken(unit.tx, command.device_id, command.journal_id)
    if command.evt_seq <= taken:
        return False
    if command.evt_seq != taken + 1:
        raise refuse(
            Code.CONFLICT,
            f"Fact {taken + 1} of this journal is missing: send it before this one.",
            expected=taken + 1,
        )
    requests.set_fact_taken(unit.tx, command.device_id, command.journal_id, command.evt_seq)
    unit.emit(
        "telemetry",
        "com.storehub.device.fact.v1",
        command.device_id,
        {
            "device_id": command.device_id,
            "fact": command.type,
            "occurred_at_ms": command.occurred_at_ms,
            "data": json.loads(command.data),
        },
        command.device_id,
        command.journal_id,
        str(command.evt_seq),
    )
    return True


def mode_of(hub: HubRow, *, cloud_up: bool) -> str:
    """The hub's mode as devices see it."""
    if hub.fence == "superseded":
        return "superseded"
    if hub.fence == "restored":
        return "recovery"
    return "online" if cloud_up else "offline"


def hub_info(unit: ReadUnit, query: HubInfo) -> HubInfoView:
    """What a device needs to know about this hub."""
    hub = hubrow.get(unit.rows)
    return HubInfoView(
        store=unit.shop.store,
        store_name=unit.shop.name,
        hub_id=hub.hub_id,
        currency=unit.shop.currency,
        timezone=unit.shop.timezone,
        training=unit.shop.training,
        mode=mode_of(hub, cloud_up=True),
        incarnation=hub.label,
        epoch=hub.epoch,
        seq=outbox.last_id(unit.rows),
        safe_seq=outbox.safe_id(unit.rows),
        time_ms=unit.now_ms,
        contract=(CONTRACT_VERSION, CONTRACT_VERSION),
        version=unit.shop.version,
        cash_rounding_step_minor=unit.shop.cash_rounding.step_minor,
    )


WRITES: dict[type[Command], Handler] = {TrustClock: trust_clock}
READS: dict[type[Command], Reader] = {HubInfo: hub_info}
INTERNAL = {KeepTime: keep_time, Housekeep: housekeep, TakeFact: take_fact}
