"""Payments and the exposure as they are told."""

from __future__ import annotations

from functools import cached_property
from typing import Final, Literal

from hub.contract.payments import ExposureView, PaymentStep, PaymentView
from hub.domain.payments.exposure import age_ms, bars, meter
from hub.domain.payments.states import TENDERABLE, PaymentState
from hub.domain.payments.work import Hand, Standing, next_work
from hub.service.payments import owing
from hub.service.payments.admission import exposure_of, standing_bars
from hub.service.shop import PaymentRules
from hub.service.unit import Unit
from hub.storage import hubrow, paymentrows, secretrows
from hub.storage.paymentrows import PaymentRow, StepRow
from hub.storage.rows import Rows

S = PaymentState
Waits = Literal["", "terminal", "processor", "issuer", "person"]

_AT_TERMINAL: Final = frozenset({S.INTENT, S.AT_TERMINAL, S.UNKNOWN})
_FOR_PEOPLE: Final = frozenset({S.MANUAL, S.LOST, S.RECOVERY})
_AT_PROCESSOR: Final = frozenset(
    {S.FORWARDING, S.FORWARD_UNKNOWN, S.FORWARDED, S.RETRY_WAIT, S.VOID_PENDING, S.STORED}
)
_WITH_MONEY: Final = frozenset({S.AUTHORISED, S.CAPTURED, S.SETTLED})
_EXPIRES: Final = frozenset({S.STORED, S.RETRY_WAIT})

_WAITS: Final[dict[Hand, Waits]] = {
    Hand.TERMINAL: "terminal",
    Hand.PROCESSOR: "processor",
    Hand.ISSUER: "issuer",
}


def tenderable(row: PaymentRow) -> bool:
    """Whether a sale may be paid with it now: what is to be kept twice, when it is."""
    kept = row.state != S.STORED or bool(row.mirrored)
    return row.state in TENDERABLE and kept and not row.void_asked and not row.in_sale


def waits_for(row: PaymentRow, *, processor: bool) -> Waits:
    """Whose word or deed is next."""
    state = PaymentState(row.state)
    if state in _AT_TERMINAL:
        return "issuer" if row.is_value else "terminal"
    if state in _FOR_PEOPLE:
        return "person"
    work = next_work(
        Standing(
            state,
            row.custody,
            row.driven_by,
            bool(row.in_sale),
            bool(row.void_asked),
            is_value=row.is_value,
        ),
        processor=processor,
    )
    if work is not None:
        return _WAITS[work.hand]
    if row.void_asked and state in _WITH_MONEY:
        return "terminal"  # the till's own: nobody else can give it back
    if state in _AT_PROCESSOR:
        return "terminal" if row.custody == "terminal" else "processor"
    return ""


class Teller:
    """Tells payments as of one instant."""

    def __init__(self, rows: Rows, rules: PaymentRules, now_ms: int, budget_ms: int) -> None:
        self._rows = rows
        self._rules = rules
        self._now_ms = now_ms
        self._budget_ms = budget_ms

    @cached_property
    def _trusted(self) -> bool:
        return not hubrow.clock_suspect(self._rows)

    def payment(self, row: PaymentRow, *, steps: bool = True) -> PaymentView:
        """A payment as it stands; ``steps``: with what happened to it."""
        found = paymentrows.steps(self._rows, row.id) if steps else []
        return PaymentView(
            id=row.id,
            payment_id=row.payment_id,
            sale_id=row.sale_id,
            state=row.state,
            tenderable=tenderable(row),
            void_asked=bool(row.void_asked),
            in_sale=bool(row.in_sale),
            amount_minor=row.sale_minor,
            tip_minor=row.tip_minor,
            surcharge_minor=row.surcharge_minor,
            currency=row.currency,
            refunded_minor=row.refunded_minor,
            device_id=row.device_id,
            terminal_id=row.terminal_id,
            driven_by=row.driven_by,
            custody=row.custody,
            offline_allowed=bool(row.offline_allowed),
            offline_refused=_refused(found),
            offline_seq=row.offline_seq,
            approved_offline=row.offline_seq is not None,
            last4=row.last4,
            scheme=row.scheme,
            approval_code=row.approval_code,
            decline_code=row.decline_code,
            waits_for=waits_for(row, processor=self._rules.processor),
            expires_in_ms=self._expires_in_ms(row),
            begun_at_ms=row.begun_at_ms,
            changed_at_ms=row.changed_at_ms,
            reason=row.reason,
            contact_kept=secretrows.get(self._rows, row.id, owing.CONTACT) is not None,
            kind=row.kind,
            balance_minor=row.balance_minor,
            allotted=bool(row.account),
            owed_minor=owing.owed_minor(self._rows, row) if row.state == S.RECOVERY else None,
            steps=tuple(
                PaymentStep(
                    at_ms=one.at_ms,
                    event=one.event,
                    before=one.before,
                    after=one.after,
                    by=one.by,
                    detail=one.detail,
                )
                for one in found
            ),
        )

    def exposure(self, terminal_id: str | None, currency: str) -> ExposureView:
        """What is at risk, and how much more may be."""
        caps = self._rules.caps
        now = exposure_of(self._rows, terminal_id, self._now_ms, self._budget_ms)
        standing = standing_bars(self._rows, self._rules)
        return ExposureView(
            currency=currency,
            meter=meter(caps, now).value,
            bars=tuple(map(str, standing + bars(caps, now, 1))),
            store_count=now.store_count,
            store_minor=now.store_minor,
            store_cap_minor=caps.store_minor,
            terminal_count=now.terminal_count,
            terminal_minor=now.terminal_minor,
            terminal_cap_count=caps.terminal_count,
            terminal_cap_minor=caps.terminal_minor,
            payment_cap_minor=caps.payment_minor,
            oldest_age_ms=now.oldest_age_ms,
            warn_age_ms=caps.warn_age_ms,
            stop_age_ms=caps.stop_age_ms,
            deadline_ms=caps.deadline_ms,
            next_expiry_in_ms=self._left_ms(*paymentrows.oldest_to_present(self._rows)),
        )

    def _expires_in_ms(self, row: PaymentRow) -> int | None:
        if row.state not in _EXPIRES:
            return None
        return self._left_ms(row.stored_at_ms, row.stored_budget_ms)

    def _left_ms(self, stored_at_ms: int | None, stored_budget_ms: int | None) -> int | None:
        if stored_at_ms is None or stored_budget_ms is None:
            return None
        age = age_ms(
            stored_at_ms, stored_budget_ms, self._now_ms, self._budget_ms, trusted=self._trusted
        )
        return max(0, self._rules.caps.deadline_ms - age)


def now(unit: Unit, row: PaymentRow) -> PaymentView:
    """A payment as a command leaves it."""
    return Teller(unit.tx, unit.shop.payments, unit.now_ms, unit.tx.budget_ms).payment(row)


def _refused(found: list[StepRow]) -> tuple[str, ...]:
    """Why it had to be online: noted with the step that began it."""
    return tuple(found[0].detail.split()) if found and found[0].event == "begun" else ()
