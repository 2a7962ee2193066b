"""The facts a hub sends to the cloud: CloudEvents 1.0 envelopes and the data each type carries.

An event type is ``com.storehub.<aggregate>.<fact>.v1``.  Data models ignore fields they don't
know (additive changes within a version); a field that is missing or of the wrong type makes the
event poison.  ``movements`` in the data of any event, known type or not, change stock levels.

Money is integer minor units, quantities are integer base units, instants are UTC milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hub.contract.base import (
    FreeText,
    Gtin,
    InstantMs,
    LevelQty,
    LineNo,
    MoneyMinor,
    Qty,
    SignedQty,
    Sku,
    StaffId,
)
from hub.contract.oms_envelope import CloudEvent, Id, Seq
from hub.contract.oms_facts import PREFIX, Currency, Day, Fact, Part, PhysicalBucket, Place, Word
from hub.contract.oms_orders import FULFILMENT_FACTS, MAX_ORDER_LINES, FulfilmentLine
from hub.contract.oms_payment_events import PAYMENT_FACTS, PaymentMoved
from hub.contract.oms_value import (
    ALLOTMENT_RETURNED,
    CREDIT_ISSUED,
    AllotmentReturned,
    CreditIssued,
)


class Movement(Part):
    """``qty`` base units of ``sku`` from one place to another; ``seq`` is the hub's ledger seq.

    Serialise with ``by_alias=True``: the fields travel as ``from`` and ``to``.
    """

    seq: Seq
    sku: Sku
    qty: Qty
    from_: Annotated[Place, Field(alias="from")]
    to: Place
    type: Word
    ref_line: Annotated[str, Field(max_length=64)] | None = None

    @model_validator(mode="after")
    def _goes_somewhere(self) -> Self:
        if self.from_ == self.to:
            raise ValueError(f"a movement goes from one place to another, not {self.to} to itself")
        return self


Movements = Annotated[tuple[Movement, ...], Field(max_length=2000)]


class SaleLine(Part):
    line_no: LineNo
    sku: Sku
    gtin: Gtin | None = None
    qty: SignedQty
    scale: Annotated[int, Field(strict=True, ge=0, le=6)]
    unit_price_minor: MoneyMinor
    gross_minor: MoneyMinor
    discount_minor: MoneyMinor
    net_minor: MoneyMinor
    tax_code: Annotated[str, Field(max_length=32)]
    tax_minor: MoneyMinor
    reason: FreeText | None = None


class Tender(Part):
    """How (part of) the total was paid; in a return: paid out, and ``by`` whom (``hub``, else the
    till), with what of the tip and of a terminal's surcharge on top.  Never card data."""

    kind: Word
    amount_minor: MoneyMinor
    payment_id: Id | None = None
    last4: Annotated[str, Field(pattern=r"^[0-9]{4}$")] | None = None
    by: Word | None = None
    tip_minor: MoneyMinor | None = None
    surcharge_minor: MoneyMinor | None = None


class SaleCompleted(Fact):
    sale_id: Id
    receipt_no: Annotated[str, Field(min_length=1, max_length=64)]
    device_id: Id
    staff_id: StaffId | None = None
    business_day: Day
    occurred_at_ms: InstantMs
    currency: Currency
    lines: Annotated[tuple[SaleLine, ...], Field(min_length=1, max_length=1000)]
    tenders: Annotated[tuple[Tender, ...], Field(max_length=50)]
    total_minor: MoneyMinor
    tax_minor: MoneyMinor
    rounding_minor: MoneyMinor = 0
    change_minor: MoneyMinor = 0
    movements: Movements = ()


class SaleVoided(Fact):
    sale_id: Id
    reason: FreeText
    staff_id: StaffId | None = None
    movements: Movements = ()


class ReturnLine(Part):
    line_no: LineNo
    sku: Sku
    qty: Qty
    refund_minor: MoneyMinor
    tax_minor: MoneyMinor
    disposition: Word


class ReturnCompleted(Fact):
    """``sale_id`` is None for a return without a known sale."""

    return_id: Id
    sale_id: Id | None = None
    lines: Annotated[tuple[ReturnLine, ...], Field(min_length=1, max_length=1000)]
    tenders: Annotated[tuple[Tender, ...], Field(max_length=50)]
    total_minor: MoneyMinor
    movements: Movements = ()


