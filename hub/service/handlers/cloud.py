"""The link to the cloud as the hub's rows know it: HELLO, watermarks, commands, drift.

The cloud link never writes itself; it asks for these through the gate.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from hub import events
from hub.contract.base import Command
from hub.contract.oms import Command as CloudCommand
from hub.contract.oms import Hello, HelloReply
from hub.contract.oms_datasets import DATASETS
from hub.contract.oms_envelope import Heads
from hub.contract.oms_events import DRIFT_DETECTED
from hub.contract.oms_orders import ORDER_COMMANDS
from hub.contract.problems import Refusal
from hub.domain import cards
from hub.domain.errors import DomainError
from hub.service.gate import Handler
from hub.service.handlers import giftcards, outcomes, parking, remote
from hub.service.internal import InternalCommand
from hub.service.notices import AckedMoved, HubChanged
from hub.service.orders import commands as orders
from hub.service.unit import Unit
from hub.storage import commandrows, driftrows, hubrow, outbox, relinkrows, stockrows
from hub.storage.driftrows import DriftRow
from hub.storage.hubrow import HubRow
from hub.storage.outbox import StreamHead
from hub.storage.rows import Rows

log = logging.getLogger(__name__)

SAMPLE_MAX = 50
SKUS_PER_COMMAND = 500
WHY_MAX = 200
_NO_CARDS = {
    "gift_card.allotted": ("/1/token_hash",),
    **dict.fromkeys(ORDER_COMMANDS, ("/1/lines/*/sku", "/1/order_id", "/1/number")),
}
"""Where digits look like a card's number now and then: in sixty-four hexadecimal ones, in those of
articles and in order numbers, which are looked at as such where the command is read."""


# Reading -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """Who this hub is, and how far each of its streams is written."""

    hub: HubRow
    last_seqs: Heads


def standing(rows: Rows) -> Standing:
    """What a HELLO is made of."""
    return Standing(hubrow.get(rows), _seqs(outbox.heads(rows)))


def hub_of(rows: Rows) -> HubRow:
    """Who this hub is."""
    return hubrow.get(rows)


def _seqs(lanes: Iterable[StreamHead]) -> Heads:
    seqs: Heads = {}
    for lane in lanes:
        seqs.setdefault(lane.source_uri, {})[lane.stream] = lane.head_seq  # type: ignore[index]
    return seqs


@dataclass(frozen=True, slots=True)
class StockLevels:
    """All streams' heads and all non-zero levels (SKU, bucket → base units) of one instant."""

    heads: Heads
    levels: tuple[tuple[str, dict[str, int]], ...]


def stock_levels(rows: Rows) -> StockLevels:
    """What a comparison with the cloud is made of."""
    found = driftrows.snapshot(rows)
    return StockLevels(_seqs(found.heads), found.levels)


def drift_count(rows: Rows) -> int:
    """How many products differ from the cloud."""
    return driftrows.count(rows)


# Sessions ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BeginHello(InternalCommand):
    """Remember a HELLO (JSON) before it is sent, so that its repetition is the same HELLO."""

    hello: str


@dataclass(frozen=True, slots=True)
class EnterFork(InternalCommand):
    """This database was restored or copied: fence it and write under a fresh ``fork``.

    ``rehome``: its unsent events move there too, for their places are taken by another history.
    """

    fork: str
    machine_hash: str
    why: str
    rehome: bool


@dataclass(frozen=True, slots=True)
class FinishHello(InternalCommand):
    """Take over what the OMS answered."""

    hello: Hello
    reply: HelloReply


@dataclass(frozen=True, slots=True)
class HelloOutcome:
    """``rolled_back``: the OMS has events of ours that this database never wrote, so it is older
    than it thinks; nothing was changed.  ``recovering``: lost events have to be fetched."""

    rolled_back: bool = False
    recovering: bool = False
    commands_cursor: str = ""


@dataclass(frozen=True, slots=True)
class MarkSuperseded(InternalCommand):
    """Another box took over: nothing is taken in any more."""


@dataclass(frozen=True, slots=True)
class MarkAcked(InternalCommand):
    """The OMS said how far it has got: ``(source URI, stream, seq)`` per stream."""

    marks: tuple[tuple[str, str, int], ...]


def begin_hello(unit: Unit, command: BeginHello) -> None:
    """See :class:`BeginHello`."""
    relinkrows.set_started(unit.tx, command.hello)


def enter_fork(unit: Unit, command: EnterFork) -> int:
    """See :class:`EnterFork`; the value is how many events moved."""
    source = relinkrows.set_fork(
        unit.tx, fork=command.fork, fence="restored", machine_hash=command.machine_hash
    )
    moved = relinkrows.rehome(unit.tx, source) if command.rehome else 0
    unit.note("cloud.forked", command.fork, {"why": command.why, "moved": moved})
    unit.tell(HubChanged())
    return moved


