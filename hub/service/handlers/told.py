"""After a restore: taking in what a device was told by the hub as it was before.

The request comes again with its record (:mod:`hub.service.records`).  Its facts are written as the
cloud's would be, and its events told again under their own ids: the cloud knows them by these.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from hub.contract.base import Command
from hub.contract.oms_events import EVENT_DATA, OtherFact
from hub.contract.oms_facts import Fact
from hub.contract.oms_value import CreditIssued
from hub.contract.problems import Code, Refusal, problem, refuse
from hub.contract.sale import CommitSale
from hub.domain.basket import BasketState
from hub.domain.errors import DomainError
from hub.service.handlers import baskets, takeback
from hub.service.handlers.takeback import Origin
from hub.service.ledger import Ledger
from hub.service.notices import BasketChanged, SaleMade
from hub.service.records import TakeTold, Told
from hub.service.unit import Unit, canonical
from hub.storage import basketrows, devicerows, relinkrows
from hub.storage.outbox import Emitted

log = logging.getLogger(__name__)

WAIT_MS = 2000
_LIVE = frozenset({BasketState.OPEN, BasketState.SUSPENDED})


def take_told(unit: Unit, command: TakeTold) -> bool:
    """False when it can't be taken in; the request is judged as if it were new then.

    Errors: ``busy`` when it builds on a sale that another device has not told yet.
    """
    device = devicerows.get(unit.tx, unit.caller.id)
    if device is None or device.status == "revoked":
        return False
    try:
        with relinkrows.apart(unit.tx):
            _take(unit, command.command, command.told)
    except (DomainError, ValidationError, ValueError, KeyError) as error:
        unit.undo()
        log.error("what %s was told can't be taken in: %s", unit.caller.key, error)
        unit.note("record.failed", _subject(command.told), {"why": str(error)[:200]})
        return False
    return True


def _take(unit: Unit, command: Command, told: Told) -> None:
    facts = [(event, _fact(event)) for event in told.events]
    for _, fact in facts:
        _wait_for_sale(unit, fact)
    if any(takeback.is_known(unit, event, fact) for event, fact in facts):
        if any(takeback.clashes(unit, event, fact, unit.body_hash) for event, fact in facts):
            raise refuse(
                Code.CONFLICT,
                "Since the restore something else was taken in under this id: a person has to "
                "compare the two.",
            )
        for event, fact in facts:
            if isinstance(fact, CreditIssued):  # told apart from its return
                unit.retell(_unspent(event))
        unit.cover_all()  # the cloud, or another device, has told it
    else:
        for event, fact in facts:
            again = _unspent(event) if isinstance(fact, CreditIssued) else event
            origin = Origin(
                event,
                unit.retell(again),
                unit.body_hash,
                unit.caller.id,
                command.model_dump(mode="json"),
            )
            takeback.take(unit, fact, origin)
        unit.tell(SaleMade())
    if isinstance(command, CommitSale) and command.basket_id is not None:
        _close_basket(unit, command.basket_id)
    address = f"{command.service}/{command.operation}"
    unit.note("request.told_again", _subject(told), {"operation": address})


def _unspent(event: Emitted) -> Emitted:
    """Where the cloud hasn't heard of a credit, nobody has spent any of it that it could hear of,
    and of the epoch that it was set aside in nothing can be spent any more."""
    return event._replace(data=canonical(json.loads(event.data) | {"epoch": 0}))


def _fact(event: Emitted) -> Fact:
    return EVENT_DATA.get(event.type, OtherFact).model_validate_json(event.data)


def _subject(told: Told) -> str:
    return told.events[-1].aggregate if told.events else ""


def _wait_for_sale(unit: Unit, fact: Fact) -> None:
    sale_id = takeback.missing_sale(unit, fact)
    if sale_id is not None:
        raise Refusal(
            problem(
                Code.BUSY,
                "The sale of this is not here again yet: it comes from the cloud or from the "
                "device that made it. Go on with other requests and repeat this one then.",
                retry_after_ms=WAIT_MS,
                context={"waits_for": sale_id},
            )
        )


def _close_basket(unit: Unit, basket_id: str) -> None:
    """An older copy still has the basket that was sold."""
    basket = basketrows.get(unit.tx, basket_id)
    if basket is None or basket.state not in _LIVE:
        return
    ledger = Ledger.of(unit, "basket")
    baskets.release_holds(unit, ledger, basket.id)
    ledger.finish()
    closed = replace(basket, state=BasketState.CLOSED.value, version=basket.version + 1)
    basketrows.save_head(unit.tx, closed)
    unit.tell(BasketChanged(closed.basket_id, closed.state, closed.owner))


INTERNAL: dict[type[Any], Callable[[Unit, Any], Any]] = {TakeTold: take_told}
