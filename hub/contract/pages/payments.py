"""Card payments as people see them: what is at risk, what needs somebody, one with its history.

- ``GET /api/1/payments``               → :class:`PaymentsPage`
- ``GET /api/1/payments/all``           → :class:`AllPaymentsPage`
- ``GET /api/1/payments/{payment_id}``  → :class:`PaymentWhole`

Never a card number, a token or a key: the last four digits and the processor's reference at most.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hub.contract.base import Incoming, Outgoing, UniqueId
from hub.contract.pages.base import PageQuery
from hub.contract.payments import ExposureView, PaymentView
from hub.contract.receivables import LinkSeen

LISTED_MAX = 100
"""Of payments that need a person, and of those under way."""

Act = Literal[
    "give-up", "decide", "paid", "write-off", "contact", "send-link", "settle-link", "settle-refund"
]


class PaymentTrouble(Outgoing):
    """Why somebody has to look at a payment: what is wrong, what it means, what to do."""

    kind: Literal[
        "manual",
        "lost",
        "receivable",
        "no-sale",
        "no-answer",
        "nobody-presents",
        "give-back",
        "twice",
        "paid-twice",
        "given-twice",
        "surcharge",
    ]
    wrong: str
    means: str
    next_step: str


class PaymentOnPage(PaymentView):
    """A payment; names instead of ids where they are known.  ``sale_known``: the sale is written.
    ``acts``: what a person may ask for now (who may is another question).  ``link_why_not``: why
    no payment link can be sent for what is owed; empty: one can, or nothing is owed.
    ``refund_id`` and ``refund_minor``: the refund of which somebody is to say what became of it;
    ``link_key`` and ``link_minor``: the link whose money somebody is to see to."""

    device_name: str = ""
    terminal_name: str = ""
    receipt_no: str = ""
    sale_known: bool = False
    psp_ref: str = ""
    stored_at_ms: int | None = None
    trouble: PaymentTrouble | None = None
    acts: tuple[Act, ...] = ()
    link_why_not: str = ""
    refund_id: str = ""
    refund_minor: int = 0
    link_key: str = ""
    link_minor: int = 0


class TerminalExposure(Outgoing):
    """What one terminal holds of it; its caps are those of all."""

    terminal_id: str
    name: str = ""
    count: int
    minor: int


class ExposureOnPage(ExposureView):
    """The meter, and each terminal's share; the fullest first, at most 100."""

    terminals: tuple[TerminalExposure, ...] = ()


class PaymentCounts(Outgoing):
    """How many payments: under way, those that need a person, and what the shop is owed."""

    open: int = 0
    people: int = 0
    receivable: int = 0
    receivable_minor: int = 0
    at_processor: int = 0


class PaymentsQuery(Incoming):
    """What is at risk, what is under way, and what needs a person."""


class PaymentsPage(Outgoing):
    """At most 100 of each; ``processor``: whether the hub presents payments itself.  ``newest``:
    number of the payment begun last, 0: none; ``changed_at_ms``: when one last changed."""

    exposure: ExposureOnPage
    counts: PaymentCounts
    people: tuple[PaymentOnPage, ...]
    open: tuple[PaymentOnPage, ...]
    processor: bool
    newest: int
    changed_at_ms: int


class AllPaymentsQuery(PageQuery):
    """Which payments: all, those accepted offline, those that were declined or expired, those that
    went back."""

    which: Literal["all", "offline", "failed", "back"] = "all"


class AllPaymentsPage(Outgoing):
    """Payments, begun last first.  A page may be empty and not the last: 20,000 are looked at."""

    payments: tuple[PaymentOnPage, ...]
    next_cursor: str | None = None


class PaymentQuery(Incoming):
    """Which payment."""

    payment_id: UniqueId


class PaymentWord(Outgoing):
    """What somebody said of it; ``yours``: whoever asks has said it."""

    at_ms: int
    outcome: str
    evidence: str
    yours: bool = False


class RefundSeen(Outgoing):
    """Money of it that goes back, or went; ``refund_id`` is its name, ``giver``: ``hub``, or the
    ``till`` at its own terminal, which tells."""

    at_ms: int
    changed_at_ms: int
    refund_id: str = ""
    amount_minor: int
    state: str
    reason: str = ""
    giver: str = "hub"


class PaymentWhole(Outgoing):
    """A payment with its steps (oldest first), what people said, what goes back of it, and the
    links that the customer was asked by.  ``contact``: how the customer can be reached, masked
    (``a***@d***.org``), for managers only."""

    payment: PaymentOnPage
    words: tuple[PaymentWord, ...] = ()
    refunds: tuple[RefundSeen, ...] = Field(default=(), description="At most 100, oldest first.")
    links: tuple[LinkSeen, ...] = ()
    contact: str = ""