def finish_hello(unit: Unit, command: FinishHello) -> HelloOutcome:
    """Write incarnation, epoch, source and watermarks; lifts the fence unless events are lost."""
    hub, reply = hubrow.get(unit.tx), command.reply
    takes_over = command.hello.reason in ("restored", "new")
    lost = _beyond_heads(unit, reply.acked)
    if lost and not takes_over and hub.fence != "restored":
        return HelloOutcome(rolled_back=True)
    source = hubrow.new_source(unit.tx, hub.store, hub.hub_id, reply.incarnation, "")
    hubrow.set_session(
        unit.tx,
        incarnation=reply.incarnation,
        source=source,
        epoch=reply.epoch,
        oms_incarnation=reply.oms_incarnation,
    )
    # A restored database may have outgrown what it lost, so its heads alone don't tell.
    # One that begins anew learns of orders that are open from the answer alone.
    begins = command.hello.reason == "new" and bool(reply.open_orders)
    recovering = hub.fence == "restored" or command.hello.reason == "restored" or lost or begins
    if recovering:
        hubrow.set_fence(unit.tx, "restored")
    _take_watermarks(unit, reply.acked, restored=command.hello.reason == "restored")
    cursor = hub.commands_cursor
    if not cursor and reply.cursors.commands:
        cursor = reply.cursors.commands
        hubrow.set_commands_cursor(unit.tx, cursor)
    if (hub.incarnation, hub.epoch) != (reply.incarnation, reply.epoch):
        unit.note(
            "cloud.session",
            str(reply.incarnation),
            {"epoch": reply.epoch, "reason": command.hello.reason, "was": hub.label},
        )
    unit.tell(HubChanged())
    return HelloOutcome(recovering=recovering, commands_cursor=cursor)


def _beyond_heads(unit: Unit, acked: Heads) -> bool:
    """Whether the OMS has events of this hub that were never written here."""
    sources = relinkrows.sources(unit.tx)
    for uri, streams in acked.items():
        number = sources.get(uri)
        for stream, seq in streams.items():
            if seq > (relinkrows.head(unit.tx, number, stream)[0] if number is not None else 0):
                return True
    return False


def _take_watermarks(unit: Unit, acked: Heads, *, restored: bool) -> None:
    """Go back to where the OMS stands.

    Forward only after a restore: else what it has beyond our mark is sent again, and it says
    whether those are the same events.
    """
    moved = False
    for lane in outbox.heads(unit.tx):
        theirs = acked.get(lane.source_uri, {}).get(lane.stream, 0)  # type: ignore[call-overload]
        if theirs < lane.acked_seq or restored:
            moved |= relinkrows.set_acked(unit.tx, lane, theirs)
    if moved:
        unit.tell(AckedMoved())


def mark_superseded(unit: Unit, command: MarkSuperseded) -> None:
    """See :class:`MarkSuperseded`."""
    if hubrow.get(unit.tx).fence != "superseded":
        hubrow.set_fence(unit.tx, "superseded")
        unit.note("cloud.superseded", hubrow.get(unit.tx).hub_id)
        unit.tell(HubChanged())


def mark_acked(unit: Unit, command: MarkAcked) -> None:
    """See :class:`MarkAcked`."""
    moved = False
    for uri, stream, seq in command.marks:
        moved |= outbox.set_acked(unit.tx, uri, stream, seq)
    if moved:
        unit.tell(AckedMoved())


# Commands from the cloud -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ApplyCommands(InternalCommand):
    """A page of commands and the cursor after it, in one transaction."""

    commands: tuple[CloudCommand, ...]
    cursor: str


@dataclass(frozen=True, slots=True)
class Applied:
    """``datasets``: those that changed; ``counts``: how many commands ended how."""

    datasets: tuple[str, ...]
    counts: dict[str, int]


def apply_commands(unit: Unit, command: ApplyCommands) -> Applied:
    """Do what the cloud asks.  Everything is harmless when repeated or in another order; a command
    that can't be done is noted and doesn't hold up the others."""
    changed: list[str] = []
    counts: dict[str, int] = {}
    ended: dict[str, tuple[str, str, str, str]] = {}
    for one in command.commands:
        if one.id in ended:
            continue
        outcome, why = _apply(unit, one, changed)
        ended[one.id] = (_kept_id(one), cards.mask(one.type), outcome, cards.mask(why))
        counts[outcome] = counts.get(outcome, 0) + 1
    if ended:
        commandrows.add(unit.tx, tuple(ended.values()))
    hubrow.set_commands_cursor(unit.tx, command.cursor)
    return Applied(tuple(dict.fromkeys(changed)), counts)


def _apply(unit: Unit, one: CloudCommand, changed: list[str]) -> tuple[str, str]:
    """``(outcome, why)``; what remote management has asked for is told to the cloud, and which
    order can't be served."""
    if one.type == "dataset.changed":
        name = one.data.get("dataset")
        changed.extend(known for known in DATASETS if known == name)
        return "done", ""
    managed, order = one.type in remote.MANAGED, one.type in ORDER_COMMANDS
    if (managed or order) and (known := commandrows.find(unit.tx, one.id)):
        return known
    outcome, why = _carried_out(unit, one)
    if order and outcome == "failed":
        orders.refused(unit, one, why)
    if managed or (order and outcome == "failed"):
        remote.tell_outcome(unit, one.id, one.type, outcome, why)
    return ("done", remote.UNDER_WAY) if outcome == remote.PENDING else (outcome, why)