class StockMoved(Fact):
    movements: Annotated[tuple[Movement, ...], Field(min_length=1, max_length=2000)]
    reason: FreeText = ""


class CountLine(Part):
    """``variance_qty`` = counted less book at ledger sequence ``ledger_seq``."""

    sku: Sku
    bucket: PhysicalBucket
    counted_qty: Seq
    book_qty: LevelQty
    variance_qty: LevelQty
    ledger_seq: Seq


class StockCounted(Fact):
    count_id: Id
    staff_id: StaffId | None = None
    lines: Annotated[tuple[CountLine, ...], Field(max_length=1000)]
    movements: Movements = ()


class ShortClaim(Part):
    kind: Literal["allotment", "hold", "order"]
    ref: Annotated[str, Field(max_length=128)]
    qty: Qty


class StockClaimsShort(Fact):
    """A sale took goods that were promised; ``victims`` in the order they were taken from."""

    sku: Sku
    short_qty: Qty
    sale_id: Id | None = None
    victims: Annotated[tuple[ShortClaim, ...], Field(max_length=1000)] = ()


class FulfilmentMoved(Fact):
    """What became of an order in the shop; never whose it is.

    ``accepted``: all of it is reserved, told again when goods that were missing have come.
    ``short``: taken in or kept, but goods are missing.  ``rejected``: not taken in; ``why``.
    ``handed_over``, ``shipped``: the goods have left, see ``movements``.  ``cancelled``,
    ``expired``: its reservations are free again.  ``state`` is the order's after it.
    """

    order_id: Id
    version: Seq = 0
    state: Word
    lines: Annotated[tuple[FulfilmentLine, ...], Field(max_length=MAX_ORDER_LINES)] = ()
    why: FreeText = ""
    movements: Movements = ()
    occurred_at_ms: InstantMs


class CashMoved(Fact):
    """Something was done with a till's cash apart from sales and returns.

    ``kind`` ``no_sale``: its drawer was opened without a sale, for the ``count``-th time on this
    day; no amount.
    """

    kind: Word
    device_id: Id
    staff_id: StaffId | None = None
    business_day: Day
    occurred_at_ms: InstantMs
    currency: Currency
    amount_minor: MoneyMinor = 0
    reason: FreeText = ""
    approved_by: StaffId | None = None
    count: Seq = 0


class AuditHead(Fact):
    """The head of the hub's audit hash chain at the end of a business day."""

    seq: Seq
    head_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    business_day: Day


class DeviceState(Fact):
    device_id: Id
    kind: Word
    state: Literal["init", "ready", "sleeping", "disconnected", "lost"]
    since_ms: InstantMs
    conditions: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[a-z][a-z-]{1,38}[a-z]$")], ...] | None,
        Field(
            max_length=32,
            description=(
                "What it says is the matter with what is attached to it; told anew with each"
                " change, absent while nobody knows. Known: printer-offline, printer-cover-open,"
                " printer-paper-empty, printer-paper-near-end, scanner-offline, scale-offline,"
                " display-offline, terminal-offline, battery-low."
            ),
        ),
    ] = None


class DeviceRevoked(Fact):
    """A device was shut out; a hub put back from a copy hears of it again."""

    device_id: Id
    reason: FreeText = ""


class HubReturnKey(Fact):
    """The public key (32 bytes, base64url with padding) that this hub's return codes are signed
    under, told once for each key.  Codes of former keys stay on receipts: all keys of a shop are
    kept, and other shops get them as the policy ``return_keys.{store}``."""

    public_key: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}=$")]
    algorithm: Literal["ed25519"] = "ed25519"
    since_ms: InstantMs = 0


class DriftDetected(Fact):
    """A comparison of digests found levels that differ."""

    dataset: Word = "stock"
    differing_skus: Seq
    sample: Annotated[tuple[Sku, ...], Field(max_length=50)] = ()


class CommandEnded(Fact):
    """What became of a command for remote management.  ``passed_over``: this hub doesn't offer it.
    ``done`` for ``support.requested``: the bundle has arrived."""

    command_id: Id
    type: Annotated[str, Field(max_length=128)]
    outcome: Literal["done", "failed", "passed_over"]
    why: FreeText = ""
    at_ms: InstantMs


