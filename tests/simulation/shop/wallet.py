"""What a till must not forget about money: written to its disk before anybody else is asked.

A job is a request whose answer has consequences at the payment processor.  It is kept until they
are dealt with; a till that was switched off takes up its jobs where they stood, under the same
keys.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Payment:
    """A card payment of ``amount_minor`` and ``tip_minor``: ``state`` is ``asked``,
    ``at_terminal``, ``kept`` (its terminal forwards it), ``approved`` or ``reversing``;
    ``way``: at whose terminal (see :class:`tests.simulation.shop.cardbox.CardWay`), or ``value``:
    with the gift card ``card`` for the sale ``sale``."""

    payment_id: str
    amount_minor: int
    state: str = "asked"
    way: str = "alone"
    tip_minor: int = 0
    card: str = ""
    sale: str = ""


@dataclass(frozen=True, slots=True)
class Refund:
    """Money that goes back to a card; ``return_id``: for goods that came back."""

    refund_id: str
    payment_id: str
    amount_minor: int
    return_id: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """``body`` is the request as it is sent under ``key``; empty while payments are being asked
    for.  ``refunds`` are set once the hub has said what goes back."""

    key: str
    service: str
    operation: str
    body: str = ""
    payments: tuple[Payment, ...] = ()
    refunds: tuple[Refund, ...] = field(default=())

    @property
    def address(self) -> str:
        """``service/operation``."""
        return f"{self.service}/{self.operation}"

    def with_payment(self, payment: Payment) -> Job:
        """The job with this payment as it stands now."""
        others = tuple(one for one in self.payments if one.payment_id != payment.payment_id)
        return replace(self, payments=(*others, payment))


class Wallet:
    """A file of jobs, replaced whole at each change."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.jobs: dict[str, Job] = {}
        if path.exists():
            for row in json.loads(path.read_text()):
                job = Job(
                    row["key"],
                    row["service"],
                    row["operation"],
                    row["body"],
                    tuple(Payment(**one) for one in row["payments"]),
                    tuple(Refund(**one) for one in row["refunds"]),
                )
                self.jobs[job.key] = job

    def keep(self, job: Job) -> Job:
        """Write the job as it stands."""
        self.jobs[job.key] = job
        self._write()
        return job

    def done(self, job: Job) -> None:
        """Nothing is left to do for it."""
        self.jobs.pop(job.key, None)
        self._write()

    def _write(self) -> None:
        beside = self._path.with_suffix(".new")
        beside.write_text(json.dumps([asdict(job) for job in self.jobs.values()]))
        beside.replace(self._path)