def _kept_id(one: CloudCommand) -> str:
    """A command's id as it may be written down; a cloud may name it after an order's number."""
    return one.id if cards.find_in_reference(one.id) is None else cards.mask(one.id)


def _carried_out(unit: Unit, one: CloudCommand) -> tuple[str, str]:
    note, kept_id = {"type": one.type}, _kept_id(one)
    try:
        named = one.id if kept_id != one.id else ""
        cards.refuse_card_data([named, one.data], _NO_CARDS.get(one.type, ()))
    except DomainError as error:  # card data, or nested too deep to be looked at
        log.warning("command %s (%s) is neither done nor kept: %s", kept_id, one.type, error.code)
        unit.note("cloud.command_failed", kept_id, note | {"why": error.code.value})
        return "failed", error.code.value
    action = _COMMANDS.get(one.type)
    if action is None:
        log.warning("command %s of type %s is passed over: not offered here", one.id, one.type)
        unit.note("cloud.command_passed_over", one.id, note | {"data": one.data})
        return "passed_over", "this hub doesn't offer it"
    try:
        with relinkrows.apart(unit.tx):
            outcome, why = action(unit, one) or ("done", "")
    except (Refusal, DomainError, ValueError, TypeError, OverflowError) as error:
        said = error.problem.detail if isinstance(error, Refusal) else str(error)
        why = said[:WHY_MAX]
        unit.undo()
        log.warning("command %s (%s) can't be done: %s", one.id, one.type, error)
        unit.note("cloud.command_failed", one.id, note | remote.who(one) | {"why": why})
        return "failed", why
    if one.type in remote.MANAGED:
        unit.note("cloud.command", one.id, note | remote.who(one) | {"outcome": outcome})
    return outcome, why


def _count_requested(unit: Unit, one: CloudCommand) -> None:
    data: dict[str, Any] = one.data
    skus = data.get("skus") or [data.get("sku")]
    if not isinstance(skus, list) or not all(isinstance(sku, str) and sku for sku in skus):
        raise ValueError("count.requested needs sku or skus")
    for sku in skus[:SKUS_PER_COMMAND]:
        level = stockrows.booked_level(unit.tx, sku)
        stockrows.add_count_task(unit.tx, level.sku_id, "asked for by the cloud")


def _epoch_closed(unit: Unit, one: CloudCommand) -> None:
    unit.note("cloud.epoch_closed", str(one.data.get("epoch", ""))[:32])


_COMMANDS: dict[str, Callable[[Unit, CloudCommand], tuple[str, str] | None]] = {
    **dict.fromkeys(remote.MANAGED, remote.carry_out),
    **dict.fromkeys(ORDER_COMMANDS, orders.told),
    "count.requested": _count_requested,
    "epoch.closed": _epoch_closed,
    "payment.outcome": outcomes.told,
    "payment.link_paid": outcomes.link_paid,
    "gift_card.allotted": giftcards.allotted,
}


# Drift -------------------------------------------------------------------------------------------


DriftFound = DriftRow
"""A product whose levels differ: SKU, the hub's and the cloud's quantities per bucket."""


@dataclass(frozen=True, slots=True)
class RecordDrift(InternalCommand):
    """What a comparison of stock found (empty: equal).  Levels are never changed by it."""

    found: tuple[DriftFound, ...]


def record_drift(unit: Unit, command: RecordDrift) -> int:
    """Keep the finding; tell the cloud and the audit log when it is another than before."""
    before = driftrows.skus(unit.tx)
    driftrows.replace(unit.tx, command.found)
    now = {row.sku for row in command.found[: driftrows.MAX_KEPT]}
    if now == before:
        return len(now)
    skus = sorted(now)
    unit.note(
        "stock.drift" if now else "stock.drift_over",
        "stock",
        {"differing": len(command.found), "sample": skus[:SAMPLE_MAX]},
    )
    if now:
        log.error(
            "stock differs from the cloud's for %d products: count them",
            len(command.found),
            extra=events.STOCK_DRIFT(count=len(command.found)),
        )
        unit.emit(
            "telemetry",
            DRIFT_DETECTED,
            "stock",
            {
                "dataset": "stock",
                "differing_skus": len(command.found),
                "sample": skus[:SAMPLE_MAX],
            },
            "stock",
            str(unit.now_ms),
        )
    return len(now)


WRITES: dict[type[Command], Handler] = {**parking.WRITES}
INTERNAL: dict[type[Any], Callable[[Unit, Any], Any]] = {
    **parking.INTERNAL,
    BeginHello: begin_hello,
    EnterFork: enter_fork,
    FinishHello: finish_hello,
    MarkSuperseded: mark_superseded,
    MarkAcked: mark_acked,
    ApplyCommands: apply_commands,
    RecordDrift: record_drift,
}