class DrillEnded(Fact):
    """An outage drill is over and its outcome known.

    ``how`` it ended: at its ``time``, by a ``person``, or because the ``clock`` was set back.
    ``devices_began`` and ``devices_ended`` were connected then; ``devices_selling`` sold in it.
    ``waiting`` events were told to the cloud afterwards; ``caught_up_ms`` after its end all were;
    None: not within half an hour.
    """

    drill_id: Id
    command_id: Id | None = None
    began_at_ms: InstantMs
    ended_at_ms: InstantMs
    length_ms: Seq
    how: Word
    devices_began: Seq
    devices_ended: Seq
    devices_selling: Seq
    sales: Seq
    total_minor: MoneyMinor
    waiting: Seq
    caught_up_ms: Seq | None = None


class OutboxParked(Fact):
    """Takes the place (same stream and sequence) of an event the cloud refused as poison.

    Here ``original_id`` is that event's id.  When it is mended it is sent again under a new
    sequence, with ``original_id`` in its data.
    """

    original_id: Id
    original_type: Annotated[str, Field(max_length=128)]
    aggregate_id: Annotated[str, Field(max_length=128)]
    code: Annotated[str, Field(max_length=64)]
    detail: FreeText = ""


SALE_COMPLETED = PREFIX + "sale.completed.v1"
SALE_VOIDED = PREFIX + "sale.voided.v1"
RETURN_COMPLETED = PREFIX + "return.completed.v1"
STOCK_MOVED = PREFIX + "stock.moved.v1"
STOCK_COUNTED = PREFIX + "stock.counted.v1"
STOCK_CLAIMS_SHORT = PREFIX + "stock.claims_short.v1"
CASH_MOVED = PREFIX + "cash.moved.v1"
AUDIT_HEAD = PREFIX + "audit.head.v1"
DEVICE_STATE = PREFIX + "device.state.v1"
DEVICE_REVOKED = PREFIX + "device.revoked.v1"
HUB_RETURN_KEY = PREFIX + "hub.return_key.v1"
DRIFT_DETECTED = PREFIX + "drift.detected.v1"
COMMAND_ENDED = PREFIX + "command.ended.v1"
DRILL_ENDED = PREFIX + "drill.ended.v1"
OUTBOX_PARKED = PREFIX + "outbox.parked.v1"


class OtherFact(Fact):
    """A type this version has no model for: kept as it is; its movements count all the same."""

    movements: Movements = ()


EVENT_DATA: Mapping[str, type[Fact]] = MappingProxyType(
    {
        SALE_COMPLETED: SaleCompleted,
        SALE_VOIDED: SaleVoided,
        RETURN_COMPLETED: ReturnCompleted,
        STOCK_MOVED: StockMoved,
        STOCK_COUNTED: StockCounted,
        STOCK_CLAIMS_SHORT: StockClaimsShort,
        CASH_MOVED: CashMoved,
        AUDIT_HEAD: AuditHead,
        DEVICE_STATE: DeviceState,
        DEVICE_REVOKED: DeviceRevoked,
        HUB_RETURN_KEY: HubReturnKey,
        DRIFT_DETECTED: DriftDetected,
        COMMAND_ENDED: CommandEnded,
        DRILL_ENDED: DrillEnded,
        OUTBOX_PARKED: OutboxParked,
        **dict.fromkeys(PAYMENT_FACTS.values(), PaymentMoved),
        **dict.fromkeys(FULFILMENT_FACTS.values(), FulfilmentMoved),
        ALLOTMENT_RETURNED: AllotmentReturned,
        CREDIT_ISSUED: CreditIssued,
    }
)
"""The data model of each known event type; anything else is read as ``OtherFact``."""


def parse_data(event: CloudEvent) -> Fact:
    """The event's data as its model.  Raises ``pydantic.ValidationError`` for a poison event."""
    return EVENT_DATA.get(event.type, OtherFact).model_validate(event.data)


def movements_of(fact: Fact) -> tuple[Movement, ...]:
    """The stock movements a fact carries (empty for facts that have none)."""
    found = getattr(fact, "movements", ())
    assert isinstance(found, tuple)
    return found
